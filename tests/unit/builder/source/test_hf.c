#include "hubstub.h"
#include "source_util.h"

struct world {
	struct hubstub hub;
	struct wb_http *http;
	struct wb_secrets *secrets;
	struct source_log log;
	char commit[41];
};

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_http_opts o = {.backoff_unit_s = 0.01};
	struct wb_err err = WB_ERR_INIT;

	unsetenv("HF_TOKEN");
	unsetenv("HUGGING_FACE_HUB_TOKEN");
	setenv("HF_TOKEN_PATH", "/nonexistent", 1);
	hubstub_start(&w->hub);
	wb_autofree char *answer = hubstub_ask(&w->hub, "commit",
		"{\"id\":\"acme/"
		"tiny\",\"tags\":[\"v1\"],\"files\":{\"config.json\":{\"text\":\"{}\"},"
		"\"model.safetensors\":{\"zeros\":300000},"
		"\"sub/model.safetensors\":{\"zeros\":300000},\"sub/deep/x.json\":{\"text\":\"x\"},"
		"\"a b/\\u00fc.txt\":{\"text\":\"y\"}}}");

	snprintf(w->commit, sizeof(w->commit), "%.40s", strstr(answer, ": \"") + 3);
	hubstub_tell(&w->hub, "set",
		"{\"page\":2,\"tokens\":{\"hf_granted_1\":{\"gated\":true},\"hf_plain_22\":{}}}");
	hubstub_tell(&w->hub, "commit",
		"{\"id\":\"acme/gated\",\"gated\":true,\"files\":{\"a\":{\"text\":\"1\"}}}");
	hubstub_tell(&w->hub, "commit",
		"{\"id\":\"acme/secret\",\"private\":true,\"files\":{\"a\":{\"text\":\"1\"}}}");
	w->http = wb_http_new(&o, &err);
	w->secrets = wb_secrets_new(NULL);
	wb_log_set_sink(source_sink, &w->log);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wb_log_set_sink(NULL, NULL);
	wb_secrets_free(w->secrets);
	wb_http_free(w->http);
	hubstub_stop(&w->hub);
	free(w);
	return 0;
}

static int list(struct wb_listing *out, struct world *w, struct wb_source *src, struct wb_err *err)
{
	struct wb_remote_opts o = {
		.http = w->http, .secrets = w->secrets, .config_file = "config.yaml"};
	WB_AUTO(wb_remote_freep) struct wb_remote *r = wb_remote_open(src, &o, err);

	w->log.text[0] = '\0';
	wb_listing_release(out);
	return r ? wb_remote_list(out, r, err) : -1;
}

static void test_list(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	static const char *const revisions[] = {"", "@main", "@v1", NULL};
	static const char *const names[] = {"a b/ü.txt", "config.json", "model.safetensors",
		"sub/deep/x.json", "sub/model.safetensors"};

	for (size_t i = 0; i < 4; i++) {
		wb_autofree char *uri = revisions[i] ? wb_asprintf("hf://acme/tiny%s", revisions[i])
		                                     : wb_asprintf("hf://acme/tiny@%s", w->commit);
		WB_AUTO(source_clear) struct wb_source src;

		source_make(&src, uri, NULL);
		assert_ok(list(&l, w, &src, &err), &err);
		assert_string_equal(l.revision, w->commit);
		assert_string_equal(l.root, "");
		assert_int_equal(l.files.n, 5);
		for (size_t j = 0; j < 5; j++)
			assert_string_equal(l.files.items[j].path, names[j]);
	}
	const struct wb_remote_file *lfs = &l.files.items[2], *plain = &l.files.items[1];

	assert_true(lfs->known.has_sha256 && !lfs->known.has_git_sha1);
	assert_int_equal(lfs->size, 300000);
	assert_int_equal(strlen(lfs->etag), 64);
	assert_true(plain->known.has_git_sha1 && !plain->known.has_sha256);
	assert_string_equal(plain->etag, "9e26dfeeb6e641a33dae4961196235bdb965b21b");
	assert_string_equal(lfs->identity, l.files.items[4].identity); /* equal bytes */
	assert_string_equal(plain->identity, "git:9e26dfeeb6e641a33dae4961196235bdb965b21b:2");
	assert_true(hubstub_count(&w->hub, "cursor=4") == 4); /* three pages each time */
}

