/* s3://, r2:// and cw:// against a server that plays the good one, the strict one and the liar. */
#include "answers.h"

#define PAGE(inside) "<ListBucketResult>" inside "</ListBucketResult>"
#define OBJECT(key, size) \
	"<Contents><Key>" key "</Key><Size>" size "</Size><ETag>e</ETag></Contents>"
#define S3_ERROR(code) "<Error><Code>" code "</Code><Message>no</Message></Error>"

static void login(struct answers *a)
{
	setenv("AWS_ENDPOINT_URL_S3", a->url, 1);
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "s3-secret-value", 1);
}

static void logout(struct answers *a)
{
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	answers_clear(a);
}

static void pages_are_followed(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	logout(a);
	setenv("AWS_ENDPOINT_URL_S3", a->url, 1);
	answers_add(a, (struct answer){.match = "continuation-token=t%2F1",
			       .status = 200,
			       .body = PAGE(OBJECT("m/b", "2"))});
	answers_add(a,
		(struct answer){.match = "GET /bucket/?encoding-type=url&list-type=2&prefix=m%2F",
			.status = 200,
			.body = PAGE(OBJECT(
				"m/a", "1") "<NextContinuationToken>t/1</NextContinuationToken>")});
	source_make(&src, "s3://bucket/m", NULL);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.root, "m/");
	assert_string_equal(l.files.items[1].path, "b");
	assert_int_equal(answers_count(a, "Authorization:"), 0); /* a public bucket */
}

static void one_object_is_found_by_its_key(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	wb_autofree char *body = NULL;

	login(a);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "max-keys=1&prefix=m%2Fx.bin",
			       .status = 200,
			       .body = PAGE(OBJECT("m/x.bin", "3"))});
	answers_add(a, (struct answer){.match = "list-type=2", .status = 200, .body = PAGE("")});
	answers_add(
		a, (struct answer){.match = "GET /bucket/m/x.bin", .status = 200, .body = "abc"});
	source_make(&src, "s3://bucket/m/x.bin", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	assert_ok(wb_remote_list(&l, r, &err), &err);
	assert_int_equal(l.files.n, 1);
	assert_string_equal(l.files.items[0].path, "x.bin");
	assert_string_equal(l.root, "m/");
	assert_ok(answers_get(&body, a, r, &l.files.items[0], &err), &err);
	assert_string_equal(body, "abc");
	/* Signed, and only this version will do. */
	assert_int_equal(
		answers_count(a, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), 3);
	assert_int_equal(answers_count(a, "If-Match: \"e\""), 1);
	assert_int_equal(answers_count(a, "x-amz-checksum-mode: ENABLED"), 1);
	assert_int_equal(answers_count(a, "s3-secret-value"), 0);
	logout(a);
}

static void the_region_is_learned(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	static const struct answer wrong[] = {
		{.match = "list-type",
			.status = 301,
			.headers = "x-amz-bucket-region: eu-west-3\r\n",
			.times = 1},
		{.match = "list-type",
			.status = 400,
			.times = 1,
			.body = "<Error><Code>AuthorizationHeaderMalformed</"
				"Code><Region>eu-west-3</Region></Error>"}};

	source_make(&src, "s3://bucket", NULL);
	login(a);
	for (size_t i = 0; i < WB_ARRAY_LEN(wrong); i++) {
		answers_clear(a);
		answers_add(a, wrong[i]);
		answers_add(a, (struct answer){.match = "list-type",
				       .status = 200,
				       .body = PAGE(OBJECT("a", "1"))});
		assert_ok(answers_list(&l, a, &src, &err), &err);
		assert_int_equal(answers_count(a, "/us-east-1/s3/aws4_request"), 1);
		assert_int_equal(answers_count(a, "/eu-west-3/s3/aws4_request"), 1);
	}
	/* What is no region is not put into the next request. */
	answers_clear(a);
	answers_add(a, (struct answer){.match = "list-type",
			       .status = 400,
			       .body = "<Error><Region>x/../@evil</Region></Error>"});
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_NET);
	assert_int_equal(answers_count(a, "GET /"), 1);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "list-type",
			       .status = 301,
			       .headers = "x-amz-bucket-region: us-east-1\r\n"});
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_NET);
	assert_contains(err.hint, "in the region \"us-east-1\"");
	logout(a);
}

