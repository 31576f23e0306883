#include "builder/build/loaded_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "builder/build/filekind.h"
#include "layers/chunked.h"

/* --- layers ------------------------------------------------------------------------------- */

static const char *holds(const char *created_by)
{
	if (!created_by || !wb_str_starts(created_by, "wbuild: "))
		return "base";
	if (!strcmp(created_by, "wbuild: runtime stub"))
		return "stub";
	return strcmp(created_by, "wbuild: bundle manifest") ? "files" : "manifest";
}

static size_t platforms_with(const struct wb_loaded *l, const struct wb_digest *layer)
{
	size_t n = 0;

	wb_vec_foreach (img, &l->images)
		wb_vec_foreach (d, &img->image.layers)
			if (wb_digest_equal(&d->digest, layer)) {
				n++;
				break;
			}
	return n;
}

static json_t *layers_json(const struct wb_loaded *l, const struct wb_loaded_image *img)
{
	json_t *out = json_array();

	for (size_t i = 0; i < img->image.layers.n; i++) {
		const struct wb_descriptor *d = &img->image.layers.items[i];
		const char *by = wb_loaded_created_by(img, i);
		json_t *o = json_object();

		wb_json_set_str(o, "digest", wb_digest_text(&d->digest).s);
		wb_json_set_str(o, "diffId", wb_digest_text(&img->image.diff_ids.items[i]).s);
		wb_json_set_str(o, "mediaType", d->media_type);
		wb_json_set_u64(o, "size", d->size);
		if (by)
			wb_json_set_str(o, "createdBy", by);
		wb_json_set_str(o, "holds", holds(by));
		wb_json_set_u64(o, "platforms", platforms_with(l, &d->digest));
		if (wb_descriptor_annotation(d, WB_CHUNKED_POSITION))
			wb_json_set(o, "tableOfContents", json_true());
		wb_json_append(out, o);
	}
	return out;
}

/* --- sources and files -------------------------------------------------------------------- */

static json_t *sources_json(const struct wb_bundle_manifest *m)
{
	wb_autofree struct {
		size_t files;
		uint64_t bytes;
	} *sums = wb_calloc(m->sources.n + 1, sizeof(*sums));
	json_t *out = json_array();

	wb_vec_foreach (e, &m->entries) {
		sums[e->source].files += e->type == WB_BUNDLE_FILE;
		sums[e->source].bytes += e->type == WB_BUNDLE_FILE ? e->size : 0;
	}
	for (size_t i = 0; i < m->sources.n; i++) {
		const struct wb_bundle_source *s = &m->sources.items[i];
		json_t *o = json_object();

		wb_json_set_str(o, "source", s->label);
		if (s->revision)
			wb_json_set_str(o, "revision", s->revision);
		wb_json_set_str(o, "mount", s->mount);
		wb_json_set_u64(o, "files", sums[i].files);
		wb_json_set_u64(o, "bytes", sums[i].bytes);
		wb_json_append(out, o);
	}
	return out;
}

struct counts {
	uint64_t files, links, bytes, unique;
	WB_VEC(const struct wb_bundle_entry *) by_digest; /* files; equal ones in their order */
};

static int by_digest(const void *a, const void *b)
{
	const struct wb_bundle_entry *x = *(const struct wb_bundle_entry *const *)a;
	const struct wb_bundle_entry *y = *(const struct wb_bundle_entry *const *)b;
	int order = memcmp(x->digest.bytes, y->digest.bytes, sizeof(x->digest.bytes));

	return order ? order : (x > y) - (x < y);
}

static void counts_init(struct counts *c, const struct wb_bundle_manifest *m)
{
	*c = (struct counts){0};
	wb_vec_foreach (e, &m->entries)
		if (e->type == WB_BUNDLE_FILE)
			*wb_vec_push(&c->by_digest) = e;
	if (c->by_digest.n)
		qsort(c->by_digest.items, c->by_digest.n, sizeof(*c->by_digest.items), by_digest);
}

static void counts_release(struct counts *c)
{
	wb_vec_free(&c->by_digest);
}

