#include "builder/fetch/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

#define TURN (16u << 20)      /* bytes hashed before a worker looks at the queue again */
#define FLUSH_STEP (8u << 20) /* bytes written before write-back is started */

struct task {
	struct task *next;
	struct wb_sink_file *f;
	struct wb_sink_buffer *b; /* NULL: only look whether there is something to hash */
};

struct wb_sink {
	struct wb_store *store;
	void (*woken)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* of all below, and of every file's list links and pending */
	pthread_cond_t work, idle;
	struct wb_sink_buffer *free;
	struct task *first, **last;
	struct wb_sink_file *done;
	bool stop, starved; /* starved: someone asked for a buffer in vain */
	unsigned n_threads;
	pthread_t threads[WB_POOL_MAX];
};

struct wb_sink_file {
	struct wb_sink *s;
	struct wb_sink_file *next_done;
	struct wb_part part;
	char *validator;
	bool small;
	unsigned pending; /* tasks queued or running; s->lock */

	pthread_mutex_t lock; /* of all below */
	struct wb_ranges have;
	struct wb_sink_buffer *ready; /* written, to be hashed from memory; by offset */
	uint64_t size, hashed, unflushed;
	bool started, hashing, ended;
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

static void queue(struct wb_sink_file *f, struct wb_sink_buffer *b)
{
	struct task *t = wb_zalloc(sizeof(*t));
	struct wb_sink *s = f->s;

	t->f = f;
	t->b = b;
	pthread_mutex_lock(&s->lock);
	f->pending++;
	*s->last = t;
	s->last = &t->next;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
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

static void write_and_keep(struct wb_sink_file *f, struct wb_sink_buffer *b)
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
	/* Kept only when nothing is missing before it: then its turn comes for certain. */
	bool keep = !rc && b->offset >= f->hashed &&
	            wb_ranges_end(&f->have, f->hashed) >= b->offset + b->len;

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
}

/* Hashes the next piece; called with f->lock held and f->hashing set, lets go of it meanwhile. 0
 * when there is nothing to hash. */
static size_t hash_piece(struct wb_sink_file *f, char *scratch)
{
	struct wb_err err = WB_ERR_INIT;
	uint64_t from = f->hashed, end = wb_ranges_end(&f->have, from);
	struct wb_sink_buffer *b = f->ready;
	size_t n;

	if (b && b->offset <= from) {
		/* A range that was fetched twice may overlap what is hashed. */
		size_t skip =
			(size_t)(from - b->offset) < b->len ? (size_t)(from - b->offset) : b->len;

		size_t len = b->len;

		n = len - skip;
		f->ready = b->next;
		pthread_mutex_unlock(&f->lock);
		wb_check_update(&f->check, b->data + skip, n);
		wb_sink_buffer_return(f->s, b);
		pthread_mutex_lock(&f->lock);
		f->hashed += n;
		return len;
	}
	uint64_t stop = b && b->offset < end ? b->offset : end;

	n = stop - from < WB_SINK_FULL ? (size_t)(stop - from) : WB_SINK_FULL;
	if (n == 0)
		return 0;
	pthread_mutex_unlock(&f->lock);
	int rc = wb_file_read_full(f->part.fd, scratch, n, (int64_t)from, f->part.path, &err);

	if (rc == 0)
		wb_check_update(&f->check, scratch, n);
	pthread_mutex_lock(&f->lock);
	if (rc) {
		end_locked(f, &err);
		return 0;
	}
	f->hashed += n;
	return n;
}

static void complete(struct wb_sink_file *f)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;
	bool ok = wb_check_finish(&d, &f->check, &err) == 0;

	if (ok && wb_store_has(f->s->store, &d, f->hashed))
		unlink(f->part.path); /* arrived under another name meanwhile */
	else if (ok)
		ok = wb_store_adopt(f->s->store, f->part.path, &d, &err) == 0;
	if (ok)
		wb_part_drop_log(&f->part);
	pthread_mutex_lock(&f->lock);
	f->digest = d;
	end_locked(f, ok ? NULL : &err);
	pthread_mutex_unlock(&f->lock);
}

