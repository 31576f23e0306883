#include "builder/build/output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/build/export.h"
#include "builder/build/watch.h"
#include "oci/copy.h"
#include "oci/manifest.h"

/* --- the SPEC ----------------------------------------------------------------------------- */

struct spec {
	char *type, *dest;
	bool tar, has_tar;
};

static void spec_release(struct spec *s)
{
	free(s->type);
	free(s->dest);
}

static int spec_pair(struct spec *s, const char *key, const char *value, struct wb_err *err)
{
	char **text = !strcmp(key, "type") ? &s->type : !strcmp(key, "dest") ? &s->dest : NULL;

	if (text) {
		free(*text);
		*text = wb_strdup(value);
		return 0;
	}
	if (strcmp(key, "tar"))
		return wb_err_set(err, WB_ERR_USAGE,
			"--output: unknown key \"%s\" (type, dest and tar are known)", key);
	if (strcmp(value, "true") && strcmp(value, "false"))
		return wb_err_set(
			err, WB_ERR_USAGE, "--output: tar is true or false, not \"%s\"", value);
	s->has_tar = true;
	s->tar = !strcmp(value, "true");
	return 0;
}

static int spec_parse(struct spec *s, const char *text, struct wb_err *err)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		wb_autofree char *pair = wb_strndup(text, n);
		char *eq = strchr(pair, '=');

		if (!eq)
			return wb_err_set(
				err, WB_ERR_USAGE, "--output: \"%s\" is not KEY=VALUE", pair);
		*eq = '\0';
		if (spec_pair(s, pair, eq + 1, err))
			return -1;
		text += n + (text[n] == ',');
	}
	return 0;
}

int wb_output_parse(struct wb_output *out, const char *text, struct wb_err *err)
{
	static const struct {
		const char *type;
		enum wb_output_kind kind;
	} types[] = {
		{"oci", WB_OUTPUT_ARCHIVE},
		{"docker", WB_OUTPUT_DOCKER_ARCHIVE},
		{"registry", WB_OUTPUT_REGISTRY},
		{"local", WB_OUTPUT_LOCAL},
		{"tar", WB_OUTPUT_TAR},
	};
	WB_AUTO(spec_release) struct spec s = {0};

	if (!strchr(text, '=')) {
		*out = (struct wb_output){WB_OUTPUT_LOCAL, wb_strdup(text)};
		return 0;
	}
	if (spec_parse(&s, text, err))
		return -1;
	for (size_t i = 0; s.type && i < WB_ARRAY_LEN(types); i++) {
		if (strcmp(s.type, types[i].type))
			continue;
		enum wb_output_kind kind = types[i].kind;

		if (s.has_tar && kind != WB_OUTPUT_ARCHIVE)
			return wb_err_set(err, WB_ERR_USAGE, "--output: tar= goes with type=oci");
		if (s.has_tar && !s.tar)
			kind = WB_OUTPUT_LAYOUT;
		if (kind != WB_OUTPUT_REGISTRY && (!s.dest || !*s.dest))
			return wb_err_set(
				err, WB_ERR_USAGE, "--output: type=%s needs dest=", s.type);
		*out = (struct wb_output){kind, wb_steal(s.dest)};
		return 0;
	}
	return wb_err_set(err, WB_ERR_USAGE,
		"--output: type is oci, docker, registry, local or tar, not \"%s\"",
		s.type ? s.type : "");
}

void wb_output_release(struct wb_output *o)
{
	free(o->dest);
	*o = (struct wb_output){0};
}

int wb_output_check(const struct wb_output *o, size_t n_tags, struct wb_err *err)
{
	if (o->kind == WB_OUTPUT_REGISTRY) {
		if (n_tags)
			return 0;
		wb_err_set(err, WB_ERR_USAGE, "a push needs a name");
		return wb_err_hint(err, "give one with -t REGISTRY/NAME:TAG");
	}
	wb_autofree char *dir = wb_path_dirname(o->dest);
	struct stat st;

	if (stat(dir, &st))
		return wb_err_sys(err, errno, "output \"%s\": cannot look at the folder \"%s\"",
			o->dest, dir);
	bool is_dir = !stat(o->dest, &st) && S_ISDIR(st.st_mode);

	if (is_dir && (o->kind == WB_OUTPUT_ARCHIVE || o->kind == WB_OUTPUT_DOCKER_ARCHIVE ||
			      o->kind == WB_OUTPUT_TAR))
		return wb_err_set(
			err, WB_ERR_USAGE, "output \"%s\" is a folder; give a file name", o->dest);
	return 0;
}