/* The entry that has this content already, or NULL. */
static const struct wb_bundle_entry *first_with(
	const struct counts *c, const struct wb_bundle_entry *e)
{
	size_t low = 0, high = c->by_digest.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(c->by_digest.items[middle]->digest.bytes, e->digest.bytes,
			    sizeof(e->digest.bytes)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return c->by_digest.items[low] == e ? NULL : c->by_digest.items[low];
}

static void set_path(json_t *o, const char *key, const char *path)
{
	wb_autofree char *absolute = wb_asprintf("/%s", path);

	wb_json_set_text(o, key, absolute);
}

static void add_content(json_t *o, struct counts *c, const struct wb_bundle_entry *e)
{
	const struct wb_bundle_entry *same = e->size ? first_with(c, e) : NULL;

	c->files++;
	c->bytes += e->size;
	c->unique += same ? 0 : e->size;
	wb_json_set_u64(o, "size", e->size);
	wb_json_set_str(o, "sha256", wb_digest_hex(&e->digest).s);
	wb_json_set_str(o, "kind", wb_file_kind_word(wb_file_kind_of(e->path)));
	if (same)
		set_path(o, "sameAs", same->path);
}

static json_t *files_json(struct counts *c, const struct wb_bundle_manifest *m)
{
	json_t *out = json_array();

	counts_init(c, m);
	wb_vec_foreach (e, &m->entries) {
		json_t *o = json_object();

		set_path(o, "path", e->path);
		if (e->type == WB_BUNDLE_FILE)
			add_content(o, c, e);
		c->links += e->type == WB_BUNDLE_SYMLINK;
		if (e->type == WB_BUNDLE_SYMLINK)
			wb_json_set_text(o, "target", e->target);
		wb_json_set_str(o, "source", m->sources.items[e->source].label);
		wb_json_append(out, o);
	}
	return out;
}

/* --- the image ---------------------------------------------------------------------------- */

static json_t *totals_json(const struct wb_loaded_image *img, const struct counts *c)
{
	json_t *o = json_object();
	uint64_t bytes = 0;

	wb_vec_foreach (d, &img->image.layers)
		bytes += d->size;
	wb_json_set_u64(o, "layers", img->image.layers.n);
	wb_json_set_u64(o, "layerBytes", bytes);
	if (!img->has_bundle)
		return o;
	wb_json_set_u64(o, "files", c->files);
	wb_json_set_u64(o, "links", c->links);
	wb_json_set_u64(o, "bytes", c->bytes);
	wb_json_set_u64(o, "uniqueBytes", c->unique);
	return o;
}

static void set_args(json_t *o, const char *key, const struct wb_image *img, enum wb_image_args a)
{
	const json_t *args = wb_image_args(img, a);

	if (args)
		wb_json_set(o, key, json_deep_copy(args));
}

static json_t *image_json(const struct wb_loaded *l, const struct wb_loaded_image *img)
{
	WB_AUTO(counts_release) struct counts counts = {0};
	json_t *files = img->has_bundle ? files_json(&counts, &img->bundle) : NULL;
	json_t *o = json_object();

	wb_json_set_str(o, "platform", wb_platform_text(&img->image.platform).s);
	wb_json_set_str(o, "manifest", wb_digest_text(&img->manifest.digest).s);
	wb_json_set_str(o, "config", wb_digest_text(&img->config.digest).s);
	set_args(o, "entrypoint", &img->image, WB_IMAGE_ENTRYPOINT);
	set_args(o, "command", &img->image, WB_IMAGE_CMD);
	wb_json_set(o, "totals", totals_json(img, &counts));
	wb_json_set(o, "layers", layers_json(l, img));
	if (files) {
		wb_json_set(o, "sources", sources_json(&img->bundle));
		wb_json_set(o, "files", files);
	}
	return o;
}

json_t *wb_loaded_report(const struct wb_loaded *l)
{
	json_t *out = json_object(), *images = json_array();

	wb_json_set_str(out, "digest", wb_digest_text(&l->root.digest).s);
	wb_json_set_str(out, "mediaType", l->root.media_type);
	wb_vec_foreach (img, &l->images)
		wb_json_append(images, image_json(l, img));
	wb_json_set(out, "images", images);
	return out;
}
