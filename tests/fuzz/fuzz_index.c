/* An image index, and choosing a platform from it. */
#include "fuzz.h"
#include "oci/manifest.h"
#include "oci/mediatype.h"

static void use(const struct wb_index *x)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_index_release) struct wb_index again = WB_INDEX_INIT;
	WB_AUTO(wb_document_release) struct wb_document out = WB_DOCUMENT_INIT;
	struct wb_platform want = {.os = "linux", .arch = "arm64"};
	struct wb_digest of;
	const struct wb_descriptor *child = wb_index_select(x, &want, "fuzz", &err);

	MUST(!child || wb_child_is_image(child));
	if (!child)
		must_be_error(&err);
	wb_vec_foreach (c, &x->children)
		MUST(!(wb_child_is_image(c) && wb_child_is_attestation(&of, c)));
	if (wb_index_build(&out, x->children.items, x->children.n, NULL, x->docker, &err))
		return;
	MUST(!wb_index_parse(&again, &out, "fuzz", &err));
	MUST(again.children.n == x->children.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;
	char *bytes = wb_alloc(size + 1);

	memcpy(bytes, data, size);
	bytes[size] = '\0';
	wb_document_set(&doc, WB_MT_OCI_INDEX, bytes, size);
	if (wb_index_parse(&x, &doc, "fuzz", &err))
		must_be_error(&err);
	else
		use(&x);
	return 0;
}
