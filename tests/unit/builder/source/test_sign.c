/* Signatures and tokens against published examples, and credentials in all their spellings. */
#include "source_util.h"

#include <time.h>

#include "builder/source/aws_creds.h"
#include "builder/source/azure_sign.h"
#include "builder/source/gcp_token.h"
#include "builder/source/sigv4.h"

static struct wb_secret *secret(const char *text)
{
	return wb_secret_new("it", text, strlen(text), false);
}

/* "Example: GET Object" and "GET Bucket (List Objects)" of Amazon's documentation of S3. */
static void test_sigv4(void **state)
{
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *key = secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
	struct wb_sigv4 s = {
		.method = "GET",
		.host = "examplebucket.s3.amazonaws.com",
		.path = "/test.txt",
		.query = "",
		.headers = "range:bytes=0-9\n",
		.region = "us-east-1",
		.service = "s3",
		.now = 1369353600,
	};
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *object = wb_sigv4_sign(&s, "AKIAIOSFODNN7EXAMPLE", key, NULL);

	assert_string_equal(wb_secret_reveal(object),
		"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
		"aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
		"Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	s.path = "/";
	s.query = "max-keys=2&prefix=J";
	s.headers = "";
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *list = wb_sigv4_sign(&s, "AKIAIOSFODNN7EXAMPLE", key, NULL);

	assert_contains(wb_secret_reveal(list),
		"Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
	s.headers = "x-amz-checksum-mode:ENABLED\n";
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *with_token = wb_sigv4_sign(&s, "id", key, key);

	assert_contains(wb_secret_reveal(with_token),
		"SignedHeaders=host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date;"
		"x-amz-security-token,");
}

static void test_aws_secret(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	static const struct {
		const char *json, *id, *region, *missing;
	} cases[] = {
		{"{\"aws_access_key_id\":\"A\",\"aws_secret_access_key\":\"some-secret\"}", "A",
			NULL, NULL},
		{"{\"access_key_id\":\"B\",\"secret_access_key\":\"some-secret\",\"region\":\"r\"}",
			"B", "r", NULL},
		{"{\"aws_access_key_id\":\"A\"}", NULL, NULL, "\"aws_secret_access_key\""},
		{"{\"aws_secret_access_key\":\"some-secret\"}", NULL, NULL,
			"\"aws_access_key_id\""},
		{"{\"aws_access_key_id\":1}", NULL, NULL, "\"aws_access_key_id\""},
		{"[]", NULL, NULL, "not a JSON object"},
		{"AKIA", NULL, NULL, "not a JSON object"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(wb_secret_unrefp) struct wb_secret *s = secret(cases[i].json);
		WB_AUTO(wb_aws_creds_release) struct wb_aws_creds c = WB_AWS_CREDS_INIT;

		if (cases[i].missing) {
			assert_err(wb_aws_creds_parse(&c, s, &err), &err, WB_ERR_AUTH);
			assert_contains(err.text, cases[i].missing);
			assert_null(strstr(err.text, "some-secret"));
			continue;
		}
		assert_ok(wb_aws_creds_parse(&c, s, &err), &err);
		assert_string_equal(c.key_id, cases[i].id);
		assert_string_equal(wb_secret_reveal(c.key), "some-secret");
		assert_string_equal(
			c.region ? c.region : "-", cases[i].region ? cases[i].region : "-");
	}
}

static void clear_aws(void)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"};

	for (size_t i = 0; i < WB_ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static void test_aws_environment(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *file = wb_asprintf("%s/credentials", dir);
	static const char text[] = "# c\n[default]\naws_access_key_id = D\n"
				   "aws_secret_access_key=d-secret\n\n[other]\nregion = eu-1\n"
				   "role_arn = arn:x\nweb_identity_token_file = /t\n"
				   "[sso]\nsso_session = s\n[half\naws_access_key_id\n";

	clear_aws();
	assert_ok(wb_file_put(file, text, strlen(text), 0600, 0, &err), &err);
	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
	WB_AUTO(wb_aws_creds_release) struct wb_aws_creds c = WB_AWS_CREDS_INIT;

	assert_ok(wb_aws_creds_environment(&c, &err), &err);
	assert_string_equal(c.key_id, "D");
	wb_aws_creds_release(&c);
	setenv("AWS_PROFILE", "other", 1);
	assert_ok(wb_aws_creds_environment(&c, &err), &err);
	assert_null(c.key_id);
	assert_string_equal(c.role_arn, "arn:x");
	assert_string_equal(c.region, "eu-1");
	wb_aws_creds_release(&c);
	setenv("AWS_PROFILE", "sso", 1);
	assert_err(wb_aws_creds_environment(&c, &err), &err, WB_ERR_UNSUPPORTED);
	setenv("AWS_PROFILE", "none", 1);
	assert_err(wb_aws_creds_environment(&c, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "no profile \"none\"");
	setenv("AWS_ACCESS_KEY_ID", "E", 1);
	assert_err(wb_aws_creds_environment(&c, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", "e-secret", 1); /* before any profile */
	assert_ok(wb_aws_creds_environment(&c, &err), &err);
	assert_string_equal(c.key_id, "E");
	clear_aws();
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
	unsetenv("AWS_CONFIG_FILE");
	wbtest_rmdir(dir);
}

static void test_sts_answer(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_aws_creds_release) struct wb_aws_creds c = WB_AWS_CREDS_INIT;
	static const char good[] =
		"<AssumeRoleWithWebIdentityResponse xmlns=\"x\"><AssumeRoleWithWebIdentityResult>"
		"<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>k&amp;1</"
		"SecretAccessKey>"
		"<SessionToken>tok-en</SessionToken><Expiration>2030-01-02T03:04:05Z</Expiration>"
		"</Credentials></AssumeRoleWithWebIdentityResult></"
		"AssumeRoleWithWebIdentityResponse>";
	static const char *const bad[] = {"", "<a/>", "<a>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a/>",
		"<AssumeRoleWithWebIdentityResponse/>"};

	assert_ok(wb_sts_parse(&c, good, strlen(good), &err), &err);
	assert_string_equal(c.key_id, "ASIA");
	assert_string_equal(wb_secret_reveal(c.key), "k&1");
	assert_int_equal(c.expires, 1893553445);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		assert_err(wb_sts_parse(&c, bad[i], strlen(bad[i]), &err), &err, WB_ERR_FORMAT);
	assert_string_equal(c.key_id, "ASIA"); /* untouched */
}

static void test_azure_secret(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	static const struct {
		const char *text, *account, *endpoint;
		bool key, sas;
	} cases[] = {
		{"{\"account_key\":\"a2V5a2V5\"}", NULL, NULL, true, false},
		{"{\"account_key\":\"a2V5a2V5\",\"account_name\":\"acc\"}", "acc", NULL, true,
			false},
		{"{\"sas_token\":\"?sv=1&sig=abcdefg\"}", NULL, NULL, false, true},
		{"sv=1&sig=abcdefg", NULL, NULL, false, true},
		{"a2V5a2V5", NULL, NULL, true, false},
		{"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5a2V5;"
		 "EndpointSuffix=core.example",
			"acc", "https://acc.blob.core.example", true, false},
		{"UseDevelopmentStorage=true", "devstoreaccount1",
			"http://127.0.0.1:10000/devstoreaccount1", true, false},
		{"{\"connection_string\":\"AccountName=b;BlobEndpoint=http://h/b\"}", "b",
			"http://h/b", false, false},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(wb_secret_unrefp) struct wb_secret *s = secret(cases[i].text);
		WB_AUTO(wb_azure_creds_release) struct wb_azure_creds c = WB_AZURE_CREDS_INIT;

		assert_ok(wb_azure_creds_parse(&c, s, &err), &err);
		assert_string_equal(
			c.account ? c.account : "-", cases[i].account ? cases[i].account : "-");
		assert_string_equal(
			c.endpoint ? c.endpoint : "-", cases[i].endpoint ? cases[i].endpoint : "-");
		assert_int_equal(c.key != NULL, cases[i].key);
		assert_int_equal(c.sas != NULL, cases[i].sas);
		if (c.sas)
			assert_string_equal(wb_secret_reveal(c.sas), "sv=1&sig=abcdefg");
	}
	WB_AUTO(wb_secret_unrefp) struct wb_secret *none = secret("{\"key\":\"x\"}");
	struct wb_azure_creds c;

	assert_err(wb_azure_creds_parse(&c, none, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "has no \"account_key\"");
}

static void test_gcp_secret(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_gcp_creds c;
	static const struct {
		const char *text, *want;
		enum wb_code code;
	} bad[] = {
		{"nothing", "is not the JSON key file", WB_ERR_AUTH},
		{"{\"type\":\"service_account\"}", "has no \"client_email\"", WB_ERR_AUTH},
		{"{\"client_email\":\"a@b\"}", "has no \"private_key\"", WB_ERR_AUTH},
		{"{\"type\":\"authorized_user\"}", "has no \"refresh_token\"", WB_ERR_AUTH},
		{"{\"type\":\"external_account\",\"audience\":\"x\"}", "credential_source",
			WB_ERR_UNSUPPORTED},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		WB_AUTO(wb_secret_unrefp) struct wb_secret *s = secret(bad[i].text);

		assert_err(wb_gcp_creds_parse(&c, s, &err), &err, bad[i].code);
		assert_contains(err.text, bad[i].want);
	}
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *s =
		secret("{\"client_email\":\"a@b\",\"private_key\":\"no pem at all\"}");
	WB_AUTO(wb_gcp_creds_release) struct wb_gcp_creds good = WB_GCP_CREDS_INIT;

	assert_ok(wb_gcp_creds_parse(&good, s, &err), &err);
	assert_null(wb_gcp_jwt(&good, 1000, &err));
	assert_contains(err.text, "not a usable RSA key");
	assert_null(strstr(err.text, "no pem"));
	wb_autofree char *url = wb_base64url("\xff\xef\xfe", 3);

	assert_string_equal(url, "_-_-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sigv4),
		cmocka_unit_test(test_aws_secret),
		cmocka_unit_test(test_aws_environment),
		cmocka_unit_test(test_sts_answer),
		cmocka_unit_test(test_azure_secret),
		cmocka_unit_test(test_gcp_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
