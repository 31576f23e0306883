#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/text.h"
#include "oci/upload_internal.h"
#include "oci/uploadwire.h"

#define FAILURES_MAX 5
#define STATUS_TRIES 20
#define SETTLE_MS 100
/* A registry hashes, and may copy, a blob before it answers the closing request. */
#define CLOSE_PATIENCE_S 600
#define PATIENCE_BYTES_PER_S (20u << 20)

void wb_upload_release(struct wb_upload *u)
{
	wb_registry_engine_back(u->reg, u->h);
	wb_reader_close(u->reader);
	wb_closep(&u->fd);
	wb_upload_state_release(&u->s);
	wb_journal_release(&u->journal);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int wb_upload_wait(struct wb_upload *u, long asked, struct wb_err *err)
{
	double unit = u->reg->o.http.backoff_unit_s > 0 ? u->reg->o.http.backoff_unit_s : 1.0;
	unsigned shift = u->failures > 5 ? 5 : u->failures ? u->failures - 1 : 0;
	double end = now_s() + (asked >= 0 ? (double)asked : unit * (double)(1u << shift));

	while (now_s() < end) {
		struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};

		if (wb_cancel_check(err))
			return -1;
		nanosleep(&nap, NULL);
	}
	return wb_cancel_check(err);
}

/* --- the body --- */

static int reopen(struct wb_upload *u, uint64_t offset, struct wb_err *err)
{
	wb_reader_close(wb_steal(u->reader));
	u->reader_pos = offset;
	return u->src->open(&u->reader, u->src->arg, offset, err);
}

static int send_stream(
	void *p, size_t n, uint64_t offset, size_t *got, void *arg, struct wb_err *err)
{
	struct wb_upload *u = arg;

	if ((!u->reader || u->reader_pos != offset) && reopen(u, offset, err))
		return -1;
	if (wb_reader_read(u->reader, p, n, got, err))
		return -1;
	if (!*got)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"the blob %s ends after %llu of %llu bytes",
			wb_digest_text(&u->d->digest).s, (unsigned long long)offset,
			(unsigned long long)u->d->size);
	u->reader_pos += *got;
	return 0;
}

static void note_sent(struct wb_http_req *req, uint64_t total, void *arg)
{
	struct wb_upload *u = arg;

	u->sent += total > u->body_sent ? total - u->body_sent : total;
	u->body_sent = total;
	if (u->opts->progress)
		u->opts->progress(u->opts->progress_arg, u->body_from + total);
	if (u->opts->stop && atomic_load(u->opts->stop))
		wb_http_abort(req);
}

