/* Requests for the parts of files, and what becomes of their bytes and faults. */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "builder/fetch/fetch_internal.h"

#define SEGMENT_MIN (4u << 20)
#define SEGMENT_MAX (64u << 20)
#define SEGMENT_ALONG (16u << 20) /* at most, where somebody reads along: sooner without gaps */
#define SEGMENT_FILE (1u << 30)   /* at most, where other connections have files of their own */
#define SPLIT_MIN (2u << 20)      /* a request with less left is left alone, */
#define SPLIT_MS 1000             /* and one that is soon done */
#define WHOLE_MAX (10u << 20)     /* a file of so much is asked for in one piece */
#define SLOW_MIN \
	(32u << 10) /* so much is written when it took SLOW_MS to come: what is not written */
#define SLOW_MS 10  /* is lost when the process is killed */
#define PROGRESS (64u << 10) /* less than this in one request is none */
#define FAULTS_MAX 8
#define REFUSALS_MAX 3

/* What one request asks for: a fair part of what nobody was asked for yet. Large at first, that the
 * wait between two requests costs little; smaller and smaller to the end, that all connections are
 * busy until then. Where there is a file for each connection, it gets that in one piece: its bytes
 * come in the order in which they are hashed, and servers have less to do. */
static uint64_t segment_for(const struct wb_fetch *d, uint64_t size)
{
	uint64_t left = d->unbegun_bytes, n;

	wb_vec_foreach (f, &d->open)
		left += wb_ranges_total(&(*f)->todo);
	if (!d->o.grows && size <= left / d->limit && size <= SEGMENT_FILE)
		return size;
	n = left / (2 * (uint64_t)d->most);
	uint64_t most = d->o.grows ? SEGMENT_ALONG : SEGMENT_MAX;

	n = n < SEGMENT_MIN ? SEGMENT_MIN : n > most ? most : n;
	return (n + 0xfffff) & ~(uint64_t)0xfffff;
}

unsigned wb_transfer_fresh(const struct wb_fetch *d)
{
	unsigned n = 0;

	wb_vec_foreach (t, &d->transfers)
		n += (*t)->f && !(*t)->head && (*t)->pos == (*t)->start;
	return n;
}

static struct wb_transfer *slot(struct wb_fetch *d)
{
	wb_vec_foreach (t, &d->transfers)
		if (!(*t)->f)
			return *t;
	struct wb_transfer *t = wb_zalloc(sizeof(*t));

	t->fetch = d;
	*wb_vec_push(&d->transfers) = t;
	return t;
}

static void hand_over(struct wb_transfer *t)
{
	if (!t->buffer)
		return;
	if (t->buffer->len)
		wb_sink_put(t->f->sink, t->buffer);
	else
		wb_sink_buffer_return(t->fetch->sink, t->buffer);
	t->buffer = NULL;
}

static void discard(struct wb_transfer *t)
{
	if (t->buffer)
		wb_sink_buffer_return(t->fetch->sink, t->buffer);
	t->buffer = NULL;
}

static bool take_buffer(struct wb_transfer *t)
{
	t->buffer = wb_sink_buffer(t->fetch->sink);
	if (!t->buffer)
		return false;
	t->buffer->offset = t->pos;
	t->taken = wb_fetch_now();
	return true;
}

static void forget_direct(struct wb_fetch_file *f)
{
	free(f->direct);
	f->direct = NULL;
	f->answered = false;
}

/* "bytes 0-99/1000" against what was asked for. */
static bool range_fits(const char *value, const struct wb_transfer *t, uint64_t size)
{
	wb_autofree char *want = wb_asprintf("bytes %llu-%llu/%llu", (unsigned long long)t->start,
		(unsigned long long)t->end - 1, (unsigned long long)size);
	wb_autofree char *star = wb_asprintf(
		"bytes %llu-%llu/*", (unsigned long long)t->start, (unsigned long long)t->end - 1);

	return value && (!strcmp(value, want) || !strcmp(value, star));
}

static int changed(struct wb_err *err, const struct wb_fetch_file *f, const char *what)
{
	wb_err_set(err, WB_ERR_NET, "%s: \"%s\" changed while it was fetched: %s", f->item->label,
		f->item->file->path, what);
	return wb_err_hint(err, "run it again");
}

