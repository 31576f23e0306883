/* gs://: listings, downloads, and the tokens that open them (gcp_token.c). */
#include "answers.h"

#include <unistd.h>

#include "base/base64.h"
#include "base/json.h"
#include "builder/source/gcp_token.h"

#define ITEMS(inside) "{\"items\":[" inside "]}"
#define ITEM(name, size) \
	"{\"name\":\"" name "\",\"size\":\"" size "\",\"generation\":\"7\",\"etag\":\"e\"}"

static void list_public(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	wb_autofree char *host = wb_asprintf("127.0.0.1:%u/", a->s.port);
	wb_autofree char *body = NULL;

	setenv("STORAGE_EMULATOR_HOST", host, 1); /* without a scheme, as Google's tools take it */
	answers_clear(a);
	answers_add(a, (struct answer){.match = "pageToken=p%202",
			       .status = 200,
			       .body = ITEMS(ITEM("m/b", "2"))});
	answers_add(a, (struct answer){.match = "/storage/v1/b/bucket/o?",
			       .status = 200,
			       .body = "{\"nextPageToken\":\"p 2\",\"items\":[{\"name\":\"m/a "
				       "b\",\"size\":\"1\","
				       "\"generation\":\"9\",\"contentEncoding\":\"gzip\"}]}"});
	answers_add(a, (struct answer){.match = "/o/m%2Fa%20b?alt=media&generation=9",
			       .status = 200,
			       .body = "x"});
	source_make(&src, "gs://bucket/m/", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	assert_ok(wb_remote_list(&l, r, &err), &err);
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.files.items[0].path, "a b");
	assert_string_equal(l.files.items[0].identity, "gs:bucket/m/a b#9::1");
	assert_ok(answers_get(&body, a, r, &l.files.items[0], &err), &err);
	assert_int_equal(answers_count(a, "Accept-Encoding: gzip"), 1); /* as it is stored */
	assert_int_equal(answers_count(a, "Authorization"), 0);
	answers_clear(a);
	free(body);
	body = NULL;
	assert_err(answers_get(&body, a, r, &l.files.items[1], &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "\"b\" was replaced or removed meanwhile");
}

static void refusals(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	setenv("STORAGE_EMULATOR_HOST", a->url, 1);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "/o?", .status = 401, .times = 1});
	answers_refuse(
		a, "gs://bucket", NULL, WB_ERR_AUTH, "no credentials configured", "GCP_OIDC");
	answers_add(a, (struct answer){.match = "/o?", .status = 403});
	answers_refuse(a, "gs://bucket", NULL, WB_ERR_AUTH, "403",
		"the identity needs roles/storage.objectViewer");
	answers_clear(a);
	answers_refuse(a, "gs://bucket", NULL, WB_ERR_NOT_FOUND, "404", "");
	answers_refuse(a, "gs://bucket", "my_gcp", WB_ERR_AUTH,
		"the secret \"my_gcp\" was not found", "my_gcp");
	answers_add(a, (struct answer){.match = "/o?", .status = 200, .body = "<html>"});
	answers_refuse(a, "gs://bucket", NULL, WB_ERR_FORMAT, "object listing: not valid JSON", "");
	source_make(&src, "gs://bucket", NULL);
	src.auth.method = WB_AUTH_AWS_OIDC;
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "AWS_OIDC does not fit gs://");
	setenv("STORAGE_EMULATOR_HOST", "ftp://h", 1);
	answers_refuse(a, "gs://bucket", NULL, WB_ERR_USAGE, "STORAGE_EMULATOR_HOST: \"ftp://h\"",
		"https://HOST");
	setenv("STORAGE_EMULATOR_HOST", a->url, 1);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/adc.json", 1);
	answers_refuse(a, "gs://bucket", NULL, WB_ERR_AUTH,
		"\"/nonexistent/adc.json\", which does not exist", "");
	setenv("GOOGLE_APPLICATION_CREDENTIALS", "/", 1);
	src.auth.method = WB_AUTH_NONE;
	assert_int_equal(answers_list(&l, a, &src, &err), -1);
	unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
}

