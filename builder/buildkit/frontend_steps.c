/* The steps of a build, as operations that run this program in the frontend's own image (step.h
 * tells what each one does). */
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/build/lint.h"
#include "builder/buildkit/frontend_internal.h"
#include "builder/config/source_json.h"
#include "layers/plan.h"

#define FAULT_MAX (1u << 20)

/* What a step leaves behind: /out first, then /meta if it has one. */
enum { OUTPUT_RESULT, OUTPUT_META };

/* Where sources are, when it is not where everybody looks (docs/buildkit.md, "Build arguments"). */
static const char *const endpoints[] = {"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_REGION", "BASETEN_API_URL", "BDN_PROXY",
	"HF_ENDPOINT", "R2_ENDPOINT_URL", "STORAGE_EMULATOR_HOST", NULL};

/* Secrets by the names that the sources' own tools use. One that the session has not is an empty
 * variable. */
static const char *const credentials[] = {"HF_TOKEN=HF_TOKEN",
	"HUGGING_FACE_HUB_TOKEN=HUGGING_FACE_HUB_TOKEN", "AWS_ACCESS_KEY_ID=AWS_ACCESS_KEY_ID",
	"AWS_SECRET_ACCESS_KEY=AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN=AWS_SESSION_TOKEN",
	"AZURE_STORAGE_CONNECTION_STRING=AZURE_STORAGE_CONNECTION_STRING",
	"AZURE_STORAGE_KEY=AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN=AZURE_STORAGE_SAS_TOKEN",
	"BASETEN_API_KEY=BASETEN_API_KEY", NULL};

/* Truss's name for the hub's token; a source that names no secret finds it by HF_TOKEN_PATH. */
#define HUB_SECRET "hf_access_token"

/* A step being put together. */
struct stage {
	struct wb_front *f;
	const char *name;
	json_t *params;
	WB_VEC(struct wb_llb_file) files; /* in /in, besides the params */
	WB_VEC(struct wb_llb_mount) mounts;
	WB_VEC(char *) paths; /* that mounts borrow */
	bool remote;          /* it asks sources: give it the secrets */
	bool meta;            /* it leaves something in /meta too */
};

static void stage_release(struct stage *s)
{
	json_decref(s->params);
	wb_vec_free(&s->files);
	wb_vec_free(&s->mounts);
	wb_vec_foreach (p, &s->paths)
		free(*p);
	wb_vec_free(&s->paths);
}

static void stage_init(struct stage *s, struct wb_front *f, const char *name)
{
	*s = (struct stage){.f = f, .name = name, .params = json_object()};
}

static const char *keep(struct stage *s, char *text)
{
	*wb_vec_push(&s->paths) = text;
	return text;
}

static void give_file(struct stage *s, const char *path, const char *data, size_t n)
{
	*wb_vec_push(&s->files) = (struct wb_llb_file){path, data, n};
}

static void mount_tree(
	struct stage *s, struct wb_llb_ref tree, const char *selector, const char *dest, int output)
{
	*wb_vec_push(&s->mounts) = (struct wb_llb_mount){.kind = WB_LLB_TREE,
		.tree = tree,
		.selector = selector,
		.dest = dest,
		.output = output,
		.readonly = output < 0};
}

static void mount_secret(struct stage *s, const char *name)
{
	wb_vec_foreach (m, &s->mounts)
		if (m->kind == WB_LLB_SECRET && !strcmp(m->id, name))
			return;
	*wb_vec_push(&s->mounts) = (struct wb_llb_mount){.kind = WB_LLB_SECRET,
		.id = name,
		.dest = keep(s, wb_asprintf("/run/secrets/%s", name))};
}

static void mount_secrets(struct stage *s)
{
	const struct wb_config *c = &s->f->config;

	mount_secret(s, HUB_SECRET);
	for (size_t i = 0; i < c->sources.n; i++) {
		const char *name = c->sources.items[i].auth.secret_name;

		if (s->f->chosen[i] && name)
			mount_secret(s, name);
	}
}

