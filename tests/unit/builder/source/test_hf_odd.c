/* hf:// against hubs that are not the hub: what they say is checked, and what they ask for is not
 * done. test_hf.c has the good ones. */
#include "answers.h"

#include <unistd.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define SHA "{\"sha\":\"" COMMIT "\"}"
#define ITEM(path)                                             \
	"{\"type\":\"file\",\"path\":\"" path "\",\"size\":2," \
	"\"oid\":\"9e26dfeeb6e641a33dae4961196235bdb965b21b\"}"

static void begin(struct answers *a)
{
	setenv("HF_ENDPOINT", a->url, 1);
	setenv("HF_TOKEN_PATH", "/nonexistent", 1);
	setenv("HF_TOKEN", "hf_secret_1", 1);
	answers_clear(a);
}

static void listings_that_lie(void **state)
{
	struct answers *a = *state;
	static const struct {
		const char *body, *text;
	} bad[] = {
		{"{}", "file listing is not a list"},
		{"[{\"type\":\"file\",\"path\":\"a\",\"size\":-1,\"oid\":\"x\"}]", "\"size\""},
		{"[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"x\"}]",
			"no usable digest for \"a\""},
		{"[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":"
		 "\"9e26dfeeb6e641a33dae4961196235bdb965b21b\","
		 "\"lfs\":{\"oid\":\"9e26dfeeb6e641a33dae4961196235bdb965b21b\",\"size\":1}}]",
			"no usable digest"},
		{"[{\"type\":\"file\",\"size\":1}]", "\"path\" is missing"},
		{"[" ITEM("../../etc/passwd") "]", "has a file named \"../../etc/passwd\""},
		{"[" ITEM("a") "," ITEM("a") "]", "is listed twice"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		begin(a);
		answers_add(
			a, (struct answer){.match = "/revision/main", .status = 200, .body = SHA});
		answers_add(
			a, (struct answer){.match = "/tree/", .status = 200, .body = bad[i].body});
		answers_refuse(a, "hf://o/r", NULL, WB_ERR_FORMAT, bad[i].text, "");
	}
	static const char *const revisions[] = {
		"{\"sha\":\"main\"}", "{\"sha\":\"../../x\"}", "{}", "[]"};

	for (size_t i = 0; i < WB_ARRAY_LEN(revisions); i++) {
		begin(a);
		answers_add(
			a, (struct answer){
				   .match = "/revision/main", .status = 200, .body = revisions[i]});
		answers_refuse(a, "hf://o/r", NULL, WB_ERR_FORMAT, "hf://o/r", "");
		assert_int_equal(answers_count(a, "/tree/"), 0);
	}
}

/* A page elsewhere would be asked for with the token. */
static void pages_elsewhere(void **state)
{
	struct answers *a = *state;
	static const char *const links[] = {"Link: <https://evil.example/x>; rel=\"next\"\r\n",
		"Link: <//evil.example/x>; rel=\"next\"\r\n",
		"Link: <file:///etc/passwd>; rel=\"next\"\r\n"};

	for (size_t i = 0; i < WB_ARRAY_LEN(links); i++) {
		begin(a);
		answers_add(
			a, (struct answer){.match = "/revision/main", .status = 200, .body = SHA});
		answers_add(a, (struct answer){.match = "/tree/",
				       .status = 200,
				       .headers = links[i],
				       .body = "[" ITEM("a") "]"});
		answers_refuse(a, "hf://o/r", NULL, WB_ERR_FORMAT, "", "");
		assert_int_equal(answers_count(a, "Authorization: Bearer hf_secret_1"), 2);
	}
}

static void kinds_of_repositories(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	static const char *const cases[][3] = {
		{"hf://datasets/o/r@" COMMIT, "GET /api/datasets/o/r/tree/" COMMIT,
			"/datasets/o/r/resolve/" COMMIT "/a%20b"},
		{"hf://spaces/o/r@" COMMIT, "GET /api/spaces/o/r/tree/" COMMIT,
			"/spaces/o/r/resolve/" COMMIT "/a%20b"},
		{"hf://o/r@" COMMIT, "GET /api/models/o/r/tree/" COMMIT,
			"/o/r/resolve/" COMMIT "/a%20b"},
	};
	const struct wb_remote_want whole = {.start = -1, .end = -1};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
		WB_AUTO(source_clear) struct wb_source src;
		WB_AUTO(wb_remote_request_release)
		struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;

		begin(a);
		answers_add(a,
			(struct answer){
				.match = cases[i][1], .status = 200, .body = "[" ITEM("a b") "]"});
		source_make(&src, cases[i][0], NULL);
		WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

		assert_ok(wb_remote_list(&l, r, &err), &err);
		assert_ok(wb_remote_request(&rq, r, &l.files.items[0], &whole, &err), &err);
		assert_string_equal(rq.url + strlen(a->url), cases[i][2]);
	}
}

