/* azure:// against a server: signatures, SAS tokens, public containers and their refusals. */
#include "answers.h"

#define BLOBS(inside) "<EnumerationResults><Blobs>" inside "</Blobs>"
#define END "<NextMarker/></EnumerationResults>"
#define BLOB(name, size)                                               \
	"<Blob><Name>" name "</Name><Properties><Content-Length>" size \
	"</Content-Length><Etag>0x8D</Etag></Properties></Blob>"

/* The connection string of an account at the test's server. */
static void account(struct answers *a, const char *rest)
{
	wb_autofree char *text =
		wb_asprintf("AccountName=acc;BlobEndpoint=%s/acc/;%s", a->url, rest);

	setenv("AZURE_STORAGE_CONNECTION_STRING", text, 1);
	answers_clear(a);
}

static void a_key_signs(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	const struct wb_remote_want part = {.start = 5, .end = 9};
	WB_AUTO(wb_remote_request_release) struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
	wb_autofree char *body = NULL;

	account(a, "AccountKey=a2V5a2V5");
	answers_add(a, (struct answer){.match = "marker=m%2F2",
			       .status = 200,
			       .body = BLOBS(BLOB("m/b", "2")) END});
	answers_add(a,
		(struct answer){
			.match = "GET "
				 "/acc/box?comp=list&maxresults=5000&prefix=m%2F&restype=container",
			.status = 200,
			.body = BLOBS(BLOB("m/a b",
				"10")) "<NextMarker>m/2</NextMarker></EnumerationResults>"});
	answers_add(
		a, (struct answer){
			   .match = "GET /acc/box/m/a%20b", .status = 200, .body = "0123456789"});
	source_make(&src, "azure://acc/box/m", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	assert_ok(wb_remote_list(&l, r, &err), &err);
	assert_int_equal(l.files.n, 2);
	assert_ok(answers_get(&body, a, r, &l.files.items[0], &err), &err);
	assert_string_equal(body, "0123456789");
	assert_int_equal(answers_count(a, "Authorization: SharedKey acc:"), 3);
	assert_int_equal(answers_count(a, "If-Match: \"0x8D\""), 1);
	assert_int_equal(answers_count(a, "x-ms-version: "), 3);
	assert_ok(wb_remote_request(&rq, r, &l.files.items[0], &part, &err), &err);
	assert_non_null(rq.authorization);

	account(a, "AccountKey=not*base64");
	answers_refuse(a, "azure://acc/box", NULL, WB_ERR_AUTH,
		"the account key of \"acc\" is not base64", "");
}

static void one_blob_is_found_by_its_name(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	account(a, "SharedAccessSignature=?sv=1&sig=abcdefgh");
	answers_add(a, (struct answer){.match = "maxresults=1&prefix=m%2Fx.bin&",
			       .status = 200,
			       .body = BLOBS(BLOB("m/x.bin", "1")) END});
	answers_add(a, (struct answer){.match = "comp=list", .status = 200, .body = BLOBS("") END});
	source_make(&src, "azure://acc/box/m/x.bin", NULL);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(l.files.n, 1);
	assert_string_equal(l.files.items[0].path, "x.bin");
	/* The signature is in the address. */
	assert_int_equal(answers_count(a, "&sv=1&sig=abcdefgh"), 2);
	assert_int_equal(answers_count(a, "Authorization"), 0);
}

static void refusals(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	static const int closed[] = {401, 403, 404, 409};

	for (size_t i = 0; i < WB_ARRAY_LEN(closed); i++) {
		account(a, "");
		answers_add(a, (struct answer){.match = "comp=list", .status = closed[i]});
		answers_refuse(a, "azure://acc/box", NULL, WB_ERR_AUTH,
			"no credentials for the storage account \"acc\"", "AZURE_STORAGE_KEY");
	}
	account(a, "AccountKey=a2V5a2V5");
	answers_add(a, (struct answer){.match = "comp=list",
			       .status = 403,
			       .body = "<Error><Code>AuthenticationFailed</Code></Error>"});
	answers_refuse(
		a, "azure://acc/box", NULL, WB_ERR_AUTH, "403", "check the account_key of \"acc\"");
	account(a, "SharedAccessSignature=sv=1&sig=abcdefgh");
	answers_add(a, (struct answer){.match = "comp=list",
			       .status = 403,
			       .body = "<Error><Code>AuthorizationFailure</Code></Error>"});
	answers_refuse(a, "azure://acc/box", NULL, WB_ERR_AUTH, "403",
		"the SAS token of \"acc\" may have expired");
	answers_clear(a); /* what the environment has is used where the secret is missing */
	answers_refuse(a, "azure://acc/box", "my_azure", WB_ERR_NOT_FOUND, "404", "");
	unsetenv("AZURE_STORAGE_CONNECTION_STRING");
	answers_refuse(a, "azure://acc/box", "my_azure", WB_ERR_AUTH,
		"the secret \"my_azure\" was not found", "my_azure");
	answers_refuse(a, "az://box", NULL, WB_ERR_CONFIG, "does not say which storage account",
		"azure://ACCOUNT");
	source_make(&src, "azure://acc/box", NULL);
	src.auth.method = WB_AUTH_GCP_OIDC;
	assert_err(answers_list(&l, a, &src, &err), &err, WB_ERR_CONFIG);
	setenv("AZURE_STORAGE_CONNECTION_STRING", "Nothing=1", 1);
	answers_refuse(a, "azure://acc/box", NULL, WB_ERR_AUTH,
		"neither AccountName nor BlobEndpoint", "");
	setenv("AZURE_STORAGE_CONNECTION_STRING",
		"AccountName=acc;AccountKey=a2V5a2V5;BlobEndpoint=here", 1);
	answers_refuse(a, "azure://acc/box", NULL, WB_ERR_USAGE,
		"\"here\" is not the address of a service", "");
	unsetenv("AZURE_STORAGE_CONNECTION_STRING");
}

static void a_replaced_blob_is_named(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	struct wb_remote_file f = {.path = (char *)"x", .etag = (char *)"e\r\nX-Evil: 1"};
	wb_autofree char *body = NULL;

	account(a, "AccountKey=a2V5a2V5");
	answers_add(a, (struct answer){.match = "/acc/box/x", .status = 412});
	source_make(&src, "azure://acc/box", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	assert_err(answers_get(&body, a, r, &f, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "\"x\" was replaced while it was fetched");
	assert_int_equal(answers_count(a, "Evil"), 0);
}

/* Where requests go, and with what, for the ways to say which account. */
static void accounts(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	const struct wb_remote_want whole = {.start = -1, .end = -1};
	struct wb_remote_file f = {.path = (char *)"x", .etag = (char *)""};
	static const struct {
		const char *connection, *account, *secret, *uri, *url;
		bool key;
	} cases[] = {
		{NULL, NULL, NULL, "azure://acc/box", "https://acc.blob.core.windows.net/box/x",
			false},
		{NULL, "envacc", NULL, "az://box", "https://envacc.blob.core.windows.net/box/x",
			false},
		/* The address names another account than the connection string: not to its
	           endpoint. */
		{"AccountName=b;BlobEndpoint=http://b.example/", NULL, NULL, "azure://acc/box",
			"https://acc.blob.core.windows.net/box/x", false},
		/* A secret that is a key alone goes to where the environment says its account is.
	         */
		{"AccountName=acc;BlobEndpoint=http://b.example/", NULL, "a2V5a2V5",
			"azure://acc/box", "http://b.example/box/x", true},
		{"AccountName=acc;BlobEndpoint=http://b.example/", NULL, "a2V5a2V5", "az://box",
			"http://b.example/box/x", true},
		{NULL, NULL, "{\"account_key\":\"a2V5a2V5\",\"account_name\":\"acc\"}",
			"azure://acc/box", "https://acc.blob.core.windows.net/box/x", true},
		{NULL, NULL, "{\"use_emulator\":true}", "az://box",
			"http://127.0.0.1:10000/devstoreaccount1/box/x", true},
		{NULL, NULL, "AccountName=acc;BlobEndpoint=http://c.example", "az://box",
			"http://c.example/box/x", false},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(source_clear) struct wb_source src;
		WB_AUTO(wb_remote_request_release)
		struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;

		unsetenv("AZURE_STORAGE_CONNECTION_STRING");
		unsetenv("AZURE_STORAGE_ACCOUNT");
		unsetenv("WBUILD_SECRET_AZ");
		if (cases[i].connection)
			setenv("AZURE_STORAGE_CONNECTION_STRING", cases[i].connection, 1);
		if (cases[i].account)
			setenv("AZURE_STORAGE_ACCOUNT", cases[i].account, 1);
		if (cases[i].secret)
			setenv("WBUILD_SECRET_AZ", cases[i].secret, 1);
		source_make(&src, cases[i].uri, cases[i].secret ? "az" : NULL);
		WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

		if (!r)
			fail_msg("case %zu: %s", i, err.text);
		assert_ok(wb_remote_request(&rq, r, &f, &whole, &err), &err);
		assert_string_equal(rq.url, cases[i].url);
		assert_int_equal(rq.authorization != NULL, cases[i].key);
	}
	setenv("WBUILD_SECRET_AZ", "{\"account_key\":", 1);
	answers_refuse(a, "azure://acc/box", "az", WB_ERR_AUTH, "is not valid JSON", "");
	unsetenv("WBUILD_SECRET_AZ");
	unsetenv("AZURE_STORAGE_CONNECTION_STRING");
	setenv("AZURE_STORAGE_KEY", "a2V5a2V5", 1);
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, "azure://acc/box", NULL);
	for (int i = 0; i < 2; i++) {
		WB_AUTO(wb_remote_request_release)
		struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
		WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

		assert_ok(wb_remote_request(&rq, r, &f, &whole, &err), &err);
		assert_int_equal(rq.authorization != NULL, i == 0);
		assert_int_equal(strstr(rq.url, "?sig=abcdefgh") != NULL, i == 1);
		unsetenv("AZURE_STORAGE_KEY");
		setenv("AZURE_STORAGE_SAS_TOKEN", "?sig=abcdefgh", 1);
	}
	unsetenv("AZURE_STORAGE_SAS_TOKEN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_signs),
		cmocka_unit_test(one_blob_is_found_by_its_name),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_replaced_blob_is_named),
		cmocka_unit_test(accounts),
	};

	return cmocka_run_group_tests(tests, answers_setup, answers_teardown);
}
