#include "base/http.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/http_internal.h"
#include "base/log.h"
#include "base/sealed.h"
#include "base/text.h"
#include "wbuild_version.h"

#define CA_BUNDLE_MAX (16u << 20)
#define POLL_MAX_MS 250 /* so that a cancellation is seen soon */

int64_t wb_http_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static const char *env_first(const char *const *names)
{
	for (; *names; names++)
		if (wb_env(*names))
			return wb_env(*names);
	return NULL;
}

/* libcurl takes it from the address; it is a secret all the same. */
static void register_password(const char *proxy)
{
	const char *host = proxy ? strstr(proxy, "://") : NULL;
	const char *user = host ? host + 3 : proxy;
	size_t n = user ? strcspn(user, "/?#") : 0;
	const char *at = user ? memrchr(user, '@', n) : NULL;
	const char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;

	if (colon)
		wb_secret_unref(wb_secret_new(
			"proxy password", colon + 1, (size_t)(at - colon - 1), false));
}

static char *sealed_copy(const char *text)
{
	size_t n = text ? strlen(text) + 1 : 0;
	char *copy = text ? wb_sealed_alloc(n) : NULL;

	if (copy)
		memcpy(copy, text, n);
	return copy;
}

static void sealed_free(char *text)
{
	wb_sealed_free(text, text ? strlen(text) + 1 : 0);
}

static void proxies_find(struct wb_http *h)
{
	static const char *const https[] = {
		"BDN_PROXY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", NULL};
	static const char *const http[] = {
		"BDN_PROXY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", NULL};
	static const char *const none[] = {"NO_PROXY", "no_proxy", NULL};

	register_password(env_first(https));
	register_password(env_first(http));
	h->proxy_https = sealed_copy(env_first(https));
	h->proxy_http = sealed_copy(env_first(http));
	h->no_proxy = wb_strdup(env_first(none));
}

/* A bundle from the environment stands for the system's; one from the options is added to it. */
static int ca_find(struct wb_http *h, struct wb_err *err)
{
	static const char *const names[] = {
		"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", NULL};
	const char *env = env_first(names), *extra = h->opts.ca_file;
	WB_AUTO(wb_buf_release) struct wb_buf all = WB_BUF_INIT;

	if (!env || !extra) {
		h->ca_file = wb_strdup(extra ? extra : env);
		return 0;
	}
	wb_buf_init(&all, CA_BUNDLE_MAX, "CA bundle");
	if (wb_file_read(&all, env, err) || wb_buf_puts(&all, "\n", err) ||
		wb_file_read(&all, extra, err))
		return wb_err_wrap(err, "CA bundle");
	h->ca_blob.len = all.len;
	h->ca_blob.flags = CURL_BLOB_NOCOPY;
	h->ca_blob.data = wb_buf_steal(&all);
	return 0;
}

static void opts_fill(struct wb_http_opts *o)
{
	o->connections_per_host = o->connections_per_host ? o->connections_per_host : 16;
	o->connections_total = o->connections_total ? o->connections_total : 64;
	o->retries = o->retries ? o->retries : 5;
	o->retry_wait_max_s = o->retry_wait_max_s ? o->retry_wait_max_s : 300;
	o->backoff_unit_s = o->backoff_unit_s > 0 ? o->backoff_unit_s : 1.0;
	o->connect_timeout_s = o->connect_timeout_s ? o->connect_timeout_s : 30;
	o->stall_s = o->stall_s ? o->stall_s : 60;
}

struct wb_http *wb_http_new(const struct wb_http_opts *opts, struct wb_err *err)
{
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, wb_wiped_alloc, wb_wiped_free,
		    wb_wiped_realloc, wb_wiped_strdup, wb_wiped_calloc)) {
		wb_err_set(err, WB_ERR_NET, "libcurl does not start");
		return NULL;
	}
	struct wb_http *h = wb_zalloc(sizeof(*h));

	h->opts = *opts;
	opts_fill(&h->opts);
	h->user_agent = wb_strdup(opts->user_agent ? opts->user_agent : "wbuild/" WBUILD_VERSION);
	h->own_rate = opts->rate ? NULL : wb_http_rate_new(opts->rate_limit);
	h->rate = opts->rate ? opts->rate : h->own_rate;
	proxies_find(h);
	h->multi = curl_multi_init();
	if (!h->multi)
		wb_err_set(err, WB_ERR_NET, "libcurl does not start");
	if (!h->multi || ca_find(h, err)) {
		wb_http_free(h);
		return NULL;
	}
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->opts.connections_total);
	/* Streams that share one connection share its window and its thread of packets: a few
	 * connections each carrying a few streams are faster than one carrying all. */
	curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 2L);
	return h;
}