static int network_of(const struct wb_front *f)
{
	const char *name = wb_frontend_arg(&f->opts, "WBUILD_NETWORK");

	return name && !strcmp(name, "host") ? 1 : 0;
}

/* In the order of the names, so that the bytes are the same each time. */
static const char **environment(struct stage *s)
{
	WB_VEC(const char *) env = {0};

	*wb_vec_push(&env) = "PATH=/usr/local/bin:/usr/bin:/bin";
	*wb_vec_push(&env) = "HOME=/tmp";
	if (s->remote)
		*wb_vec_push(&env) = "HF_TOKEN_PATH=/run/secrets/" HUB_SECRET;
	for (const char *const *name = endpoints; s->remote && *name; name++) {
		const char *value = wb_frontend_arg(&s->f->opts, *name);

		if (value)
			*wb_vec_push(&env) = keep(s, wb_asprintf("%s=%s", *name, value));
	}
	wb_vec_push(&env);
	return env.items;
}

static struct wb_llb_proxy proxies(const struct wb_front *f)
{
	const struct wb_frontend_opts *o = &f->opts;

	return (struct wb_llb_proxy){.http = wb_frontend_arg(o, "HTTP_PROXY"),
		.https = wb_frontend_arg(o, "HTTPS_PROXY"),
		.no = wb_frontend_arg(o, "NO_PROXY"),
		.all = wb_frontend_arg(o, "ALL_PROXY")};
}

static struct wb_llb_ref stage_run(struct stage *s, const struct wb_llb_note *note)
{
	struct wb_front *f = s->f;
	const char *const args[] = {f->program, "frontend", s->name, NULL};
	const char *cache = wb_frontend_arg(&f->opts, "WBUILD_CACHE_ID");
	wb_autofree char *params = wb_json_dump(s->params);
	wb_autofree const char **env = environment(s);
	WB_VEC(struct wb_llb_mount) mounts = {0};

	give_file(s, "/params.json", params, strlen(params));
	if (s->remote)
		mount_secrets(s);
	mount_tree(s, wb_llb_files(&f->llb, s->files.items, s->files.n, 0, NULL), NULL, "/in",
		WB_LLB_NO_OUTPUT);
	/* the first one: wb_gateway_read_failed() looks there */
	*wb_vec_push(&mounts) = (struct wb_llb_mount){.dest = "/fault", .output = WB_LLB_NO_OUTPUT};
	/* BuildKit numbers outputs in the order of the mounts */
	*wb_vec_push(&mounts) = (struct wb_llb_mount){.dest = "/out", .output = OUTPUT_RESULT};
	if (s->meta)
		*wb_vec_push(&mounts) =
			(struct wb_llb_mount){.dest = "/meta", .output = OUTPUT_META};
	/* without an output it would be read-only, and the runtime makes the places of the other
	 * mounts in it */
	*wb_vec_push(&mounts) = (struct wb_llb_mount){
		.dest = "/", .tree = f->self, .output = s->meta ? OUTPUT_META + 1 : OUTPUT_META};
	*wb_vec_push(&mounts) = (struct wb_llb_mount){
		.kind = WB_LLB_CACHE, .id = cache ? cache : "wbuild", .dest = "/cache"};
	wb_vec_foreach (m, &s->mounts)
		*wb_vec_push(&mounts) = *m;
	const struct wb_llb_exec exec = {.args = args,
		.env = env,
		.cwd = "/",
		.mounts = mounts.items,
		.n_mounts = mounts.n,
		.secret_env = s->remote ? credentials : NULL,
		.proxy = s->remote ? proxies(f) : (struct wb_llb_proxy){0},
		.network = network_of(f),
		.platform = &f->opts.native};
	struct wb_llb_ref ref = wb_llb_exec(&f->llb, &exec, note);

	wb_vec_free(&mounts);
	return ref;
}

/* --- faults ------------------------------------------------------------------------------- */

