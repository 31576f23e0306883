#include "layers/content.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/pool.h"
#include "layers/states.h"

#define READ_SIZE (512u << 10)    /* divides a chunk */
#define COMPARE_SIZE (128u << 10) /* two of these stay in a core's own cache */
#define SPAN_SIZE (16u << 20)     /* what one thread compares of a pair before it looks for more */

enum { SAMPLES = 8, SAMPLE_SIZE = 4096 };

void wb_content_from_stat(struct wb_content *out, const char *path, const struct stat *st)
{
	*out = (struct wb_content){
		.path = wb_strdup(path),
		.size = (uint64_t)st->st_size,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
		.dev = st->st_dev,
		.ino = st->st_ino,
	};
}

void wb_content_copy(struct wb_content *out, const struct wb_content *in)
{
	*out = *in;
	out->path = wb_strdup(in->path);
}

void wb_content_release(struct wb_content *c)
{
	free(c->path);
	*c = (struct wb_content){0};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

int wb_content_check(const struct wb_content *c, int fd, struct wb_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return wb_err_sys(err, errno, "cannot read \"%s\"", c->path);
	bool same = S_ISREG(st.st_mode) && (uint64_t)st.st_size == c->size;

	if (!c->immutable)
		same = same && st.st_dev == c->dev && st.st_ino == c->ino &&
		       same_time(&st.st_mtim, &c->mtime) && same_time(&st.st_ctim, &c->ctime);
	if (same)
		return 0;
	wb_err_set(err, WB_ERR_IO, "\"%s\" changed while it was being read", c->path);
	return wb_err_hint(err, "wait until nothing writes to it any more, then run again");
}

int wb_content_open(const struct wb_content *c, struct wb_err *err)
{
	wb_autoclose int fd =
		open(c->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", c->path);
	if (wb_content_check(c, fd, err))
		return -1;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	int out = fd;

	fd = -1;
	return out;
}

int wb_content_hash(struct wb_digest *out, struct wb_digest **states, const struct wb_content *c,
	struct wb_err *err)
{
	wb_autoclose int fd = wb_content_open(c, err);
	wb_autofree void *buf = wb_alloc_pages(READ_SIZE);
	wb_autofree struct wb_digest *seen = wb_states_new(c->size);
	struct wb_sha256 sha;

	if (fd < 0)
		return -1;
	wb_sha256_init(&sha);
	for (uint64_t left = c->size; left;) {
		size_t n = left < READ_SIZE ? (size_t)left : READ_SIZE;

		if (wb_cancel_check(err) || wb_file_read_full(fd, buf, n, -1, c->path, err))
			return -1;
		wb_sha256_update(&sha, buf, n);
		wb_states_note(seen, &sha, c->size);
		left -= n;
	}
	if (wb_content_check(c, fd, err))
		return -1;
	wb_sha256_final(&sha, out);
	if (states)
		*states = wb_steal(seen);
	return 0;
}

int wb_content_refuse(const struct wb_content *c, const char *name, struct wb_err *err)
{
	wb_err_set(err, WB_ERR_INTEGRITY, "\"%s\": its content is no longer %s", name,
		wb_digest_text(&c->digest).s);
	return wb_err_hint(err, c->immutable ? "the content store is damaged: run \"wbuild cache "
					       "verify --fix\", then again"
					     : "the file changed without a new time of change: "
					       "touch it, then run again");
}

int wb_content_sample(struct wb_digest *out, const struct wb_content *c, struct wb_err *err)
{
	wb_autoclose int fd = wb_content_open(c, err);
	uint8_t chunk[SAMPLE_SIZE];
	struct wb_sha256 sha;

	if (fd < 0)
		return -1;
	if (c->size <= SAMPLES * SAMPLE_SIZE)
		return wb_content_hash(out, NULL, c, err);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	wb_sha256_init(&sha);
	for (uint64_t i = 0; i < SAMPLES; i++) {
		uint64_t at = (c->size - SAMPLE_SIZE) * i / (SAMPLES - 1);

		if (wb_file_read_full(fd, chunk, sizeof(chunk), (int64_t)at, c->path, err))
			return -1;
		wb_sha256_update(&sha, chunk, sizeof(chunk));
	}
	wb_sha256_final(&sha, out);
	return wb_content_check(c, fd, err);
}

struct comparison {
	const struct wb_content *a, *b;
	int fa, fb;
	_Atomic bool differ;
};

static int compare_span(void *arg, size_t index, struct wb_err *err)
{
	struct comparison *c = arg;
	uint64_t at = (uint64_t)index * SPAN_SIZE, end = at + SPAN_SIZE;
	wb_autofree char *pa = wb_alloc_pages(COMPARE_SIZE);
	wb_autofree char *pb = wb_alloc_pages(COMPARE_SIZE);

	end = end < c->a->size ? end : c->a->size;
	for (size_t n; at < end && !c->differ; at += n) {
		n = end - at < COMPARE_SIZE ? (size_t)(end - at) : COMPARE_SIZE;
		if (wb_cancel_check(err) ||
			wb_file_read_full(c->fa, pa, n, (int64_t)at, c->a->path, err) ||
			wb_file_read_full(c->fb, pb, n, (int64_t)at, c->b->path, err))
			return -1;
		if (memcmp(pa, pb, n))
			c->differ = true;
	}
	return 0;
}

int wb_content_equal(bool *equal, const struct wb_content *a, const struct wb_content *b,
	unsigned jobs, struct wb_err *err)
{
	wb_autoclose int fa = wb_content_open(a, err);
	wb_autoclose int fb = fa < 0 ? -1 : wb_content_open(b, err);
	struct comparison c = {.a = a, .b = b, .fa = fa, .fb = fb};

	if (fb < 0 || wb_pool_run(jobs, (size_t)((a->size + SPAN_SIZE - 1) / SPAN_SIZE),
			      compare_span, &c, err))
		return -1;
	if (c.differ) {
		*equal = false;
		return 0;
	}
	if (wb_content_check(a, fa, err) || wb_content_check(b, fb, err))
		return -1;
	*equal = true;
	return 0;
}
