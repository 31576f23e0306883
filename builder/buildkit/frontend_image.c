/* Bases, what is run in them, and the images that come of them. */
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "builder/build/guard.h"
#include "builder/build/runtime.h"
#include "builder/buildkit/frontend_internal.h"
#include "oci/mediatype.h"

/* --- platforms ---------------------------------------------------------------------------- */

static int add_platform(struct wb_front_base *b, const char *text, struct wb_err *err)
{
	struct wb_platform p;

	if (wb_platform_parse(&p, text, err))
		return wb_err_wrap(err, "--platform");
	b->platform = (struct wb_llb_platform){
		wb_strdup(p.os), wb_strdup(p.arch), p.variant[0] ? wb_strdup(p.variant) : NULL};
	b->name = wb_strdup(wb_platform_text(&p).s);
	return 0;
}

static void platform_release(struct wb_llb_platform *p)
{
	free(p->os);
	free(p->arch);
	free(p->variant);
}

void wb_front_bases_free(struct wb_front_base *bases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		platform_release(&bases[i].platform);
		free(bases[i].name);
		wb_image_release(&bases[i].image);
		wb_base_release(&bases[i].names);
	}
	free(bases);
}

/* --- images ------------------------------------------------------------------------------- */

#define STORE "oci-layout://"
#define IMAGE "docker-image://"

bool wb_front_has_context(const struct wb_front *f, const char *name)
{
	wb_autofree char *key = wb_asprintf("context:%s", name);
	const char *value = wb_frontend_opt(&f->opts, key);

	return value && *value;
}

/* An image's config as wbuild edits it. Which layers it has, BuildKit knows; here only their number
 * counts, for the history. */
static int take_config(
	struct wb_image *out, const char *text, size_t n, const char *what, struct wb_err *err)
{
	WB_AUTO(wb_manifest_release) struct wb_manifest m = {.image = true};
	wb_autojson json_t *config = wb_json_parse(text, n, what, err);
	struct wb_digest none = {0};

	if (!config)
		return -1;
	const json_t *ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");

	for (size_t i = 0; i < json_array_size(ids); i++)
		wb_descriptor_set(wb_vec_push(&m.layers), WB_MT_OCI_LAYER, &none, 0);
	return wb_image_parse(out, &m, text, n, what, err);
}

static int resolve(struct wb_gateway_image *image, struct wb_front *f, const char *ref,
	const char *store, const struct wb_llb_platform *platform, struct wb_err *err)
{
	wb_autofree char *name = wb_asprintf("[wbuild] load metadata of %s", ref);
	const struct wb_gateway_resolve r = {.ref = ref,
		.session = f->opts.session,
		.store = store,
		.mode = wb_frontend_opt(&f->opts, "image-resolve-mode"),
		.name = name,
		.platform = platform};

	return wb_gateway_resolve_image(image, f->g, &r, err);
}

/* "oci-layout://STORE[:TAG]@DIGEST", as the clients send it. */
static int from_store(struct wb_llb_ref *out, struct wb_gateway_image *image, struct wb_front *f,
	const char *value, const char *name, const struct wb_llb_platform *platform,
	struct wb_err *err)
{
	const char *at = strchr(value, '@');

	if (!at)
		return wb_err_set(
			err, WB_ERR_USAGE, "context \"%s\": \"%s\" has no digest", name, value);
	wb_autofree char *store =
		wb_strndup(value + strlen(STORE), strcspn(value + strlen(STORE), ":@"));
	wb_autofree char *ref = wb_asprintf("docker.io/library/%s%s", store, at);
	wb_autofree char *identifier = wb_asprintf(STORE "%s", ref);
	wb_autofree char *shown = wb_asprintf("[context %s] %s", name, at + 1);
	const char *const attrs[] = {"oci.session", f->opts.session, "oci.store", store, NULL};
	const struct wb_llb_note note = {.name = shown};

	if (resolve(image, f, ref, store, platform, err))
		return -1;
	*out = wb_llb_source(&f->llb, identifier, attrs, "source.ocilayout", platform, &note);
	return 0;
}