static void unlink_req(struct wb_http_req *req)
{
	struct wb_http *h = req->h;

	if (req->prev)
		req->prev->next = req->next;
	else
		h->first = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		h->last = req->prev;
	req->prev = req->next = NULL;
	h->open--;
}

/* Takes the request off whatever it is doing; its state is decided by the caller. */
static void detach(struct wb_http_req *req)
{
	struct wb_http *h = req->h;

	switch (req->state) {
	case WB_HTTP_QUEUED: h->queued--; break;
	case WB_HTTP_WAITING: h->waiting--; break;
	case WB_HTTP_ACTIVE:
		curl_multi_remove_handle(h->multi, req->easy);
		h->active--;
		if (req->urgent)
			h->urgent--;
		req->origin->active--;
		break;
	}
	if (req->stopped || req->stopped_up)
		h->stopped--;
	req->stopped = req->stopped_up = false;
}

void wb_http_free(struct wb_http *h)
{
	if (!h)
		return;
	while (h->first) {
		struct wb_http_req *req = h->first;

		detach(req);
		unlink_req(req);
		wb_http_req_free(req);
	}
	wb_vec_foreach (o, &h->origins) {
		free((*o)->key);
		free(*o);
	}
	wb_vec_free(&h->origins);
	wb_http_rate_free(h->own_rate);
	if (h->multi)
		curl_multi_cleanup(h->multi);
	free(h->ca_blob.data);
	free(h->ca_file);
	free(h->user_agent);
	sealed_free(h->proxy_http);
	sealed_free(h->proxy_https);
	free(h->no_proxy);
	free(h);
	curl_global_cleanup();
}

struct wb_http_origin *wb_http_origin_get(struct wb_http *h, const char *url)
{
	wb_autofree char *key = wb_http_url_origin(url);

	wb_vec_foreach (o, &h->origins)
		if (strcmp((*o)->key, key ? key : "") == 0)
			return *o;
	struct wb_http_origin *o = wb_zalloc(sizeof(*o));

	o->key = key ? wb_steal(key) : wb_strdup("");
	*wb_vec_push(&h->origins) = o;
	return o;
}

static void enqueue(struct wb_http_req *req)
{
	req->state = WB_HTTP_QUEUED;
	req->origin = wb_http_origin_get(req->h, req->url);
	req->h->queued++;
}

struct wb_http_req *wb_http_submit(
	struct wb_http *h, const struct wb_http_params *p, struct wb_err *err)
{
	struct wb_http_req *req = wb_http_req_new(h, p, err);

	if (!req)
		return NULL;
	req->prev = h->last;
	if (h->last)
		h->last->next = req;
	else
		h->first = req;
	h->last = req;
	h->open++;
	enqueue(req);
	return req;
}

/* The end of a request: the callback, then its memory. */
static void finish(struct wb_http_req *req, const struct wb_err *err)
{
	unlink_req(req);
	if (req->p.on_done)
		req->p.on_done(req, req->p.arg, err);
	wb_http_req_free(req);
}

static void log_end(const struct wb_http_req *req, CURLcode rc)
{
	if (!wb_log_enabled(WB_LOG_DEBUG))
		return;
	wb_autofree char *url = wb_url_redact(req->url);

	if (rc == CURLE_OK || req->cut)
		wb_debug("%s %s: %d, %llu bytes", wb_http_method_name(req->p.method), url,
			req->r.status, (unsigned long long)req->r.received);
	else
		wb_debug("%s %s: %s", wb_http_method_name(req->p.method), url,
			req->errbuf[0] ? req->errbuf : curl_easy_strerror(rc));
}

static int cancelled_err(const struct wb_http_req *req, struct wb_err *err)
{
	wb_autofree char *url = wb_url_redact(req->url);

	return wb_err_set(
		err, WB_ERR_CANCELLED, "%s %s: given up", wb_http_method_name(req->p.method), url);
}

