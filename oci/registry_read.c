#include <string.h>
#include <strings.h>

#include "base/cancel.h"
#include "base/log.h"
#include "oci/registry_internal.h"
#include "oci/uploadwire.h"

#define BUFFER (2u << 20) /* bytes held; receiving stops above half of it */
#define FAILURES_MAX 4    /* in a row without a single byte */
#define CHALLENGES 4

int wb_registry_probe_blob(bool *out, struct wb_registry *reg, struct wb_http *h,
	const struct wb_descriptor *d, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	wb_autofree char *url =
		wb_registry_url(reg, h, err, "blobs/%s", wb_digest_text(&d->digest).s);
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;

	p.method = WB_HTTP_HEAD;
	p.url = url;
	if (!url || wb_registry_call(&r, reg, h, &p, reg->pull, err))
		return -1;
	uint64_t length = r.response.content_length;

	/* Some registries answer HEAD without a length, or with 0. */
	*out = r.response.status == 200 &&
	       (length == d->size || length == 0 || length == UINT64_MAX);
	if (r.response.status == 200 || r.response.status == 404)
		return 0;
	/* A new repository may be refused to readers until something is in it (403): that says
	 * nothing about writing. */
	if (r.response.status == 403 || r.response.status == 405 || r.response.status == 400)
		return 0;
	wb_autofree char *doing =
		wb_asprintf("asking for the blob %s", wb_digest_text(&d->digest).s);

	return wb_registry_status_err(err, reg, &r.response, doing);
}

int wb_registry_has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	struct wb_http *h = wb_registry_engine(reg, err);

	if (!h)
		return -1;
	int rc = wb_registry_probe_blob(out, reg, h, d, err);

	wb_registry_engine_back(reg, h);
	return rc;
}

/* A blob's bytes from a response that runs while they are read. The response fills the buffer and
 * is stopped when it is half full; one that breaks off goes on with Range. */
struct blob_reader {
	struct wb_reader r;
	struct wb_registry *reg;
	struct wb_http *h;
	struct wb_digest digest;
	uint64_t size, pos; /* of the blob; where the next byte from the network belongs */
	char *buf;
	size_t start, len, cap;

	struct wb_http_req *req; /* while a request is open */
	struct wb_secret *login; /* that it carries */
	bool paused, again;
	uint64_t skip;     /* bytes to pass over: a 200 where a 206 was asked for */
	unsigned failures; /* since the last byte */
	int refusal;       /* 1: a 401 that another login may solve */
	struct wb_err err; /* how the last request ended */
};

static void forget_request(struct blob_reader *b)
{
	b->req = NULL;
	b->paused = false;
	b->skip = 0;
}

static void reader_close(struct wb_reader *r)
{
	struct blob_reader *b = (struct blob_reader *)r;

	if (b->req)
		wb_http_free(b->h);
	else
		wb_registry_engine_back(b->reg, b->h);
	wb_secret_unref(b->login);
	free(b->buf);
	free(b);
}

static int on_headers(struct wb_http_req *req, void *arg, struct wb_err *err)
{
	struct blob_reader *b = arg;
	const struct wb_http_response *r = wb_http_response(req);
	const char *range = wb_http_header(req, "Content-Range");
	uint64_t start, end, total;

	if (r->status == 200) {
		b->skip = b->pos;
		return 0;
	}
	if (r->status == 206 && range && wb_content_range_parse(&start, &end, &total, range) &&
		start == b->pos)
		return 0;
	return wb_err_set(err, WB_ERR_FORMAT,
		"\"%s\" answered a request for the rest of the blob %s with another part",
		b->reg->ref.host, wb_digest_text(&b->digest).s);
}

static int on_body(struct wb_http_req *req, const void *p, size_t n, void *arg, struct wb_err *err)
{
	struct blob_reader *b = arg;
	const char *bytes = p;

	if (b->skip) {
		size_t skip = b->skip < n ? (size_t)b->skip : n;

		b->skip -= skip;
		bytes += skip;
		n -= skip;
	}
	if (n > b->size - b->pos)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"the blob %s of \"%s\" is longer than its %llu bytes",
			wb_digest_text(&b->digest).s, b->reg->t.label, (unsigned long long)b->size);
	if (b->start + b->len + n > b->cap) {
		memmove(b->buf, b->buf + b->start, b->len);
		b->start = 0;
	}
	if (b->len + n > b->cap) {
		b->cap = b->len + n;
		b->buf = wb_realloc(b->buf, b->cap, 1);
	}
	memcpy(b->buf + b->start + b->len, bytes, n);
	b->len += n;
	b->pos += n;
	if (n)
		b->failures = 0;
	if (b->len >= BUFFER / 2 && !b->paused) {
		b->paused = true;
		wb_http_pause(req, true);
	}
	return 0;
}

