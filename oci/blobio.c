#include "oci/blobio.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"

#define CHUNK (1u << 20)
#define KERNEL_STEP \
	(32u << 20)           /* bytes of one copy_file_range: cancellation is looked at between */
#define FLUSH_STEP (8u << 20) /* write-back is started in steps of this many bytes */

static void progress(const struct wb_put_opts *opts, uint64_t done)
{
	if (opts->progress)
		opts->progress(opts->progress_arg, done);
}

int wb_blob_pwrite(
	int fd, const void *p, size_t n, uint64_t offset, const char *name, struct wb_err *err)
{
	while (n) {
		ssize_t k = pwrite(fd, p, n, (off_t)offset);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return wb_err_sys(err, errno, "cannot write \"%s\"", name);
		p = (const char *)p + k;
		offset += (uint64_t)k;
		n -= (size_t)k;
	}
	return 0;
}

/* Moves a reader to its end. Without write-back started early, the sync at commit would stall for
 * as long as all the dirty pages take. */
static int pump(int fd, uint64_t offset, const char *name, struct wb_reader *r,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	wb_autofree char *chunk = wb_alloc_pages(CHUNK);
	uint64_t done = 0, flushed = 0;
	size_t got = 0;

	for (;;) {
		if (wb_reader_read(r, chunk, CHUNK, &got, err))
			return -1;
		if (!got)
			return 0;
		if (fd < 0)
			continue;
		if (wb_blob_pwrite(fd, chunk, got, offset + done, name, err))
			return -1;
		done += got;
		progress(opts, done);
		if (done - flushed >= FLUSH_STEP) {
			sync_file_range(fd, (off_t)(offset + flushed), (off_t)(done - flushed),
				SYNC_FILE_RANGE_WRITE);
			flushed = done;
		}
	}
}

/* In the kernel, for bytes that need not be seen. 1: not between these two files. */
static int kernel_copy(int in, uint64_t from, int out, uint64_t offset, uint64_t size,
	const char *name, const struct wb_put_opts *opts, struct wb_err *err)
{
	uint64_t done = 0;

	while (done < size) {
		off_t src = (off_t)(from + done), dst = (off_t)(offset + done);
		size_t step = size - done < KERNEL_STEP ? (size_t)(size - done) : KERNEL_STEP;

		if (wb_cancel_check(err))
			return -1;
		ssize_t k = copy_file_range(in, &src, out, &dst, step, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && !done &&
			(errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
				errno == EOPNOTSUPP))
			return 1;
		if (k < 0)
			return wb_err_sys(err, errno, "cannot write \"%s\"", name);
		if (k == 0 && !done) /* as some file systems say of any file */
			return 1;
		if (k == 0)
			return wb_err_set(err, WB_ERR_INTEGRITY,
				"the file that \"%s\" is copied from ended early", name);
		done += (uint64_t)k;
		progress(opts, done);
	}
	return 0;
}

static int open_source(int *out, const struct wb_descriptor *d, const struct wb_blob_source *src,
	struct wb_err *err)
{
	wb_autoclose int fd = open(src->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return wb_err_sys(err, errno, "cannot open \"%s\"", src->path);
	uint64_t size = (uint64_t)st.st_size;

	if (!S_ISREG(st.st_mode))
		return wb_err_set(err, WB_ERR_IO, "\"%s\" is not a regular file", src->path);
	if (size < src->offset || size - src->offset < d->size ||
		(src->whole_file && size != d->size))
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"\"%s\" has %llu bytes, its descriptor says %llu", src->path,
			(unsigned long long)size, (unsigned long long)d->size);
	*out = fd;
	fd = -1;
	return 0;
}

int wb_blob_open(struct wb_reader **out, const struct wb_descriptor *d,
	const struct wb_blob_source *src, struct wb_err *err)
{
	int fd = -1;

	if (open_source(&fd, d, src, err))
		return -1;
	posix_fadvise(fd, (off_t)src->offset, (off_t)d->size, POSIX_FADV_SEQUENTIAL);
	*out = wb_reader_file(fd, true, src->offset, d->size, src->path);
	return 0;
}

static int write_file(int fd, uint64_t offset, const char *name, const struct wb_descriptor *d,
	const struct wb_blob_source *src, const struct wb_put_opts *opts, struct wb_err *err)
{
	wb_autoclose int in = -1;

	if (open_source(&in, d, src, err))
		return -1;
	if (src->trusted) {
		int rc = kernel_copy(in, src->offset, fd, offset, d->size, name, opts, err);

		if (rc <= 0)
			return rc;
	}
	posix_fadvise(in, (off_t)src->offset, (off_t)d->size, POSIX_FADV_SEQUENTIAL);
	WB_AUTO(wb_reader_closep)
	struct wb_reader *r = wb_reader_file(in, false, src->offset, d->size, src->path);

	if (!src->trusted)
		r = wb_reader_verify(r, d, src->path);
	return pump(fd, offset, name, r, opts, err);
}

int wb_blob_write(int fd, uint64_t offset, const char *name, const struct wb_descriptor *d,
	const struct wb_blob_source *src, const struct wb_put_opts *opts, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;

	if (src->path)
		return write_file(fd, offset, name, d, src, opts, err);
	if (src->open(&r, src->arg, 0, err))
		return -1;
	/* A stream that was verified already still must not overrun its part of the file, so it is
	 * always counted, and hashing is cheap beside what made it. */
	r = wb_reader_verify(r, d, name);
	return pump(fd, offset, name, r, opts, err);
}

int wb_blob_check(int fd, uint64_t offset, const struct wb_descriptor *d, const char *name,
	struct wb_err *err)
{
	static const struct wb_put_opts none;
	WB_AUTO(wb_reader_closep)
	struct wb_reader *r = wb_reader_file(fd, false, offset, d->size, name);

	r = wb_reader_verify(r, d, name);
	return pump(-1, 0, name, r, &none, err);
}