/* A key of this run's own, in JSON as Google's console gives it. */
static char *service_account(const char *dir, const char *token_uri)
{
	wb_autofree char *path = wb_asprintf("%s/key.pem", dir);
	wb_autofree char *cmd =
		wb_asprintf("openssl genpkey -quiet -algorithm RSA -pkeyopt "
			    "rsa_keygen_bits:2048 -out %s 2>/dev/null || openssl genpkey "
			    "-algorithm RSA -out %s 2>/dev/null",
			path, path);
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf pem = WB_BUF_INIT;
	wb_autojson json_t *o = json_object();

	if (access(path, F_OK))
		assert_int_equal(system(cmd), 0);
	wb_buf_init(&pem, 1 << 16, "pem");
	assert_ok(wb_file_read(&pem, path, &err), &err);
	wb_json_set_str(o, "type", "service_account");
	wb_json_set_str(o, "client_email", "robot@project");
	wb_json_set_str(o, "private_key_id", "k1");
	wb_json_set_str(o, "private_key", pem.data);
	wb_json_set_str(o, "token_uri", token_uri);
	return wb_json_dump(o);
}

static void a_service_account_signs_in(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *uri = wb_asprintf("%s/token", a->url);
	wb_autofree char *json = service_account(dir, uri);
	wb_autofree char *legacy = wb_asprintf("%s/service_account.json", dir);
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	static const struct {
		struct answer answer;
		enum wb_code code;
		const char *text, *hint;
	} bad[] = {
		{{.status = 400, .body = "{\"error\":\"invalid_grant\"}"}, WB_ERR_AUTH,
			"service account token", "\"robot@project\""},
		{{.status = 307, .headers = "Location: /other\r\n"}, WB_ERR_AUTH,
			"service account token", ""},
		{{.status = 200, .body = "a-token-as-text"}, WB_ERR_FORMAT, "not valid JSON", ""},
		{{.status = 200, .body = "{\"token\":\"x\"}"}, WB_ERR_FORMAT,
			"\"access_token\" is missing", ""},
	};

	setenv("STORAGE_EMULATOR_HOST", a->url, 1);
	assert_ok(wb_file_put(legacy, json, strlen(json), 0600, 0, &err), &err);
	wb_secrets_free(a->secrets);
	a->secrets = wb_secrets_new(dir);
	source_make(&src, "gs://bucket", NULL);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /token",
			       .status = 200,
			       .times = 1,
			       .body = "{\"access_token\":\"ya29.first\",\"expires_in\":"
				       "9223372036854775807}"});
	answers_add(a, (struct answer){.match = "POST /token",
			       .status = 200,
			       .body = "{\"access_token\":\"ya29.second\",\"expires_in\":"
				       "9223372036854775807}"});
	/* A token that is refused is replaced, once. */
	answers_add(a, (struct answer){.match = "/o?", .status = 401, .times = 1});
	answers_add(
		a, (struct answer){.match = "/o?", .status = 200, .body = ITEMS(ITEM("a", "1"))});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%"
					  "3Ajwt-bearer&assertion=ey"),
		2);
	assert_int_equal(answers_count(a, "Authorization: Bearer ya29.first"), 1);
	assert_int_equal(answers_count(a, "Authorization: Bearer ya29.second"), 1);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct answer it = bad[i].answer;

		answers_clear(a);
		it.match = "POST /token";
		answers_add(a, it);
		assert_err(answers_list(&l, a, &src, &err), &err, bad[i].code);
		assert_contains(err.text, bad[i].text);
		assert_contains(err.hint, bad[i].hint);
		assert_null(strstr(err.text, "a-token"));
		assert_int_equal(answers_count(a, "assertion=ey"), 1); /* to nobody else */
	}
	wb_secrets_free(a->secrets);
	a->secrets = wb_secrets_new(NULL);
	wbtest_rmdir(dir);
}

static struct wb_secret *secret(const char *text)
{
	return wb_secret_new("it", text, strlen(text), false);
}

