#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mapped.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "layers/verify_impl.h"

/* Each worker carries several chunks at once, as chains of one core. A step reads this much of
 * each, page-aligned; three of them leave room in the second-level cache. */
#define SLOTS WB_SHA256_APART_MAX
#define STEP ((size_t)128 << 10)
/* When one chunk has only little left, the others' step is cut to match it, but not below this. */
#define STEP_MIN ((size_t)32 << 10)
/* What a worker takes at a time: large enough to be read in order. */
#define TAKE_BYTES (16u << 20)
#define TAKE_PIECES 64
/* Less is not worth a mapping. */
#define MAP_MIN ((size_t)512 << 10)

/* A part of a file, mapped: a run of chunks that one worker takes. Copying what is in memory into a
 * buffer costs a quarter of what hashing it does; looking at it in place costs next to nothing
 * where the page cache has it in large pieces. */
struct map {
	uint32_t entry;
	uint64_t start, size;
	const uint8_t *p;
};

/* One chunk on its way. */
struct slot {
	const struct verify_piece *piece; /* NULL: idle */
	int fd;
	uint32_t open_entry; /* whose file fd is */
	uint64_t at, left;
	bool cached; /* nothing of the chunk had to be waited for yet */
	struct wb_sha256 sha;
	uint8_t *buf;
	const uint8_t *mapped; /* the chunk's bytes in place, or NULL: they are read into buf */
	const uint8_t *data;   /* the step's: have bytes */
	size_t have;
};

struct worker {
	struct verify *v;
	struct wb_root_dir dir;
	const struct verify_piece *next, *end; /* the rest of what it took */
	struct slot slots[SLOTS];
	size_t nslots;
	WB_VEC(struct map) maps;
};

static const struct wb_bundle_entry *entry_of(const struct verify *v, const struct verify_piece *p)
{
	return &v->m->entries.items[p->entry];
}

static int open_entry(struct worker *w, const struct wb_bundle_entry *e)
{
	const char *name;
	int dir = wb_root_parent(&w->dir, &w->v->root, e->path, &name);
	struct stat st;

	if (dir < 0)
		return -1;
	/* not blocking: the name may have become a pipe since it was looked at */
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -1;
	int errnum = fstat(fd, &st) ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;

	if (!errnum)
		return fd;
	close(fd);
	errno = errnum;
	return -1;
}

static uint64_t offset_of(const struct verify_piece *p)
{
	return (uint64_t)p->chunk * WB_CHUNK_SIZE;
}

/* Looks in three places. What lies between them may be missing all the same: then it is waited
 * for. */
static bool is_cached(int fd, uint64_t at, uint64_t size)
{
	const uint64_t places[] = {at, at + size / 2, at + size - 1};
	bool all = true;
	char byte;

	for (size_t i = 0; all && i < WB_ARRAY_LEN(places); i++)
		all = preadv2(fd, &(struct iovec){.iov_base = &byte, .iov_len = 1}, 1,
			      (off_t)places[i], RWF_NOWAIT) == 1;
	return all;
}

/* The chunks from p on that follow each other in one file and in what this worker took. */
static uint64_t run_size(const struct worker *w, const struct verify_piece *p)
{
	uint64_t size = verify_piece_size(w->v, p);

	for (const struct verify_piece *q = p; q + 1 < w->end; q++) {
		if (q[1].entry != p->entry || q[1].chunk != q->chunk + 1)
			break;
		size += verify_piece_size(w->v, q + 1);
	}
	return size;
}

static const uint8_t *map_piece(struct worker *w, int fd, const struct verify_piece *p)
{
	uint64_t at = offset_of(p);
	const struct map *last = w->maps.n ? &w->maps.items[w->maps.n - 1] : NULL;

	if (verify_piece_size(w->v, p) < MAP_MIN || !is_cached(fd, at, verify_piece_size(w->v, p)))
		return NULL;
	if (!last || last->entry != p->entry || at < last->start ||
		at >= last->start + last->size) {
		struct map m = {.entry = p->entry, .start = at, .size = run_size(w, p)};

		m.p = wb_mapped(fd, at, (size_t)m.size);
		if (!m.p)
			return NULL;
		*wb_vec_push(&w->maps) = m;
		last = &w->maps.items[w->maps.n - 1];
	}
	return last->p + (at - last->start);
}

/* The chain of the whole file's digest, where the chunk begins. */
static void chain_begin(struct wb_sha256 *s, const struct wb_bundle_entry *e, size_t chunk)
{
	if (chunk)
		wb_sha256_resume(s, &e->states[chunk - 1], (uint64_t)chunk * WB_CHUNK_SIZE);
	else
		wb_sha256_init(s);
}

