#include "builder/fetch/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

#define TURN (8u << 20)       /* bytes written or hashed before a worker looks at the queue again */
#define KEEP_AHEAD (4u << 20) /* what is further from its turn is read back then */
#define FLUSH_STEP (8u << 20) /* bytes written before write-back is started */

/* A turn at a file: to write what came for it, to hash what is next, or to make it a blob. One
 * worker at a time has each of them: a file takes one writer at a time anyway (the others would
 * wait for the kernel's lock of the inode, spinning), and hashing has an order. */
enum turn_kind { WRITE, HASH, FINISH, KINDS };

struct turn {
	struct turn *next;
	struct wb_sink_file *f;
	enum turn_kind kind;
	bool busy, again; /* busy: queued or running; again: asked for meanwhile */
};

struct queue {
	struct turn *first, **last;
};

struct wb_sink {
	struct wb_store *store;
	void (*woken)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* of all below, and of every file's list links and pending */
	pthread_cond_t work, finish, idle;
	struct wb_sink_buffer *free;
	struct queue queues[KINDS];
	struct wb_sink_file *done;
	bool stop, starved; /* starved: someone asked for a buffer in vain */
	unsigned n_threads;
	pthread_t threads[WB_POOL_MAX + 1];
};

struct wb_sink_file {
	struct wb_sink *s;
	struct wb_sink_file *next_done;
	struct wb_part part;
	char *validator;
	bool small;
	struct turn turns[KINDS];                 /* s->lock */
	struct wb_sink_buffer *came, **came_last; /* not written yet; s->lock */

	pthread_mutex_t lock; /* of all below */
	struct wb_ranges have;
	struct wb_sink_buffer *ready; /* written, to be hashed from memory; by offset */
	uint64_t size, hashed, unflushed;
	bool started, whole, ended; /* whole: all is hashed */
	struct wb_check check;
	struct wb_digest digest;
	struct wb_err err;
};

static void buffer_free_locked(struct wb_sink *s, struct wb_sink_buffer *b)
{
	b->len = 0;
	b->next = s->free;
	s->free = b;
}

void wb_sink_buffer_return(struct wb_sink *s, struct wb_sink_buffer *b)
{
	pthread_mutex_lock(&s->lock);
	buffer_free_locked(s, b);
	bool wake = s->starved;

	s->starved = false;
	pthread_mutex_unlock(&s->lock);
	if (wake)
		s->woken(s->arg);
}

struct wb_sink_buffer *wb_sink_buffer(struct wb_sink *s)
{
	pthread_mutex_lock(&s->lock);
	struct wb_sink_buffer *b = s->free;

	if (b)
		s->free = b->next;
	else
		s->starved = true;
	pthread_mutex_unlock(&s->lock);
	return b;
}

/* s->lock is held. */
static void give_turn_locked(struct wb_sink_file *f, enum turn_kind kind)
{
	struct turn *t = &f->turns[kind];
	struct queue *q = &f->s->queues[kind];

	t->again = t->busy;
	if (t->busy)
		return;
	t->busy = true;
	t->next = NULL;
	*q->last = t;
	q->last = &t->next;
	pthread_cond_signal(kind == FINISH ? &f->s->finish : &f->s->work);
}

static void give_turn(struct wb_sink_file *f, enum turn_kind kind)
{
	pthread_mutex_lock(&f->s->lock);
	give_turn_locked(f, kind);
	pthread_mutex_unlock(&f->s->lock);
}

/* s->lock is held. */
static struct turn *take_turn(struct wb_sink *s, enum turn_kind kind)
{
	struct queue *q = &s->queues[kind];
	struct turn *t = q->first;

	if (t)
		q->first = t->next;
	if (!q->first)
		q->last = &q->first;
	return t;
}

/* s->lock is held. */
static bool is_idle(const struct wb_sink_file *f)
{
	return !f->turns[WRITE].busy && !f->turns[HASH].busy && !f->turns[FINISH].busy;
}

