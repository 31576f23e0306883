#include "builder/build/assemble.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "base/text.h"

static void layer_release(struct wb_image_layer *l)
{
	wb_descriptor_release(&l->desc);
	free(l->path);
	free(l->created_by);
}

void wb_assembled_release(struct wb_assembled *a)
{
	wb_vec_foreach (l, &a->layers)
		layer_release(l);
	wb_vec_free(&a->layers);
	for (size_t i = 0; i < a->n_stubs; i++)
		layer_release(&a->stubs[i]);
	free(a->stubs);
	wb_vec_foreach (d, &a->configs)
		wb_document_release(d);
	wb_vec_free(&a->configs);
	wb_vec_foreach (d, &a->manifests)
		wb_document_release(d);
	wb_vec_free(&a->manifests);
	wb_vec_foreach (d, &a->base_layers)
		wb_descriptor_release(d);
	wb_vec_free(&a->base_layers);
	wb_document_release(&a->root);
	free(a->manifest_text);
	*a = WB_ASSEMBLED_INIT;
}

/* "data: 12 files, 3.4 MB" */
static char *layer_line(const struct wb_layer *l, const struct wb_plan *plan, const char *fixed)
{
	if (fixed)
		return wb_asprintf("wbuild: %s", fixed);
	return wb_asprintf("wbuild: %s: %zu %s, %s", plan->sources.items[l->group].label, l->files,
		l->files == 1 ? "file" : "files", wb_size_text(l->bytes).s);
}

/* Takes created_by. */
static void fill_layer(struct wb_image_layer *out, const struct wb_layer *l, struct wb_store *store,
	char *created_by)
{
	wb_descriptor_set(&out->desc, l->media_type, &l->digest, l->size);
	wb_chunked_annotate(&out->desc, &l->table);
	out->diff_id = l->diff_id;
	out->path = l->elsewhere ? NULL : wb_store_blob_path(store, &l->digest);
	out->created_by = created_by;
}

void wb_assembled_add_layers(struct wb_assembled *a, const struct wb_layers *layers,
	const struct wb_plan *plan, const char *created_by, struct wb_store *store)
{
	wb_vec_foreach (l, &layers->list)
		fill_layer(wb_vec_push(&a->layers), l, store, layer_line(l, plan, created_by));
}

void wb_assembled_set_base(struct wb_assembled *a, struct wb_base *base)
{
	a->base = base;
	a->n_stubs = base->images.n;
	a->stubs = wb_calloc(a->n_stubs, sizeof(*a->stubs));
}

void wb_assembled_set_stub(
	struct wb_assembled *a, size_t i, const struct wb_layers *layer, struct wb_store *store)
{
	fill_layer(&a->stubs[i], &layer->list.items[0], store, wb_strdup("wbuild: runtime stub"));
}

/* --- the config --------------------------------------------------------------------------- */