/* A fault that a step wrote (step.c): fills err. False when text is none. */
static bool take_fault(struct wb_err *err, struct wb_front *f, const char *text, size_t n)
{
	struct wb_err ignored = WB_ERR_INIT;
	wb_autojson json_t *fault = n ? wb_json_parse(text, n, "fault", &ignored) : NULL;
	const char *said = fault ? wb_json_str_opt(fault, "text") : NULL;
	unsigned line = (unsigned)wb_json_u64_opt(fault, "line", 0);

	if (!said)
		return false;
	wb_err_clear(err);
	wb_err_set(err, (enum wb_code)wb_json_u64_opt(fault, "code", WB_ERR_NET), "%s", said);
	if (wb_json_str_opt(fault, "hint"))
		wb_err_hint(err, "%s", wb_json_str_opt(fault, "hint"));
	err->line = line;
	if (line)
		*wb_vec_push(&f->lines) = line;
	return true;
}

/* Solves a step and reads error.json, where it told one as its result. */
static int solve_step(char **id, struct wb_front *f, struct wb_llb_ref ref, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;
	struct wb_err none = WB_ERR_INIT;
	wb_autofree char *result = NULL;

	wb_buf_init(&text, FAULT_MAX, "a fault");
	if (wb_gateway_solve(&result, f->g, &f->llb, ref, err))
		return -1;
	if (!wb_gateway_read(&text, f->g, result, "/error.json", &none) &&
		take_fault(err, f, text.data, text.len))
		return -1;
	*id = wb_steal(result);
	return 0;
}

void wb_front_why(struct wb_front *f, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;
	struct wb_err ignored = WB_ERR_INIT;

	wb_buf_init(&text, FAULT_MAX, "a fault");
	if (!wb_gateway_read_failed(&text, f->g, "/error.json", &ignored))
		take_fault(err, f, text.data, text.len);
	/* steps do not know lines; what they say of a source begins with it */
	wb_vec_foreach (s, &f->config.sources)
		if (!f->lines.n && wb_str_starts(err->text, s->uri.text))
			*wb_vec_push(&f->lines) = s->pos.line;
}

/* --- list and lock ------------------------------------------------------------------------ */

static void set_switches(struct stage *s)
{
	const struct wb_frontend_opts *o = &s->f->opts;

	if (wb_frontend_arg_true(o, "WBUILD_BUNDLE_VOLUMES"))
		wb_json_set_u64(s->params, "bundleVolumes", 1);
	if (wb_frontend_arg_true(o, "WBUILD_INSECURE"))
		wb_json_set_u64(s->params, "insecure", 1);
	if (wb_frontend_arg(o, "WBUILD_ALLOW_SECRET"))
		wb_json_set_str(
			s->params, "allowSecret", wb_frontend_arg(o, "WBUILD_ALLOW_SECRET"));
	if (wb_lint_silenced(s->f->config_text.data, "secret-content", (struct wb_pos){0}))
		wb_json_set_u64(s->params, "allowForms", 1);
}

static void give_config(struct stage *s)
{
	struct wb_front *f = s->f;
	json_t *only = json_array();

	wb_json_set_str(s->params, "file", f->config_name);
	for (size_t i = 0; i < f->config.sources.n; i++)
		if (f->chosen[i])
			wb_json_append(only, json_integer((json_int_t)i));
	wb_json_set(s->params, "only", only);
	set_switches(s);
	give_file(s, "/config.yaml", f->config_text.data, f->config_text.len);
}

static bool is_remote(const struct wb_front *f, size_t i)
{
	return f->chosen[i] && f->config.sources.items[i].uri.scheme != WB_SCHEME_FILE;
}

/* Else it is fetched at start. */
static bool is_baked(const struct wb_front *f, size_t i)
{
	return is_remote(f, i) && (!f->config.sources.items[i].use_volume ||
					  wb_frontend_arg_true(&f->opts, "WBUILD_BUNDLE_VOLUMES"));
}