static void take_refusal(struct blob_reader *b, struct wb_http_req *req)
{
	char *challenges[CHALLENGES];
	size_t n = 0;

	for (; n < CHALLENGES; n++) {
		challenges[n] = (char *)wb_http_header_nth(req, "WWW-Authenticate", (unsigned)n);
		if (!challenges[n])
			break;
	}
	if (!wb_registry_refused(
		    b->reg, challenges, n, b->login, b->again, wb_http_response(req), &b->err)) {
		b->refusal = 1;
		b->again = b->login != NULL;
	}
}

static int ends_early(const struct blob_reader *b, struct wb_err *err)
{
	return wb_err_set(err, WB_ERR_INTEGRITY,
		"the blob %s of \"%s\" ends after %llu of %llu bytes", wb_digest_text(&b->digest).s,
		b->reg->t.label, (unsigned long long)b->pos, (unsigned long long)b->size);
}

static void on_done(struct wb_http_req *req, void *arg, const struct wb_err *err)
{
	struct blob_reader *b = arg;
	const struct wb_http_response *r = wb_http_response(req);

	b->err = *err;
	/* The engine has tried as often as is of use when nothing at all came. */
	if (err->code == WB_ERR_NET && r->attempts > 1)
		b->failures = FAILURES_MAX;
	forget_request(b);
	if (err->code != WB_OK || r->status < 400)
		return;
	if (r->status == 401 && !r->redirected) {
		take_refusal(b, req);
		return;
	}
	if (r->status == 416) { /* there is no rest */
		ends_early(b, &b->err);
		return;
	}
	wb_autofree char *doing = wb_asprintf("reading the blob %s", wb_digest_text(&b->digest).s);

	wb_registry_status_err(&b->err, b->reg, r, doing);
}

static int start(struct blob_reader *b, struct wb_err *err)
{
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	wb_autofree char *url =
		wb_registry_url(b->reg, b->h, err, "blobs/%s", wb_digest_text(&b->digest).s);

	if (!url)
		return -1;
	wb_secret_unref(wb_steal(b->login));
	if (wb_auth_header(&b->login, b->reg->auth, b->h, b->reg->pull, err))
		return -1;
	p.url = url;
	p.authorization = b->login;
	p.range_start = b->pos ? (int64_t)b->pos : -1;
	p.on_headers_done = on_headers;
	p.on_body = on_body;
	p.on_done = on_done;
	p.arg = b;
	b->refusal = 0;
	b->err = WB_ERR_INIT;
	b->req = wb_http_submit(b->h, &p, err);
	return b->req ? 0 : -1;
}

/* A request has ended and bytes are missing: may another one bring them? */
static int go_on(struct blob_reader *b, struct wb_err *err)
{
	if (b->refusal)
		return start(b, err);
	if (b->err.code != WB_OK && (b->err.code != WB_ERR_NET || b->err.http_status >= 400)) {
		*err = b->err;
		return -1;
	}
	if (++b->failures > FAILURES_MAX) {
		if (b->err.code == WB_OK)
			ends_early(b, &b->err);
		*err = b->err;
		return -1;
	}
	if (b->failures > 1 || b->pos)
		wb_debug("the blob %s goes on at byte %llu", wb_digest_text(&b->digest).s,
			(unsigned long long)b->pos);
	b->again = false;
	return start(b, err);
}

/* Every byte is there: lets the response end, so that its connection can be used again. One that
 * goes on instead is caught by on_body(). */
static int finish(struct blob_reader *b, struct wb_err *err)
{
	while (b->req)
		if (wb_http_run(b->h, true, 250, NULL, err))
			return -1;
	if (b->err.code != WB_ERR_INTEGRITY)
		return 0;
	*err = b->err;
	return -1;
}

static int reader_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct blob_reader *b = (struct blob_reader *)r;

	while (!b->len) {
		if (b->paused) {
			b->paused = false;
			wb_http_pause(b->req, false);
		}
		if (b->pos == b->size) {
			*got = 0;
			return finish(b, err);
		}
		if (!b->req && go_on(b, err))
			return -1;
		/* A round takes what is there and then waits for more: wait only when there was
		 * nothing to take. */
		if (wb_http_run(b->h, true, 0, NULL, err))
			return -1;
		if (!b->len && b->req && wb_http_run(b->h, true, 250, NULL, err))
			return -1;
	}
	*got = n < b->len ? n : b->len;
	memcpy(p, b->buf + b->start, *got);
	b->start += *got;
	b->len -= *got;
	if (!b->len)
		b->start = 0;
	return 0;
}

int wb_registry_open_blob(struct wb_reader **out, struct wb_transport *t,
	const struct wb_descriptor *d, uint64_t offset, struct wb_err *err)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	struct wb_http *h = wb_registry_engine(reg, err);

	if (!h)
		return -1;
	struct blob_reader *b = wb_zalloc(sizeof(*b));

	b->r.read = reader_read;
	b->r.close = reader_close;
	b->reg = reg;
	b->h = h;
	b->digest = d->digest;
	b->size = d->size;
	b->pos = offset < d->size ? offset : d->size;
	b->cap = BUFFER;
	b->buf = wb_alloc(b->cap);
	if (b->pos < b->size && start(b, err)) {
		reader_close(&b->r);
		return -1;
	}
	*out = &b->r;
	return 0;
}
