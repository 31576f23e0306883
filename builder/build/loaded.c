#include "builder/build/loaded.h"

#include <string.h>

#include "oci/layer_scan.h"
#include "oci/mediatype.h"

void wb_loaded_release(struct wb_loaded *l)
{
	wb_vec_foreach (i, &l->images) {
		wb_descriptor_release(&i->manifest);
		wb_descriptor_release(&i->config);
		wb_image_release(&i->image);
		wb_bundle_manifest_release(&i->bundle);
	}
	wb_vec_free(&l->images);
	wb_descriptor_release(&l->root);
	wb_transport_free(l->transport);
	*l = WB_LOADED_INIT;
}

const char *wb_loaded_created_by(const struct wb_loaded_image *img, size_t layer)
{
	const json_t *history = json_object_get(img->image.config, "history");
	size_t i, at = 0;
	json_t *entry;

	json_array_foreach (history, i, entry) {
		if (json_is_true(json_object_get(entry, "empty_layer")))
			continue;
		if (at++ == layer)
			return wb_json_str_opt(entry, "created_by");
	}
	return NULL;
}

/* The manifest's layer is the last one of a wbuild image; nothing else is looked through, since
 * layers of weights are large. */
static int load_bundle(struct wb_loaded *l, struct wb_loaded_image *img, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	wb_autofree char *text = NULL;
	size_t n;

	if (!wb_image_label(&img->image, "dev.wbuild.manifest") || !img->image.layers.n)
		return 0;
	const struct wb_descriptor *layer = &img->image.layers.items[img->image.layers.n - 1];

	if (wb_transport_open_blob(&r, l->transport, layer, err) ||
		wb_layer_read_file(&text, &n, r, "the bundle manifest's layer",
			wb_layer_expansion(layer->size, 2 * (uint64_t)WB_MANIFEST_BYTES_MAX),
			WB_MANIFEST_PATH, WB_MANIFEST_BYTES_MAX, err))
		return -1;
	if (!text)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"the image says that it holds /%s, but its last layer does not",
			WB_MANIFEST_PATH);
	if (wb_bundle_manifest_parse(&img->bundle, text, n, err))
		return wb_err_wrap(err, "/%s", WB_MANIFEST_PATH);
	img->has_bundle = true;
	return 0;
}

static int load_image(struct wb_loaded *l, const struct wb_document *doc, struct wb_err *err)
{
	struct wb_loaded_image *img = wb_vec_push(&l->images);
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	wb_descriptor_copy(&img->manifest, &doc->desc);
	if (wb_manifest_parse(&m, doc, "manifest", err))
		return -1;
	wb_descriptor_copy(&img->config, &m.config);
	if (wb_image_load(&img->image, l->transport, doc, err))
		return -1;
	return load_bundle(l, img, err);
}

static int load_index(struct wb_loaded *l, const struct wb_document *doc, struct wb_err *err)
{
	WB_AUTO(wb_index_release) struct wb_index index = WB_INDEX_INIT;

	if (wb_index_parse(&index, doc, "index", err))
		return -1;
	wb_vec_foreach (child, &index.children) {
		WB_AUTO(wb_document_release) struct wb_document manifest = WB_DOCUMENT_INIT;

		if (!wb_child_is_image(child))
			continue;
		if (wb_transport_get_manifest(&manifest, l->transport, child, err) ||
			load_image(l, &manifest, err))
			return -1;
	}
	return 0;
}

int wb_loaded_open(struct wb_loaded *out, const char *text, const struct wb_place_opts *opts,
	struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place place = WB_PLACE_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	*out = WB_LOADED_INIT;
	if (wb_place_parse(&place, text, err))
		return -1;
	if (place.has_reference)
		wb_reference_default_tag(&place.reference);
	out->transport = wb_place_open(&place, WB_TRANSPORT_READ, opts, err);
	if (!out->transport || wb_transport_resolve(&doc, out->transport, NULL, err))
		return wb_err_wrap(err, "\"%s\"", text);
	wb_descriptor_copy(&out->root, &doc.desc);
	int rc = wb_media_classify(doc.desc.media_type).kind == WB_MEDIA_INDEX
	                 ? load_index(out, &doc, err)
	                 : load_image(out, &doc, err);

	return rc ? wb_err_wrap(err, "\"%s\"", text) : 0;
}