static int set_body(struct wb_upload *u, struct wb_http_params *p, uint64_t len, struct wb_err *err)
{
	u->body_from = u->s.acked;
	u->body_len = len;
	u->body_sent = 0;
	p->on_upload = note_sent;
	p->send_arg = u;
	p->body_size = len;
	if (!len)
		return 0;
	if (!u->src->path) {
		p->on_send = send_stream;
		p->body_offset = u->s.acked;
		return 0;
	}
	if (u->fd < 0)
		u->fd = open(u->src->path, O_RDONLY | O_CLOEXEC);
	if (u->fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", u->src->path);
	p->body_fd = u->fd;
	p->body_offset = u->src->offset + u->s.acked;
	return 0;
}

/* --- requests --- */

/* Faults of the network are a reason to look where the session stands, once the connection is
 * there again; everything else (a local disk, a cancellation, a login) is not. */
static bool passing(const struct wb_err *err)
{
	return err->code == WB_ERR_NET;
}

static int call(struct wb_http_result *r, struct wb_upload *u, struct wb_http_params *p,
	const char *scopes, struct wb_err *err)
{
	double began = now_s();
	int rc = wb_registry_call(r, u->reg, u->h, p, scopes, err);

	u->took = now_s() - began;
	return rc;
}

static int fail(struct wb_upload *u, const struct wb_http_result *r, struct wb_err *err)
{
	wb_autofree char *doing =
		wb_asprintf("pushing the blob %s", wb_digest_text(&u->d->digest).s);

	return wb_registry_status_err(err, u->reg, &r->response, doing);
}

/* A status that may pass (429, 5xx): a pause, then CHECK, up to a number of times. */
static int pause_for(struct wb_upload *u, const struct wb_http_result *r, struct wb_err *err)
{
	long asked = wb_http_retry_after(wb_http_result_header(r, "Retry-After"));
	unsigned max = u->reg->o.http.retry_wait_max_s ? u->reg->o.http.retry_wait_max_s : 300;

	if (wb_registry_is_final(&r->response) || asked > (long)max || ++u->failures > FAILURES_MAX)
		return fail(u, r, err);
	return wb_upload_wait(u, asked, err) ? -1 : WB_STEP_CHECK;
}

/* A network, or a proxy, that ends requests after a fixed time shows by doing so most times: none
 * ends sooner, and one may end later where something else was slow. */
static void note_cut(struct wb_upload *u)
{
	u->cuts++;
	if (u->took <= 1)
		return;
	if (u->cuts_alike == 0 || u->took < u->cut_after) {
		u->cuts_alike = u->cut_after < u->took * 1.1 ? u->cuts_alike + 1 : 1;
		u->cut_after = u->took;
	} else if (u->took < u->cut_after * 1.1) {
		u->cuts_alike++;
	}
}

static int pause_after(struct wb_upload *u, const struct wb_err *why, struct wb_err *err)
{
	note_cut(u);
	u->fault = *why;
	wb_err_wrap(&u->fault, "pushing the blob %s", wb_digest_text(&u->d->digest).s);
	if (!passing(why) || ++u->failures > FAILURES_MAX) {
		*err = u->fault;
		return -1;
	}
	wb_debug("%s", why->text);
	return wb_upload_wait(u, -1, err) ? -1 : WB_STEP_CHECK;
}

/* An answer before the end was sent is no proof of anything: CHECK, up to a number of times. */
static int answered_early(
	struct wb_upload *u, const struct wb_http_result *r, uint64_t len, struct wb_err *err)
{
	wb_err_set(&u->fault, WB_ERR_NET,
		"pushing the blob %s: \"%s\" answered %d when %s of %s were sent, and does not "
		"have the blob",
		wb_digest_text(&u->d->digest).s, u->reg->ref.host, r->response.status,
		wb_size_text(u->body_sent).s, wb_size_text(len).s);
	if (++u->failures > FAILURES_MAX) {
		*err = u->fault;
		return -1;
	}
	return WB_STEP_CHECK;
}

static int take_location(
	struct wb_upload *u, const struct wb_http_result *r, const char *url, struct wb_err *err)
{
	const char *location = wb_http_result_header(r, "Location");
	const char *base = r->response.effective_url ? r->response.effective_url : url;

	if (!location)
		return u->s.location ? 0
		                     : wb_err_set(err, WB_ERR_FORMAT,
					       "\"%s\" opened an upload but does not say where",
					       u->reg->ref.host);
	wb_autofree char *next = wb_upload_location(base, location, err);

	if (!next || wb_url_check_named(
			     base, next, u->reg->o.http.insecure_http, "an upload's address", err))
		return -1;
	free(u->s.location);
	u->s.location = wb_steal(next);
	return 0;
}

static void start_state(struct wb_upload *u)
{
	u->s.acked = 0;
	u->s.size = u->d->size;
	u->s.started = (uint64_t)time(NULL);
}

int wb_upload_begin(struct wb_upload *u, const char *from, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	wb_autofree char *url =
		from ? wb_registry_url(u->reg, u->h, err, "blobs/uploads/?mount=%s&from=%s",
			       wb_digest_text(&u->d->digest).s, from)
		     : wb_registry_url(u->reg, u->h, err, "blobs/uploads/");
	wb_autofree char *scopes = from ? wb_asprintf("%s repository:%s:pull", u->reg->push, from)
	                                : wb_strdup(u->reg->push);
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	if (!url)
		return -1;
	p.method = WB_HTTP_POST;
	p.url = url;
	p.idempotent = true; /* a session that is opened twice is one too many, no more */
	if (call(&r, u, &p, scopes, err))
		return from && err->code == WB_ERR_AUTH ? WB_STEP_REFUSED : -1;
	if (from && (r.response.status == 201 || r.response.status == 200))
		return WB_STEP_THERE;
	if (r.response.status != 202)
		return from ? WB_STEP_REFUSED : fail(u, &r, err);
	if (u->s.location) {
		wb_upload_cancel(u);
		wb_upload_state_release(&u->s);
	}
	start_state(u);
	return take_location(u, &r, url, err) ? -1 : WB_STEP_ON;
}

/* What was stored is named by its digest: by none other. */
static int check_stored(
	const struct wb_upload *u, const struct wb_http_result *r, struct wb_err *err)
{
	const char *says = wb_http_result_header(r, "Docker-Content-Digest");
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_digest d;

	if (!says || wb_digest_parse(&d, says, &ignored) || wb_digest_equal(&d, &u->d->digest))
		return 0;
	return wb_err_set(err, WB_ERR_INTEGRITY, "\"%s\" stored the blob %s as %s",
		u->reg->ref.host, wb_digest_text(&u->d->digest).s, wb_digest_text(&d).s);
}

int wb_upload_single(struct wb_upload *u, struct wb_err *err)
{
	static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	wb_autofree char *url = wb_registry_url(
		u->reg, u->h, err, "blobs/uploads/?digest=%s", wb_digest_text(&u->d->digest).s);
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	start_state(u);
	p.method = WB_HTTP_POST;
	p.url = url;
	p.headers = headers;
	if (!url || set_body(u, &p, u->d->size, err) || call(&r, u, &p, u->reg->push, err))
		return -1;
	if (r.response.status == 201)
		return check_stored(u, &r, err) ? -1 : WB_STEP_THERE;
	if (r.response.status != 202)
		return WB_STEP_REFUSED;
	return take_location(u, &r, url, err) ? -1 : WB_STEP_ON;
}

static int status_once(struct wb_upload *u, uint64_t *received, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	wb_autofree char *url = wb_strdup(u->s.location);

	p.url = url;
	if (call(&r, u, &p, u->reg->push, err))
		return -1;
	const char *range = wb_http_result_header(&r, "Range");

	if (r.response.status == 403)
		return fail(u, &r, err);
	if ((r.response.status != 204 && r.response.status != 202 && r.response.status != 200) ||
		!range || !wb_upload_range_parse(received, range) || *received > u->d->size)
		return WB_STEP_LOST;
	return take_location(u, &r, url, err) ? -1 : WB_STEP_ON;
}

int wb_upload_status(struct wb_upload *u, uint64_t *received, struct wb_err *err)
{
	uint64_t before = UINT64_MAX;

	for (int i = 0; i < STATUS_TRIES; i++) {
		struct timespec nap = {.tv_nsec = SETTLE_MS * 1000 * 1000};
		uint64_t now = 0;
		int step = status_once(u, &now, err);

		if (step != WB_STEP_ON)
			return step;
		if (now == before) {
			*received = now;
			return WB_STEP_ON;
		}
		before = now;
		nanosleep(&nap, NULL);
		if (wb_cancel_check(err))
			return -1;
	}
	return WB_STEP_LOST;
}

int wb_upload_chunk(struct wb_upload *u, uint64_t len, uint64_t *claimed, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	wb_autofree char *range = wb_asprintf("Content-Range: %llu-%llu",
		(unsigned long long)u->s.acked, (unsigned long long)(u->s.acked + len - 1));
	const char *const headers[] = {"Content-Type: application/octet-stream", range, NULL};
	wb_autofree char *url = wb_strdup(u->s.location);
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	struct wb_err why = WB_ERR_INIT;

	p.method = WB_HTTP_PATCH;
	p.url = url;
	p.headers = headers;
	if (set_body(u, &p, len, err))
		return -1;
	if (call(&r, u, &p, u->reg->push, &why))
		return pause_after(u, &why, err);
	switch (r.response.status) {
	case 200:
	case 202:
	case 204: break;
	case 201: return WB_STEP_THERE; /* or so it says */
	case 404: return WB_STEP_LOST;
	case 413: fail(u, &r, &u->fault); return WB_STEP_TOO_LARGE;
	case 400:
	case 405:
	case 411:
	case 415:
	case 416:
	case 501: fail(u, &r, &u->fault); return WB_STEP_REFUSED;
	default: return pause_for(u, &r, err);
	}
	const char *value = wb_http_result_header(&r, "Range");

	*claimed = UINT64_MAX;
	if (value && !wb_upload_range_parse(claimed, value))
		*claimed = UINT64_MAX;
	u->s.acked += len;
	return take_location(u, &r, url, err) ? -1 : WB_STEP_ON;
}

int wb_upload_close(struct wb_upload *u, struct wb_err *err)
{
	static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	wb_autofree char *url = wb_upload_close_url(u->s.location, &u->d->digest);
	uint64_t rest = u->d->size - u->s.acked;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	struct wb_err why = WB_ERR_INIT;

	p.method = WB_HTTP_PUT;
	p.url = url;
	p.headers = headers;
	p.stall_s = CLOSE_PATIENCE_S + (unsigned)(u->d->size / PATIENCE_BYTES_PER_S);
	if (set_body(u, &p, rest, err))
		return -1;
	if (call(&r, u, &p, u->reg->push, &why))
		return pause_after(u, &why, err);
	switch (r.response.status) {
	case 200:
	case 201:
	case 204: break;
	case 404: return WB_STEP_LOST;
	case 413: fail(u, &r, &u->fault); return WB_STEP_TOO_LARGE;
	case 400:
	case 416: fail(u, &r, &u->fault); return WB_STEP_REFUSED;
	default: return pause_for(u, &r, err);
	}
	if (check_stored(u, &r, err))
		return -1;
	return u->body_sent == rest ? WB_STEP_THERE : answered_early(u, &r, rest, err);
}

void wb_upload_cancel(struct wb_upload *u)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	struct wb_err ignored = WB_ERR_INIT;

	p.method = WB_HTTP_DELETE;
	p.url = u->s.location;
	p.retries = -1;
	if (wb_registry_call(&r, u->reg, u->h, &p, u->reg->push, &ignored))
		wb_debug("%s", ignored.text);
}