/* --- writing through a transport ---------------------------------------------------------- */

struct writing {
	struct wb_transport *to;
	struct wb_step *step;
	WB_VEC(struct wb_copy_item) items; /* no digest twice */
};

static void writing_release(struct writing *w)
{
	wb_vec_free(&w->items);
	wb_transport_free(w->to);
}

/* A layer that was found in the registry and not made here, and is gone now. */
static int open_gone(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err)
{
	const struct wb_descriptor *d = arg;

	wb_err_set(err, WB_ERR_NOT_FOUND, "layer %s was in the registry a moment ago and is gone",
		wb_digest_text(&d->digest).s);
	return wb_err_hint(err, "run the build again: it will make the layer here");
}

/* NULL when the blob is on the list: a base that wbuild made may have our layers too. */
static struct wb_copy_item *add_item(struct writing *w, const struct wb_descriptor *d)
{
	wb_vec_foreach (known, &w->items)
		if (wb_digest_equal(&known->desc->digest, &d->digest))
			return NULL;
	struct wb_copy_item *item = wb_vec_push(&w->items);

	item->desc = d;
	return item;
}

/* A blob of the store: verified, and never written to again. */
static void add_ours(struct writing *w, struct wb_image_layer *l)
{
	struct wb_copy_item *item = add_item(w, &l->desc);

	if (item && l->path)
		item->src = (struct wb_blob_source){
			.path = l->path, .whole_file = true, .allow_link = true, .trusted = true};
	else if (item)
		item->src = (struct wb_blob_source){.open = open_gone, .arg = &l->desc};
}

static void collect_items(struct writing *w, const struct wb_assembled *a)
{
	for (size_t i = 0; i < a->n_stubs; i++)
		if (a->stubs[i].path)
			add_ours(w, &a->stubs[i]);
	wb_vec_foreach (l, &a->layers)
		add_ours(w, l);
	wb_vec_foreach (d, &a->base_layers) {
		struct wb_copy_item *item = add_item(w, d);

		if (item)
			item->from = a->base->transport;
	}
}

/* What the place can hold is asked before the first byte. */
static int check_images(struct writing *w, const struct wb_assembled *a, struct wb_err *err)
{
	wb_vec_foreach (doc, &a->manifests) {
		WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

		if (wb_manifest_parse(&m, doc, w->to->label, err) ||
			wb_transport_check_image(w->to, m.layers.items, m.layers.n, err))
			return -1;
	}
	return 0;
}

static int put_blobs(struct writing *w, unsigned jobs, struct wb_err *err)
{
	WB_AUTO(wb_watch_release) struct wb_watch watch;
	struct wb_copy_stats stats = {0};

	wb_watch_init(&watch, w->step);
	return wb_copy_blobs(&stats, w->to, w->items.items, w->items.n, jobs, &watch.calls, err);
}

static int put_documents(struct writing *w, const struct wb_assembled *a,
	const struct wb_manifest_put *how, struct wb_err *err)
{
	wb_vec_foreach (c, &a->configs)
		if (wb_transport_put_bytes(w->to, &c->desc, c->bytes, err))
			return -1;
	for (size_t i = 0; a->manifests.n > 1 && i < a->manifests.n; i++)
		if (wb_transport_put_manifest(
			    w->to, &a->manifests.items[i], &(struct wb_manifest_put){0}, err))
			return -1;
	return wb_transport_put_manifest(w->to, &a->root, how, err);
}

static uint64_t blob_bytes(const struct writing *w)
{
	uint64_t bytes = 0;

	wb_vec_foreach (i, &w->items)
		bytes += i->desc->size;
	return bytes;
}