static void the_jwt_is_what_google_asks_for(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *json = service_account(dir, "https://token.example/t");
	WB_AUTO(wb_secret_unrefp) struct wb_secret *s = secret(json);
	WB_AUTO(wb_gcp_creds_release) struct wb_gcp_creds c = WB_GCP_CREDS_INIT;

	assert_ok(wb_gcp_creds_parse(&c, s, &err), &err);
	wb_autofree char *jwt = wb_gcp_jwt(&c, 1000, &err);

	assert_non_null(jwt);
	const char *header = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}";
	wb_autofree char *head = wb_base64url(header, strlen(header));
	const char *claims =
		"{\"iss\":\"robot@project\",\"scope\":\"https://www.googleapis.com/auth/"
		"devstorage.read_only\",\"aud\":\"https://token.example/t\",\"iat\":1000,"
		"\"exp\":4600}";
	wb_autofree char *body = wb_base64url(claims, strlen(claims));
	wb_autofree char *begin = wb_asprintf("%s.%s.", head, body);

	assert_memory_equal(jwt, begin, strlen(begin));
	/* The signature by another implementation's word. */
	wb_autofree char *text = wb_asprintf("%s/text", dir), *sig = wb_asprintf("%s/sig", dir);
	wb_autofree char *b64 = wb_strdup(jwt + strlen(begin));
	size_t n = 0, pad = (4 - strlen(b64) % 4) % 4;

	for (char *p = b64; *p; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	wb_autofree char *padded = wb_asprintf("%s%.*s", b64, (int)pad, "===");
	wb_autofree uint8_t *bytes = wb_base64_decode(&n, padded, 1000);

	assert_non_null(bytes);
	assert_ok(wb_file_put(text, jwt, strlen(begin) - 1, 0600, 0, &err), &err);
	assert_ok(wb_file_put(sig, bytes, n, 0600, 0, &err), &err);
	wb_autofree char *cmd =
		wb_asprintf("cd %s && openssl pkey -in key.pem -pubout -out pub.pem 2>/dev/null && "
			    "openssl dgst "
			    "-sha256 -verify pub.pem -signature sig text >/dev/null",
			dir);

	assert_int_equal(system(cmd), 0);
	wbtest_rmdir(dir);
}

static int token(struct answers *a, const char *json, struct wb_err *err)
{
	WB_AUTO(wb_secret_unrefp) struct wb_secret *s = secret(json);
	WB_AUTO(wb_gcp_creds_release) struct wb_gcp_creds c = WB_GCP_CREDS_INIT;

	assert_ok(wb_gcp_creds_parse(&c, s, err), err);
	int rc = wb_gcp_token(&c, a->http, err);

	if (!rc)
		assert_true(c.no_token || (c.bearer && c.expires > 0));
	/* Good for a while: nobody is asked again. */
	unsigned before = atomic_load(&a->s.requests);

	if (!rc)
		assert_ok(wb_gcp_token(&c, a->http, err), err);
	assert_true(rc || atomic_load(&a->s.requests) == before);
	return rc;
}

static void a_user_signs_in(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *json =
		wb_asprintf("{\"type\":\"authorized_user\",\"client_id\":\"id/1\","
			    "\"client_secret\":\"c+s\",\"refresh_token\":\"1//rt\","
			    "\"token_uri\":\"%s/token\"}",
			a->url);

	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /token",
			       .status = 200,
			       .times = 1,
			       .body = "{\"access_token\":\"ya29.user\",\"expires_in\":3599}"});
	assert_ok(token(a, json, &err), &err);
	assert_int_equal(
		answers_count(a, "client_id=id%2F1&client_secret=c%2Bs&refresh_token=1%2F%2Frt"),
		1);
	answers_add(a, (struct answer){.match = "POST /token", .status = 400});
	assert_err(token(a, json, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "gcloud auth application-default login");
	assert_ok(token(a, "{\"disable_oauth\":true}", &err), &err);
}