static int from_registry(struct wb_llb_ref *out, struct wb_gateway_image *image,
	struct wb_base *names, struct wb_front *f, const char *text,
	const struct wb_llb_platform *platform, struct wb_err *err)
{
	WB_AUTO(wb_reference_release) struct wb_reference ref = WB_REFERENCE_INIT;

	if (wb_reference_parse(&ref, text, err))
		return wb_err_wrap(err, "base image");
	wb_reference_default_tag(&ref);
	wb_autofree char *whole = wb_reference_text(&ref);

	if (resolve(image, f, whole, NULL, platform, err))
		return -1;
	names->reference = wb_strdup(whole);
	if (!ref.has_digest && wb_digest_parse(&ref.digest, image->digest, err))
		return wb_err_wrap(err, "base image \"%s\"", whole);
	ref.has_digest = true;
	wb_autofree char *pinned = wb_reference_text(&ref);
	wb_autofree char *identifier = wb_asprintf(IMAGE "%s", pinned);
	wb_autofree char *shown = wb_asprintf("[base] %s", pinned);
	const struct wb_llb_note note = {.name = shown};

	*out = wb_llb_source(&f->llb, identifier, NULL, "source.image", platform, &note);
	return 0;
}

/* ref: of a registry; context: the name of a named context that stands for it, or NULL. */
int wb_front_image(struct wb_llb_ref *out, struct wb_image *image, struct wb_base *names,
	struct wb_front *f, const char *ref, const char *context,
	const struct wb_llb_platform *platform, struct wb_err *err)
{
	WB_AUTO(wb_gateway_image_release) struct wb_gateway_image found = {0};
	wb_autofree char *key = wb_asprintf("context:%s", context ? context : "");
	const char *value = context ? wb_frontend_opt(&f->opts, key) : NULL;
	int rc;

	if (value && wb_str_starts(value, STORE))
		rc = from_store(out, &found, f, value, context, platform, err);
	else if (!value || wb_str_starts(value, IMAGE))
		rc = from_registry(
			out, &found, names, f, value ? value + strlen(IMAGE) : ref, platform, err);
	else
		rc = wb_err_set(err, WB_ERR_UNSUPPORTED,
			"context \"%s\": \"%.100s\" is neither %s nor %s", context, value, STORE,
			IMAGE);
	if (rc)
		return -1;
	names->name = wb_strdup(ref ? ref : context);
	if (found.digest && wb_digest_parse(&names->digest, found.digest, err))
		return -1;
	return take_config(image, found.config, found.config_len, names->name, err);
}

/* --- the base ----------------------------------------------------------------------------- */

static const char *base_name(const struct wb_front *f)
{
	const char *arg = wb_frontend_arg(&f->opts, "WBUILD_BASE");
	const char *name = arg ? arg : f->config.base_image;

	return f->scratch || !name || !strcmp(name, "scratch") ? NULL : name;
}

static int open_base(struct wb_front *f, struct wb_front_base *b, struct wb_err *err)
{
	const char *name = base_name(f);
	struct wb_platform p;

	if (name) {
		const char *context = wb_front_has_context(f, name)     ? name
		                      : wb_front_has_context(f, "base") ? "base"
		                                                        : NULL;

		return wb_front_image(
			&b->state, &b->image, &b->names, f, name, context, &b->platform, err);
	}
	if (wb_platform_parse(&p, b->name, err))
		return -1;
	wb_image_scratch(&b->image, &p);
	return 0;
}

/* The variables that the base's image sets, and those of the config. */
static const char **command_env(const struct wb_front *f, const struct wb_front_base *b,
	struct wb_buf *room, struct wb_err *err)
{
	const json_t *base = json_object_get(json_object_get(b->image.config, "config"), "Env");
	WB_VEC(size_t) at = {0};
	const char **out;

