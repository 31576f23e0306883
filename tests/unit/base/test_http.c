#include "http_world.h"

static void test_get(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_ok(get(&r, w, "/echo", NULL, &err), &err);
	assert_int_equal(r.response.status, 200);
	assert_string_equal(r.response.body.data, "hello");
	assert_int_equal(r.response.content_length, 5);
	assert_false(r.response.redirected);
	assert_true(r.response.sent);
	assert_int_equal(r.response.attempts, 1);
	assert_string_equal(wb_http_result_header(&r, "LINK"), "<a>");
	assert_string_equal(wb_http_result_header(&r, "x-one"), "1");
	assert_null(wb_http_result_header(&r, "X-On"));
	assert_int_equal(strncmp(w->last_ua, "wbuild/", 7), 0);
}

static void test_head(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	p.method = WB_HTTP_HEAD;
	assert_ok(get(&r, w, "/head", &p, &err), &err);
	assert_int_equal(r.response.content_length, 12345);
	assert_int_equal(r.response.body.len, 0);
}

static void test_credentials_stay_home(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *auth = wb_secret_new("token", "Bearer sesame", 13, false);
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *line = wb_secret_new("line", "X-Private: quiet", 16, false);
	struct wb_secret *lines[] = {line, NULL};
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	p.authorization = auth;
	p.secret_headers = lines;
	assert_ok(get(&r, w, "/relative", &p, &err), &err);
	assert_string_equal(r.response.body.data, "hello");
	assert_string_equal(w->last_auth, "Bearer sesame");
	assert_string_equal(w->last_private, "quiet");
	assert_true(r.response.redirected);

	assert_ok(get(&r, w, "/to-other", &p, &err), &err);
	assert_int_equal(r.response.status, 200);
	assert_string_equal(w->last_auth, "");
	assert_string_equal(w->last_private, "");

	assert_ok(get(&r, w, "/to-name", &p, &err), &err); /* another host name is another origin */
	assert_string_equal(w->last_auth, "");

	static const char *const written[] = {"authorization: Basic abc", NULL};

	p.authorization = NULL;
	p.secret_headers = NULL;
	p.headers = written;
	assert_ok(get(&r, w, "/to-other", &p, &err), &err);
	assert_string_equal(w->last_auth, "");
}