static void rfc3339(char out[32], int64_t epoch)
{
	time_t t = (time_t)epoch;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Splits "KEY=VALUE"; a missing '=' is an empty value. */
static void each_pair(const char *const *pairs,
	void (*set)(void *arg, const char *key, const char *value), void *arg)
{
	for (; pairs && *pairs; pairs++) {
		size_t n = strcspn(*pairs, "=");
		wb_autofree char *key = wb_strndup(*pairs, n);

		set(arg, key, (*pairs)[n] ? *pairs + n + 1 : "");
	}
}

static void set_label(void *img, const char *key, const char *value)
{
	wb_image_set_label(img, key, value);
}

static void set_env(void *img, const char *key, const char *value)
{
	wb_image_set_env(img, key, value);
}

static void set_json(void *object, const char *key, const char *value)
{
	wb_json_set_str(object, key, value);
}

/* The stub goes before what the base would run; a start_command takes the place of both the base's
 * entrypoint and its command, as Truss has it. */
static void set_command(struct wb_image *img, const struct wb_assemble_opts *opts, bool stub)
{
	const char *start = opts->config->start_command;
	WB_VEC(const char *) entry = {0};

	if (stub)
		*wb_vec_push(&entry) = "/" WB_INIT_PATH;
	if (stub)
		*wb_vec_push(&entry) = "--";
	if (start) {
		const char *const cmd[] = {"/bin/sh", "-c", start};

		wb_image_set_args(img, WB_IMAGE_CMD, cmd, WB_ARRAY_LEN(cmd));
	} else {
		const json_t *base = wb_image_args(img, WB_IMAGE_ENTRYPOINT);

		for (size_t i = 0; i < json_array_size(base); i++)
			*wb_vec_push(&entry) = json_string_value(json_array_get(base, i));
	}
	if (stub || start) {
		/* the strings of the base's entrypoint live in the tree that is edited */
		WB_VEC(char *) copy = {0};

		wb_vec_foreach (word, &entry)
			*wb_vec_push(&copy) = wb_strdup(*word);
		wb_image_set_args(img, WB_IMAGE_ENTRYPOINT,
			copy.n ? (const char *const *)copy.items : NULL, copy.n);
		wb_vec_foreach (word, &copy)
			free(*word);
		wb_vec_free(&copy);
	}
	wb_vec_free(&entry);
}

void wb_assemble_config(struct wb_image *img, const struct wb_base *base,
	const struct wb_assemble_opts *opts, bool stub)
{
	const struct wb_config *c = opts->config;
	char created[32];

	rfc3339(created, opts->epoch);
	wb_image_set_created(img, created);
	wb_vec_foreach (e, &c->environment)
		wb_image_set_env(img, e->name, e->value ? e->value : "");
	each_pair(opts->env, set_env, img);
	/* not an argument of the entrypoint: a pod can change a variable */
	if (stub && opts->verify)
		wb_image_set_env(img, "WBUILD_VERIFY", opts->verify);
	if (stub && opts->fetches)
		wb_image_set_env(img, "WBUILD_FETCH", "1");
	if (c->model_name)
		wb_image_set_label(img, "org.opencontainers.image.title", c->model_name);
	if (base->reference)
		wb_image_set_label(img, "org.opencontainers.image.base.name", base->reference);
	if (base->name) {
		wb_image_set_label(img, "org.opencontainers.image.base.digest",
			wb_digest_text(&base->digest).s);
	}
	wb_image_set_label(img, "dev.wbuild.manifest", "/" WB_MANIFEST_PATH);
	each_pair(opts->labels, set_label, img);
	set_command(img, opts, stub);
}

static json_t *annotations(const struct wb_base *base, const struct wb_assemble_opts *opts)
{
	json_t *out = json_object();
	char created[32];

	rfc3339(created, opts->epoch);
	wb_json_set_str(out, "org.opencontainers.image.created", created);
	if (opts->config->model_name)
		wb_json_set_str(out, "org.opencontainers.image.title", opts->config->model_name);
	if (base->reference)
		wb_json_set_str(out, "org.opencontainers.image.base.name", base->reference);
	if (base->name) {
		wb_json_set_str(out, "org.opencontainers.image.base.digest",
			wb_digest_text(&base->digest).s);
	}
	each_pair(opts->annotations, set_json, out);
	return out;
}

/* --- one platform, all platforms ---------------------------------------------------------- */

static int add_layer(
	struct wb_image *img, const struct wb_image_layer *l, int64_t epoch, struct wb_err *err)
{
	char created[32];

	rfc3339(created, epoch);
	struct wb_history history = {.created = created, .created_by = l->created_by};

	return wb_image_add_layer(img, &l->desc, &l->diff_id, &history, err);
}

static void note_base_layers(struct wb_assembled *a, const struct wb_image *img)
{
	wb_vec_foreach (layer, &img->layers) {
		bool known = false;

		wb_vec_foreach (seen, &a->base_layers)
			known |= wb_digest_equal(&seen->digest, &layer->digest);
		if (!known)
			wb_descriptor_copy(wb_vec_push(&a->base_layers), layer);
	}
}

static int assemble_one(struct wb_assembled *a, const struct wb_image *from,
	const struct wb_image_layer *stub, const struct wb_assemble_opts *opts, struct wb_err *err)
{
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	wb_autojson json_t *notes = annotations(a->base, opts);
	bool has_stub = stub->path != NULL;

	note_base_layers(a, from);
	wb_image_copy(&img, from);
	if (has_stub && add_layer(&img, stub, opts->epoch, err))
		return -1;
	wb_vec_foreach (l, &a->layers)
		if (add_layer(&img, l, opts->epoch, err))
			return -1;
	wb_assemble_config(&img, a->base, opts, has_stub);
	struct wb_document *manifest = wb_vec_push(&a->manifests);
	struct wb_document *config = wb_vec_push(&a->configs);

	*manifest = *config = WB_DOCUMENT_INIT;
	if (wb_image_finish(manifest, config, &img, notes, opts->docker, err))
		return -1;
	wb_descriptor_set_platform(&manifest->desc, &img.platform);
	return 0;
}

static int make_root(
	struct wb_assembled *a, const struct wb_assemble_opts *opts, struct wb_err *err)
{
	wb_autojson json_t *notes = annotations(a->base, opts);
	wb_descriptors children = {0};

	if (a->manifests.n == 1) {
		const struct wb_document *only = &a->manifests.items[0];

		a->root.bytes = wb_strndup(only->bytes, only->desc.size);
		wb_descriptor_copy(&a->root.desc, &only->desc);
		return 0;
	}
	wb_vec_foreach (m, &a->manifests)
		wb_descriptor_copy(wb_vec_push(&children), &m->desc);
	int rc = wb_index_build(&a->root, children.items, children.n, notes, opts->docker, err);

	wb_descriptors_release(&children);
	return rc;
}

int wb_assemble(struct wb_assembled *a, const struct wb_assemble_opts *opts, struct wb_err *err)
{
	for (size_t i = 0; i < a->n_stubs; i++)
		if (assemble_one(a, &a->base->images.items[i], &a->stubs[i], opts, err))
			return -1;
	return make_root(a, opts, err);
}