/* What a transfer that curl is done with means; the request goes on (redirect, retry) or ends. */
static void transfer_done(struct wb_http_req *req, CURLcode rc)
{
	struct wb_err err = WB_ERR_INIT;
	long request_size = 0;

	if (req->cut && rc == CURLE_WRITE_ERROR)
		rc = CURLE_OK; /* the response is complete as far as anyone cares */
	curl_easy_getinfo(req->easy, CURLINFO_REQUEST_SIZE, &request_size);
	if (request_size > 0)
		req->r.sent = true;
	log_end(req, rc);
	detach(req);
	if (req->aborted) {
		cancelled_err(req, &err);
	} else if (req->err.code != WB_OK) {
		err = req->err;
	} else if (rc == CURLE_OK && (wb_http_req_redirect(req, &err) > 0)) {
		req->r.attempts--; /* a hop is no attempt of its own */
		enqueue(req);
		return;
	} else if (err.code == WB_OK && wb_http_retry(req, rc)) {
		req->state = WB_HTTP_WAITING;
		req->h->waiting++;
		return;
	} else if (rc != CURLE_OK) {
		wb_http_transport_err(req, rc, &err);
	}
	finish(req, &err);
}

static bool may_start(const struct wb_http_req *req, int64_t now)
{
	const struct wb_http *h = req->h;

	if (req->urgent)
		return true;
	return h->active - h->urgent < h->opts.connections_total &&
	       req->origin->active < h->opts.connections_per_host && req->origin->hold_until <= now;
}

/* false when it ended at once: the list may have changed then. */
static bool start(struct wb_http_req *req)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_http *h = req->h;

	detach(req);
	if (wb_http_req_arm(req, &err) == 0) {
		if (curl_multi_add_handle(h->multi, req->easy) == CURLM_OK) {
			req->state = WB_HTTP_ACTIVE;
			h->active++;
			h->urgent += req->urgent;
			req->origin->active++;
			return true;
		}
		wb_err_set(&err, WB_ERR_NET, "cannot start a transfer");
	}
	finish(req, &err);
	return false;
}

/* Waiting requests become due, queued ones start where there is a place. */
static void start_due(struct wb_http *h)
{
	int64_t now = wb_http_now_ms();

	if (!h->waiting && !h->queued)
		return;
	for (struct wb_http_req *req = h->first; req; req = req->next) {
		if (req->state == WB_HTTP_WAITING && req->wait_until <= now) {
			detach(req);
			enqueue(req);
		}
		if (req->state == WB_HTTP_QUEUED && !req->aborted && may_start(req, now) &&
			!start(req))
			return;
	}
}

/* Ended here and not where they were aborted, because a callback may be on the stack there. One at
 * a time: on_done may change the list. */
static void end_aborted(struct wb_http *h)
{
	struct wb_http_req *req = h->aborted ? h->first : NULL;

	while (req) {
		struct wb_err err = WB_ERR_INIT;

		if (!req->aborted) {
			req = req->next;
			continue;
		}
		cancelled_err(req, &err);
		detach(req);
		finish(req, &err);
		req = h->first;
	}
	h->aborted = false;
}

/* Delivers what curl holds for the request; the write callback may stop it again. When it fails
 * instead, curl has dropped that data and the transfer must not go on. */
static CURLcode resume(struct wb_http_req *req, bool down, bool up)
{
	struct wb_http *h = req->h;

	if (down && !req->paused)
		req->stopped = false;
	if (up)
		req->stopped_up = false;
	if (!req->stopped && !req->stopped_up)
		h->stopped--;
	h->in_curl = true;
	CURLcode rc = curl_easy_pause(req->easy,
		(req->stopped ? CURLPAUSE_RECV : 0) | (req->stopped_up ? CURLPAUSE_SEND : 0));

	h->in_curl = false;
	return rc;
}

static void resume_stopped(struct wb_http *h)
{
	if (!h->stopped)
		return;
	bool down = wb_http_rate_open(h->rate, WB_HTTP_DOWN);
	bool up = wb_http_rate_open(h->rate, WB_HTTP_UP);
	struct wb_http_req *req = h->first;

	while (req) {
		bool due = (req->stopped && down && !req->paused) || (req->stopped_up && up);
		CURLcode rc = due ? resume(req, down, up) : CURLE_OK;

		if (rc == CURLE_OK) {
			req = req->next;
		} else {
			transfer_done(req, rc);
			req = h->first;
		}
	}
}

static void collect(struct wb_http *h)
{
	struct CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct wb_http_req *req = NULL;
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &req);
		transfer_done(req, rc);
	}
}

