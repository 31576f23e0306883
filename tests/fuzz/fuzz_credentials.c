/* Credentials that come from files and programs: keys of AWS and Google, a helper's answer. The
 * first byte says which. */
#include "builder/source/aws_creds.h"
#include "builder/source/gcp_token.h"
#include "fuzz.h"
#include "oci/credhelper.h"

static void aws(const struct wb_secret *s)
{
	WB_AUTO(wb_aws_creds_release) struct wb_aws_creds c = WB_AWS_CREDS_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (wb_aws_creds_parse(&c, s, &err))
		must_be_error(&err);
	else
		MUST(c.role_arn || (c.key_id && c.key));
}

static void google(const struct wb_secret *s)
{
	WB_AUTO(wb_gcp_creds_release) struct wb_gcp_creds c = WB_GCP_CREDS_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (wb_gcp_creds_parse(&c, s, &err))
		must_be_error(&err);
}

static void helper(const char *p, size_t n)
{
	WB_AUTO(wb_credential_release) struct wb_credential c = WB_CREDENTIAL_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (wb_credhelper_parse(&c, p, n, "docker-credential-fuzz", &err))
		must_be_error(&err);
	else
		MUST(c.kind == WB_CREDENTIAL_NONE || c.secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *p = (const char *)data + 1;
	struct wb_secret *s = wb_secret_new_brief("fuzz", p, size - 1);

	switch (data[0]) {
	case 'a': aws(s); break;
	case 'g': google(s); break;
	default: helper(p, size - 1); break;
	}
	wb_secret_unref(s);
	return 0;
}