static int write_open(struct writing *w, const struct wb_place *place, const char *name,
	const struct wb_assembled *a, unsigned jobs, struct wb_err *err)
{
	struct wb_manifest_put how = {.root = true,
		.name = name,
		.tag = place->kind == WB_PLACE_REGISTRY ? place->reference.tag : place->tag};

	collect_items(w, a);
	wb_step_total(w->step, blob_bytes(w));
	if (check_images(w, a, err) || put_blobs(w, jobs, err) || put_documents(w, a, &how, err))
		return -1;
	return wb_transport_commit(w->to, err);
}

static int write_place(const struct wb_place *place, const char *name, const struct wb_assembled *a,
	const struct wb_output_opts *opts, struct wb_err *err)
{
	WB_AUTO(writing_release) struct writing w = {0};
	wb_autofree char *text = wb_place_text(place);
	bool push = place->kind == WB_PLACE_REGISTRY;

	w.step = wb_step_begin(opts->progress, "%s %s", push ? "push" : "write",
		push ? text + strlen("docker://") : text);
	w.to = wb_place_open(place, WB_TRANSPORT_WRITE, opts->place, err);
	return wb_step_end(
		w.step, w.to ? write_open(&w, place, name, a, opts->jobs, err) : -1, err);
}

static int write_registry(
	const struct wb_assembled *a, const struct wb_output_opts *opts, struct wb_err *err)
{
	for (size_t i = 0; i < opts->n_tags; i++) {
		WB_AUTO(wb_place_release)
		struct wb_place place = {.kind = WB_PLACE_REGISTRY, .has_reference = true};

		wb_reference_copy(&place.reference, &opts->tags[i]);
		wb_reference_default_tag(&place.reference);
		wb_autofree char *name = wb_reference_text(&place.reference);

		if (write_place(&place, name, a, opts, err))
			return -1;
	}
	return 0;
}

static int write_file_place(const struct wb_output *o, enum wb_place_kind kind,
	const struct wb_assembled *a, const struct wb_output_opts *opts, struct wb_err *err)
{
	size_t i = 0;

	do {
		WB_AUTO(wb_place_release) struct wb_place place = {.kind = kind};
		wb_autofree char *name = NULL;

		place.path = wb_strdup(o->dest);
		if (opts->n_tags) {
			wb_reference_copy(&place.reference, &opts->tags[i]);
			wb_reference_default_tag(&place.reference);
			place.has_reference = kind == WB_PLACE_DOCKER_ARCHIVE;
			place.tag = wb_strdup(place.reference.tag);
			name = wb_reference_text(&place.reference);
		} else {
			place.tag = wb_strdup("latest");
		}
		if (write_place(&place, name, a, opts, err))
			return -1;
		/* an archive is one file, written anew: it takes one name */
	} while (kind == WB_PLACE_LAYOUT && ++i < opts->n_tags);
	return 0;
}

static int write_files(const struct wb_output *o, const struct wb_assembled *a,
	const struct wb_output_opts *opts, struct wb_err *err)
{
	struct wb_step *step = wb_step_begin(opts->progress, "write %s", o->dest);
	int rc = o->kind == WB_OUTPUT_TAR ? wb_export_tar(o->dest, a->plan, a->manifest_text, err)
	                                  : wb_export_dir(o->dest, a->plan, a->manifest_text, err);

	return wb_step_end(step, rc, err);
}

int wb_output_write(const struct wb_output *o, const struct wb_assembled *a,
	const struct wb_output_opts *opts, struct wb_err *err)
{
	switch (o->kind) {
	case WB_OUTPUT_LAYOUT: return write_file_place(o, WB_PLACE_LAYOUT, a, opts, err);
	case WB_OUTPUT_ARCHIVE: return write_file_place(o, WB_PLACE_ARCHIVE, a, opts, err);
	case WB_OUTPUT_DOCKER_ARCHIVE:
		return write_file_place(o, WB_PLACE_DOCKER_ARCHIVE, a, opts, err);
	case WB_OUTPUT_REGISTRY: return write_registry(a, opts, err);
	case WB_OUTPUT_LOCAL:
	case WB_OUTPUT_TAR: return write_files(o, a, opts, err);
	}
	return 0;
}
