/* The journal of an upload, as found on disk. */
#include "fuzz.h"
#include "oci/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_journal j = {.host = (char *)"r.io", .repository = (char *)"a/b"};
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_upload_state_release) struct wb_upload_state s = WB_UPLOAD_STATE_INIT;

	if (wb_upload_state_parse(&s, (const char *)data, size, &j, 1000000, &err)) {
		must_be_error(&err);
		MUST(!s.location);
		return 0;
	}
	MUST(s.acked <= s.size);
	MUST(!strncmp(s.location, "http", 4));
	return 0;
}
