/* index.json of a layout that somebody else wrote: entering an image keeps the others. */
#include "fuzz.h"
#include "oci/layout_index.h"
#include "oci/mediatype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_layout_index_release) struct wb_layout_index x = WB_LAYOUT_INDEX_INIT;
	WB_AUTO(wb_layout_index_release) struct wb_layout_index again = WB_LAYOUT_INDEX_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;

	if (wb_layout_file_check((const char *)data, size, "fuzz", &err))
		must_be_error(&err);
	if (wb_layout_index_parse(&x, (const char *)data, size, "fuzz", &err)) {
		must_be_error(&err);
		return 0;
	}
	if (!wb_layout_index_find(&x, NULL, "fuzz", &err))
		must_be_error(&err);
	wb_descriptor_of(&d, WB_MT_OCI_MANIFEST, "{}", 2);
	wb_layout_index_put(&x, &d, "t", "docker.io/library/n:t");
	MUST(wb_layout_index_find(&x, "docker.io/library/n:t", "fuzz", &err));
	wb_autofree char *text = wb_layout_index_dump(&x);

	MUST(!wb_layout_index_parse(&again, text, strlen(text), "fuzz", &err));
	MUST(again.entries.n == x.entries.n);
	MUST(json_equal(again.json, x.json));
	return 0;
}
