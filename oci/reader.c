#include "oci/transport.h"

#include <errno.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/sha256.h"

int wb_reader_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	if (wb_cancel_check(err))
		return -1;
	return r->read(r, p, n, got, err);
}

void wb_reader_close(struct wb_reader *r)
{
	if (r)
		r->close(r);
}

int wb_reader_all(char **out, struct wb_reader *r, uint64_t size, size_t limit, const char *what,
	struct wb_err *err)
{
	size_t done = 0, got = 0;
	/* Two spare bytes: room to see that there is one too many, and the NUL. */
	wb_autofree char *bytes = size > limit ? wb_alloc_checked(size, limit, what, err)
	                                       : wb_alloc((size_t)size + 2);

	if (!bytes)
		return -1;
	do {
		if (wb_reader_read(r, bytes + done, (size_t)size + 1 - done, &got, err))
			return -1;
		done += got;
	} while (got && done <= size);
	if (done != size)
		return wb_err_set(err, WB_ERR_INTEGRITY, "%s has not the %llu bytes it should have",
			what, (unsigned long long)size);
	bytes[done] = '\0';
	*out = wb_steal(bytes);
	return 0;
}

struct file_reader {
	struct wb_reader base;
	int fd;
	bool own_fd;
	uint64_t offset, left;
	char *name;
};

static int file_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct file_reader *f = (struct file_reader *)r;
	ssize_t k;

	if (n > f->left)
		n = (size_t)f->left;
	if (!n) {
		*got = 0;
		return 0;
	}
	do
		k = pread(f->fd, p, n, (off_t)f->offset);
	while (k < 0 && errno == EINTR);
	if (k < 0)
		return wb_err_sys(err, errno, "cannot read \"%s\"", f->name);
	if (k == 0)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"\"%s\" ended early: %llu bytes are missing", f->name,
			(unsigned long long)f->left);
	f->offset += (uint64_t)k;
	f->left -= (uint64_t)k;
	*got = (size_t)k;
	return 0;
}

static void file_close(struct wb_reader *r)
{
	struct file_reader *f = (struct file_reader *)r;

	if (f->own_fd)
		wb_closep(&f->fd);
	free(f->name);
	free(f);
}

struct wb_reader *wb_reader_file(
	int fd, bool own_fd, uint64_t offset, uint64_t size, const char *name)
{
	struct file_reader *f = wb_zalloc(sizeof(*f));

	*f = (struct file_reader){
		.base = {.read = file_read, .close = file_close},
		.fd = fd,
		.own_fd = own_fd,
		.offset = offset,
		.left = size,
		.name = wb_strdup(name),
	};
	return &f->base;
}

struct verifier {
	struct wb_reader base;
	struct wb_reader *inner;
	struct wb_sha256 sha;
	struct wb_digest want;
	uint64_t size;
	bool good; /* the end was reached and was right */
	char *name;
};

static int check_end(struct verifier *v, struct wb_err *err)
{
	struct wb_digest got;

	if (v->sha.total != v->size)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: blob %s has %llu bytes, its descriptor says %llu", v->name,
			wb_digest_text(&v->want).s, (unsigned long long)v->sha.total,
			(unsigned long long)v->size);
	wb_sha256_final(&v->sha, &got);
	if (!wb_digest_equal(&got, &v->want))
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: blob %s is damaged: its bytes have the digest %s", v->name,
			wb_digest_text(&v->want).s, wb_digest_text(&got).s);
	v->good = true;
	return 0;
}

static int verify_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct verifier *v = (struct verifier *)r;
	size_t k = 0;

	if (v->good) {
		*got = 0;
		return 0;
	}
	if (wb_reader_read(v->inner, p, n, &k, err))
		return -1;
	if (!k && check_end(v, err))
		return -1;
	if (k > v->size - v->sha.total)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: blob %s is longer than the %llu bytes its descriptor says", v->name,
			wb_digest_text(&v->want).s, (unsigned long long)v->size);
	wb_sha256_update(&v->sha, p, k);
	*got = k;
	return 0;
}

static void verify_close(struct wb_reader *r)
{
	struct verifier *v = (struct verifier *)r;

	wb_reader_close(v->inner);
	free(v->name);
	free(v);
}

struct wb_reader *wb_reader_verify(
	struct wb_reader *r, const struct wb_descriptor *d, const char *name)
{
	struct verifier *v = wb_zalloc(sizeof(*v));

	*v = (struct verifier){
		.base = {.read = verify_read, .close = verify_close},
		.inner = r,
		.want = d->digest,
		.size = d->size,
		.name = wb_strdup(name),
	};
	wb_sha256_init(&v->sha);
	return &v->base;
}
