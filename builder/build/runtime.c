#include "builder/build/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "layers/content.h"
#include "wbuild_version.h"

static char *executable_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return wb_strdup("/");
	path[n] = '\0';
	return wb_path_dirname(path);
}

char *wb_stub_path(const struct wb_platform *platform, struct wb_err *err)
{
	wb_autofree char *name = wb_asprintf("init-%s", platform->arch);
	wb_autofree char *beside = executable_dir();
	wb_autofree char *built = wb_path_normalize(beside, "stub");
	wb_autofree char *relative = wb_path_normalize(beside, "../libexec/wbuild");
	const char *const folders[] = {
		wb_env("WBUILD_INIT_DIR"), built, relative, WBUILD_LIBEXECDIR};

	for (size_t i = 0; i < WB_ARRAY_LEN(folders); i++) {
		wb_autofree char *path = folders[i] ? wb_path_join(folders[i], name) : NULL;

		if (path && !access(path, R_OK))
			return wb_steal(path);
	}
	wb_err_set(err, WB_ERR_UNSUPPORTED, "the runtime stub for %s is not installed (\"%s\")",
		wb_platform_text(platform).s, name);
	wb_err_hint(err, "install it, name its folder in WBUILD_INIT_DIR, or build with --no-stub");
	return NULL;
}

static int one_file_layer(struct wb_layers *out, const char *path, unsigned mode,
	const struct wb_content *content, const struct wb_pack_opts *opts, struct wb_store *store,
	struct wb_err *err)
{
	WB_AUTO(wb_tree_release) struct wb_tree tree = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan plan = WB_LAYER_PLAN_INIT;
	struct wb_pack_opts quiet = *opts;
	unsigned group = wb_tree_group(&tree, "wbuild", "/.wbuild");

	quiet.progress = NULL;
	if (wb_tree_add_file(&tree, group, path, mode, content, err) ||
		wb_tree_finish(&tree, 1, err))
		return -1;
	wb_layer_plan_make(&plan, &tree, &(struct wb_layer_limits){0});
	return wb_pack(out, &plan, &quiet, store, err);
}

int wb_stub_layer(struct wb_layers *out, const char *stub_path, const struct wb_pack_opts *opts,
	struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_content_release) struct wb_content content = {0};
	wb_autofree char *real = realpath(stub_path, NULL);
	struct stat st;

	if (!real || stat(real, &st))
		return wb_err_sys(err, errno, "cannot read the runtime stub \"%s\"", stub_path);
	wb_content_from_stat(&content, real, &st);
	if (wb_content_hash(&content.digest, &content, err))
		return -1;
	content.digest_known = true;
	return one_file_layer(out, WB_INIT_PATH, 0755, &content, opts, store, err);
}

int wb_manifest_layer(struct wb_layers *out, char **text, const struct wb_bundle_manifest *m,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	wb_autofree char *json = wb_bundle_manifest_dump(m);
	WB_AUTO(wb_content_release)
	struct wb_content content = {.immutable = true, .digest_known = true, .size = strlen(json)};

	if (content.size > WB_MANIFEST_BYTES_MAX)
		return wb_err_set(err, WB_ERR_LIMIT,
			"the bundle manifest would be %llu bytes, more than the limit of %u",
			(unsigned long long)content.size, WB_MANIFEST_BYTES_MAX);
	if (wb_store_put(store, json, content.size, &content.digest, err))
		return -1;
	content.path = wb_store_blob_path(store, &content.digest);
	if (one_file_layer(out, WB_MANIFEST_PATH, 0644, &content, opts, store, err))
		return -1;
	*text = wb_steal(json);
	return 0;
}
