#include "builder/build/build.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/ahead.h"
#include "builder/build/elsewhere.h"
#include "builder/build/findings.h"
#include "builder/build/guard.h"
#include "builder/build/runtime.h"
#include "builder/build/volumes.h"
#include "layers/layer_key.h"
#include "oci/mediatype.h"

/* The stub, the manifest and the fetch list. */
#define OWN_LAYERS 3

struct build {
	const struct wb_build_opts *opts;
	struct wb_place_opts place; /* those of opts, with a memory */
	struct wb_build_result *out;
	struct wb_config config;
	struct wb_store *store;
	struct wb_plan plan;
	struct wb_volumes volumes; /* fetched at start */
	struct wb_base base;
	struct wb_dir_attrs dirs;
	struct wb_layer_plan layer_plan;
	struct wb_layers layers;
	struct wb_assembled assembled;
	struct wb_pack_opts pack;
	char *packer;
	struct wb_elsewhere *elsewhere;
	struct wb_output_opts output;
	struct wb_build_guard guard;
	struct wb_ahead *ahead;  /* or NULL */
	struct wb_lockfile lock; /* as it should be now */
	int64_t epoch;
};

static void build_release(struct build *b)
{
	wb_ahead_free(b->ahead);
	wb_build_guard_release(&b->guard);
	wb_elsewhere_free(b->elsewhere);
	wb_lockfile_release(&b->lock);
	free(b->packer);
	wb_assembled_release(&b->assembled);
	wb_layers_release(&b->layers);
	wb_layer_plan_release(&b->layer_plan);
	wb_dir_attrs_release(&b->dirs);
	wb_base_release(&b->base);
	wb_volumes_release(&b->volumes);
	wb_plan_release(&b->plan);
	wb_place_memory_free(b->place.memory);
	wb_store_close(b->store);
	wb_config_release(&b->config);
}

int wb_source_date_epoch(int64_t *out, struct wb_err *err)
{
	const char *text = wb_env("SOURCE_DATE_EPOCH");
	uint64_t v = 0;

	if (text && (!wb_parse_u64(&v, text) || v > 253402300799u)) /* the year 9999 */
		return wb_err_set(err, WB_ERR_USAGE,
			"SOURCE_DATE_EPOCH: \"%.40s\" is not a number of seconds", text);
	*out = (int64_t)v;
	return 0;
}

int wb_config_open(struct wb_config *out, const char *dir, const char *file, struct wb_err *err)
{
	int rc = wb_config_load(out, dir, file, err);
	bool first = rc != 0;

	/* err is the first error: the caller shows it, after all the others */
	wb_vec_foreach (f, &out->findings.list) {
		if (f->severity == WB_SEV_ERROR && first)
			first = false;
		else
			wb_finding_show(&out->findings, f);
	}
	return rc;
}

/* Asked early: a platform without one is better known before the weights are fetched. */
static int check_stubs(const struct build *b, struct wb_err *err)
{
	for (size_t i = 0; b->opts->stub && i < b->base.images.n; i++)
		if (wb_stub_check(&b->base.images.items[i].platform, b->volumes.list.n > 0, err))
			return -1;
	return 0;
}

static int open_base(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;
	const char *ref = o->base                ? o->base
	                  : b->config.base_image ? b->config.base_image
	                                         : "scratch";

	struct wb_step *step =
		!strcmp(ref, "scratch") ? NULL : wb_step_begin(o->progress, "resolve base %s", ref);

	if (wb_step_end(step, wb_base_open(&b->base, ref, o->platforms, &b->place, err), err))
		return -1;
	if (b->base.layers + OWN_LAYERS >= WB_LAYERS_MAX)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"base \"%s\" has %zu layers: no room for more below the limit of %u", ref,
			b->base.layers, WB_LAYERS_MAX);
	return check_stubs(b, err);
}

/* What wb_pack() reports includes headers and padding of the tar, so the total is its own. */
static uint64_t tar_bytes(const struct wb_layer_plan *layers)
{
	uint64_t bytes = 0;

	wb_vec_foreach (l, &layers->layers)
		bytes += l->bytes;
	return bytes;
}

static int pack_layers(struct build *b, const struct wb_layer_plan *layers, struct wb_err *err)
{
	struct wb_pack_opts opts = b->pack;
	struct wb_step *step = wb_step_begin(b->opts->progress, "pack %zu %s", layers->layers.n,
		layers->layers.n == 1 ? "layer" : "layers");

	wb_step_total(step, tar_bytes(layers));
	opts.progress = wb_step_add_to;
	opts.progress_arg = step;
	int rc = wb_pack(&b->layers, layers, &opts, b->store, err);

	wb_vec_foreach (l, &b->layers.list) {
		b->out->layer_bytes += l->size;
		b->out->packed += !l->cached;
		b->out->packed_bytes += l->cached ? 0 : l->bytes;
	}
	if (!rc && !b->out->packed)
		wb_step_cached(step);
	else if (!rc && b->out->packed < layers->layers.n)
		wb_step_detail(step, "%zu found ready", layers->layers.n - b->out->packed);
	return wb_step_end(step, rc, err);
}

