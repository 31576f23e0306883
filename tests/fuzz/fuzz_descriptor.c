/* One descriptor: what is read and written again says the same. */
#include "fuzz.h"
#include "oci/descriptor.h"
#include "oci/mediatype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor again = WB_DESCRIPTOR_INIT;
	wb_autojson json_t *in = wb_json_parse((const char *)data, size, "fuzz", &err);

	if (!in || wb_descriptor_from_json(&d, in, "fuzz", &err)) {
		must_be_error(&err);
		return 0;
	}
	wb_autojson json_t *out = wb_descriptor_to_json(&d);

	MUST(json_equal(in, out));
	MUST(!wb_descriptor_from_json(&again, out, "fuzz", &err));
	MUST(wb_media_to_oci(d.media_type));
	wb_descriptor_annotate(&d, "k", "v");
	MUST(!strcmp(wb_descriptor_annotation(&d, "k"), "v"));
	return 0;
}