/* *out stays NULL when the step left no such file. */
static int read_result(
	char **out, struct wb_front *f, const char *id, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;

	wb_buf_init(&text, WB_LOCK_BYTES_MAX, "a step's result");
	if (wb_gateway_read(&text, f->g, id, path, err)) {
		if (err->code != WB_ERR_NOT_FOUND)
			return -1;
		wb_err_clear(err);
		return 0;
	}
	*out = wb_buf_steal(&text);
	return 0;
}

static int run_lock(struct wb_front *f, const char *listing, struct wb_err *err)
{
	WB_AUTO(stage_release) struct stage s;
	wb_autojson json_t *sources = json_array();
	const struct wb_llb_note note = {
		.name = "[wbuild] learn digests that no source tells", .no_cache = f->no_cache};
	wb_autofree char *id = NULL;

	stage_init(&s, f, "lock");
	s.remote = true;
	set_switches(&s);
	for (size_t i = 0; i < f->config.sources.n; i++)
		if (is_baked(f, i))
			wb_json_append(sources, wb_source_to_json(&f->config.sources.items[i]));
	wb_autofree char *list = wb_json_dump(sources);

	give_file(&s, "/sources.json", list, strlen(list));
	give_file(&s, "/listing.json", listing, strlen(listing));
	if (f->has_lock)
		give_file(&s, "/wbuild.lock", f->lock.data, f->lock.len);
	f->lock_ref = stage_run(&s, &note);
	if (solve_step(&id, f, f->lock_ref, err))
		return -1;
	return read_result(&f->lock_text, f, id, "/wbuild.lock", err);
}

static int run_list(struct wb_front *f, struct wb_err *err)
{
	WB_AUTO(stage_release) struct stage s;
	const struct wb_llb_note note = {
		.name = "[wbuild] ask the sources what they have", .no_cache = true};
	wb_autofree char *id = NULL, *listing = NULL;

	stage_init(&s, f, "list");
	s.remote = true;
	give_config(&s);
	if (f->has_lock)
		give_file(&s, "/wbuild.lock", f->lock.data, f->lock.len);
	struct wb_llb_ref ref = stage_run(&s, &note);

	if (solve_step(&id, f, ref, err) ||
		read_result(&f->fetch_list, f, id, "/fetch.json", err) ||
		read_result(&f->lock_text, f, id, "/wbuild.lock", err) ||
		read_result(&listing, f, id, "/listing.json", err))
		return -1;
	return listing ? run_lock(f, listing, err) : 0;
}

/* --- cut ---------------------------------------------------------------------------------- */

static int set_size(json_t *params, const struct wb_front *f, const char *arg, const char *key,
	struct wb_err *err)
{
	const char *text = wb_frontend_arg(&f->opts, arg);
	uint64_t v = 0;

	if (!text)
		return 0;
	if (wb_size_parse(&v, text, err))
		return wb_err_wrap(err, "--build-arg %s", arg);
	wb_json_set_u64(params, key, v);
	return 0;
}

static int warn(struct wb_front *f, const json_t *findings, struct wb_err *err)
{
	size_t i;
	json_t *item;

	json_array_foreach (findings, i, item) {
		const char *word = wb_json_str_opt(item, "severity");
		const char *id = wb_json_str_opt(item, "id"), *text = wb_json_str_opt(item, "text");
		wb_autofree char *line = wb_asprintf("%s [%s]", text ? text : "", id ? id : "");

		/* errors of the lints stop a validation, not a build */
		if (!word || !strcmp(word, "note"))
			continue;
		if (wb_gateway_warn(f->g, &f->llb, f->config_ref,
			    (unsigned)wb_json_u64_opt(item, "line", 0), line,
			    wb_json_str_opt(item, "hint"), NULL, err))
			return -1;
	}
	return 0;
}