/* How long nothing can happen that a socket does not announce. */
static int idle_ms(const struct wb_http *h, int most)
{
	int64_t now = wb_http_now_ms(), wait = most;

	if (h->stopped) {
		int down = wb_http_rate_wait(h->rate, WB_HTTP_DOWN);
		int up = wb_http_rate_wait(h->rate, WB_HTTP_UP);
		int rate = down > up ? down : up;

		if (rate && rate < wait)
			wait = rate;
	}
	if (!h->waiting && !h->queued)
		return (int)wait;
	for (const struct wb_http_req *req = h->first; req; req = req->next) {
		int64_t due = INT64_MAX;

		if (req->state == WB_HTTP_WAITING)
			due = req->wait_until;
		else if (req->state == WB_HTTP_QUEUED)
			due = req->origin->hold_until > now ? req->origin->hold_until : INT64_MAX;
		if (due - now < wait)
			wait = due > now ? due - now : 0;
	}
	return (int)wait;
}

static int run_round(struct wb_http *h, bool step, int wait_ms, struct wb_err *err)
{
	int running = 0;

	unsigned before = h->open;

	if (wb_cancel_check(err))
		return -1;
	end_aborted(h);
	start_due(h);
	resume_stopped(h);
	h->in_curl = true;
	CURLMcode mc = curl_multi_perform(h->multi, &running);

	h->in_curl = false;
	if (mc != CURLM_OK)
		return wb_err_set(err, WB_ERR_NET, "libcurl: %s", curl_multi_strerror(mc));
	collect(h);
	if ((!h->open && !step) || h->open != before || h->aborted)
		return 0;
	int wait = idle_ms(h, wait_ms < POLL_MAX_MS ? wait_ms : POLL_MAX_MS);

	curl_multi_poll(h->multi, NULL, 0, wait, NULL);
	return 0;
}

int wb_http_run(struct wb_http *h, bool step, int wait_ms, unsigned *left, struct wb_err *err)
{
	assert(!h->in_curl);
	do {
		if (run_round(h, step, step ? wait_ms : POLL_MAX_MS, err))
			return -1;
	} while (!step && h->open);
	if (left)
		*left = h->open;
	return 0;
}

void wb_http_wakeup(struct wb_http *h)
{
	curl_multi_wakeup(h->multi);
}

void wb_http_pause(struct wb_http_req *req, bool paused)
{
	req->paused = paused;
}

void wb_http_abort(struct wb_http_req *req)
{
	req->aborted = true;
	req->h->aborted = true;
}

void wb_http_drop(struct wb_http_req *req)
{
	assert(!req->h->in_curl);
	detach(req);
	unlink_req(req);
	wb_http_req_free(req);
}

struct perform {
	struct wb_http_result *out;
	struct wb_err err;
	bool done;
};

static void perform_done(struct wb_http_req *req, void *arg, const struct wb_err *err)
{
	struct perform *pf = arg;
	const char *end = req->head.data + req->head.len;

	pf->done = true;
	pf->err = *err;
	if (err->code != WB_OK)
		return;
	for (const char *l = req->head.data; l < end; l += strlen(l) + 1)
		*wb_vec_push(&pf->out->headers) = wb_strdup(l);
	pf->out->response = req->r;
	req->r.effective_url = NULL;
	req->r.body = WB_BUF_INIT;
}

int wb_http_perform(struct wb_http_result *out, struct wb_http *h, const struct wb_http_params *p,
	struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result result = WB_HTTP_RESULT_INIT;
	struct perform pf = {.out = &result};
	struct wb_http_params mine = *p;

	assert(!p->on_done && !p->on_body && !p->on_headers_done);
	mine.on_done = perform_done;
	mine.arg = &pf;
	struct wb_http_req *req = wb_http_submit(h, &mine, err);

	if (!req)
		return -1;
	req->urgent = true;
	while (!pf.done) {
		if (wb_http_run(h, true, POLL_MAX_MS, NULL, err) == 0)
			continue;
		if (!pf.done)
			wb_http_drop(req);
		return -1;
	}
	if (pf.err.code != WB_OK) {
		*err = pf.err;
		return -1;
	}
	*out = result;
	result = WB_HTTP_RESULT_INIT;
	return 0;
}

const char *wb_http_result_header(const struct wb_http_result *r, const char *name)
{
	size_t n = strlen(name);

	wb_vec_foreach (h, &r->headers)
		if (strncasecmp(*h, name, n) == 0 && (*h)[n] == ':')
			return *h + n + 1 + strspn(*h + n + 1, " \t");
	return NULL;
}

void wb_http_result_release(struct wb_http_result *r)
{
	free(r->response.effective_url);
	wb_buf_release(&r->response.body);
	wb_vec_foreach (h, &r->headers)
		free(*h);
	wb_vec_free(&r->headers);
	*r = WB_HTTP_RESULT_INIT;
}
