/* Range, Content-Range and Location of an upload's answers. */
#include "fuzz.h"
#include "oci/uploadwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wb_digest digest;
	wb_autofree char *text = wb_strndup((const char *)data, size);
	struct wb_err err = WB_ERR_INIT;
	uint64_t a = 0, b = 0, n = 0;

	wb_upload_range_parse(&a, text);
	if (wb_content_range_parse(&a, &b, &n, text))
		MUST(a <= b && b < n);
	wb_autofree char *url = wb_upload_location("https://r.io/v2/a/blobs/uploads/", text, &err);

	if (!url) {
		must_be_error(&err);
		return 0;
	}
	wb_autofree char *closing = wb_upload_close_url(url, &digest);

	MUST(strstr(closing, "digest=sha256:"));
	MUST(!strpbrk(closing, "\r\n "));
	return 0;
}