static void test_filters(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, "hf://acme/tiny", NULL);
	source_pattern(&src.allow, "**/*.safetensors");
	source_pattern(&src.allow, "sub");
	source_pattern(&src.ignore, "model.*");
	assert_ok(list(&l, w, &src, &err), &err);
	assert_int_equal(l.files.n, 1);
	assert_string_equal(l.files.items[0].path, "sub/model.safetensors");
	assert_int_equal(l.seen, 5);
	assert_int_equal(l.hits[0], 2);
	assert_int_equal(l.hits[1], 0);
	assert_contains(w->log.text, "\"sub\" matches none of its 5 files");
	assert_contains(w->log.text, "\"sub/**\" would match");

	src.dialect = WB_GLOB_FNMATCH;
	assert_ok(list(&l, w, &src, &err), &err);
	assert_contains(w->log.text, "\"sub/*\" would match");
	source_pattern(&src.ignore, "*");
	assert_err(list(&l, w, &src, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "are left by its patterns: 5 listed");
	assert_int_equal(err.line, 3);
	assert_string_equal(err.file, "config.yaml");
}

static void test_suggests_recursion(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, "hf://acme/tiny", NULL);
	source_pattern(&src.allow, "x.json");
	assert_err(list(&l, w, &src, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(w->log.text, "\"**/x.json\" would match");
}

static void refused(struct world *w, const char *uri, const char *secret, enum wb_code code,
	const char *text, const char *hint)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, uri, secret);
	assert_err(list(&l, w, &src, &err), &err, code);
	assert_contains(err.text, text);
	assert_contains(err.text, uri);
	assert_contains(err.hint, hint);
}

static void test_refusals(void **state)
{
	struct world *w = *state;

	refused(w, "hf://acme/none", NULL, WB_ERR_AUTH, "does not exist, or is private",
		"HF_TOKEN");
	refused(w, "hf://acme/secret", NULL, WB_ERR_AUTH, "is private", "HF_TOKEN");
	refused(w, "hf://acme/secret", "my_secret", WB_ERR_AUTH, "is private",
		"\"my_secret\" that the config names was not found");
	refused(w, "hf://acme/tiny@nope", NULL, WB_ERR_NOT_FOUND, "has no revision \"nope\"",
		"branch");
	setenv("WBUILD_SECRET_MY_SECRET", "hf_wrong_token", 1);
	refused(w, "hf://acme/tiny", "my_secret", WB_ERR_AUTH, "does not accept the token",
		"expired");
	setenv("WBUILD_SECRET_MY_SECRET", "hf_plain_22", 1);
	refused(w, "hf://acme/none", "my_secret", WB_ERR_NOT_FOUND, "this token may not read it",
		"check the name");
	unsetenv("WBUILD_SECRET_MY_SECRET");
}

/* Gated repositories list, and refuse their files. */
static void test_gated_file(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	const struct wb_remote_want want = {.start = -1, .end = -1};
	static const char *const tokens[] = {"hf_plain_22", "hf_granted_1"};

	source_make(&src, "hf://acme/gated", NULL);
	for (int i = 0; i < 2; i++) {
		struct wb_remote_opts o = {.http = w->http, .secrets = w->secrets};
		WB_AUTO(wb_remote_request_release)
		struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
		WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
		struct wb_http_params p = WB_HTTP_PARAMS_INIT;

		setenv("HF_TOKEN", tokens[i], 1);
		WB_AUTO(wb_remote_freep) struct wb_remote *r = wb_remote_open(&src, &o, &err);

		wb_listing_release(&l);
		assert_ok(wb_remote_list(&l, r, &err), &err);
		assert_ok(wb_remote_request(&rq, r, &l.files.items[0], &want, &err), &err);
		wb_remote_request_fill(&p, &rq, &want);
		assert_ok(wb_http_perform(&res, w->http, &p, &err), &err);
		if (i == 1) {
			assert_string_equal(res.response.body.data, "1");
			continue;
		}
		struct wb_refusal refusal = {.response = &res.response,
			.code = wb_http_result_header(&res, "X-Error-Code"),
			.message = wb_http_result_header(&res, "X-Error-Message")};

		assert_err(wb_remote_refused(&err, r, "a", &refusal), &err, WB_ERR_AUTH);
		assert_contains(err.text, "is gated");
		assert_contains(err.hint, "/acme/gated");
	}
	unsetenv("HF_TOKEN");
}

static void test_rate_limit_is_waited_for(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;

	hubstub_tell(&w->hub, "set", "{\"quota\":3,\"window\":1}");
	source_make(&src, "hf://acme/tiny", NULL);
	assert_ok(list(&l, w, &src, &err), &err);
	assert_int_equal(l.files.n, 5);
	hubstub_tell(&w->hub, "set", "{\"quota\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_suggests_recursion),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_gated_file),
		cmocka_unit_test(test_rate_limit_is_waited_for),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
