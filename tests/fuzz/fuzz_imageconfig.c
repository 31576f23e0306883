/* An image config: what is taken can be edited, written and taken again. The manifest beside it has
 * as many layers as the first byte says. */
#include "fuzz.h"
#include "oci/image.h"
#include "oci/mediatype.h"

static void make_manifest(struct wb_manifest *m, size_t n)
{
	wb_descriptor_of(&m->config, WB_MT_DOCKER_CONFIG, "", 0);
	for (size_t i = 0; i < n; i++)
		wb_descriptor_of(wb_vec_push(&m->layers), WB_MT_DOCKER_LAYER_GZIP, &i, sizeof(i));
	m->image = true;
}

static void edit(struct wb_image *img)
{
	struct wb_err err = WB_ERR_INIT;
	const char *const argv[] = {"/init"};
	const struct wb_history h = {.created_by = "fuzz"};
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document config = WB_DOCUMENT_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_image_release) struct wb_image again = WB_IMAGE_INIT;

	wb_descriptor_of(&d, WB_MT_OCI_LAYER_ZSTD, "x", 1);
	wb_image_set_env(img, "PATH", "/x");
	wb_image_set_label(img, "l", "v");
	wb_image_set_args(img, WB_IMAGE_ENTRYPOINT, argv, 1);
	MUST(!wb_image_add_layer(img, &d, &d.digest, &h, &err));
	MUST(!wb_image_finish(&doc, &config, img, NULL, false, &err));
	MUST(!wb_manifest_parse(&m, &doc, "fuzz", &err));
	MUST(!wb_image_parse(&again, &m, config.bytes, (size_t)config.desc.size, "fuzz", &err));
	MUST(again.layers.n == img->layers.n);
	MUST(json_equal(again.config, img->config));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;

	if (!size)
		return 0;
	make_manifest(&m, data[0] % 8);
	if (wb_image_parse(&img, &m, (const char *)data + 1, size - 1, "fuzz", &err))
		must_be_error(&err);
	else
		edit(&img);
	return 0;
}