static bool found_elsewhere(void *arg, struct wb_layer *l)
{
	struct build *b = arg;

	return wb_elsewhere_has(b->elsewhere, l);
}

static int layer_done(void *arg, const struct wb_layer *l, struct wb_err *err)
{
	struct build *b = arg;

	if (wb_build_guard_layer(&b->guard, l, err))
		return -1;
	return wb_ahead_send(b->ahead, l, err);
}

static void layer_grows(void *arg, const struct wb_layer *l, struct wb_growing *g)
{
	struct build *b = arg;

	wb_ahead_grows(b->ahead, l, g);
}

static int supply_files(void *arg, struct wb_node *const *nodes, size_t n,
	const struct wb_pack_wait *wait, struct wb_err *err)
{
	struct build *b = arg;

	return wb_remotes_supply(&b->plan.remotes, nodes, n, wait, err);
}

static int goes_on(void *arg, struct wb_err *err)
{
	struct build *b = arg;

	return wb_ahead_check(b->ahead, err);
}

/* Plain files are copied from their bytes, whatever the layers need. */
static int supply_exports(struct build *b, struct wb_err *err)
{
	bool exports = false;

	for (size_t i = 0; i < b->opts->n_outputs; i++)
		exports |= b->opts->outputs[i].kind == WB_OUTPUT_LOCAL ||
		           b->opts->outputs[i].kind == WB_OUTPUT_TAR;
	wb_vec_foreach (node, &b->plan.tree.nodes) {
		bool absent = (*node)->type == WB_NODE_FILE && !(*node)->content.path;

		if (exports && absent && wb_remotes_supply(&b->plan.remotes, node, 1, NULL, err))
			return -1;
	}
	return 0;
}

static void lock_layer(struct build *b, const char *key, const struct wb_layer *l)
{
	struct wb_lock_layer *out = wb_lockfile_add_layer(&b->lock, key);

	out->digest = l->digest;
	out->diff_id = l->diff_id;
	out->size = l->size;
	out->media_type = wb_strdup(l->media_type);
	out->contents = wb_chunked_text(&l->table);
}

static int pack(struct build *b, struct wb_err *err)
{
	const struct wb_layer_limits limits = {
		.max_layers = WB_LAYERS_MAX - OWN_LAYERS - b->base.layers};

	wb_layer_plan_make(&b->layer_plan, &b->plan.tree, &limits);
	if (b->layer_plan.merged)
		wb_note("%zu layers were merged to stay below %u with the base's %zu",
			b->layer_plan.merged, WB_LAYERS_MAX, b->base.layers);
	b->ahead = wb_ahead_new(b->opts->outputs, b->opts->n_outputs, &b->output, b->store);
	if (pack_layers(b, &b->layer_plan, err) || wb_plan_remember(&b->plan, b->store, err))
		return -1;
	wb_remotes_shown_enough(&b->plan.remotes);
	b->out->layers = b->layers.list.n;
	wb_vec_foreach (l, &b->layers.list)
		lock_layer(b, l->key, l);
	return supply_exports(b, err);
}

static int add_stubs(struct build *b, struct wb_err *err)
{
	for (size_t i = 0; b->opts->stub && i < b->base.images.n; i++) {
		WB_AUTO(wb_layers_release) struct wb_layers layer = WB_LAYERS_INIT;

		if (wb_stub_layer(&layer, &b->base.images.items[i].platform, b->volumes.list.n > 0,
			    &b->pack, b->store, err))
			return -1;
		wb_assembled_set_stub(&b->assembled, i, &layer, b->store);
	}
	return 0;
}

static int make_manifest(struct wb_layers *out, struct build *b, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release)
	struct wb_bundle_manifest manifest = WB_BUNDLE_MANIFEST_INIT;

	if (wb_pack_states(&b->layer_plan, &b->pack, b->store, err))
		return -1;
	wb_plan_manifest(&manifest, &b->plan);
	return wb_manifest_layer(
		out, &b->assembled.manifest_text, &manifest, &b->pack, b->store, err);
}

