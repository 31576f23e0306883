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

#define PYTHON_MODULE "lazy_data_resolver.py"

static char *executable_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return wb_strdup("/");
	path[n] = '\0';
	return wb_path_dirname(path);
}

/* A file that is installed with wbuild. NULL with errno: why not; ENOENT when there is none. */
static char *find_installed(const char *name)
{
	int errnum = ENOENT;
	wb_autofree char *beside = executable_dir();
	wb_autofree char *built = wb_path_normalize(beside, "stub");
	wb_autofree char *relative = wb_path_normalize(beside, "../libexec/wbuild");
	const char *const folders[] = {
		wb_env("WBUILD_INIT_DIR"), built, relative, WBUILD_LIBEXECDIR};

	for (size_t i = 0; i < WB_ARRAY_LEN(folders); i++) {
		wb_autofree char *path = folders[i] ? wb_path_join(folders[i], name) : NULL;

		if (path && !access(path, R_OK))
			return wb_steal(path);
		if (path && errno != ENOENT && errno != ENOTDIR)
			errnum = errno;
	}
	errno = errnum;
	return NULL;
}

/* A small layer of files below /.wbuild. */
struct own_layer {
	struct wb_tree tree;
	unsigned group;
};

static void own_layer_init(struct own_layer *l)
{
	l->tree = WB_TREE_INIT;
	l->group = wb_tree_group(&l->tree, "wbuild", "/.wbuild");
}

static void own_layer_release(struct own_layer *l)
{
	wb_tree_release(&l->tree);
}

static int own_layer_pack(struct wb_layers *out, struct own_layer *l,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan plan = WB_LAYER_PLAN_INIT;
	struct wb_pack_opts quiet = *opts;

	quiet.progress = NULL;
	if (wb_tree_finish(&l->tree, 1, err))
		return -1;
	wb_layer_plan_make(&plan, &l->tree, &(struct wb_layer_limits){0});
	return wb_pack(out, &plan, &quiet, store, err);
}

static int add_installed(struct own_layer *l, const char *path, unsigned mode,
	const char *installed, struct wb_err *err)
{
	WB_AUTO(wb_content_release) struct wb_content content = {0};
	wb_autofree char *real = realpath(installed, NULL);
	struct stat st;

	if (!real || stat(real, &st))
		return wb_err_sys(err, errno, "cannot read \"%s\"", installed);
	wb_content_from_stat(&content, real, &st);
	if (wb_content_hash(&content.digest, NULL, &content, err))
		return -1;
	content.digest_known = true;
	return wb_tree_add_file(&l->tree, l->group, path, mode, &content, err);
}

void wb_stub_files_release(struct wb_stub_files *f)
{
	wb_vec_foreach (file, &f->list)
		free(file->installed);
	wb_vec_free(&f->list);
}

static bool add_file(struct wb_stub_files *out, const char *name, const char *path, unsigned mode)
{
	char *installed = find_installed(name);

	if (installed)
		*wb_vec_push(&out->list) = (struct wb_stub_file){installed, path, mode};
	return installed != NULL;
}

int wb_stub_files(struct wb_stub_files *out, const struct wb_platform *platform, bool fetches,
	struct wb_err *err)
{
	wb_autofree char *init = wb_asprintf("init-%s", platform->arch);
	wb_autofree char *fetch = wb_asprintf("fetch-%s", platform->arch);

	*out = WB_STUB_FILES_INIT;
	if (!add_file(out, init, WB_INIT_PATH, 0755)) {
		if (errno != ENOENT)
			return wb_err_sys(err, errno, "cannot read the runtime stub \"%s\"", init);
		wb_err_set(err, WB_ERR_UNSUPPORTED,
			"the runtime stub for %s is not installed (\"%s\")",
			wb_platform_text(platform).s, init);
		return wb_err_hint(err,
			"install it, name its folder in WBUILD_INIT_DIR, or build with --no-stub");
	}
	if (!fetches)
		return 0;
	bool has_fetch = add_file(out, fetch, ".wbuild/fetch", 0755);

	if (has_fetch && add_file(out, PYTHON_MODULE, ".wbuild/" PYTHON_MODULE, 0644))
		return 0;
	if (errno != ENOENT)
		return wb_err_sys(err, errno, "cannot read \"%s\", which is put into images",
			has_fetch ? PYTHON_MODULE : fetch);
	wb_err_set(err, WB_ERR_UNSUPPORTED,
		"the program that fetches use_volume entries on %s is not installed (\"%s\")",
		wb_platform_text(platform).s, has_fetch ? PYTHON_MODULE : fetch);
	return wb_err_hint(err, "leave that platform out with --platform, bake the entries with "
				"--bundle-volumes, or name its folder in WBUILD_INIT_DIR");
}

int wb_stub_check(const struct wb_platform *platform, bool fetches, struct wb_err *err)
{
	WB_AUTO(wb_stub_files_release) struct wb_stub_files files = WB_STUB_FILES_INIT;

	return wb_stub_files(&files, platform, fetches, err);
}

int wb_stub_layer(struct wb_layers *out, const struct wb_platform *platform, bool fetches,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(own_layer_release) struct own_layer l;
	WB_AUTO(wb_stub_files_release) struct wb_stub_files files = WB_STUB_FILES_INIT;

	own_layer_init(&l);
	if (wb_stub_files(&files, platform, fetches, err))
		return -1;
	wb_vec_foreach (f, &files.list)
		if (add_installed(&l, f->path, f->mode, f->installed, err))
			return -1;
	return own_layer_pack(out, &l, opts, store, err);
}

/* A layer with one file of this text. */
static int text_layer(struct wb_layers *out, const char *path, const char *text, size_t limit,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_content_release)
	struct wb_content content = {.immutable = true, .digest_known = true, .size = strlen(text)};
	WB_AUTO(own_layer_release) struct own_layer l;

	own_layer_init(&l);
	if (content.size > limit)
		return wb_err_set(err, WB_ERR_LIMIT,
			"\"/%s\" would have %llu bytes, more than the limit of %zu", path,
			(unsigned long long)content.size, limit);
	if (wb_store_put(store, text, content.size, &content.digest, err))
		return -1;
	content.path = wb_store_blob_path(store, &content.digest);
	return wb_tree_add_file(&l.tree, l.group, path, 0644, &content, err) ||
	                       own_layer_pack(out, &l, opts, store, err)
	               ? -1
	               : 0;
}

int wb_manifest_layer(struct wb_layers *out, char **text, const struct wb_bundle_manifest *m,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	wb_autofree char *json = wb_bundle_manifest_dump(m);

	if (text_layer(out, WB_MANIFEST_PATH, json, WB_MANIFEST_BYTES_MAX, opts, store, err))
		return -1;
	*text = wb_steal(json);
	return 0;
}

int wb_fetch_list_layer(struct wb_layers *out, const struct wb_volumes *volumes,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	wb_autofree char *json = wb_volumes_dump(volumes);

	return text_layer(
		out, WB_VOLUME_LIST_PATH, json, WB_VOLUME_LIST_BYTES_MAX, opts, store, err);
}
