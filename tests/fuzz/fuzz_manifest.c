/* A manifest or index as a registry gives it. */
#include "fuzz.h"
#include "oci/manifest.h"
#include "oci/mediatype.h"

static void manifest(const struct wb_document *doc)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest again = WB_MANIFEST_INIT;
	WB_AUTO(wb_document_release) struct wb_document out = WB_DOCUMENT_INIT;

	if (wb_manifest_parse(&m, doc, "fuzz", &err)) {
		must_be_error(&err);
		return;
	}
	if (wb_manifest_build(&out, &m.config, m.layers.items, m.layers.n, NULL, m.docker, &err))
		return;
	MUST(!wb_manifest_parse(&again, &out, "fuzz", &err));
	MUST(again.layers.n == m.layers.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	char *bytes = wb_alloc(size + 1);

	memcpy(bytes, data, size);
	bytes[size] = '\0';
	wb_document_set(&doc, WB_MT_OCI_MANIFEST, bytes, size);
	manifest(&doc);
	return 0;
}