	wb_buf_init(room, 1u << 20, "an environment");
	for (size_t i = 0; i < json_array_size(base); i++) {
		const char *v = json_string_value(json_array_get(base, i));

		*wb_vec_push(&at) = room->len;
		wb_buf_add(room, v ? v : "", (v ? strlen(v) : 0) + 1, err);
	}
	wb_vec_foreach (opt, &f->opts.list) {
		if (!wb_str_starts(opt->name, "build-arg:") ||
			wb_str_starts(opt->name, "build-arg:WBUILD_"))
			continue;
		*wb_vec_push(&at) = room->len;
		wb_buf_printf(room, err, "%s=%s", opt->name + strlen("build-arg:"), opt->value);
		wb_buf_add(room, "", 1, err);
	}
	out = wb_calloc(at.n + 1, sizeof(*out));
	for (size_t i = 0; i < at.n; i++)
		out[i] = room->data + at.items[i];
	wb_vec_free(&at);
	return out;
}

static int run_command(
	struct wb_front *f, struct wb_front_base *b, const char *command, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf room = WB_BUF_INIT;
	wb_autofree const char **env = command_env(f, b, &room, err);
	const char *const args[] = {"/bin/sh", "-c", command, NULL};
	const char *network = wb_frontend_arg(&f->opts, "WBUILD_NETWORK");
	const char *dir = wb_image_text(&b->image, WB_IMAGE_WORKDIR);
	wb_autofree char *name = wb_asprintf("[build_commands] %.200s", command);
	wb_autofree char *history = wb_asprintf("RUN %s", command);
	const struct wb_llb_note note = {.name = name, .no_cache = f->no_cache};
	WB_VEC(struct wb_llb_mount) mounts = {0};
	struct wb_digest none = {0};
	const struct wb_history line = {.created_by = history, .comment = "wbuild"};
	WB_AUTO(wb_descriptor_release) struct wb_descriptor desc = {0};

	if (err->code)
		return -1;
	*wb_vec_push(&mounts) = (struct wb_llb_mount){.tree = b->state, .dest = "/"};
	wb_vec_foreach (s, &f->config.secret_paths)
		*wb_vec_push(&mounts) = (struct wb_llb_mount){
			.kind = WB_LLB_SECRET, .id = s->name, .dest = s->value, .required = true};
	const struct wb_llb_exec exec = {.args = args,
		.env = env,
		.cwd = dir && *dir ? dir : "/",
		.user = wb_image_text(&b->image, WB_IMAGE_USER),
		.mounts = mounts.items,
		.n_mounts = mounts.n,
		.network = network && !strcmp(network, "host"),
		.platform = &b->platform};

	b->state = wb_llb_exec(&f->llb, &exec, &note);
	wb_vec_free(&mounts);
	wb_descriptor_set(&desc, WB_MT_OCI_LAYER, &none, 0);
	return wb_image_add_layer(&b->image, &desc, &none, &line, err);
}

static int run_commands(struct wb_front *f, struct wb_front_base *b, struct wb_err *err)
{
	if (f->scratch)
		return 0;
	if (!b->state.op && f->config.build_commands.n)
		return wb_err_set(err, WB_ERR_CONFIG, "build_commands need a base_image to run in");
	wb_vec_foreach (command, &f->config.build_commands)
		if (run_command(f, b, *command, err))
			return -1;
	return 0;
}

/* One base per platform, with build_commands done. */
int wb_front_bases(struct wb_front_base **out, size_t *n, struct wb_front *f, struct wb_err *err)
{
	const char *wanted = wb_frontend_opt(&f->opts, "platform");
	wb_autofree char *native = wb_asprintf("%s/%s", f->opts.native.os, f->opts.native.arch);
	wb_autofree char *list = wb_strdup(wanted && *wanted ? wanted : native);
	WB_VEC(struct wb_front_base) bases = {0};
	char *rest = list;
	int rc = 0;

	for (char *name; !rc && (name = strsep(&rest, ","));) {
		struct wb_front_base *b = wb_vec_push(&bases);

		rc = add_platform(b, name, err) || open_base(f, b, err) || run_commands(f, b, err)
		             ? -1
		             : 0;
		if (!rc && b->image.layers.n > f->base_layers)
			f->base_layers = b->image.layers.n;
	}
	if (rc) {
		wb_front_bases_free(bases.items, bases.n);
		return rc;
	}
	*out = bases.items;
	*n = bases.n;
	return 0;
}

/* --- the result --------------------------------------------------------------------------- */