static void refusals_say_what_to_do(void **state)
{
	struct answers *a = *state;
	static const struct {
		int status;
		const char *body, *hint;
	} cases[] = {
		{403, S3_ERROR("InvalidAccessKeyId"), "check aws_access_key_id"},
		{403, S3_ERROR("XAdminUserNotFound"), "check aws_access_key_id"},
		{403, S3_ERROR("SignatureDoesNotMatch"), "check aws_secret_access_key"},
		{400, S3_ERROR("ExpiredToken"), "has expired"},
		{400, S3_ERROR("InvalidToken"), "check aws_session_token"},
		{403, S3_ERROR("AccessDenied"), "s3:ListBucket"},
		{401, "", "s3:ListBucket"},
	};

	login(a);
	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		answers_clear(a);
		answers_add(a, (struct answer){.match = "list-type",
				       .status = cases[i].status,
				       .body = cases[i].body});
		answers_refuse(
			a, "s3://bucket/m", NULL, WB_ERR_AUTH, "s3://bucket/m", cases[i].hint);
	}
	answers_clear(a);
	answers_add(a, (struct answer){.match = "list-type",
			       .status = 403,
			       .body = S3_ERROR("RequestTimeTooSkewed")});
	answers_refuse(a, "s3://bucket", NULL, WB_ERR_AUTH, "403", "clock is wrong");
	logout(a);
	answers_add(
		a, (struct answer){
			   .match = "list-type", .status = 403, .body = S3_ERROR("AccessDenied")});
	answers_refuse(
		a, "s3://bucket", NULL, WB_ERR_AUTH, "secret_id is required", "AWS_ACCESS_KEY_ID");
	answers_refuse(a, "s3://bucket", "my_s3", WB_ERR_AUTH, "the secret \"my_s3\" was not found",
		"--secret id=my_s3,src=FILE");
	answers_clear(a);
	answers_refuse(a, "s3://bucket", NULL, WB_ERR_NOT_FOUND, "404", "");
}

static void a_replaced_object_is_named(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	struct wb_remote_file f = {.path = (char *)"x", .etag = (char *)"e"};
	wb_autofree char *body = NULL;

	logout(a);
	answers_add(a, (struct answer){.match = "/bucket/m/x", .status = 412});
	source_make(&src, "s3://bucket/m", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	wb_remote_pin(r, NULL, "m/");
	assert_err(answers_get(&body, a, r, &f, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "\"x\" was replaced while it was fetched");
	/* An etag that could end the header line is not sent. */
	f.etag = (char *)"e\"\r\nX-Evil: 1";
	assert_err(answers_get(&body, a, r, &f, &err), &err, WB_ERR_NET);
	assert_int_equal(answers_count(a, "If-Match"), 1);
	assert_int_equal(answers_count(a, "Evil"), 0);
}

/* Where requests go, without any. */
static void addresses(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	const struct wb_remote_want want = {.start = 0, .end = 9};
	struct wb_remote_file f = {.path = (char *)"a b.bin", .etag = (char *)""};
	static const char *const cases[][4] = {
		{NULL, NULL, "s3://bucket/m",
			"https://bucket.s3.us-east-1.amazonaws.com/m/a%20b.bin"},
		{"AWS_REGION", "eu-1", "s3://my.bucket/m",
			"https://s3.eu-1.amazonaws.com/my.bucket/m/a%20b.bin"},
		{"AWS_ENDPOINT_URL", "http://h:9//", "s3://bucket/m",
			"http://h:9/bucket/m/a%20b.bin"},
		{NULL, NULL, "r2://acc.bucket/m",
			"https://acc.r2.cloudflarestorage.com/bucket/m/a%20b.bin"},
		{"R2_ENDPOINT_URL", "https://r2.example/", "r2://acc.bucket/m",
			"https://r2.example/bucket/m/a%20b.bin"},
		{NULL, NULL, "cw://bucket/m", "https://bucket.cwobject.com/m/a%20b.bin"},
		{"CW_ENDPOINT_URL", "http://cwlota.com", "cw://bucket/m",
			"http://cwlota.com/bucket/m/a%20b.bin"},
	};

	logout(a);
	unsetenv("AWS_ENDPOINT_URL_S3");
	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(source_clear) struct wb_source src;
		WB_AUTO(wb_remote_request_release)
		struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;

		if (cases[i][0])
			setenv(cases[i][0], cases[i][1], 1);
		source_make(&src, cases[i][2], NULL);
		WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

		if (!r)
			fail_msg("%s: %s", cases[i][2], err.text);
		wb_remote_pin(r, NULL, "m/");
		assert_ok(wb_remote_request(&rq, r, &f, &want, &err), &err);
		assert_string_equal(rq.url, cases[i][3]);
		if (cases[i][0])
			unsetenv(cases[i][0]);
	}
}

/* What cannot be an address is refused where it is read, before anything is signed for it. */
static void bad_endpoints(void **state)
{
	struct answers *a = *state;
	static const char *const bad[] = {
		"localhost:9000", "/", "http://", "https:///x", "ftp://h"};

	logout(a);
	login(a);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		setenv("AWS_ENDPOINT_URL_S3", bad[i], 1);
		answers_refuse(a, "s3://bucket", NULL, WB_ERR_USAGE,
			"AWS_ENDPOINT_URL_S3: ", "https://HOST");
	}
	logout(a);
	setenv("AWS_ENDPOINT_URL_S3", a->url, 1);
}