static int take_layers(struct wb_front *f, const char *id, const json_t *list, struct wb_err *err)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		WB_AUTO(wb_buf_release) struct wb_buf text;
		wb_autofree char *path = wb_asprintf("/layers/%zu.json", i);
		const char *label = wb_json_str_opt(item, "label");
		struct wb_front_layer *l = wb_vec_push(&f->layers);

		wb_buf_init(&text, WB_WIRE_MAX, "a layer's description");
		l->label = wb_strdup(label ? label : "");
		l->files = wb_json_u64_opt(item, "files", 0);
		l->bytes = wb_json_u64_opt(item, "bytes", 0);
		l->line = (unsigned)wb_json_u64_opt(item, "line", 0);
		l->local = json_incref(json_object_get(item, "local"));
		l->folders = json_incref(json_object_get(item, "folders"));
		if (wb_gateway_read(&text, f->g, id, path, err))
			return -1;
		l->spec = wb_buf_steal(&text);
	}
	return 0;
}

static int take_cut(struct wb_front *f, const char *id, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;

	wb_buf_init(&text, 64u << 20, "a plan");
	if (wb_gateway_read(&text, f->g, id, "/cut.json", err))
		return -1;
	wb_autojson json_t *cut = wb_json_parse(text.data, text.len, "a plan", err);

	if (!cut || take_layers(f, id, json_object_get(cut, "layers"), err))
		return -1;
	return warn(f, json_object_get(cut, "findings"), err);
}

static int run_cut(struct wb_front *f, struct wb_err *err)
{
	WB_AUTO(stage_release) struct stage s = {0};
	const struct wb_llb_note note = {
		.name = "[wbuild] plan the layers", .no_cache = f->no_cache};
	wb_autofree char *id = NULL;
	size_t taken = f->base_layers + 3; /* the stub, the manifest and the fetch list */

	if (taken >= WB_LAYERS_MAX)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"the base has %zu layers: no room for more below the limit of %u",
			f->base_layers, WB_LAYERS_MAX);
	stage_init(&s, f, "cut");
	give_config(&s);
	wb_json_set_u64(s.params, "maxLayers", WB_LAYERS_MAX - taken);
	if (!f->data)
		wb_json_set_u64(s.params, "noData", 1);
	if (set_size(s.params, f, "WBUILD_WARN_SIZE", "warnSize", err) ||
		set_size(s.params, f, "WBUILD_MAX_SIZE", "maxSize", err))
		return -1;
	/* as a mount: what the result does not depend on is in no cache that is exported */
	if (f->lock_ref.op)
		mount_tree(&s, f->lock_ref, NULL, "/locked", WB_LLB_NO_OUTPUT);
	else if (f->lock_text)
		give_file(&s, "/wbuild.lock", f->lock_text, strlen(f->lock_text));
	if (f->context.op)
		mount_tree(&s, f->context, NULL, "/context", WB_LLB_NO_OUTPUT);
	f->cut = stage_run(&s, &note);
	return solve_step(&id, f, f->cut, err) ? -1 : take_cut(f, id, err);
}

int wb_front_plan(struct wb_front *f, struct wb_err *err)
{
	bool remote = false;

	for (size_t i = 0; i < f->config.sources.n; i++)
		remote |= is_remote(f, i);
	wb_front_local(f);
	if (remote && run_list(f, err))
		return -1;
	return run_cut(f, err);
}

/* --- layers ------------------------------------------------------------------------------- */

/* A folder that the base does not have is null. */
static int learn_folder(
	json_t *known, struct wb_front *f, const char *id, const char *path, struct wb_err *err)
{
	wb_autofree char *whole = wb_asprintf("/%s", path);
	struct wb_gateway_stat st;

	if (wb_gateway_stat(&st, f->g, id, whole, err)) {
		if (err->code != WB_ERR_NOT_FOUND)
			return -1;
		wb_err_clear(err);
		wb_json_set(known, path, json_null());
		return 0;
	}
	json_t *attr = json_object();

	wb_json_set_u64(attr, "mode", st.mode);
	wb_json_set_u64(attr, "uid", st.uid);
	wb_json_set_u64(attr, "gid", st.gid);
	wb_json_set(known, path, attr);
	return 0;
}

