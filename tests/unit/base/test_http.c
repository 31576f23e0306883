#include "wbtest.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "base/http.h"
#include "httpd.h"

#define BIG (3u << 20)

struct world {
	struct httpd one, two;
	struct wb_http *h;
	char last_auth[256], last_private[256], last_range[256], last_ua[256], last_method[16];
	char *seen_body;
	size_t seen_len;
	bool body_ok;
	pthread_mutex_t lock; /* connections are served by threads of their own */
};

static char pattern(size_t i)
{
	return (char)(i * 31 + (i >> 8) * 7);
}

static char *big_body(void)
{
	char *p = wb_alloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		p[i] = pattern(i);
	return p;
}

static void note(struct world *w, const struct httpd_request *r)
{
	char v[256];
	const char *x;

	pthread_mutex_lock(&w->lock);
	x = httpd_header(r, "Authorization", v, sizeof(v));
	snprintf(w->last_auth, sizeof(w->last_auth), "%s", x ? x : "");
	x = httpd_header(r, "X-Private", v, sizeof(v));
	snprintf(w->last_private, sizeof(w->last_private), "%s", x ? x : "");
	x = httpd_header(r, "Range", v, sizeof(v));
	snprintf(w->last_range, sizeof(w->last_range), "%s", x ? x : "");
	x = httpd_header(r, "User-Agent", v, sizeof(v));
	snprintf(w->last_ua, sizeof(w->last_ua), "%s", x ? x : "");
	snprintf(w->last_method, sizeof(w->last_method), "%s", r->method);
	w->seen_len = r->body_len;
	w->body_ok = r->body_len == BIG - 100;
	for (size_t i = 0; w->body_ok && i < r->body_len; i++)
		w->body_ok = r->body[i] == pattern(i + 100);
	pthread_mutex_unlock(&w->lock);
}

static bool is(const struct httpd_request *r, const char *target)
{
	return strcmp(r->target, target) == 0;
}

static bool serve_redirects(int fd, const struct httpd_request *r, struct world *w)
{
	wb_autofree char *other =
		wb_asprintf("Location: http://127.0.0.1:%u/echo\r\n", w->two.port);
	wb_autofree char *name = wb_asprintf("Location: http://localhost:%u/echo\r\n", w->one.port);

	if (is(r, "/to-other"))
		httpd_reply(fd, 302, other, "moved", 5);
	else if (is(r, "/to-name"))
		httpd_reply(fd, 307, name, "", 0);
	else if (is(r, "/relative"))
		httpd_reply(fd, 302, "Location: echo\r\n", "", 0);
	else if (is(r, "/see-other"))
		httpd_reply(fd, 303, "Location: /echo\r\n", "", 0);
	else if (is(r, "/kept"))
		httpd_reply(fd, 308, "Location: /echo\r\n", "", 0);
	else if (is(r, "/loop"))
		httpd_reply(fd, 301, "Location: /loop\r\n", "", 0);
	else if (is(r, "/to-file"))
		httpd_reply(fd, 302, "Location: file:///etc/passwd\r\n", "", 0);
	else if (is(r, "/to-plain"))
		httpd_reply(fd, 302, "Location: http://example.com/x\r\n", "", 0);
	else if (strncmp(r->target, "http://public.example", 21) == 0) /* we are its proxy */
		httpd_reply(fd, 302, "Location: http://169.254.169.254/token\r\n", "", 0);
	else
		return false;
	return true;
}