/* One worker at a time hashes a file. When its turn is over and there is more, it queues the file
 * again behind what others wait for. */
static void hash_some(struct wb_sink_file *f, char *scratch)
{
	size_t n = 0, piece = 1;

	pthread_mutex_lock(&f->lock);
	if (!f->started || f->hashing || f->ended) {
		pthread_mutex_unlock(&f->lock);
		return;
	}
	f->hashing = true;
	while (n < TURN && !f->ended && (piece = hash_piece(f, scratch)) > 0)
		n += piece;
	bool all = !f->ended && f->hashed == f->size;

	f->hashing = all; /* nobody hashes after the end */
	pthread_mutex_unlock(&f->lock);
	if (all)
		complete(f);
	else if (piece)
		queue(f, NULL);
}

static void run_task(struct task *t, char *scratch)
{
	struct wb_sink_file *f = t->f;

	pthread_mutex_lock(&f->lock);
	bool ended = f->ended || (f->started && f->hashed == f->size && !f->small);

	pthread_mutex_unlock(&f->lock);
	if (ended && t->b) {
		wb_sink_buffer_return(f->s, t->b);
		return;
	}
	if (f->small && t->b) {
		take_small(f, t->b);
		return;
	}
	if (t->b)
		write_and_keep(f, t->b);
	hash_some(f, scratch);
}

static void *worker(void *arg)
{
	wb_autofree char *scratch = wb_alloc_pages(WB_SINK_FULL);
	struct wb_sink *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->first && !s->stop)
			pthread_cond_wait(&s->work, &s->lock);
		struct task *t = s->first;

		if (!t)
			break;
		s->first = t->next;
		if (!s->first)
			s->last = &s->first;
		pthread_mutex_unlock(&s->lock);
		run_task(t, scratch);
		pthread_mutex_lock(&s->lock);
		if (--t->f->pending == 0)
			pthread_cond_broadcast(&s->idle);
		free(t);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct wb_sink *wb_sink_new(struct wb_store *store, unsigned threads, unsigned buffers,
	void (*woken)(void *arg), void *arg)
{
	struct wb_sink *s = wb_zalloc(sizeof(*s));

	s->store = store;
	s->woken = woken;
	s->arg = arg;
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->idle, NULL);
	for (unsigned i = 0; i < buffers; i++) {
		struct wb_sink_buffer *b = wb_zalloc(sizeof(*b));

		b->data = wb_alloc_pages(WB_SINK_FULL + WB_SINK_SLACK);
		buffer_free_locked(s, b);
	}
	threads = threads ? threads : wb_pool_cores();
	for (unsigned i = 0; i < threads && i < WB_POOL_MAX; i++)
		if (pthread_create(&s->threads[s->n_threads], NULL, worker, s) == 0)
			s->n_threads++;
	return s;
}

void wb_sink_free(struct wb_sink *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->work);
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

void wb_sink_start(struct wb_sink_file *f, const struct wb_known *want)
{
	pthread_mutex_lock(&f->lock);
	wb_check_release(&f->check);
	wb_check_init(&f->check, want, f->size);
	f->started = true;
	pthread_mutex_unlock(&f->lock);
	if (!f->small)
		queue(f, NULL);
}

void wb_sink_put(struct wb_sink_file *f, struct wb_sink_buffer *b)
{
	queue(f, b);
}

void wb_sink_end(struct wb_sink_file *f, uint64_t size)
{
	pthread_mutex_lock(&f->lock);
	f->size = size;
	pthread_mutex_unlock(&f->lock);
	queue(f, NULL);
}

bool wb_sink_idle(struct wb_sink_file *f)
{
	pthread_mutex_lock(&f->s->lock);
	bool idle = f->pending == 0;

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
	f->started = f->hashing = f->ended = false;
	f->err = WB_ERR_INIT;
	return f->small ? 0 : wb_part_restart(&f->part, f->validator, f->size, err);
}

void wb_sink_close(struct wb_sink_file *f)
{
	if (!f)
		return;
	struct wb_sink *s = f->s;

	pthread_mutex_lock(&s->lock);
	while (f->pending)
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