static int add_manifest(struct build *b, struct wb_err *err)
{
	WB_AUTO(wb_layers_release) struct wb_layers layer = WB_LAYERS_INIT;
	wb_autofree char *key = wb_plan_manifest_key(&b->plan);
	struct wb_layer known = {.key = key};

	if (wb_elsewhere_has(b->elsewhere, &known)) {
		known.key = wb_strdup(key);
		known.elsewhere = true;
		known.media_type = wb_codec_media_type(&b->pack.codec);
		*wb_vec_push(&layer.list) = known;
	} else if (make_manifest(&layer, b, err)) {
		return -1;
	}
	lock_layer(b, key, &layer.list.items[0]);
	wb_assembled_add_layers(&b->assembled, &layer, &b->plan, "bundle manifest", b->store);
	return 0;
}

static int add_fetch_list(struct build *b, struct wb_err *err)
{
	WB_AUTO(wb_layers_release) struct wb_layers layer = WB_LAYERS_INIT;

	if (!b->volumes.list.n || !b->opts->stub)
		return 0;
	if (wb_fetch_list_layer(&layer, &b->volumes, &b->pack, b->store, err))
		return -1;
	wb_assembled_add_layers(&b->assembled, &layer, &b->plan, "fetch list", b->store);
	return 0;
}

static int assemble_image(struct build *b, struct wb_err *err)
{
	const struct wb_assemble_opts opts = {
		.config = &b->config,
		.verify = b->opts->verify,
		.fetches = b->volumes.list.n > 0,
		.epoch = b->epoch,
		.docker = b->opts->docker,
		.labels = b->opts->labels,
		.annotations = b->opts->annotations,
		.env = b->opts->env,
	};

	b->assembled.plan = &b->plan;
	wb_assembled_set_base(&b->assembled, &b->base);
	wb_assembled_add_layers(&b->assembled, &b->layers, &b->plan, NULL, b->store);
	/* the manifest's layer is the last: readers of an image look for it there */
	if (add_stubs(b, err) || add_fetch_list(b, err) || add_manifest(b, err))
		return -1;
	return wb_assemble(&b->assembled, &opts, err);
}

static int guard_documents(struct build *b, struct wb_err *err)
{
	struct wb_assembled *a = &b->assembled;

	wb_vec_foreach (doc, &a->configs)
		if (wb_build_guard_document(&b->guard, "config", doc, err))
			return -1;
	wb_vec_foreach (doc, &a->manifests)
		if (wb_build_guard_document(&b->guard, "manifest", doc, err))
			return -1;
	return wb_build_guard_document(&b->guard, "index", &a->root, err);
}

static int assemble(struct build *b, struct wb_err *err)
{
	struct wb_step *step = wb_step_begin(b->opts->progress, "assemble the image");

	int rc = assemble_image(b, err) || guard_documents(b, err) ? -1 : 0;

	return wb_step_end(step, rc, err);
}

static int write_outputs(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;
	if (wb_ahead_wait(b->ahead, err))
		return -1;
	for (size_t i = 0; i < o->n_outputs; i++)
		if (wb_output_write(&o->outputs[i], &b->assembled, &b->output, err))
			return -1;
	return 0;
}

static int check_outputs(const struct wb_build_opts *o, struct wb_err *err)
{
	for (size_t i = 0; i < o->n_outputs; i++)
		if (wb_output_check(&o->outputs[i], o->n_tags, err))
			return -1;
	return 0;
}

static int make_plan(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;
	struct wb_step *step = wb_step_begin(o->progress, "plan %s", b->config.file);
	int rc = wb_plan_make(&b->plan, &b->config, b->store, &o->plan, err);

	if (!rc)
		wb_plan_tell_patterns(&b->plan);
	if (!rc)
		wb_step_detail(step, "%zu %s, %s", b->plan.files.n,
			b->plan.files.n == 1 ? "file" : "files", wb_size_text(b->plan.bytes).s);
	return wb_step_end(step, rc, err);
}

static int list_volumes(struct build *b, struct wb_err *err)
{
	if (wb_plan_volumes(&b->volumes, &b->plan, b->store, &b->opts->plan, err))
		return -1;
	if (b->volumes.list.n && !b->opts->stub)
		wb_warn("use_volume entries are fetched by the runtime stub, which --no-stub "
			"leaves "
			"out: the image will lack them");
	return 0;
}