static bool serve_faults(int fd, const struct httpd_request *r, struct world *w)
{
	static const char chunked[] = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";

	if (is(r, "/busy-twice")) {
		if (r->n < 2)
			httpd_reply(fd, r->n ? 503 : 429, "Retry-After: 0\r\n", "busy", 4);
		else
			httpd_reply(fd, 200, NULL, "fine", 4);
	} else if (is(r, "/hold")) {
		if (r->n == 0)
			httpd_reply(fd, 503, "Retry-After: 1\r\n", "", 0);
		else
			httpd_reply(fd, 200, NULL, "fine", 4);
	} else if (is(r, "/always-500")) {
		httpd_reply(fd, 500, NULL, "oops", 4);
	} else if (is(r, "/short-once")) {
		httpd_write(fd, "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc", 41);
		if (r->n == 0)
			return false;
		httpd_write(fd, "defghij", 7);
	} else if (is(r, "/bad-chunk")) {
		httpd_write(fd, chunked, sizeof(chunked) - 1);
		httpd_write(fd, "3\r\nabc\r\nZZ\r\n", 12);
		return false;
	} else if (is(r, "/cut-chunk")) {
		httpd_write(fd, chunked, sizeof(chunked) - 1);
		httpd_write(fd, "3\r\nabc\r\n", 8);
		return false;
	} else if (is(r, "/close")) {
		return false;
	} else if (is(r, "/stall")) {
		httpd_write(fd, "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc", 41);
		poll(&(struct pollfd){.fd = fd, .events = POLLRDHUP}, 1, 5000);
		return false;
	} else if (is(r, "/huge-head")) {
		char line[1100];

		memset(line, 'x', sizeof(line));
		memcpy(line, "X-A: ", 5);
		memcpy(line + 1098, "\r\n", 2);
		httpd_write(fd, "HTTP/1.1 200 X\r\n", 16);
		for (int i = 0; i < 80; i++)
			httpd_write(fd, line, sizeof(line));
		return false;
	} else if (is(r, "/endless-error")) {
		char *body = big_body();

		httpd_reply(fd, 404, NULL, body, BIG);
		free(body);
		return false;
	} else {
		return false;
	}
	return true;
}

static void reply_text(int fd, int status, const char *body)
{
	httpd_reply(fd, status, NULL, body, strlen(body));
}

static bool serve(int fd, const struct httpd_request *r, void *arg)
{
	struct world *w = arg;

	note(w, r);
	if (is(r, "/echo")) {
		httpd_reply(fd, 200, "Link: <a>\r\nX-One: 1\r\nlink: <b>\r\n", "hello", 5);
	} else if (is(r, "/big")) {
		unsigned long long a = 0, b = BIG - 1;
		char v[64];
		const char *range = httpd_header(r, "Range", v, sizeof(v));
		bool part = range && sscanf(range, "bytes=%llu-%llu", &a, &b) >= 1;
		char *body = big_body();

		httpd_reply(fd, part ? 206 : 200, NULL, body + a, (size_t)(b - a + 1));
		free(body);
	} else if (is(r, "/json-error")) {
		reply_text(
			fd, 403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not yours\"}]}");
	} else if (is(r, "/xml-error")) {
		reply_text(fd, 404,
			"<Error><Code>NoSuchBucket</Code><Message>gone\x1b[2J</Message></Error>");
	} else if (strcmp(r->method, "HEAD") == 0) {
		httpd_write(fd, "HTTP/1.1 200 X\r\nContent-Length: 12345\r\n\r\n", 41);
	} else {
		return serve_redirects(fd, r, w) || serve_faults(fd, r, w);
	}
	return true;
}

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_opts o = WB_HTTP_OPTS_INIT;

	pthread_mutex_init(&w->lock, NULL);
	httpd_start(&w->one, serve, w);
	httpd_start(&w->two, serve, w);
	o.backoff_unit_s = 0.01;
	o.stall_s = 1;
	w->h = wb_http_new(&o, &err);
	assert_non_null(w->h);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wb_http_free(w->h);
	httpd_stop(&w->one);
	httpd_stop(&w->two);
	free(w);
	return 0;
}

/* One GET (or what p says) of a target of the first server. */
static int get(struct wb_http_result *out, struct world *w, const char *target,
	struct wb_http_params *p, struct wb_err *err)
{
	wb_autofree char *url = httpd_url(&w->one, target);
	struct wb_http_params plain = WB_HTTP_PARAMS_INIT;

	if (!p)
		p = &plain;
	p->url = url;
	wb_http_result_release(out);
	int rc = wb_http_perform(out, w->h, p, err);

	p->url = NULL;
	return rc;
}

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
	assert_err(get(&r, w, "/stall", &p, &err), &err, WB_ERR_NET);
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

