/* What a token server answers. */
#include "fuzz.h"
#include "oci/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_token_release) struct wb_token t = WB_TOKEN_INIT;

	if (wb_token_parse(&t, (const char *)data, size, "server", &err)) {
		must_be_error(&err);
		return 0;
	}
	/* It becomes a header line as it is. */
	MUST(!strpbrk(wb_secret_reveal(t.header), "\r\n"));
	MUST(t.lifetime_s > 0 && t.lifetime_s <= WB_TOKEN_LIFETIME_MAX);
	return 0;
}