/* The server sends the whole although a part was asked for: it will do so each time. */
static int whole_instead(struct wb_transfer *t, struct wb_err *err)
{
	struct wb_fetch_file *f = t->f;

	f->no_ranges = true;
	t->bad = true;
	wb_fetch_start_over(f);
	return wb_err_set(err, WB_ERR_NET, "the server knows no ranges");
}

static int on_headers(struct wb_http_req *req, void *arg, struct wb_err *err)
{
	struct wb_transfer *t = arg;
	struct wb_fetch_file *f = t->f;
	const struct wb_http_response *r = wb_http_response(req);
	uint64_t size = f->item->file->size;

	wb_remote_learn(f->item->file, req);
	if (t->head)
		return 0;
	/* Within one host the credentials are still needed. */
	if (r->redirected && !t->direct && !wb_url_same_origin(t->url, r->effective_url)) {
		forget_direct(f);
		f->direct = wb_strdup(r->effective_url);
	}
	f->answered = true;
	/* What the listing did not tell, or what was no MD5 after all, before the first byte. */
	if (!t->ranged && f->got == 0 && f->state == WB_FETCH_RUNNING)
		wb_sink_start(f->sink, &f->item->file->known);
	if (t->ranged && r->status != 206)
		return whole_instead(t, err);
	if (t->ranged && !range_fits(wb_http_header(req, "Content-Range"), t, size)) {
		t->bad = true;
		return changed(err, f, "another range came than was asked for");
	}
	if (!t->ranged && size != WB_SIZE_UNKNOWN && r->content_length != UINT64_MAX &&
		r->content_length != size)
		return wb_err_set(err, WB_ERR_NET,
			"the server announces %llu bytes where %llu were listed",
			(unsigned long long)r->content_length, (unsigned long long)size);
	return 0;
}

static void take_or_pause(struct wb_transfer *t)
{
	if (take_buffer(t))
		return;
	t->paused = true;
	t->fetch->window_starved = true;
	wb_http_pause(t->req, true);
}

static int on_body(struct wb_http_req *req, const void *p, size_t n, void *arg, struct wb_err *err)
{
	struct wb_transfer *t = arg;
	struct wb_fetch_file *f = t->f;

	if (t->head)
		return 0;
	if (t->split && n > t->end - t->pos)
		n = (size_t)(t->end - t->pos);
	if (t->end != UINT64_MAX && n > t->end - t->pos)
		return wb_err_set(err, WB_ERR_NET, "more bytes came than were asked for");
	if (!t->buffer || n > WB_SINK_FULL + WB_SINK_SLACK - t->buffer->len)
		return wb_err_set(err, WB_ERR_LIMIT, "no room for what came");
	wb_copy(t->buffer->data + t->buffer->len, p, n);
	t->buffer->len += n;
	t->first = t->first ? t->first : wb_fetch_now();
	t->pos += n;
	f->got += n;
	t->fetch->transferred += n;
	t->fetch->window_bytes += n;
	bool small = f->item->file->size <= WB_SINK_FULL;

	if (t->pos == t->end || (!small && t->buffer->len >= WB_SINK_FULL))
		hand_over(t);
	if (t->pos < t->end && !t->buffer)
		take_or_pause(t);
	if (t->split && t->pos == t->end)
		wb_http_abort(req);
	return 0;
}

/* What came slowly is written before its buffer is full. */
static void write_early(struct wb_fetch *d)
{
	int64_t now = wb_fetch_now();

	wb_vec_foreach (p, &d->transfers) {
		struct wb_transfer *t = *p;

		if (!t->f || !t->req || !t->buffer || t->buffer->len < SLOW_MIN ||
			now - t->taken < SLOW_MS || t->f->item->file->size <= WB_SINK_FULL)
			continue;
		hand_over(t);
		take_or_pause(t);
	}
}

void wb_transfer_look_after(struct wb_fetch *d)
{
	write_early(d);
	wb_vec_foreach (p, &d->transfers) {
		struct wb_transfer *t = *p;

		if (!t->f || !t->paused)
			continue;
		if (!take_buffer(t))
			return;
		t->paused = false;
		wb_http_pause(t->req, false);
	}
}

/* What did not come goes back to what is to be asked for. Small files have no part to keep a piece
 * in, files of unknown size no way to ask for the rest. */