/* s->lock is held. */
static void end_turn(struct turn *t, bool more)
{
	more |= t->again;
	t->busy = false;
	if (more)
		give_turn_locked(t->f, t->kind);
	else if (is_idle(t->f))
		pthread_cond_broadcast(&t->f->s->idle);
}

/* f->lock is held. The first fault stays; the file is told of once. */
static void end_locked(struct wb_sink_file *f, const struct wb_err *err)
{
	struct wb_sink *s = f->s;

	if (f->ended)
		return;
	f->ended = true;
	if (err)
		f->err = *err;
	pthread_mutex_lock(&s->lock);
	f->next_done = s->done;
	s->done = f;
	pthread_mutex_unlock(&s->lock);
	s->woken(s->arg);
}

/* A whole small file in memory. */
static void take_small(struct wb_sink_file *f, struct wb_sink_buffer *b)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	wb_check_update(&f->check, b->data, b->len);
	bool ok = wb_check_finish(&d, &f->check, &err) == 0 &&
	          (wb_store_has(f->s->store, &d, b->len) ||
			  wb_store_put(f->s->store, b->data, b->len, &d, &err) == 0);

	wb_sink_buffer_return(f->s, b);
	pthread_mutex_lock(&f->lock);
	f->digest = d;
	end_locked(f, ok ? NULL : &err);
	pthread_mutex_unlock(&f->lock);
}

