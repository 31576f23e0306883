/* The servers and the engine that the tests of base/http.c share. */
#ifndef WB_TESTS_UNIT_BASE_HTTP_WORLD_H
#define WB_TESTS_UNIT_BASE_HTTP_WORLD_H

#include "wbtest.h"

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

static inline char pattern(size_t i)
{
	return (char)(i * 31 + (i >> 8) * 7);
}

static inline char *big_body(void)
{
	char *p = wb_alloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		p[i] = pattern(i);
	return p;
}

static inline void note(struct world *w, const struct httpd_request *r)
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

static inline bool is(const struct httpd_request *r, const char *target)
{
	return strcmp(r->target, target) == 0;
}

static inline bool serve_redirects(int fd, const struct httpd_request *r, struct world *w)
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
	else if (is(r, "/to-link-local"))
		httpd_reply(fd, 302, "Location: https://[fe80::1]/x\r\n", "", 0);
	else if (is(r, "/to-metadata"))
		httpd_reply(fd, 302, "Location: https://0xa9fea9fe/latest\r\n", "", 0);
	else if (strncmp(r->target, "http://public.example", 21) == 0) /* we are its proxy */
		httpd_reply(fd, 302, "Location: http://169.254.169.254/token\r\n", "", 0);
	else
		return false;
	return true;
}

static inline bool serve_faults(int fd, const struct httpd_request *r, struct world *w)
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
		poll(&(struct pollfd){.fd = fd, .events = POLLRDHUP}, 1, 60000);
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

/* Heads that do not end where a head ends. */
static inline bool serve_heads(int fd, const struct httpd_request *r)
{
	static const char trailers[] =
		"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n";
	static const char before[] = "HTTP/1.1 103 X\r\nLink: <x>\r\n\r\n";
	char line[1000];

	memset(line, 'x', sizeof(line));
	memcpy(line, "X-A: ", 5);
	memcpy(line + 998, "\r\n", 2);
	if (is(r, "/trailers")) {
		httpd_write(fd, trailers, sizeof(trailers) - 1);
		for (int i = 0; i < 2000; i++)
			httpd_write(fd, line, sizeof(line));
	} else if (is(r, "/informational")) {
		for (int i = 0; i < 40000; i++)
			httpd_write(fd, before, sizeof(before) - 1);
	} else if (is(r, "/come-back-in-years")) {
		httpd_reply(fd, 429, "Retry-After: 1000000000\r\n", "", 0);
		return true;
	} else if (is(r, "/window-in-years")) {
		httpd_reply(fd, 429, "RateLimit: \"x\";r=0;t=999999999\r\n", "", 0);
		return true;
	}
	return false;
}

static inline void reply_text(int fd, int status, const char *body)
{
	httpd_reply(fd, status, NULL, body, strlen(body));
}

static inline bool serve(int fd, const struct httpd_request *r, void *arg)
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
		return serve_redirects(fd, r, w) || serve_faults(fd, r, w) || serve_heads(fd, r);
	}
	return true;
}

static inline int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;
	struct wb_http_opts o = WB_HTTP_OPTS_INIT;

	pthread_mutex_init(&w->lock, NULL);
	httpd_start(&w->one, serve, w);
	httpd_start(&w->two, serve, w);
	o.backoff_unit_s = 0.01;
	w->h = wb_http_new(&o, &err);
	assert_non_null(w->h);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	wb_http_free(w->h);
	httpd_stop(&w->one);
	httpd_stop(&w->two);
	free(w);
	return 0;
}

/* One GET (or what p says) of a target of the first server. */
static inline int get(struct wb_http_result *out, struct world *w, const char *target,
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

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