static int add_stub(struct wb_llb_ref *out, struct wb_front *f, const struct wb_front_base *b,
	struct wb_err *err)
{
	wb_autofree char *name = wb_asprintf("[wbuild] runtime stub for %s", b->name);
	const struct wb_llb_note note = {.name = name};
	WB_AUTO(wb_stub_files_release) struct wb_stub_files files = WB_STUB_FILES_INIT;
	WB_VEC(struct wb_llb_copied) copied = {0};
	WB_VEC(char *) paths = {0};
	struct wb_platform p;

	if (wb_platform_parse(&p, b->name, err))
		return -1;
	if (wb_stub_files(&files, &p, f->fetch_list != NULL, err))
		return wb_err_hint(err, "--build-arg WBUILD_STUB=0 leaves it out");
	wb_vec_foreach (file, &files.list) {
		*wb_vec_push(&paths) = wb_asprintf("/%s", file->path);
		*wb_vec_push(&copied) = (struct wb_llb_copied){
			file->installed, paths.items[paths.n - 1], file->mode};
	}
	*out = wb_llb_copy(&f->llb, f->self, copied.items, copied.n, f->epoch, &note);
	wb_vec_foreach (path, &paths)
		free(*path);
	wb_vec_free(&paths);
	wb_vec_free(&copied);
	return 0;
}

static struct wb_llb_ref fetch_list(struct wb_front *f)
{
	const struct wb_llb_note note = {.name = "[wbuild] fetch list"};
	const struct wb_llb_file file = {
		"/" WB_VOLUME_LIST_PATH, f->fetch_list, strlen(f->fetch_list)};

	return wb_llb_files(&f->llb, &file, 1, f->epoch, &note);
}

static int add_history(
	struct wb_front_base *b, struct wb_front *f, const char *text, struct wb_err *err)
{
	WB_AUTO(wb_descriptor_release) struct wb_descriptor desc = {0};
	struct wb_digest none = {0};
	char created[32];
	time_t t = (time_t)f->epoch;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	const struct wb_history line = {.created = created, .created_by = text};

	wb_descriptor_set(&desc, WB_MT_OCI_LAYER, &none, 0);
	return wb_image_add_layer(&b->image, &desc, &none, &line, err);
}

static int add_layers(
	struct wb_llb_ref *out, struct wb_front *f, struct wb_front_base *b, struct wb_err *err)
{
	WB_VEC(struct wb_llb_ref) parts = {0};
	const struct wb_llb_note note = {.name = "[wbuild] put the layers together"};
	struct wb_llb_ref stub = WB_LLB_SCRATCH;
	int rc = f->stub ? add_stub(&stub, f, b, err) : 0;

	*wb_vec_push(&parts) = b->state;
	*wb_vec_push(&parts) = stub;
	if (!rc && stub.op)
		rc = add_history(b, f, "wbuild: runtime stub", err);
	for (size_t i = 0; !rc && i < f->layers.n; i++) {
		const struct wb_front_layer *l = &f->layers.items[i];
		wb_autofree char *text = wb_asprintf("wbuild: %s: %zu %s, %s", l->label, l->files,
			l->files == 1 ? "file" : "files", wb_size_text(l->bytes).s);

		*wb_vec_push(&parts) = l->content;
		rc = add_history(b, f, text, err);
	}
	*wb_vec_push(&parts) = f->manifest;
	if (!rc)
		rc = add_history(b, f, "wbuild: bundle manifest", err);
	if (!rc && f->fetch_list && f->stub) {
		*wb_vec_push(&parts) = fetch_list(f);
		rc = add_history(b, f, "wbuild: fetch list", err);
	}
	*out = wb_llb_merge(&f->llb, parts.items, parts.n, &note);
	wb_vec_free(&parts);
	return rc;
}

/* A weights image takes the place of the steps: its blobs stay what they are. */
static int add_weights(
	struct wb_llb_ref *out, struct wb_front *f, struct wb_front_base *b, struct wb_err *err)
{
	WB_AUTO(wb_image_release) struct wb_image weights = WB_IMAGE_INIT;
	WB_AUTO(wb_base_release) struct wb_base names = WB_BASE_INIT;
	const struct wb_llb_note note = {.name = "[wbuild] put the layers together"};
	struct wb_llb_ref parts[2] = {b->state, WB_LLB_SCRATCH};

