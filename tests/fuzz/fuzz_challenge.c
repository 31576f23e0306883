/* WWW-Authenticate headers. */
#include "fuzz.h"
#include "oci/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wb_autofree char *text = wb_strndup((const char *)data, size);
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_challenges_release) wb_challenges c = {0};

	if (wb_challenges_parse(&c, text, &err)) {
		must_be_error(&err);
		MUST(c.n == 0);
		return 0;
	}
	MUST(c.n <= WB_CHALLENGES_MAX);
	wb_vec_foreach (one, &c) {
		MUST(one->name && *one->name);
		MUST(!one->realm || strlen(one->realm) <= strlen(text));
	}
	return 0;
}