static void give_back(struct wb_transfer *t)
{
	struct wb_fetch_file *f = t->f;
	uint64_t size = f->item->file->size;

	if (f->state == WB_FETCH_AGAIN || t->head) {
		discard(t);
	} else if (size == WB_SIZE_UNKNOWN || f->no_ranges) {
		discard(t);
		if (t->pos < t->end)
			wb_fetch_start_over(f);
	} else if (size <= WB_SINK_FULL) {
		if (t->pos < t->end) {
			f->got -= t->pos - t->start;
			discard(t);
			wb_ranges_add(&f->todo, t->start, t->end);
		}
	} else {
		hand_over(t);
		wb_ranges_add(&f->todo, t->pos, t->end);
	}
}

static void release(struct wb_transfer *t)
{
	struct wb_fetch_file *f = t->f;

	t->fetch->active--;
	f->transfers--;
	free(t->url);
	*t = (struct wb_transfer){.fetch = t->fetch};
	if (f->state == WB_FETCH_RUNNING && f->todo.list.n == 0 && f->transfers == 0)
		f->state = WB_FETCH_FINISHING;
}

static void wait_a_little(struct wb_fetch_file *f)
{
	unsigned shift = f->faults > 5 ? 5 : f->faults;

	f->not_before = wb_fetch_now() + (f->faults ? (100 << shift) : 0);
}

/* A transfer that broke. Where bytes came, another request continues; the engine below has already
 * repeated those that never began. */
static void broke(struct wb_transfer *t, const struct wb_err *why)
{
	struct wb_fetch_file *f = t->f;
	struct wb_err err = *why;

	if (t->bad && f->state == WB_FETCH_AGAIN)
		return;
	f->faults = t->pos - t->start >= PROGRESS ? 0 : f->faults + 1;
	wb_debug("%s: \"%s\": %s", f->item->label, f->item->file->path, err.text);
	wait_a_little(f);
	if (t->direct && t->pos == t->start)
		forget_direct(f);
	if ((err.code != WB_ERR_NET || f->faults >= FAULTS_MAX || t->bad ||
		    (t->pos == t->start && !t->direct && wb_http_response(t->req)->status == 0))) {
		if (!strstr(err.text, f->item->file->path))
			wb_err_wrap(&err, "%s: \"%s\"", f->item->label, f->item->file->path);
		wb_fetch_fail(t->fetch, &err);
	}
}

static void refused(struct wb_transfer *t)
{
	struct wb_refusal refusal = wb_refusal_of(t->req);
	struct wb_fetch_file *f = t->f;
	struct wb_err err = WB_ERR_INIT;
	int status = refusal.response->status;

	if (status == 429 || status == 503)
		t->fetch->patience = true;
	f->refusals++;
	bool elsewhere = t->direct || !wb_url_same_origin(t->url, refusal.response->effective_url);

	if (f->refusals <= REFUSALS_MAX && elsewhere && status < 500) { /* a signature ran out */
		forget_direct(f);
		return;
	}
	if (f->refusals <= REFUSALS_MAX && wb_remote_refresh(f->item->remote, &refusal))
		return;
	if (t->head) { /* a HEAD is a luxury */
		f->head_done = true;
		return;
	}
	wb_remote_refused(&err, f->item->remote, f->item->file->path, &refusal);
	wb_fetch_fail(t->fetch, &err);
}

static void came(struct wb_transfer *t)
{
	struct wb_fetch_file *f = t->f;

	f->faults = f->refusals = 0;
	if (t->head) {
		f->head_done = true;
	} else if (t->end == UINT64_MAX) {
		f->item->file->size = t->end = t->pos;
		hand_over(t);
		wb_sink_end(f->sink, t->pos);
	}
}

static void on_done(struct wb_http_req *req, void *arg, const struct wb_err *why)
{
	struct wb_transfer *t = arg;
	struct wb_fetch_file *f = t->f;
	struct wb_err short_body = WB_ERR_INIT;
	int status = wb_http_response(req)->status;

	t->fetch->patience |=
		wb_http_response(req)->attempts > 1 && (status == 429 || status == 503);
	if (t->split && t->pos == t->end) {
		came(t);
	} else if (why->code != WB_OK) {
		broke(t, why);
	} else if (status >= 300) {
		refused(t);
	} else if (!t->head && t->end != UINT64_MAX && t->pos < t->end) {
		wb_err_set(&short_body, WB_ERR_NET, "the server sent less than it should");
		broke(t, &short_body);
	} else {
		came(t);
	}
	give_back(t);
	if (t->head)
		f->state = f->state == WB_FETCH_AGAIN ? f->state : WB_FETCH_WAITING;
	release(t);
}