static void an_external_account_signs_in(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *file = wb_asprintf("%s/subject", dir);
	wb_autofree char *plain = wb_asprintf("{\"type\":\"external_account\",\"audience\":\"//iam/"
					      "pool\",\"token_url\":\"%s/sts\","
					      "\"credential_source\":{\"file\":\"%s\"}}",
		a->url, file);
	wb_autofree char *full = wb_asprintf(
		"{\"type\":\"external_account\",\"audience\":\"//iam/pool\",\"token_url\":\"%s/"
		"sts\","
		"\"service_account_impersonation_url\":\"%s/impersonate\",\"credential_source\":{"
		"\"file\":\"%s\",\"format\":{\"type\":\"json\",\"subject_token_field_name\":"
		"\"tok\"}}}",
		a->url, a->url, file);
	const char *sts = "{\"access_token\":\"ya29.fed\",\"expires_in\":60}";

	assert_ok(wb_file_put(file, "subject.jwt", 11, 0600, 0, &err), &err);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /sts",
			       .status = 200,
			       .body = "{\"access_token\":\"ya29.fed\",\"expires_in\":600}"});
	assert_ok(token(a, plain, &err), &err);
	assert_int_equal(answers_count(a, "\"subjectToken\":\"subject.jwt\""), 1);

	/* The file's format is JSON, and this is none: nothing of it is shown. */
	assert_err(token(a, full, &err), &err, WB_ERR_FORMAT);
	assert_null(strstr(err.text, "subject"));
	const char *json = "{\"tok\":\"inner.jwt\"}";

	assert_ok(wb_file_put(file, json, strlen(json), 0600, WB_FILE_REPLACE, &err), &err);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /sts", .status = 200, .body = sts});
	answers_add(a, (struct answer){.match = "POST /impersonate",
			       .status = 200,
			       .times = 1,
			       .body = "{\"accessToken\":\"ya29.robot\"}"});
	assert_ok(token(a, full, &err), &err);
	assert_int_equal(answers_count(a, "Authorization: Bearer ya29.fed"), 1);
	answers_add(a, (struct answer){.match = "POST /impersonate", .status = 403, .times = 1});
	assert_err(token(a, full, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "roles/iam.workloadIdentityUser");
	answers_add(a, (struct answer){.match = "POST /impersonate", .status = 200, .body = "{}"});
	assert_err(token(a, full, &err), &err, WB_ERR_FORMAT);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /sts", .status = 401});
	assert_err(token(a, plain, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "\"//iam/pool\" trusts");
	assert_ok(wb_file_put(file, "{}", 2, 0600, WB_FILE_REPLACE, &err), &err);
	assert_err(token(a, full, &err), &err, WB_ERR_FORMAT);
	unlink(file);
	assert_err(token(a, plain, &err), &err, WB_ERR_AUTH);
	wbtest_rmdir(dir);
}

static void the_config_names_a_provider(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *adc = wb_asprintf("%s/adc.json", dir), *file = wb_asprintf("%s/t", dir);
	wb_autofree char *base = wb_asprintf("%s/", a->url);
	wb_autofree char *json = wb_asprintf(
		"{\"type\":\"external_account\",\"audience\":\"x\",\"token_url\":\"%s/own\","
		"\"credential_source\":{\"file\":\"%s\"}}",
		a->url, file);
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, "gs://bucket", NULL);
	src.auth.method = WB_AUTH_GCP_OIDC;
	src.auth.gcp_service_account = wb_strdup("robot@project");
	src.auth.gcp_provider = wb_strdup("projects/1/pools/p");
	setenv("STORAGE_EMULATOR_HOST", a->url, 1);
	setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", base, 1);
	setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", base, 1);
	answers_clear(a);
	/* No token anywhere. */
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "GOOGLE_APPLICATION_CREDENTIALS");
	wb_autofree char *url = wb_asprintf("%s/job", a->url);

	setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url, 1);
	setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-token", 1);
	answers_add(a, (struct answer){.match = "GET "
						"/job?audience=https%3A%2F%2Fiam.googleapis.com%"
						"2Fprojects%2F1%2Fpools%2Fp",
			       .status = 200,
			       .body = "{\"value\":\"jwt.of.job\"}"});
	answers_add(a, (struct answer){.match = "POST /v1/token",
			       .status = 200,
			       .body = "{\"access_token\":\"ya29.fed\"}"});
	answers_add(a, (struct answer){.match = "POST /own",
			       .status = 200,
			       .body = "{\"access_token\":\"ya29.own\"}"});
	answers_add(a,
		(struct answer){
			.match = "POST "
				 "/v1/projects/-/serviceAccounts/robot@project:generateAccessToken",
			.status = 200,
			.body = "{\"accessToken\":\"ya29.robot\"}"});
	answers_add(
		a, (struct answer){.match = "/o?", .status = 200, .body = ITEMS(ITEM("a", "1"))});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(
		answers_count(a, "\"audience\":\"//iam.googleapis.com/projects/1/pools/p\""), 1);
	assert_int_equal(answers_count(a, "Authorization: Bearer ya29.robot"), 1);
	unsetenv("ACTIONS_ID_TOKEN_REQUEST_URL");
	/* Where the token is may be told by Google's own file; who is asked for is the config's. */
	assert_ok(wb_file_put(adc, json, strlen(json), 0600, 0, &err), &err);
	assert_ok(wb_file_put(file, "file.jwt", 8, 0600, 0, &err), &err);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", adc, 1);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "POST /own"), 1);
	assert_int_equal(answers_count(a, "\"subjectToken\":\"file.jwt\""), 1);
	assert_ok(wb_file_put(adc, "nothing", 7, 0600, WB_FILE_REPLACE, &err), &err);
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_public),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_service_account_signs_in),
		cmocka_unit_test(the_jwt_is_what_google_asks_for),
		cmocka_unit_test(a_user_signs_in),
		cmocka_unit_test(an_external_account_signs_in),
		cmocka_unit_test(the_config_names_a_provider),
	};

	return cmocka_run_group_tests(tests, answers_setup, answers_teardown);
}