	if (wb_front_image(&parts[1], &weights, &names, f, NULL, "weights", &b->platform, err))
		return -1;
	for (size_t i = 0; i < weights.layers.n; i++)
		if (add_history(b, f, "wbuild: layer of the weights image", err))
			return -1;
	*out = wb_llb_merge(&f->llb, parts, 2, &note);
	return 0;
}

static char *config_text(struct wb_front *f, struct wb_front_base *b)
{
	WB_VEC(char *) labels = {0};
	const char *verify = wb_frontend_arg(&f->opts, "WBUILD_VERIFY");

	wb_vec_foreach (opt, &f->opts.list)
		if (wb_str_starts(opt->name, "label:"))
			*wb_vec_push(&labels) =
				wb_asprintf("%s=%s", opt->name + strlen("label:"), opt->value);
	wb_vec_push(&labels);
	const struct wb_assemble_opts opts = {.config = &f->config,
		.verify = verify,
		.fetches = f->fetch_list != NULL,
		.epoch = f->epoch,
		.labels = (const char *const *)labels.items};

	wb_assemble_config(&b->image, &b->names, &opts, f->stub);
	char *text = wb_json_dump(b->image.config);

	wb_vec_foreach (label, &labels)
		free(*label);
	wb_vec_free(&labels);
	return text;
}

/* Labels and variables that hold a credential. Values of secrets are known to the steps alone. */
static int guard_config(struct wb_front *f, const char *text, struct wb_err *err)
{
	const char *const allow[] = {wb_frontend_arg(&f->opts, "WBUILD_ALLOW_SECRET"), NULL};
	struct wb_build_guard guard = {.allow = allow, .config_text = f->config_text.data};
	const struct wb_document doc = {
		.bytes = (char *)(uintptr_t)text, .desc = {.size = strlen(text)}};

	return wb_build_guard_document(&guard, "config", &doc, err);
}

static int make_one(struct wb_gateway_result *out, struct wb_front *f, struct wb_front_base *b,
	struct wb_err *err)
{
	struct wb_llb_ref all;
	int rc = wb_front_has_context(f, "weights") ? add_weights(&all, f, b, err)
	                                            : add_layers(&all, f, b, err);

	if (rc || wb_gateway_solve(&out->id, f->g, &f->llb, all, err))
		return -1;
	out->platform = wb_strdup(b->name);
	out->config = config_text(f, b);
	return guard_config(f, out->config, err);
}

/* The value of "refs.platforms" (moby/buildkit, exporter/containerimage/exptypes). */
static char *platforms_text(const struct wb_front_base *bases, size_t n)
{
	wb_autojson json_t *out = json_object();
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *entry = json_object(), *platform = json_object();

		wb_json_set_str(platform, "architecture", bases[i].platform.arch);
		wb_json_set_str(platform, "os", bases[i].platform.os);
		if (bases[i].platform.variant)
			wb_json_set_str(platform, "variant", bases[i].platform.variant);
		wb_json_set_str(entry, "ID", bases[i].name);
		wb_json_set(entry, "Platform", platform);
		wb_json_append(list, entry);
	}
	wb_json_set(out, "Platforms", list);
	return wb_json_dump(out);
}

int wb_front_result(struct wb_front *f, struct wb_front_base *bases, size_t n, struct wb_err *err)
{
	wb_autofree struct wb_gateway_result *results = wb_calloc(n, sizeof(*results));
	const char *multi = wb_frontend_opt(&f->opts, "multi-platform");
	bool several = n > 1 || (multi && !strcmp(multi, "true"));
	wb_autofree char *platforms = several ? platforms_text(bases, n) : NULL;
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = make_one(&results[i], f, &bases[i], err);
	if (!rc)
		rc = wb_gateway_return(f->g, results, n, platforms, err);
	for (size_t i = 0; i < n; i++) {
		free(results[i].id);
		free(results[i].platform);
		free(results[i].config);
	}
	return rc;
}
