/* docker's config.json and podman's auth.json, and what credential helpers answer. */
#include "fuzz.h"
#include "oci/authfile.h"
#include "oci/credhelper.h"

static void check(const struct wb_credential *c)
{
	MUST((c->kind == WB_CREDENTIAL_NONE) == (c->secret == NULL));
	MUST(c->kind != WB_CREDENTIAL_BASIC || c->username);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = {"docker.io", "ghcr.io", "h:5000"};
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_credential_release) struct wb_credential reply = WB_CREDENTIAL_INIT;
	wb_autojson json_t *file = wb_authfile_parse((const char *)data, size, "config.json", &err);

	if (wb_credhelper_parse(&reply, (const char *)data, size, "helper", &err))
		must_be_error(&err);
	check(&reply);
	for (size_t i = 0; file && i < WB_ARRAY_LEN(hosts); i++) {
		WB_AUTO(wb_credential_release) struct wb_credential c = WB_CREDENTIAL_INIT;

		if (wb_authfile_find(&c, file, hosts[i], "team/app", "config.json", &err))
			must_be_error(&err);
		check(&c);
		wb_authfile_helper(file, hosts[i]);
		wb_authfile_store(file);
	}
	return 0;
}