static void refusals(void **state)
{
	struct answers *a = *state;
	static const struct {
		int status;
		const char *headers;
		enum wb_code code;
		const char *text, *hint;
	} cases[] = {
		{403, "X-Error-Message: Access to this repo is disabled.\r\n", WB_ERR_AUTH,
			"\"o/r\" is disabled", ""},
		{404, "X-Error-Code: RepoNotFound\r\n", WB_ERR_NOT_FOUND,
			"this token may not read it", "check the name"},
		{403, "X-Error-Code: GatedRepo\r\n", WB_ERR_AUTH, "is gated", "ask for access at "},
		{404, "X-Error-Code: EntryNotFound\r\n", WB_ERR_NOT_FOUND, "is not in \"o/r\"", ""},
		{401, "X-Error-Message: Invalid credentials in Authorization header \x1b[31m\r\n",
			WB_ERR_AUTH, "does not accept the token", "make a new one"},
		{429, "Retry-After: 0\r\n", WB_ERR_NET, "429", "a token raises the limit"},
		{500, "X-Error-Code: Strange\r\n", WB_ERR_NET, "500", ""},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		begin(a);
		answers_add(a, (struct answer){.match = "GET",
				       .status = cases[i].status,
				       .headers = cases[i].headers});
		answers_refuse(a, "hf://o/r", NULL, cases[i].code, cases[i].text, cases[i].hint);
	}
	unsetenv("HF_TOKEN");
	answers_clear(a);
	answers_add(a,
		(struct answer){
			.match = "GET", .status = 403, .headers = "X-Error-Code: GatedRepo\r\n"});
	answers_refuse(a, "hf://o/r", NULL, WB_ERR_AUTH, "is gated", "give a token: set HF_TOKEN");
	setenv("HF_HUB_OFFLINE", "1", 1);
	answers_refuse(a, "hf://o/r", NULL, WB_ERR_UNSUPPORTED, "HF_HUB_OFFLINE is set", "");
	unsetenv("HF_HUB_OFFLINE");
	setenv("HF_ENDPOINT", "hub.example", 1);
	answers_refuse(a, "hf://o/r", NULL, WB_ERR_USAGE, "HF_ENDPOINT", "https://HOST");
}

/* Where the hub's own client keeps it. */
static void tokens_from_files(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	char *dir = wbtest_dir();
	wb_autofree char *in_home = wb_asprintf("%s/token", dir),
			 *cache = wb_asprintf("%s/huggingface", dir);
	wb_autofree char *in_cache = wb_asprintf("%s/token", cache);
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	begin(a);
	unsetenv("HF_TOKEN");
	unsetenv("HF_TOKEN_PATH");
	assert_ok(wb_file_put(in_home, "hf_of_home\n", 11, 0600, 0, &err), &err);
	assert_ok(wb_mkdirs(cache, 0755, &err), &err);
	assert_ok(wb_file_put(in_cache, "hf_of_cache\n", 12, 0600, 0, &err), &err);
	source_make(&src, "hf://o/r@" COMMIT, NULL);
	answers_add(
		a, (struct answer){.match = "/tree/", .status = 200, .body = "[" ITEM("a") "]"});
	setenv("HF_HOME", dir, 1);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Bearer hf_of_home"), 1);
	unsetenv("HF_HOME");
	setenv("XDG_CACHE_HOME", dir, 1);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Bearer hf_of_cache"), 1);
	setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", 1);
	answers_clear(a);
	answers_add(
		a, (struct answer){.match = "/tree/", .status = 200, .body = "[" ITEM("a") "]"});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Authorization"), 0);
	setenv("HUGGING_FACE_HUB_TOKEN", "hf_old_name", 1);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_int_equal(answers_count(a, "Bearer hf_old_name"), 1);
	unsetenv("HUGGING_FACE_HUB_TOKEN");
	unsetenv("HF_HUB_DISABLE_IMPLICIT_TOKEN");
	unsetenv("XDG_CACHE_HOME");
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings_that_lie),
		cmocka_unit_test(pages_elsewhere),
		cmocka_unit_test(kinds_of_repositories),
		cmocka_unit_test(refusals),
		cmocka_unit_test(tokens_from_files),
	};

	return cmocka_run_group_tests(tests, answers_setup, answers_teardown);
}