struct stream {
	size_t got, calls, pauses, heads;
	bool wrong, pause, abort_at_half, fail;
	bool done;
	enum wb_code code;
	int status;
	size_t base;
	struct wb_http_req *req;
};

static int stream_head(struct wb_http_req *req, void *arg, struct wb_err *err)
{
	struct stream *s = arg;

	s->heads++;
	s->status = wb_http_response(req)->status;
	assert_string_equal(wb_http_header(req, "content-length") ? "yes" : "no", "yes");
	return 0;
}

static int stream_body(
	struct wb_http_req *req, const void *p, size_t n, void *arg, struct wb_err *err)
{
	struct stream *s = arg;
	const char *c = p;

	for (size_t i = 0; i < n; i++)
		s->wrong |= c[i] != pattern(s->base + s->got + i);
	s->got += n;
	s->calls++;
	if (s->fail && s->got > 100000)
		return wb_err_set(err, WB_ERR_INTEGRITY, "not what was asked for");
	if (s->abort_at_half && s->got > BIG / 2)
		wb_http_abort(req);
	if (s->pause && s->calls % 16 == 0) {
		s->pauses++;
		wb_http_pause(req, true);
	}
	return 0;
}

static void stream_done(struct wb_http_req *req, void *arg, const struct wb_err *err)
{
	struct stream *s = arg;

	assert_false(s->done);
	s->done = true;
	s->code = err->code;
	s->req = NULL;
}

static struct wb_http_req *stream_start(
	struct stream *s, struct world *w, struct wb_http *h, const char *target)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	wb_autofree char *url = httpd_url(&w->one, target);

	p.url = url;
	p.on_headers_done = stream_head;
	p.on_body = stream_body;
	p.on_done = stream_done;
	p.arg = s;
	if (s->base) {
		p.range_start = (int64_t)s->base;
		p.range_end = BIG - 1;
	}
	s->req = wb_http_submit(h, &p, &err);
	assert_non_null(s->req);
	return s->req;
}

static void test_stream_and_range(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct stream a = {0}, b = {.base = 1000001};

	stream_start(&a, w, w->h, "/big");
	stream_start(&b, w, w->h, "/big");
	assert_ok(wb_http_run(w->h, false, 0, NULL, &err), &err);
	assert_true(a.done && b.done && !a.wrong && !b.wrong);
	assert_int_equal(a.got, BIG);
	assert_int_equal(b.got, BIG - 1000001);
	assert_int_equal(a.status, 200);
	assert_int_equal(b.status, 206);
	assert_int_equal(a.heads, 1);
}

static void test_pause(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct stream s = {.pause = true};
	unsigned left = 1;

	stream_start(&s, w, w->h, "/big");
	while (left) {
		size_t before = s.pauses;

		assert_ok(wb_http_run(w->h, true, 5, &left, &err), &err);
		if (s.pauses == before || !s.req)
			continue;
		size_t got = s.got;

		assert_ok(wb_http_run(w->h, true, 5, &left, &err), &err);
		assert_ok(wb_http_run(w->h, true, 5, &left, &err), &err);
		assert_int_equal(s.got, got); /* nothing comes while paused */
		wb_http_pause(s.req, false);
	}
	assert_true(s.pauses > 3);
	assert_int_equal(s.got, BIG);
	assert_false(s.wrong);
	assert_int_equal(s.code, WB_OK);
}

static void test_abort_and_callback_error(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct stream a = {.abort_at_half = true}, b = {.fail = true}, c = {0}, d = {0};

	stream_start(&a, w, w->h, "/big");
	stream_start(&b, w, w->h, "/big");
	wb_http_abort(stream_start(&c, w, w->h, "/big")); /* before it starts */
	stream_start(&d, w, w->h, "/stall");
	unsigned left = 1;
	size_t got = 0;

	while (left) {
		assert_ok(wb_http_run(w->h, true, 50, &left, &err), &err);
		if (d.heads && !got) {
			got = 1;
			wb_http_abort(d.req); /* from outside */
		}
	}
	assert_int_equal(a.code, WB_ERR_CANCELLED);
	assert_true(a.got < BIG);
	assert_int_equal(b.code, WB_ERR_INTEGRITY);
	assert_int_equal(c.code, WB_ERR_CANCELLED);
	assert_int_equal(c.got, 0);
	assert_int_equal(d.code, WB_ERR_CANCELLED);
}