static void test_refused_redirects(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_err(get(&r, w, "/loop", NULL, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "too many redirects");
	assert_err(get(&r, w, "/to-file", NULL, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "refused");
	assert_err(get(&r, w, "/to-plain", NULL, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "plain http");
}

/* Nothing but the machine itself has business with these, not even a loopback server. */
static void test_link_local_redirects(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_err(get(&r, w, "/to-link-local", NULL, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "refused, nothing but this machine");
	assert_err(get(&r, w, "/to-metadata", NULL, &err), &err, WB_ERR_NET);
	assert_contains(err.text, "refused, nothing but this machine");
}

/* libcurl keeps what its caller does not. */
static void test_heads_without_end(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_err(get(&r, w, "/trailers", NULL, &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, "all headers");
	assert_err(get(&r, w, "/informational", NULL, &err), &err, WB_ERR_LIMIT);
	assert_int_equal(atomic_load(&w->one.requests), 2); /* no fault that passes */
}

/* Who asks for years is not waited for. */
static void test_too_much_patience(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT, said = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_ok(get(&r, w, "/come-back-in-years", NULL, &err), &err);
	assert_int_equal(r.response.status, 429);
	assert_int_equal(r.response.attempts, 1);
	assert_int_equal(wb_http_status_err(&said, &r.response, "asking"), -1);
	assert_contains(said.hint, "not to be called again for 277777h");
	assert_ok(get(&r, w, "/window-in-years", NULL, &err), &err);
	assert_int_equal(r.response.attempts, 1);
}

static void test_public_to_local(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_opts o = {.insecure_http = true};
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	wb_autofree char *proxy = httpd_url(&w->one, "");

	setenv("HTTP_PROXY", proxy, 1);
	struct wb_http *h = wb_http_new(&o, &err);

	unsetenv("HTTP_PROXY");
	p.url = "http://public.example/x";
	int rc = wb_http_perform(&r, h, &p, &err);

	wb_http_free(h);
	assert_int_equal(rc, -1);
	assert_contains(err.text, "own addresses");
	assert_int_equal(atomic_load(&w->one.requests), 1); /* it did go through the proxy */
}

static void test_redirect_methods(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	p.method = WB_HTTP_POST;
	p.body = "abc";
	p.body_len = 3;
	assert_ok(get(&r, w, "/see-other", &p, &err), &err);
	assert_string_equal(w->last_method, "GET");
	assert_int_equal(w->seen_len, 0);
	assert_ok(get(&r, w, "/kept", &p, &err), &err);
	assert_string_equal(w->last_method, "POST");
	assert_int_equal(w->seen_len, 3);

	struct wb_http_params back = WB_HTTP_PARAMS_INIT;

	back.no_redirect = true;
	assert_ok(get(&r, w, "/relative", &back, &err), &err);
	assert_int_equal(r.response.status, 302);
	back.follow_relative = true;
	assert_ok(get(&r, w, "/relative", &back, &err), &err);
	assert_int_equal(r.response.status, 200);
	assert_ok(get(&r, w, "/to-other", &back, &err), &err);
	assert_int_equal(r.response.status, 302);
	assert_non_null(wb_http_result_header(&r, "location"));
}

static void test_retries(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	assert_ok(get(&r, w, "/busy-twice", NULL, &err), &err);
	assert_int_equal(r.response.status, 200);
	assert_int_equal(r.response.attempts, 3);
	assert_string_equal(r.response.body.data, "fine");

	assert_ok(get(&r, w, "/always-500", NULL, &err), &err);
	assert_int_equal(r.response.status, 500);
	assert_int_equal(r.response.attempts, 6);

	p.method = WB_HTTP_POST; /* not repeated unless it is said to be harmless */
	assert_ok(get(&r, w, "/always-500", &p, &err), &err);
	assert_int_equal(r.response.attempts, 1);
	p.idempotent = true;
	p.retries = 2;
	assert_ok(get(&r, w, "/always-500", &p, &err), &err);
	assert_int_equal(r.response.attempts, 3);

	p = WB_HTTP_PARAMS_INIT;
	p.retries = -1;
	assert_err(get(&r, w, "/close", &p, &err), &err, WB_ERR_NET);
}

static bool says_oops(const struct wb_http_response *r)
{
	return r->body.len == 4 && !memcmp(r->body.data, "oops", 4);
}

static bool says_other(const struct wb_http_response *r)
{
	return r->body.len && !says_oops(r);
}

static void test_final_answers(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	p.is_final = says_oops;
	assert_ok(get(&r, w, "/always-500", &p, &err), &err);
	assert_int_equal(r.response.status, 500);
	assert_int_equal(r.response.attempts, 1);
	p.is_final = says_other;
	assert_ok(get(&r, w, "/always-500", &p, &err), &err);
	assert_int_equal(r.response.attempts, 6);
}

static void test_retry_after_is_kept(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_ok(get(&r, w, "/hold", NULL, &err), &err);
	clock_gettime(CLOCK_MONOTONIC, &b);
	double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;

	assert_int_equal(r.response.status, 200);
	assert_true(s >= 0.99);
}

static void test_short_body_buffered(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_ok(get(&r, w, "/short-once", NULL, &err), &err);
	assert_string_equal(r.response.body.data, "abcdefghij");
	assert_int_equal(r.response.attempts, 2);
}

static void test_faults(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	p.retries = -1;
	assert_err(get(&r, w, "/bad-chunk", &p, &err), &err, WB_ERR_NET);
	assert_err(get(&r, w, "/cut-chunk", &p, &err), &err, WB_ERR_NET);
	assert_err(get(&r, w, "/close", &p, &err), &err, WB_ERR_NET);
	p.stall_s = 1;
	assert_err(get(&r, w, "/stall", &p, &err), &err, WB_ERR_NET);
	p.stall_s = 0;
	assert_err(get(&r, w, "/huge-head", &p, &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, "response header block");
	p.body_limit = 4;
	assert_err(get(&r, w, "/echo", &p, &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, "response body");
}

static void test_status_err(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_ok(get(&r, w, "/json-error", NULL, &err), &err);
	assert_err(wb_http_status_err(&err, &r.response, "listing"), &err, WB_ERR_AUTH);
	assert_contains(err.text, "answered 403 (DENIED: not yours)");
	assert_int_equal(err.http_status, 403);
	assert_ok(get(&r, w, "/xml-error", NULL, &err), &err);
	assert_err(wb_http_status_err(&err, &r.response, "listing"), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "NoSuchBucket: gone");
	assert_null(strchr(err.text, '\x1b'));
	assert_ok(get(&r, w, "/endless-error", NULL, &err), &err);
	assert_int_equal(r.response.status, 404);
	assert_int_equal(r.response.body.len, 64 << 10);
}

static void test_bad_addresses(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	static const char *const bad[] = {"ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense", "",
		"http://example.com/", "http://127.0.0.1.example.com/", "http://localhost.evil/",
		"http://127.0.0.1/\r\nX: y", "http://[::2]/"};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		p.url = bad[i];
		assert_null(wb_http_submit(w->h, &p, &err));
		assert_int_equal(err.code, WB_ERR_USAGE);
	}
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *bad_auth = wb_secret_new("token", "Bearer a\r\nEvil: b", 17, false);

	p.url = "https://example.com/";
	p.authorization = bad_auth;
	assert_null(wb_http_submit(w->h, &p, &err));
	assert_contains(err.text, "line break");
	p.url = "http://127.0.0.1:1/"; /* nobody listens */
	p.authorization = NULL;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;

	assert_err(wb_http_perform(&r, w->h, &p, &err), &err, WB_ERR_NET);
	assert_true(err.hint[0] != '\0');
}

static void upload_progress(struct wb_http_req *req, uint64_t sent, void *arg)
{
	uint64_t *last = arg;

	assert_true(sent > 0 && sent <= BIG - 100);
	*last = sent;
}

/* In pieces of its own size, as a stream from elsewhere gives them. */
static int send_pattern(
	void *p, size_t n, uint64_t offset, size_t *got, void *arg, struct wb_err *err)
{
	if (offset >= *(uint64_t *)arg)
		return wb_err_set(err, WB_ERR_IO, "the stream broke");
	n = n < 7000 ? n : 7000;
	for (size_t i = 0; i < n; i++)
		((char *)p)[i] = pattern(offset + i);
	*got = n;
	return 0;
}

static void test_upload_from_a_function(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	uint64_t there = BIG;

	p.method = WB_HTTP_PUT;
	p.body_offset = 100;
	p.body_size = BIG - 100;
	p.on_send = send_pattern;
	p.send_arg = &there;
	assert_ok(get(&r, w, "/kept", &p, &err), &err); /* from the start again after it */
	assert_true(w->body_ok);
	there = BIG / 2;
	assert_err(get(&r, w, "/echo", &p, &err), &err, WB_ERR_IO);
	assert_string_equal(err.text, "the stream broke");
}

static void test_upload(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	char *body = big_body();
	FILE *f = tmpfile();
	uint64_t sent = 0;

	assert_int_equal(fwrite(body, 1, BIG, f), BIG);
	fflush(f);
	free(body);
	p.method = WB_HTTP_PUT;
	p.body_fd = fileno(f);
	p.body_offset = 100;
	p.body_size = BIG - 100;
	p.on_upload = upload_progress;
	p.send_arg = &sent;
	assert_ok(get(&r, w, "/echo", &p, &err), &err);
	assert_true(w->body_ok);
	assert_true(sent == BIG - 100);
	assert_string_equal(w->last_method, "PUT");
	w->body_ok = false;
	p.method = WB_HTTP_PATCH;
	assert_ok(get(&r, w, "/kept", &p, &err), &err); /* sent again after the redirect */
	assert_true(w->body_ok);
	assert_string_equal(w->last_method, "PATCH");
	p.body_size = BIG; /* more than there is */
	assert_err(get(&r, w, "/echo", &p, &err), &err, WB_ERR_IO);
	assert_contains(err.text, "became shorter");
	fclose(f);

	p = WB_HTTP_PARAMS_INIT;
	p.method = WB_HTTP_POST;
	assert_ok(get(&r, w, "/echo", &p, &err), &err);
	assert_string_equal(w->last_method, "POST");
	assert_int_equal(w->seen_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_get),
		T(test_head),
		T(test_credentials_stay_home),
		T(test_refused_redirects),
		T(test_link_local_redirects),
		T(test_heads_without_end),
		T(test_too_much_patience),
		T(test_public_to_local),
		T(test_redirect_methods),
		T(test_retries),
		T(test_final_answers),
		T(test_retry_after_is_kept),
		T(test_short_body_buffered),
		T(test_faults),
		T(test_status_err),
		T(test_bad_addresses),
		T(test_upload),
		T(test_upload_from_a_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