static void credentials_in_their_order(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *legacy = wb_asprintf("%s/s3_credentials.json", dir);
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	static const char old[] =
		"{\"aws_access_key_id\":\"OLD\",\"aws_secret_access_key\":\"old-secret\","
		"\"aws_region\":\"ap-1\"}";

	wb_secrets_free(a->secrets);
	a->secrets = wb_secrets_new(dir);
	assert_ok(wb_file_put(legacy, old, strlen(old), 0600, 0, &err), &err);
	setenv("AWS_ENDPOINT_URL_S3", a->url, 1);
	source_make(&src, "s3://bucket", "my_s3");
	logout(a);
	answers_add(
		a, (struct answer){
			   .match = "list-type", .status = 200, .body = PAGE(OBJECT("a", "1"))});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Credential=OLD/"), 1);
	assert_int_equal(answers_count(a, "/ap-1/s3/"), 1);
	login(a);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Credential=AKIDEXAMPLE/"), 1);
	setenv("WBUILD_SECRET_MY_S3",
		"{\"aws_access_key_id\":\"MINE\",\"aws_secret_access_key\":\"my-secret\","
		"\"aws_session_token\":\"my-session\"}",
		1);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Credential=MINE/"), 1);
	assert_int_equal(answers_count(a, "x-amz-security-token: my-session"), 1);
	setenv("WBUILD_SECRET_MY_S3", "not JSON", 1);
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	unsetenv("WBUILD_SECRET_MY_S3");
	logout(a);
	assert_ok(wb_file_put(legacy, "[]", 2, 0600, WB_FILE_REPLACE, &err), &err);
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "s3_credentials.json");
	src.auth.method = WB_AUTH_GCP_OIDC;
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "does not fit s3://");
	wbtest_rmdir(dir);
}

#define STS(key, until)                                                                            \
	"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"        \
	"<AccessKeyId>" key "</AccessKeyId><SecretAccessKey>sts-secret</SecretAccessKey>"          \
	"<SessionToken>sts-session</SessionToken><Expiration>" until "</Expiration></Credentials>" \
	"</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"

static void source_oidc(struct wb_source *src)
{
	source_make(src, "s3://bucket", NULL);
	src->auth.method = WB_AUTH_AWS_OIDC;
	src->auth.aws_role_arn = wb_strdup("arn:aws:iam::1:role/r");
	src->auth.aws_region = wb_strdup("eu-1");
}