static int prepare(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;

	if (wb_source_date_epoch(&b->epoch, err) || check_outputs(o, err) ||
		wb_config_open(&b->config, o->dir, o->file, err))
		return -1;
	b->store = wb_store_open(o->cache_dir, err);
	if (!b->store)
		return -1;
	b->place = o->place;
	b->place.memory = wb_place_memory_new(b->store);
	b->output = (struct wb_output_opts){.tags = o->tags,
		.n_tags = o->n_tags,
		.place = &b->place,
		.jobs = o->jobs,
		.progress = o->progress};
	b->pack = (struct wb_pack_opts){
		.codec = o->codec,
		.stream = {.mtime = (uint64_t)b->epoch, .dirs = &b->dirs},
		.jobs = o->jobs,
		.elsewhere = found_elsewhere,
		.supply = supply_files,
		.layer_done = layer_done,
		.layer_grows = layer_grows,
		.goes_on = goes_on,
		.hook_arg = b,
	};
	b->packer = wb_packer_describe(&b->pack);
	return 0;
}

/* The sources are known: what the lockfile says of them, and whether it knows their layers. */
static int settle_sources(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;
	const struct wb_remotes *r = &b->plan.remotes;

	if (wb_plan_fetch(&b->plan, &o->plan, err))
		return -1;
	wb_remotes_lock(&b->lock, r);
	b->lock.packer = wb_strdup(b->packer);
	b->elsewhere = wb_elsewhere_new(
		&r->lock, b->packer, o->outputs, o->n_outputs, o->tags, o->n_tags, &b->place);
	return 0;
}

/* A config without remote sources needs no lockfile; one that cannot be written is no reason to
 * throw the image away. */
static void save_lock(struct build *b)
{
	const struct wb_remotes *r = &b->plan.remotes;
	struct wb_err err = WB_ERR_INIT;
	bool changed = false;

	if (!r->sources.n || b->opts->plan.remote.locked || b->opts->plan.remote.frozen)
		return;
	if (wb_lockfile_save(&b->lock, r->lock_path, &changed, &err))
		wb_log_err_as(WB_LOG_WARNING, &err);
	else if (changed)
		wb_note("%s %s", r->lock_found ? "updated" : "wrote", r->lock_path);
}

/* Those that no source asked for: given on the command line, named by the config, or lying in its
 * folder. */
static int learn_secrets(struct build *b, struct wb_err *err)
{
	const struct wb_config *c = &b->config;
	const char *const *given = b->opts->plan.remote.secrets;
	static const char *const legacy[] = {"service_account.json", "s3_credentials.json"};
	wb_autofree char *data = wb_path_normalize(b->plan.dir, c->data_dir);
	WB_AUTO(wb_secrets_freep) struct wb_secrets *s = wb_secrets_new(data);
	struct wb_err ignored = WB_ERR_INIT; /* a source that needs one has said it */

	/* where there are remote sources they were read, and a pipe can be read only once */
	for (; !b->plan.remotes.store && given && *given; given++)
		if (wb_secrets_add(s, *given, err))
			return -1;
	wb_vec_foreach (name, &c->secrets)
		wb_secret_unref(wb_secrets_find(s, name->name, &ignored));
	for (size_t i = 0; i < WB_ARRAY_LEN(legacy); i++)
		wb_secret_unref(wb_secrets_legacy(s, legacy[i], &ignored));
	return 0;
}

/* All secrets that the run was given are known when the first byte is packed: those of the sources
 * by now, and those of the registries that the image goes to. */
static int begin_guard(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;
	bool push = false;

	if (learn_secrets(b, err))
		return -1;
	for (size_t i = 0; i < o->n_outputs; i++)
		push |= o->outputs[i].kind == WB_OUTPUT_REGISTRY;
	for (size_t i = 0; push && i < o->n_tags; i++)
		wb_place_memory_learn(b->place.memory, o->tags[i].host, o->tags[i].name);
	wb_build_guard_init(&b->guard, &b->plan, b->store, o->allow_secret);
	b->pack.stream.guard = &b->guard.guard;
	return 0;
}

int wb_build_run(struct wb_build_result *out, const struct wb_build_opts *opts, struct wb_err *err)
{
	WB_AUTO(build_release) struct build b = {.opts = opts, .out = out};

	if (prepare(&b, err) || make_plan(&b, err) || wb_sizes_check(&b.plan, &opts->sizes, err) ||
		list_volumes(&b, err) || open_base(&b, err) || settle_sources(&b, err) ||
		wb_base_meet(&b.dirs, &b.base, &b.plan, b.store, err) || begin_guard(&b, err) ||
		pack(&b, err) || assemble(&b, err) || write_outputs(&b, err))
		return -1;
	save_lock(&b);
	out->files = b.plan.files.n;
	out->bytes = b.plan.bytes;
	out->unique_bytes = b.plan.tree.bytes;
	out->config = b.assembled.configs.items[0].desc.digest;
	wb_descriptor_copy(&out->root, &b.assembled.root.desc);
	return 0;
}

void wb_build_result_release(struct wb_build_result *r)
{
	wb_descriptor_release(&r->root);
}