/* Is it where the chunk's end has to take it? */
static bool chain_fits(const struct wb_sha256 *s, const struct wb_bundle_entry *e, size_t chunk)
{
	bool last = chunk == wb_states_count(e->size);
	struct wb_digest got;

	if (last)
		wb_sha256_final(s, &got);
	else
		wb_sha256_chaining(s, &got);
	return wb_digest_equal(&got, last ? &e->digest : &e->states[chunk]);
}

static void slot_rewind(struct worker *w, struct slot *s)
{
	s->at = offset_of(s->piece);
	s->left = verify_piece_size(w->v, s->piece);
	chain_begin(&s->sha, entry_of(w->v, s->piece), s->piece->chunk);
	s->cached = true;
}

/* False when the piece cannot be read; that is a problem of its file, not of the run. */
static bool slot_start(struct worker *w, struct slot *s, const struct verify_piece *p)
{
	const struct wb_bundle_entry *e = entry_of(w->v, p);

	if (s->fd < 0 || s->open_entry != p->entry) {
		wb_closep(&s->fd);
		s->fd = open_entry(w, e);
		if (s->fd < 0) {
			verify_problem_errno(w->v, e->path, errno);
			return false;
		}
		s->open_entry = p->entry;
	}
	s->piece = p;
	s->mapped = map_piece(w, s->fd, p);
	slot_rewind(w, s);
	return true;
}

static bool map_in_use(const struct worker *w, const struct map *m)
{
	for (size_t i = 0; i < w->nslots; i++) {
		const struct slot *s = &w->slots[i];

		if (s->piece && s->mapped && s->mapped >= m->p && s->mapped < m->p + m->size)
			return true;
	}
	return false;
}

/* Unmapping disturbs all cores, so it waits until the worker takes more. */
static void drop_maps(struct worker *w)
{
	size_t kept = 0;

	wb_vec_foreach (m, &w->maps) {
		if (map_in_use(w, m))
			w->maps.items[kept++] = *m;
		else
			munmap((void *)(uintptr_t)m->p, (size_t)m->size);
	}
	w->maps.n = kept;
}

/* A share of what is left, so that the last ones are small and all workers end together. */
static bool take(struct worker *w)
{
	struct verify *v = w->v;
	uint64_t bytes = 0;

	pthread_mutex_lock(&v->lock);
	size_t left = v->pieces.n - v->taken, n = 0, most = left / (4 * v->workers) + 1;

	w->next = v->pieces.items + v->taken;
	while (n < left && n < most && n < TAKE_PIECES && bytes < TAKE_BYTES)
		bytes += verify_piece_size(v, &w->next[n++]);
	w->end = w->next + n;
	v->taken += n;
	pthread_mutex_unlock(&v->lock);
	drop_maps(w);
	return n > 0;
}

static void slot_fill(struct worker *w, struct slot *s)
{
	while (!s->piece && (w->next < w->end || take(w)))
		slot_start(w, s, w->next++);
}

/* How far all go in this step. */
static size_t step_size(const struct worker *w)
{
	uint64_t least = STEP;

	for (size_t i = 0; i < w->nslots; i++)
		if (w->slots[i].piece && w->slots[i].left < least)
			least = w->slots[i].left;
	return least > STEP_MIN ? ((size_t)least + 4095) & ~(size_t)4095 : STEP_MIN;
}

/* Reads what is in memory without a word to the kernel about it, which would cost a tenth of the
 * time. At the first gap the rest of the chunk, and what this worker reads after it, is asked for
 * at once: the disk works while the first part is hashed. */
static ssize_t read_part(struct slot *s, void *p, size_t n, uint64_t at)
{
	struct iovec part = {.iov_base = p, .iov_len = n};

	if (s->cached) {
		ssize_t got = preadv2(s->fd, &part, 1, (off_t)at, RWF_NOWAIT);

		if (got >= 0)
			return got;
		s->cached = false;
		posix_fadvise(s->fd, (off_t)at, (off_t)s->left + SLOTS * WB_CHUNK_SIZE,
			POSIX_FADV_WILLNEED);
	}
	return pread(s->fd, p, n, (off_t)at);
}

