/* Headers that a download depends on: Link, Retry-After, RateLimit, etags, digests in hex and
 * base64. */
#include "base/http.h"
#include "builder/source/kind.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wb_autofree char *text = wb_strndup((const char *)data, size);
	wb_autofree char *link = wb_link_next(text), *etag = wb_etag_text(text);
	struct wb_known known = {0};
	struct wb_err err = WB_ERR_INIT;

	MUST(wb_http_retry_after(text) >= -1);
	MUST(wb_http_rate_limit_wait(text) >= -1 && wb_http_rate_limit_wait(text) <= 1000000000);
	MUST(strlen(etag) <= strlen(text));
	MUST(!link || strlen(link) < strlen(text));
	if (wb_known_md5_hex(&known, text))
		MUST(known.has[WB_HASH_MD5] && strlen(text) == 32);
	for (int kind = 0; kind < WB_HASH_KINDS; kind++)
		wb_known_base64(&known, (enum wb_hash_kind)kind, text);
	wb_autofree char *identity = wb_known_identity(&known, 1, "own");

	MUST(identity && *identity);
	wb_autofree char *next = wb_url_resolve("https://hub.example/api", text, &err);

	if (!next)
		must_be_error(&err);
	return 0;
}