static void a_web_identity_is_exchanged(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *token = wb_asprintf("%s/token", dir);
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	assert_ok(wb_file_put(token, "my.jwt.token\n", 13, 0600, 0, &err), &err);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token, 1);
	setenv("AWS_ENDPOINT_URL_STS", a->url, 1);
	source_oidc(&src);
	logout(a);
	answers_add(a, (struct answer){.match = "POST / ",
			       .status = 200,
			       .times = 1,
			       .body = STS("ASIA1", "2099-01-01T00:00:00Z")});
	answers_add(a, (struct answer){.match = "POST /",
			       .status = 200,
			       .body = STS("ASIA2", "2099-01-01T00:00:00Z")});
	/* They may run out early all the same: once more, and once only. */
	answers_add(a, (struct answer){.match = "list-type",
			       .status = 400,
			       .times = 1,
			       .body = S3_ERROR("ExpiredToken")});
	answers_add(
		a, (struct answer){
			   .match = "list-type", .status = 200, .body = PAGE(OBJECT("a", "1"))});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "WebIdentityToken=my.jwt.token"), 2);
	assert_int_equal(answers_count(a, "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"), 2);
	assert_int_equal(answers_count(a, "x-amz-security-token: sts-session"), 2);
	assert_int_equal(answers_count(a, "/eu-1/s3/"), 2);

	/* The token in the body stays with STS. */
	answers_clear(a);
	answers_add(a,
		(struct answer){
			.match = "POST /", .status = 307, .headers = "Location: /elsewhere\r\n"});
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_int_equal(answers_count(a, "my.jwt.token"), 1);
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /",
			       .status = 400,
			       .body = "<Error><Code>ExpiredTokenException</Code></Error>"});
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "AssumeRoleWithWebIdentity");
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /", .status = 403, .body = "<Error/>"});
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "\"arn:aws:iam::1:role/r\" trusts");
	answers_clear(a);
	answers_add(a, (struct answer){.match = "POST /", .status = 200, .body = "<x/>"});
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_FORMAT);

	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent", 1);
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "\"/nonexistent\" does not exist");
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_AUTH);
	assert_contains(err.hint, "set AWS_WEB_IDENTITY_TOKEN_FILE");
	wbtest_rmdir(dir);
}

static void a_job_asks_for_its_token(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *url = wb_asprintf("%s/job?v=2", a->url);
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	static const struct answer bad[] = {
		{.match = "GET /job", .status = 500, .body = "{}"},
		{.match = "GET /job", .status = 403, .body = "{}"},
		{.match = "GET /job", .status = 200, .body = "secret.token.as.text"},
		{.match = "GET /job", .status = 200, .body = "{\"value\":1}"},
	};

	setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url, 1);
	setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-token", 1);
	source_oidc(&src);
	logout(a);
	answers_add(a, (struct answer){.match = "GET /job?v=2&audience=sts.amazonaws.com",
			       .status = 200,
			       .body = "{\"value\":\"jwt.of.job\"}"});
	answers_add(a,
		(struct answer){.match = "POST /", .status = 200, .body = STS("ASIA1", "never")});
	answers_add(
		a, (struct answer){
			   .match = "list-type", .status = 200, .body = PAGE(OBJECT("a", "1"))});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Authorization: Bearer job-token"), 1);
	assert_int_equal(answers_count(a, "WebIdentityToken=jwt.of.job"), 1);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		answers_clear(a);
		answers_add(a, bad[i]);
		wb_err_clear(&err);
		assert_int_equal(answers_list(&l, a, &src, &err), -1);
		assert_null(strstr(err.text, "secret"));
		assert_int_equal(answers_count(a, "POST"), 0);
	}
	unsetenv("ACTIONS_ID_TOKEN_REQUEST_URL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_followed),
		cmocka_unit_test(one_object_is_found_by_its_key),
		cmocka_unit_test(the_region_is_learned),
		cmocka_unit_test(refusals_say_what_to_do),
		cmocka_unit_test(a_replaced_object_is_named),
		cmocka_unit_test(addresses),
		cmocka_unit_test(bad_endpoints),
		cmocka_unit_test(credentials_in_their_order),
		cmocka_unit_test(a_web_identity_is_exchanged),
		cmocka_unit_test(a_job_asks_for_its_token),
	};

	return cmocka_run_group_tests(tests, answers_setup, answers_teardown);
}