/* The next bytes of its chunk, step at most. */
static void slot_read(struct worker *w, struct slot *s, size_t step)
{
	size_t n = s->left < step ? (size_t)s->left : step;

	s->have = 0;
	if (!s->piece)
		return;
	if (s->mapped) {
		s->data = s->mapped + (s->at - offset_of(s->piece));
		s->have = n;
		return;
	}
	s->data = s->buf;
	while (s->have < n) {
		ssize_t got = read_part(s, s->buf + s->have, n - s->have, s->at + s->have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			const char *path = entry_of(w->v, s->piece)->path;

			if (got < 0)
				verify_problem_errno(w->v, path, errno);
			else
				verify_problem(w->v, WB_PROBLEM_TRUNCATED, path,
					wb_strdup("became shorter while it was read"));
			s->piece = NULL;
			s->have = 0;
			return;
		}
		s->have += (size_t)got;
	}
}

static void slot_finish(struct worker *w, struct slot *s)
{
	const struct wb_bundle_entry *e = entry_of(w->v, s->piece);
	bool fits = chain_fits(&s->sha, e, s->piece->chunk);
	uint64_t offset = offset_of(s->piece);
	struct verify *v = w->v;

	s->piece = NULL;
	v->chunks++;
	if (fits)
		return;
	verify_add(v, (struct wb_problem){
			      .kind = WB_PROBLEM_CHANGED,
			      .path = wb_strdup(e->path),
			      .detail = wb_asprintf("bytes from %llu on are not what was packed",
				      (unsigned long long)offset),
			      .offset = offset,
			      .chunks = 1,
		      });
}

static void slot_advance(struct worker *w, struct slot *s)
{
	if (!s->piece)
		return;
	s->at += s->have;
	s->left -= s->have;
	w->v->hashed += s->have;
	if (!s->left)
		slot_finish(w, s);
}

static void hash_step(void *arg)
{
	struct worker *w = arg;
	struct wb_sha256_part parts[SLOTS];
	size_t n = 0;

	for (size_t i = 0; i < w->nslots; i++) {
		struct slot *s = &w->slots[i];

		if (s->have)
			parts[n++] = (struct wb_sha256_part){&s->sha, s->data, s->have};
	}
	wb_sha256_apart(parts, n);
}

/* Bytes could not be had in place: the chunks are begun again and read, which tells what is wrong
 * with which. */
static void slot_restart(struct worker *w, struct slot *s)
{
	if (!s->piece)
		return;
	w->v->hashed -= s->at - offset_of(s->piece);
	s->mapped = NULL;
	slot_rewind(w, s);
}

/* False when nothing is left to do. */
static bool fill(struct worker *w)
{
	bool any = false;

	for (size_t i = 0; i < w->nslots; i++) {
		slot_fill(w, &w->slots[i]);
		any = any || w->slots[i].piece;
	}
	return any;
}

static int work(struct worker *w, struct wb_err *err)
{
	while (fill(w)) {
		size_t step = step_size(w);

		for (size_t i = 0; i < w->nslots; i++)
			slot_read(w, &w->slots[i], step);
		bool whole = wb_mapped_look(hash_step, w);

		for (size_t i = 0; i < w->nslots; i++) {
			if (whole)
				slot_advance(w, &w->slots[i]);
			else
				slot_restart(w, &w->slots[i]);
		}
		if (verify_go_on(w->v, err))
			return -1;
	}
	return 0;
}

static int hash_job(void *arg, size_t index, struct wb_err *err)
{
	struct worker w = {
		.v = arg,
		.dir = WB_ROOT_DIR_INIT,
		.nslots = wb_sha256_apart_best(),
	};
	uint8_t *buf = wb_alloc_pages(w.nslots * STEP);

	(void)index;
	for (size_t i = 0; i < w.nslots; i++)
		w.slots[i] = (struct slot){.fd = -1, .buf = buf + i * STEP};
	int rc = work(&w, err);

	for (size_t i = 0; i < w.nslots; i++) {
		w.slots[i].piece = NULL;
		wb_closep(&w.slots[i].fd);
	}
	drop_maps(&w);
	wb_vec_free(&w.maps);
	wb_root_dir_release(&w.dir);
	free(buf);
	return rc;
}

/* One job is one worker, which goes on until nothing is left to take. */
int verify_hash(struct verify *v, struct wb_err *err)
{
	struct wb_mapped_time looking;

	v->workers = v->o->threads ? v->o->threads : wb_pool_cores();
	if (v->workers > v->pieces.n)
		v->workers = (unsigned)v->pieces.n;
	wb_mapped_begin(&looking);
	int rc = wb_pool_run(v->workers, v->workers, hash_job, v, err);

	wb_mapped_end(&looking);
	return rc;
}
