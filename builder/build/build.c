#include "builder/build/build.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/findings.h"
#include "builder/build/runtime.h"
#include "oci/mediatype.h"

/* The stub and the manifest. */
#define OWN_LAYERS 2

struct build {
	const struct wb_build_opts *opts;
	struct wb_place_opts place; /* those of opts, with a memory */
	struct wb_build_result *out;
	struct wb_config config;
	struct wb_store *store;
	struct wb_plan plan;
	struct wb_base base;
	struct wb_dir_attrs dirs;
	struct wb_layer_plan layer_plan;
	struct wb_layers layers;
	struct wb_assembled assembled;
	struct wb_pack_opts pack;
	int64_t epoch;
};

static void build_release(struct build *b)
{
	wb_assembled_release(&b->assembled);
	wb_layers_release(&b->layers);
	wb_layer_plan_release(&b->layer_plan);
	wb_dir_attrs_release(&b->dirs);
	wb_base_release(&b->base);
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
	return 0;
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

static int pack(struct build *b, struct wb_err *err)
{
	const struct wb_layer_limits limits = {
		.max_layers = WB_LAYERS_MAX - OWN_LAYERS - b->base.layers};

	wb_layer_plan_make(&b->layer_plan, &b->plan.tree, &limits);
	if (b->layer_plan.merged)
		wb_note("%zu layers were merged to stay below %u with the base's %zu",
			b->layer_plan.merged, WB_LAYERS_MAX, b->base.layers);
	if (pack_layers(b, &b->layer_plan, err) || wb_plan_remember(&b->plan, b->store, err))
		return -1;
	b->out->layers = b->layers.list.n;
	return 0;
}

static int add_stubs(struct build *b, struct wb_err *err)
{
	for (size_t i = 0; b->opts->stub && i < b->base.images.n; i++) {
		WB_AUTO(wb_layers_release) struct wb_layers layer = WB_LAYERS_INIT;
		wb_autofree char *path = wb_stub_path(&b->base.images.items[i].platform, err);

		if (!path || wb_stub_layer(&layer, path, &b->pack, b->store, err))
			return -1;
		wb_assembled_set_stub(&b->assembled, i, &layer, b->store);
	}
	return 0;
}

static int add_manifest(struct build *b, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release)
	struct wb_bundle_manifest manifest = WB_BUNDLE_MANIFEST_INIT;
	WB_AUTO(wb_layers_release) struct wb_layers layer = WB_LAYERS_INIT;

	if (wb_pack_chunks(&b->layer_plan, &b->pack, b->store, err))
		return -1;
	wb_plan_manifest(&manifest, &b->plan);
	if (wb_manifest_layer(
		    &layer, &b->assembled.manifest_text, &manifest, &b->pack, b->store, err))
		return -1;
	wb_assembled_add_layers(&b->assembled, &layer, &b->plan, "bundle manifest", b->store);
	return 0;
}

static int assemble_image(struct build *b, struct wb_err *err)
{
	const struct wb_assemble_opts opts = {
		.config = &b->config,
		.verify = b->opts->verify,
		.epoch = b->epoch,
		.docker = b->opts->docker,
		.labels = b->opts->labels,
		.annotations = b->opts->annotations,
		.env = b->opts->env,
	};

	b->assembled.plan = &b->plan;
	wb_assembled_set_base(&b->assembled, &b->base);
	wb_assembled_add_layers(&b->assembled, &b->layers, &b->plan, NULL, b->store);
	if (add_stubs(b, err) || add_manifest(b, err))
		return -1;
	return wb_assemble(&b->assembled, &opts, err);
}

static int assemble(struct build *b, struct wb_err *err)
{
	struct wb_step *step = wb_step_begin(b->opts->progress, "assemble the image");

	return wb_step_end(step, assemble_image(b, err), err);
}

static int write_outputs(struct build *b, struct wb_err *err)
{
	const struct wb_build_opts *o = b->opts;
	const struct wb_output_opts opts = {.tags = o->tags,
		.n_tags = o->n_tags,
		.place = &b->place,
		.jobs = o->jobs,
		.progress = o->progress};

	for (size_t i = 0; i < o->n_outputs; i++)
		if (wb_output_write(&o->outputs[i], &b->assembled, &opts, err))
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
		wb_step_detail(step, "%zu %s, %s", b->plan.files.n,
			b->plan.files.n == 1 ? "file" : "files", wb_size_text(b->plan.bytes).s);
	return wb_step_end(step, rc, err);
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
	b->pack = (struct wb_pack_opts){
		.codec = o->codec,
		.stream = {.mtime = (uint64_t)b->epoch, .dirs = &b->dirs},
		.jobs = o->jobs,
	};
	return 0;
}

int wb_build_run(struct wb_build_result *out, const struct wb_build_opts *opts, struct wb_err *err)
{
	WB_AUTO(build_release) struct build b = {.opts = opts, .out = out};

	if (prepare(&b, err) || make_plan(&b, err) || wb_sizes_check(&b.plan, &opts->sizes, err) ||
		open_base(&b, err) || wb_plan_fetch(&b.plan, b.store, &opts->plan, err) ||
		wb_base_dirs(&b.dirs, &b.base, &b.plan.tree, b.store, err) || pack(&b, err) ||
		assemble(&b, err) || write_outputs(&b, err))
		return -1;
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