static void test_no_retry_after_bytes(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct stream s = {0};

	stream_start(&s, w, w->h, "/short-once");
	assert_ok(wb_http_run(w->h, false, 0, NULL, &err), &err);
	assert_int_equal(s.code, WB_ERR_NET);
	assert_int_equal(s.got, 3);
	assert_int_equal(atomic_load(&w->one.requests), 1);
}

static void test_limits_of_connections(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_opts o = {.connections_per_host = 3, .connections_total = 8};
	struct wb_http *h = wb_http_new(&o, &err);
	struct stream s[20] = {0};

	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		stream_start(&s[i], w, h, "/big");
	assert_ok(wb_http_run(h, false, 0, NULL, &err), &err);
	wb_http_free(h);
	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		assert_int_equal(s[i].got, BIG);
	assert_in_range(atomic_load(&w->one.peak), 1, 3);
	assert_in_range(atomic_load(&w->one.connections), 1, 3); /* and they were kept */
}

static void test_free_with_open_requests(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_opts o = WB_HTTP_OPTS_INIT;
	struct wb_http *h = wb_http_new(&o, &err);
	struct stream s = {0};
	unsigned left;

	stream_start(&s, w, h, "/big");
	assert_ok(wb_http_run(h, true, 20, &left, &err), &err);
	wb_http_free(h);
	assert_false(s.done);
}

static void test_rate_limit(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_opts o = {.rate_limit = 6u << 20};
	struct wb_http *h = wb_http_new(&o, &err);
	struct stream s[3] = {0};
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		stream_start(&s[i], w, h, "/big");
	assert_ok(wb_http_run(h, false, 0, NULL, &err), &err);
	clock_gettime(CLOCK_MONOTONIC, &b);
	wb_http_free(h);
	double t = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;

	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		assert_true(s[i].got == BIG && !s[i].wrong);
	assert_true(t > 1.1 && t < 3.0); /* 9 MiB at 6 MiB/s */
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

static void test_perform_among_others(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct stream s[40] = {0};

	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		stream_start(&s[i], w, w->h, "/big");
	assert_ok(get(&r, w, "/echo", NULL, &err), &err);
	assert_string_equal(r.response.body.data, "hello");
	assert_false(s[WB_ARRAY_LEN(s) - 1].done); /* it did not wait for its turn */
	assert_ok(wb_http_run(w->h, false, 0, NULL, &err), &err);
	assert_true(s[WB_ARRAY_LEN(s) - 1].done);
}

static void test_wakeup(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct timespec a, b;
	struct stream s = {0};
	unsigned left;

	stream_start(&s, w, w->h, "/stall");
	while (!s.got)
		assert_ok(wb_http_run(w->h, true, 100, &left, &err), &err);
	clock_gettime(CLOCK_MONOTONIC, &a);
	wb_http_wakeup(w->h);
	assert_ok(wb_http_run(w->h, true, 240, &left, &err), &err);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 150);
	wb_http_abort(s.req);
	assert_ok(wb_http_run(w->h, false, 0, NULL, &err), &err);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_get),
		T(test_head),
		T(test_credentials_stay_home),
		T(test_refused_redirects),
		T(test_public_to_local),
		T(test_redirect_methods),
		T(test_retries),
		T(test_retry_after_is_kept),
		T(test_short_body_buffered),
		T(test_faults),
		T(test_status_err),
		T(test_bad_addresses),
		T(test_stream_and_range),
		T(test_pause),
		T(test_abort_and_callback_error),
		T(test_no_retry_after_bytes),
		T(test_limits_of_connections),
		T(test_free_with_open_requests),
		T(test_rate_limit),
		T(test_upload),
		T(test_upload_from_a_function),
		T(test_perform_among_others),
		T(test_wakeup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