static int write_buffer(struct wb_sink_file *f, const struct wb_sink_buffer *b, struct wb_err *err)
{
	if (f->part.to_reserve && wb_part_reserve(&f->part, err))
		return -1;
	for (size_t at = 0; at < b->len;) {
		ssize_t n = pwrite(f->part.fd, b->data + at, b->len - at, (off_t)(b->offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wb_err_sys(err, errno, "cannot write \"%s\"", f->part.path);
		at += (size_t)n;
	}
	return wb_part_note(&f->part, b->offset, b->offset + b->len, err);
}

/* -> something is to be hashed. */
static bool write_and_keep(struct wb_sink_file *f, struct wb_sink_buffer *b)
{
	struct wb_err err = WB_ERR_INIT;
	int rc = write_buffer(f, b, &err);
	struct wb_sink_buffer **at = &f->ready;

	pthread_mutex_lock(&f->lock);
	if (rc)
		end_locked(f, &err);
	else
		wb_ranges_add(&f->have, b->offset, b->offset + b->len);
	f->unflushed += b->len;
	bool flush = f->unflushed >= FLUSH_STEP;

	f->unflushed = flush ? 0 : f->unflushed;
	/* Kept only when nothing is missing before it, and little: then its turn comes soon. */
	bool keep = !rc && b->offset >= f->hashed && b->offset - f->hashed <= KEEP_AHEAD &&
	            wb_ranges_end(&f->have, f->hashed) >= b->offset + b->len;
	bool more = wb_ranges_end(&f->have, f->hashed) > f->hashed;

	while (keep && *at && (*at)->offset < b->offset)
		at = &(*at)->next;
	if (keep) {
		b->next = *at;
		*at = b;
	}
	pthread_mutex_unlock(&f->lock);
	if (!keep)
		wb_sink_buffer_return(f->s, b);
	/* Write-back starts early, so that making the blob durable does not begin with a full
	 * cache. */
	if (flush)
		sync_file_range(f->part.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return more;
}

static struct wb_sink_buffer *next_that_came(struct wb_sink_file *f)
{
	pthread_mutex_lock(&f->s->lock);
	struct wb_sink_buffer *b = f->came;

	if (b)
		f->came = b->next;
	if (!f->came)
		f->came_last = &f->came;
	pthread_mutex_unlock(&f->s->lock);
	return b;
}

/* -> more came meanwhile. */
static bool write_some(struct wb_sink_file *f)
{
	struct wb_sink_buffer *b = NULL;

	for (size_t n = 0; n < TURN && (b = next_that_came(f)); n += WB_SINK_FULL) {
		pthread_mutex_lock(&f->lock);
		bool over = f->ended || f->whole;

		pthread_mutex_unlock(&f->lock);
		if (over)
			wb_sink_buffer_return(f->s, b);
		else if (f->small)
			take_small(f, b);
		else if (write_and_keep(f, b))
			give_turn(f, HASH);
	}
	return b != NULL;
}

struct piece {
	const char *p;
	size_t n;
	struct wb_sink_buffer *b; /* that p is in, or NULL */
};

/* The next bytes to hash: of a buffer that is still at hand, else read back into scratch. False
 * when there are none. */
static bool piece_take(struct piece *out, struct wb_sink_file *f, char *scratch)
{
	struct wb_err err = WB_ERR_INIT;

	*out = (struct piece){.p = scratch};
	pthread_mutex_lock(&f->lock);
	uint64_t from = f->hashed, end = wb_ranges_end(&f->have, from);
	struct wb_sink_buffer *b = f->ready;
	bool any = f->started && !f->whole && !f->ended;

	if (any && b && b->offset <= from) {
		/* A range that was fetched twice may overlap what is hashed. */
		uint64_t skip = from - b->offset < b->len ? from - b->offset : b->len;

		f->ready = b->next;
		*out = (struct piece){b->data + skip, b->len - (size_t)skip, b};
	} else if (any) {
		uint64_t stop = b && b->offset < end ? b->offset : end;

		out->n = stop - from < WB_SINK_FULL ? (size_t)(stop - from) : WB_SINK_FULL;
	}
	pthread_mutex_unlock(&f->lock);
	if (out->b || out->n == 0)
		return out->b != NULL;
	if (wb_file_read_full(f->part.fd, scratch, out->n, (int64_t)from, f->part.path, &err) == 0)
		return true;
	pthread_mutex_lock(&f->lock);
	end_locked(f, &err);
	pthread_mutex_unlock(&f->lock);
	return false;
}

static void piece_done(struct wb_sink_file *f, const struct piece *p)
{
	if (p->b)
		wb_sink_buffer_return(f->s, p->b);
	pthread_mutex_lock(&f->lock);
	f->hashed += p->n;
	pthread_mutex_unlock(&f->lock);
}

/* Waits for the disk: on a thread of its own. */
static void complete(struct wb_sink_file *f)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;
	bool ok = wb_check_finish(&d, &f->check, &err) == 0;

	if (ok && wb_store_has(f->s->store, &d, f->hashed))
		unlink(f->part.path); /* arrived under another name meanwhile */
	else if (ok)
		ok = wb_store_adopt(f->s->store, f->part.path, &d, &err) == 0;
	if (ok) {
		wb_part_drop_log(&f->part);
		wb_states_remember(f->s->store, &d, f->hashed, f->check.states.items);
	}
	pthread_mutex_lock(&f->lock);
	f->digest = d;
	end_locked(f, ok ? NULL : &err);
	pthread_mutex_unlock(&f->lock);
}

static void hash_ended(struct wb_sink_file *f)
{
	pthread_mutex_lock(&f->lock);
	bool all = f->started && !f->whole && !f->ended && f->hashed == f->size;

	f->whole |= all;
	pthread_mutex_unlock(&f->lock);
	if (all)
		give_turn(f, FINISH);
}

/* A turn at one file or at two (b may be NULL), whose hashes cost little more than one. more: there
 * is more to do. */
static void hash_some(bool more[2], struct wb_sink_file *a, struct wb_sink_file *b, char *scratch)
{
	struct piece p, q;
	size_t n = 0;

	do {
		more[0] = piece_take(&p, a, scratch);
		more[1] = b && piece_take(&q, b, scratch + WB_SINK_FULL);
		if (more[0] && more[1])
			wb_check_update_two(&a->check, p.p, p.n, &b->check, q.p, q.n);
		else if (more[0])
			wb_check_update(&a->check, p.p, p.n);
		else if (more[1])
			wb_check_update(&b->check, q.p, q.n);
		if (more[0])
			piece_done(a, &p);
		if (more[1])
			piece_done(b, &q);
		n += WB_SINK_FULL;
	} while (n < TURN && (more[0] || more[1]));
	hash_ended(a);
	if (b)
		hash_ended(b);
}

/* Writing goes first: it brings together what can be hashed in pairs, and what it keeps is bounded
 * by the buffers. */
static void *worker(void *arg)
{
	wb_autofree char *scratch = wb_alloc_pages(2 * WB_SINK_FULL);
	struct wb_sink *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct turn *t, *with = NULL;
		bool more[2] = {false, false};

		while (!(t = take_turn(s, WRITE)) && !(t = take_turn(s, HASH)) && !s->stop)
			pthread_cond_wait(&s->work, &s->lock);
		if (!t)
			break;
		if (t->kind == HASH)
			with = take_turn(s, HASH);
		pthread_mutex_unlock(&s->lock);
		if (t->kind == WRITE)
			more[0] = write_some(t->f);
		else
			hash_some(more, t->f, with ? with->f : NULL, scratch);
		pthread_mutex_lock(&s->lock);
		end_turn(t, more[0]);
		if (with)
			end_turn(with, more[1]);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void *finisher(void *arg)
{
	struct wb_sink *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct turn *t;

		while (!(t = take_turn(s, FINISH)) && !s->stop)
			pthread_cond_wait(&s->finish, &s->lock);
		if (!t)
			break;
		pthread_mutex_unlock(&s->lock);
		complete(t->f);
		pthread_mutex_lock(&s->lock);
		end_turn(t, false);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* -> 0, or an errno */
static int start_thread(struct wb_sink *s, void *(*run)(void *arg))
{
	int errnum = pthread_create(&s->threads[s->n_threads], NULL, run, s);

	if (!errnum)
		s->n_threads++;
	return errnum;
}

/* Fewer workers than asked for are slower; without one, or without the finisher, nothing would ever
 * end. */
static int start_threads(struct wb_sink *s, unsigned workers)
{
	int errnum = start_thread(s, finisher);

	for (unsigned i = 0; i < workers && i < WB_POOL_MAX && !errnum; i++)
		errnum = start_thread(s, worker);
	return s->n_threads > 1 ? 0 : errnum;
}

struct wb_sink *wb_sink_new(struct wb_store *store, unsigned threads, unsigned buffers,
	void (*woken)(void *arg), void *arg, struct wb_err *err)
{
	struct wb_sink *s = wb_zalloc(sizeof(*s));

	s->store = store;
	s->woken = woken;
	s->arg = arg;
	for (int kind = 0; kind < KINDS; kind++)
		s->queues[kind].last = &s->queues[kind].first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->finish, NULL);
	pthread_cond_init(&s->idle, NULL);
	for (unsigned i = 0; i < buffers; i++) {
		struct wb_sink_buffer *b = wb_zalloc(sizeof(*b));

		b->data = wb_alloc_pages(WB_SINK_FULL + WB_SINK_SLACK);
		buffer_free_locked(s, b);
	}
	int errnum = start_threads(s, threads ? threads : wb_pool_cores());

	if (!errnum)
		return s;
	wb_err_sys(err, errnum, "cannot start a thread that writes down what is downloaded");
	wb_sink_free(s);
	return NULL;
}

void wb_sink_free(struct wb_sink *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->work);
	pthread_cond_broadcast(&s->finish);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->n_threads; i++)
		pthread_join(s->threads[i], NULL);
	while (s->free) {
		struct wb_sink_buffer *b = s->free;

		s->free = b->next;
		free(b->data);
		free(b);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->finish);
	pthread_cond_destroy(&s->idle);
	free(s);
}

struct wb_sink_file *wb_sink_open(struct wb_sink *s, const char *key, const char *validator,
	uint64_t size, struct wb_err *err)
{
	struct wb_sink_file *f = wb_zalloc(sizeof(*f));

	f->s = s;
	f->size = size;
	f->small = size <= WB_SINK_FULL;
	f->validator = wb_strdup(validator);
	f->part = WB_PART_INIT;
	for (int kind = 0; kind < KINDS; kind++)
		f->turns[kind] = (struct turn){.f = f, .kind = (enum turn_kind)kind};
	f->came_last = &f->came;
	pthread_mutex_init(&f->lock, NULL);
	if (!f->small && wb_part_open(&f->part, &f->have, s->store, key, validator, size, err)) {
		wb_sink_close(f);
		return NULL;
	}
	return f;
}

const struct wb_ranges *wb_sink_have(const struct wb_sink_file *f)
{
	return &f->have;
}

uint64_t wb_sink_reached(struct wb_sink_file *f)
{
	pthread_mutex_lock(&f->lock);
	uint64_t reached = wb_ranges_end(&f->have, 0);

	pthread_mutex_unlock(&f->lock);
	return reached;
}

struct wb_growing *wb_sink_growing(const struct wb_sink_file *f)
{
	return f->small ? NULL : wb_growing_new(f->part.fd);
}

void wb_sink_start(struct wb_sink_file *f, const struct wb_known *want)
{
	pthread_mutex_lock(&f->lock);
	wb_check_release(&f->check);
	wb_check_init(&f->check, want, f->size);
	f->started = true;
	pthread_mutex_unlock(&f->lock);
	if (!f->small)
		give_turn(f, HASH);
}

void wb_sink_put(struct wb_sink_file *f, struct wb_sink_buffer *b)
{
	pthread_mutex_lock(&f->s->lock);
	b->next = NULL;
	*f->came_last = b;
	f->came_last = &b->next;
	give_turn_locked(f, WRITE);
	pthread_mutex_unlock(&f->s->lock);
}

void wb_sink_end(struct wb_sink_file *f, uint64_t size)
{
	pthread_mutex_lock(&f->lock);
	f->size = size;
	pthread_mutex_unlock(&f->lock);
	give_turn(f, HASH);
}

bool wb_sink_idle(struct wb_sink_file *f)
{
	pthread_mutex_lock(&f->s->lock);
	bool idle = is_idle(f);

	pthread_mutex_unlock(&f->s->lock);
	return idle;
}

static void drop_ready(struct wb_sink_file *f)
{
	while (f->ready) {
		struct wb_sink_buffer *b = f->ready;

		f->ready = b->next;
		wb_sink_buffer_return(f->s, b);
	}
}

int wb_sink_restart(struct wb_sink_file *f, struct wb_err *err)
{
	drop_ready(f);
	wb_ranges_release(&f->have);
	f->hashed = f->unflushed = 0;
	f->started = f->whole = f->ended = false;
	f->err = WB_ERR_INIT;
	return f->small ? 0 : wb_part_restart(&f->part, f->validator, f->size, err);
}

void wb_sink_close(struct wb_sink_file *f)
{
	if (!f)
		return;
	struct wb_sink *s = f->s;

	pthread_mutex_lock(&s->lock);
	while (!is_idle(f))
		pthread_cond_wait(&s->idle, &s->lock);
	for (struct wb_sink_file **p = &s->done; *p; p = &(*p)->next_done)
		if (*p == f) {
			*p = f->next_done;
			break;
		}
	pthread_mutex_unlock(&s->lock);
	drop_ready(f);
	wb_check_release(&f->check);
	wb_ranges_release(&f->have);
	wb_part_release(&f->part);
	pthread_mutex_destroy(&f->lock);
	free(f->validator);
	free(f);
}

struct wb_sink_file *wb_sink_collect(
	struct wb_sink *s, struct wb_digest *digest, uint64_t *size, struct wb_err *err)
{
	pthread_mutex_lock(&s->lock);
	struct wb_sink_file *f = s->done;

	if (f)
		s->done = f->next_done;
	pthread_mutex_unlock(&s->lock);
	if (!f)
		return NULL;
	pthread_mutex_lock(&f->lock);
	*digest = f->digest;
	*size = f->check.seen;
	*err = f->err;
	pthread_mutex_unlock(&f->lock);
	return f;
}
