#include "builder/build/base.h"

#include <string.h>

#include "base/text.h"
#include "oci/mediatype.h"

static int add_image(struct wb_base *b, const struct wb_document *doc, struct wb_err *err)
{
	struct wb_image *img = wb_vec_push(&b->images);

	*img = WB_IMAGE_INIT;
	if (wb_image_load(img, b->transport, doc, err)) {
		b->images.n--;
		return -1;
	}
	if (img->layers.n > b->layers)
		b->layers = img->layers.n;
	return 0;
}

static int add_child(struct wb_base *b, const struct wb_descriptor *child, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	if (wb_transport_get_manifest(&doc, b->transport, child, err))
		return -1;
	return add_image(b, &doc, err);
}

/* Calls each for every platform of a comma list. */
static int each_platform(const char *list,
	int (*each)(void *arg, const struct wb_platform *p, struct wb_err *err), void *arg,
	struct wb_err *err)
{
	if (!*list)
		return wb_err_set(err, WB_ERR_USAGE,
			"--platform: no platform given (as linux/amd64,linux/arm64)");
	while (*list) {
		size_t n = strcspn(list, ",");
		wb_autofree char *word = wb_strndup(list, n);
		struct wb_platform p;

		if (wb_platform_parse(&p, word, err) || each(arg, &p, err))
			return -1;
		list += n + (list[n] == ',');
	}
	return 0;
}

struct selection {
	struct wb_base *base;
	const struct wb_index *index;
};

static int select_child(void *arg, const struct wb_platform *want, struct wb_err *err)
{
	struct selection *s = arg;
	const struct wb_descriptor *child = wb_index_select(s->index, want, s->base->name, err);

	return child ? add_child(s->base, child, err) : -1;
}

static int load_index(
	struct wb_base *b, const struct wb_document *doc, const char *platforms, struct wb_err *err)
{
	WB_AUTO(wb_index_release) struct wb_index index = WB_INDEX_INIT;
	struct selection s = {b, &index};

	if (wb_index_parse(&index, doc, b->name, err))
		return -1;
	if (platforms)
		return each_platform(platforms, select_child, &s, err);
	wb_vec_foreach (child, &index.children)
		if (wb_child_is_image(child) && add_child(b, child, err))
			return -1;
	if (!b->images.n)
		return wb_err_set(
			err, WB_ERR_UNSUPPORTED, "base \"%s\": its index names no image", b->name);
	return 0;
}

static int check_platform(void *arg, const struct wb_platform *want, struct wb_err *err)
{
	const struct wb_base *b = arg;
	const struct wb_platform *have = &b->images.items[0].platform;

	if (wb_platform_match(have, want))
		return 0;
	return wb_err_set(err, WB_ERR_NOT_FOUND, "base \"%s\" is for %s only, not for %s", b->name,
		wb_platform_text(have).s, wb_platform_text(want).s);
}

static int add_scratch(void *arg, const struct wb_platform *p, struct wb_err *err)
{
	struct wb_base *b = arg;

	wb_image_scratch(wb_vec_push(&b->images), p);
	return 0;
}

int wb_base_open(struct wb_base *out, const char *ref, const char *platforms,
	const struct wb_place_opts *opts, struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place place = WB_PLACE_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	*out = WB_BASE_INIT;
	if (!strcmp(ref, "scratch"))
		return each_platform(platforms ? platforms : "linux/amd64", add_scratch, out, err);
	out->name = wb_strdup(ref);
	if (wb_place_parse(&place, ref, err))
		return wb_err_wrap(err, "base");
	if (place.has_reference)
		wb_reference_default_tag(&place.reference);
	if (place.kind == WB_PLACE_REGISTRY)
		out->reference = wb_reference_text(&place.reference);
	out->transport = wb_place_open(&place, WB_TRANSPORT_READ, opts, err);
	if (!out->transport || wb_transport_resolve(&doc, out->transport, NULL, err))
		return wb_err_wrap(err, "base \"%s\"", ref);
	out->digest = doc.desc.digest;
	if (wb_media_classify(doc.desc.media_type).kind == WB_MEDIA_INDEX)
		return load_index(out, &doc, platforms, err);
	if (add_image(out, &doc, err))
		return wb_err_wrap(err, "base \"%s\"", ref);
	return platforms ? each_platform(platforms, check_platform, out, err) : 0;
}

void wb_base_release(struct wb_base *b)
{
	wb_vec_foreach (img, &b->images)
		wb_image_release(img);
	wb_vec_free(&b->images);
	wb_transport_free(b->transport);
	free(b->name);
	free(b->reference);
	*b = WB_BASE_INIT;
}