/* Attributes that the base gives to the folders of the layers, by path. The base has to be there
 * for that; WBUILD_LAZY_BASE leaves it where it is. */
static int learn_folders(
	json_t *known, struct wb_front *f, struct wb_llb_ref base, struct wb_err *err)
{
	wb_autofree char *id = NULL;

	if (!base.op || wb_frontend_arg_true(&f->opts, "WBUILD_LAZY_BASE"))
		return 0;
	wb_vec_foreach (l, &f->layers) {
		for (size_t i = 0; i < json_array_size(l->folders); i++) {
			const char *path = json_string_value(json_array_get(l->folders, i));

			if (json_object_get(known, path))
				continue;
			if (!id && wb_gateway_solve(&id, f->g, &f->llb, base, err))
				return -1;
			if (learn_folder(known, f, id, path, err))
				return -1;
		}
	}
	return 0;
}

static char *folders_of(const struct wb_front_layer *l, const json_t *known)
{
	wb_autojson json_t *out = json_object();
	size_t i;
	json_t *item;

	json_array_foreach (l->folders, i, item) {
		json_t *attr = json_object_get(known, json_string_value(item));

		if (json_is_object(attr))
			wb_json_set(out, json_string_value(item), json_incref(attr));
	}
	return wb_json_dump(out);
}

static void mount_local(struct stage *s, const struct wb_front_layer *l)
{
	size_t i;
	json_t *item;

	json_array_foreach (l->local, i, item) {
		wb_autofree char *path = wb_path_normalize("/", json_string_value(item));
		const char *dest = keep(s, wb_asprintf("/context%s", path[1] ? path : ""));

		mount_tree(s, s->f->context, keep(s, wb_steal(path)), dest, WB_LLB_NO_OUTPUT);
	}
}

static void add_layer(struct wb_front *f, struct wb_front_layer *l, const json_t *known)
{
	WB_AUTO(stage_release) struct stage s;
	wb_autofree char *folders = folders_of(l, known);
	wb_autofree char *name = wb_asprintf("[%s] %zu %s, %s", l->label, l->files,
		l->files == 1 ? "file" : "files", wb_size_text(l->bytes).s);
	const struct wb_llb_note note = {.name = name, .no_cache = f->no_cache, .line = l->line};

	stage_init(&s, f, "layer");
	s.remote = strstr(l->spec, "\"lock\":") != NULL;
	wb_json_set_u64(s.params, "epoch", (uint64_t)f->epoch);
	if (s.remote)
		set_switches(&s);
	give_file(&s, "/layer.json", l->spec, strlen(l->spec));
	give_file(&s, "/folders.json", folders, strlen(folders));
	mount_local(&s, l);
	s.meta = true;
	l->content = stage_run(&s, &note);
	l->meta = (struct wb_llb_ref){l->content.op, OUTPUT_META};
}

static void add_manifest(struct wb_front *f)
{
	WB_AUTO(stage_release) struct stage s;
	const struct wb_llb_note note = {
		.name = "[wbuild] bundle manifest", .no_cache = f->no_cache};

	stage_init(&s, f, "manifest");
	wb_json_set_u64(s.params, "epoch", (uint64_t)f->epoch);
	wb_json_set_u64(s.params, "layers", f->layers.n);
	mount_tree(&s, f->cut, "/manifest", "/skeleton", WB_LLB_NO_OUTPUT);
	for (size_t i = 0; i < f->layers.n; i++)
		mount_tree(&s, f->layers.items[i].meta, NULL, keep(&s, wb_asprintf("/meta/%zu", i)),
			WB_LLB_NO_OUTPUT);
	f->manifest = stage_run(&s, &note);
}

int wb_front_layers(struct wb_front *f, struct wb_llb_ref base, struct wb_err *err)
{
	wb_autojson json_t *known = json_object();

	if (learn_folders(known, f, base, err))
		return -1;
	wb_vec_foreach (l, &f->layers)
		add_layer(f, l, known);
	add_manifest(f);
	return 0;
}
