/* Addresses: of sources, of URLs met on the way, and image platforms. */
#include "base/http.h"
#include "builder/config/uri.h"
#include "fuzz.h"
#include "oci/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wb_autofree char *text = wb_strndup((const char *)data, size);
	WB_AUTO(wb_uri_release) struct wb_uri u = {0};
	wb_autofree char *blob = NULL, *redacted = wb_url_redact(text);
	wb_autofree char *encoded = wb_url_encode(text, strlen(text), "");
	wb_autofree char *decoded = wb_url_decode(encoded, strlen(encoded));
	struct wb_platform platform;
	struct wb_err err = WB_ERR_INIT;

	MUST(!strcmp(decoded, text));
	MUST(redacted);
	wb_url_host_is_loopback(text);
	wb_uri_is_hub_page(text);
	wb_uri_is_signed(text);
	MUST(wb_url_same_origin("https://a.example/", text) ==
		wb_url_same_origin(text, "https://a.example/"));
	if (wb_uri_from_blob_url(&blob, text))
		MUST(!strncmp(blob, "azure://", 8));
	if (wb_platform_parse(&platform, text, &err))
		must_be_error(&err);
	wb_err_clear(&err);
	if (wb_uri_parse(&u, text, true, &err)) {
		must_be_error(&err);
		return 0;
	}
	/* What is printed of it holds no password; elsewhere "@" begins a revision. */
	MUST(u.text && (u.scheme != WB_SCHEME_HTTP || !wb_uri_has_userinfo(u.text)));
	return 0;
}
