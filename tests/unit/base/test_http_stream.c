#include "http_world.h"

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

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds that 3 MiB take at 6 MiB/s. */
static double limited_run(struct world *w)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_opts o = {.rate_limit = 6u << 20};
	struct wb_http *h = wb_http_new(&o, &err);
	struct stream s[3] = {0};
	double began = seconds();

	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++) {
		s[i].base = BIG - (1 << 20);
		stream_start(&s[i], w, h, "/big");
	}
	assert_ok(wb_http_run(h, false, 0, NULL, &err), &err);
	double took = seconds() - began;

	wb_http_free(h);
	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		assert_true(s[i].got == 1 << 20 && !s[i].wrong);
	return took;
}

/* Never faster; and not slower, but for what else the machine has to do, which one run of some has
 * no share in. Under ThreadSanitizer all have. */
static void test_rate_limit(void **state)
{
	bool in_time = false;

	for (int i = 0; i < 40 && !in_time; i++) {
		double took = limited_run(*state);

		assert_true(took > 0.35); /* what a tenth of a second lets through is free */
		in_time = took < 1.0;
#ifdef __SANITIZE_THREAD__
		in_time = true;
#endif
	}
	assert_true(in_time);
}

static void test_perform_among_others(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct stream s[40] = {0}, stalled[16] = {0};

	/* as many as there may be connections: none ends by itself */
	for (size_t i = 0; i < WB_ARRAY_LEN(stalled); i++)
		stream_start(&stalled[i], w, w->h, "/stall");
	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		stream_start(&s[i], w, w->h, "/big");
	assert_ok(get(&r, w, "/echo", NULL, &err), &err);
	assert_string_equal(r.response.body.data, "hello");
	assert_false(stalled[0].done);
	assert_false(s[0].done); /* it did not wait for its turn */
	for (size_t i = 0; i < WB_ARRAY_LEN(stalled); i++)
		wb_http_abort(stalled[i].req);
	assert_ok(wb_http_run(w->h, false, 0, NULL, &err), &err);
	for (size_t i = 0; i < WB_ARRAY_LEN(s); i++)
		assert_true(s[i].done && s[i].got == BIG);
}

/* A wait of 240 ms ends at once; not each time, as others want the processor too. Without the
 * wake-up one in four or five is that short, when a timer of libcurl's runs out. */
static void test_wakeup(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct stream s = {0};
	unsigned left, quick = 0;

	stream_start(&s, w, w->h, "/stall");
	while (!s.got)
		assert_ok(wb_http_run(w->h, true, 100, &left, &err), &err);
	for (int i = 0; i < 20; i++) {
		double began = seconds();

		wb_http_wakeup(w->h);
		assert_ok(wb_http_run(w->h, true, 240, &left, &err), &err);
		assert_false(s.done);
		quick += seconds() - began < 0.15;
	}
	assert_true(quick > 10);
	wb_http_abort(s.req);
	assert_ok(wb_http_run(w->h, false, 0, NULL, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_stream_and_range),
		T(test_pause),
		T(test_abort_and_callback_error),
		T(test_no_retry_after_bytes),
		T(test_limits_of_connections),
		T(test_free_with_open_requests),
		T(test_rate_limit),
		T(test_perform_among_others),
		T(test_wakeup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
