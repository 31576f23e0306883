/* Hashing every blob of the store. A blob is one chain of SHA-256, and a core carries several of
 * them at once. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "layers/store_internal.h"

/* Read of each blob at a time; what a core has in hand stays in its second-level cache. */
#define STEP ((size_t)128 << 10)

struct group {
	struct store_verify *v;
	size_t next;
	pthread_mutex_t lock; /* guards next, v->n_bad and calls of v->bad */
};

/* One blob on its way. */
struct slot {
	const struct wb_store_entry *blob; /* NULL: idle */
	char *path;
	int fd;
	struct wb_sha256 sha;
	uint8_t *buf;
	size_t have;
};

static void slot_close(struct slot *s)
{
	wb_closep(&s->fd);
	free(s->path);
	s->path = NULL;
	s->blob = NULL;
}

static int report_bad(struct group *g, const struct slot *s, const char *why, struct wb_err *err)
{
	pthread_mutex_lock(&g->lock);
	g->v->n_bad++;
	if (g->v->bad)
		g->v->bad(&s->blob->digest, why, g->v->arg);
	pthread_mutex_unlock(&g->lock);
	if (g->v->fix && unlink(s->path) && errno != ENOENT)
		return wb_err_sys(err, errno, "cannot remove \"%s\"", s->path);
	return 0;
}

/* The blob cannot be read, by errno. */
static int slot_failed(struct group *g, struct slot *s, const char *what, struct wb_err *err)
{
	int errnum = errno, rc = 0;
	struct wb_err why = WB_ERR_INIT;

	wb_err_sys(&why, errnum, "cannot %s \"%s\"", what, s->path);
	if (errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM) {
		*err = why; /* says nothing of the blob */
		rc = -1;
	} else if (errnum != ENOENT) { /* pruned meanwhile */
		rc = report_bad(g, s, why.text, err);
	}
	slot_close(s);
	return rc;
}

static int slot_finish(struct group *g, struct slot *s, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;
	struct wb_digest d;
	int rc = 0;

	wb_sha256_final(&s->sha, &d);
	if (!wb_digest_equal(&d, &s->blob->digest)) {
		wb_err_set(&why, WB_ERR_INTEGRITY, "its bytes have the digest %s",
			wb_digest_text(&d).s);
		rc = report_bad(g, s, why.text, err);
	}
	slot_close(s);
	return rc;
}

/* Takes the next blob; s stays idle when there is none. */
static int slot_start(struct group *g, struct slot *s, struct wb_err *err)
{
	pthread_mutex_lock(&g->lock);
	if (g->next < g->v->n)
		s->blob = &g->v->blobs[g->next++];
	pthread_mutex_unlock(&g->lock);
	if (!s->blob)
		return 0;
	s->path = wb_store_blob_path(g->v->store, &s->blob->digest);
	s->fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return slot_failed(g, s, "open", err);
	(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	wb_sha256_init(&s->sha);
	return 0;
}

static int slot_read(struct group *g, struct slot *s, struct wb_err *err)
{
	ssize_t n;

	do
		n = read(s->fd, s->buf, STEP);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return slot_failed(g, s, "read", err);
	s->have = (size_t)n;
	return n ? 0 : slot_finish(g, s, err);
}

/* One step of all; *busy says whether there was one to take. One blob at most is begun in it, so
 * that a few large ones spread over the cores. */
static int step(struct group *g, struct slot *slots, size_t n, bool *busy, struct wb_err *err)
{
	struct wb_sha256_part parts[WB_SHA256_APART_MAX];
	size_t nparts = 0;
	bool begun = false;

	*busy = false;
	for (size_t i = 0; i < n; i++) {
		struct slot *s = &slots[i];

		if (!s->blob && !begun) {
			begun = true;
			if (slot_start(g, s, err))
				return -1;
		}
		if (!s->blob)
			continue;
		*busy = true;
		if (slot_read(g, s, err))
			return -1;
		if (s->blob)
			parts[nparts++] = (struct wb_sha256_part){&s->sha, s->buf, s->have};
	}
	wb_sha256_apart(parts, nparts);
	return 0;
}

static void stop(struct group *g)
{
	pthread_mutex_lock(&g->lock);
	g->next = g->v->n;
	pthread_mutex_unlock(&g->lock);
}

static bool more(struct group *g)
{
	pthread_mutex_lock(&g->lock);
	bool more = g->next < g->v->n;

	pthread_mutex_unlock(&g->lock);
	return more;
}

static int work(void *arg, size_t index, struct wb_err *err)
{
	struct group *g = arg;
	struct slot slots[WB_SHA256_APART_MAX];
	size_t n = wb_sha256_apart_best();
	wb_autofree uint8_t *buf = wb_alloc_pages(n * STEP);
	bool busy = true;
	int rc = 0;

	(void)index;
	for (size_t i = 0; i < n; i++)
		slots[i] = (struct slot){.fd = -1, .buf = buf + i * STEP};
	while (!rc && (busy || more(g))) {
		rc = step(g, slots, n, &busy, err);
		if (!rc)
			rc = wb_cancel_check(err);
	}
	if (rc)
		stop(g);
	for (size_t i = 0; i < n; i++)
		slot_close(&slots[i]);
	return rc;
}

int store_verify(struct store_verify *v, unsigned jobs, struct wb_err *err)
{
	struct group g = {.v = v, .lock = PTHREAD_MUTEX_INITIALIZER};
	size_t workers = jobs ? jobs : wb_pool_cores();

	if (workers > v->n)
		workers = v->n;
	int rc = wb_pool_run((unsigned)workers, workers, work, &g, err);

	pthread_mutex_destroy(&g.lock);
	return rc;
}