/* The request for [start, end) of the file; to the address that redirects led to when it is known.
 */
static int submit(struct wb_transfer *t, struct wb_err *err)
{
	struct wb_fetch_file *f = t->f;
	WB_AUTO(wb_remote_request_release) struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	const struct wb_remote_want want = {
		.start = t->ranged ? (int64_t)t->start : -1,
		.end = t->ranged ? (int64_t)t->end - 1 : -1,
		.head = t->head,
	};

	t->direct = f->direct && !t->head;
	if (t->direct)
		rq.url = wb_strdup(f->direct);
	else if (wb_remote_request(&rq, f->item->remote, f->item->file, &want, err))
		return -1;
	wb_remote_request_fill(&p, &rq, &want);
	p.body_about = t->end == UINT64_MAX ? 0 : t->end - t->start;
	p.on_headers_done = on_headers;
	p.on_body = on_body;
	p.on_done = on_done;
	p.arg = t;
	t->url = wb_strdup(rq.url);
	t->req = wb_http_submit(t->fetch->o.http, &p, err);
	return t->req ? 0 : -1;
}

static bool begin(struct wb_fetch *d, struct wb_transfer *t)
{
	struct wb_err err = WB_ERR_INIT;

	d->active++;
	t->f->transfers++;
	if (submit(t, &err) == 0)
		return true;
	give_back(t);
	release(t);
	wb_fetch_fail(d, &err);
	return false;
}

bool wb_transfer_start(struct wb_fetch *d, struct wb_fetch_file *f)
{
	uint64_t size = f->item->file->size, segment = segment_for(d, size);
	struct wb_range r;
	struct wb_transfer *t;

	if (f->state == WB_FETCH_HEAD) {
		t = slot(d);
		t->f = f;
		t->head = true;
		return begin(d, t);
	}
	if (!wb_ranges_next(&r, &f->todo, 0))
		return false;
	t = slot(d);
	t->f = f;
	t->start = t->pos = r.start;
	t->end = r.end;
	bool whole = r.start == 0 && (size == WB_SIZE_UNKNOWN || r.end == size) &&
	             (f->no_ranges || size == WB_SIZE_UNKNOWN || size <= WHOLE_MAX);

	t->ranged = !whole;
	if (!whole && r.end - r.start > segment + segment / 4)
		t->end = r.start + segment;
	if (!take_buffer(t)) {
		t->f = NULL;
		return false;
	}
	wb_ranges_remove(&f->todo, t->start, t->end);
	return begin(d, t);
}

/* How long a request still takes if it goes on as it did, in ms; 0 when it must not be split:
 * nobody could ask for the rest just now, or the workers are what it waits for. */
static uint64_t takes_ms(const struct wb_transfer *t, int64_t now)
{
	uint64_t left = t->end - t->pos, got = t->pos - t->start;
	bool goes = t->f && t->ranged && !t->head && !t->paused && got;

	if (!goes || left < SPLIT_MIN || t->f->todo.list.n || !wb_fetch_takes_one(t->f, now))
		return 0;
	return (uint64_t)((double)left * (double)(now - t->first) / (double)got);
}

/* Without it, all would wait at the end for whoever has the slowest connection. What it brings
 * beyond its new end is thrown away, with the connection. */
bool wb_transfer_split(struct wb_fetch *d)
{
	struct wb_transfer *slowest = NULL;
	int64_t now = wb_fetch_now();
	uint64_t most = SPLIT_MS;

	wb_vec_foreach (t, &d->transfers) {
		uint64_t ms = takes_ms(*t, now);

		if (ms > most) {
			most = ms;
			slowest = *t;
		}
	}
	if (!slowest)
		return false;
	uint64_t middle = slowest->pos + (slowest->end - slowest->pos) / 2;

	wb_debug("\"%s\": another connection takes over from byte %llu",
		slowest->f->item->file->path, (unsigned long long)middle);
	wb_ranges_add(&slowest->f->todo, middle, slowest->end);
	slowest->end = middle;
	slowest->split = true;
	return true;
}

void wb_transfer_stop_all(struct wb_fetch *d)
{
	wb_vec_foreach (p, &d->transfers) {
		struct wb_transfer *t = *p;

		if (!t->f)
			continue;
		if (t->req)
			wb_http_drop(t->req);
		give_back(t);
		release(t);
	}
}
