#include "oci/tarwriter.h"

#include <errno.h>
#include <unistd.h>

#include "base/path.h"
#include "oci/blobio.h"

#define TAR_RECORD (20 * WB_TARFILE_BLOCK) /* tar pads its files to this */

int wb_tarfile_writer_init(struct wb_tarfile_writer *w, const char *path, struct wb_err *err)
{
	*w = (struct wb_tarfile_writer){.file = WB_FILE_INIT};
	wb_autofree char *dir = wb_path_dirname(path);

	wb_file_tidy(dir);
	if (wb_file_create(&w->file, path, 0644, WB_FILE_REPLACE, err))
		return -1;
	pthread_mutex_init(&w->lock, NULL);
	return 0;
}

void wb_tarfile_writer_release(struct wb_tarfile_writer *w)
{
	if (!w->file.path)
		return;
	wb_file_release(&w->file);
	pthread_mutex_destroy(&w->lock);
}

static int header(uint64_t *offset, struct wb_tarfile_writer *w, const char *name, bool dir,
	uint64_t size, struct wb_err *err)
{
	uint8_t h[WB_TARFILE_BLOCK];

	wb_tarfile_header(h, name, dir, size);
	pthread_mutex_lock(&w->lock);
	uint64_t at = w->end;

	w->end = at + WB_TARFILE_BLOCK + size + wb_tarfile_padding(size);
	pthread_mutex_unlock(&w->lock);
	*offset = at + WB_TARFILE_BLOCK;
	return wb_blob_pwrite(w->file.fd, h, sizeof(h), at, w->file.path, err);
}

int wb_tarfile_reserve(uint64_t *offset, struct wb_tarfile_writer *w, const char *name,
	uint64_t size, struct wb_err *err)
{
	return header(offset, w, name, false, size, err);
}

uint64_t wb_tarfile_begin(const struct wb_tarfile_writer *w)
{
	return w->end + WB_TARFILE_BLOCK;
}

int wb_tarfile_finish(
	struct wb_tarfile_writer *w, const char *name, uint64_t size, struct wb_err *err)
{
	uint64_t offset;

	return header(&offset, w, name, false, size, err);
}

int wb_tarfile_drop(struct wb_tarfile_writer *w, struct wb_err *err)
{
	/* What stays unwritten must read as zeros. */
	if (ftruncate(w->file.fd, (off_t)w->end))
		return wb_err_sys(err, errno, "cannot write \"%s\"", w->file.path);
	return 0;
}

int wb_tarfile_add_dir(struct wb_tarfile_writer *w, const char *name, struct wb_err *err)
{
	uint64_t offset;

	return header(&offset, w, name, true, 0, err);
}

int wb_tarfile_add_bytes(
	struct wb_tarfile_writer *w, const char *name, const void *p, size_t n, struct wb_err *err)
{
	uint64_t offset;

	if (header(&offset, w, name, false, n, err))
		return -1;
	return wb_blob_pwrite(w->file.fd, p, n, offset, w->file.path, err);
}

int wb_tarfile_commit(struct wb_tarfile_writer *w, struct wb_err *err)
{
	/* Paddings and end blocks are what the file has not been written to: zeros. */
	uint64_t size = w->end + 2 * WB_TARFILE_BLOCK;

	w->file.size = (size + TAR_RECORD - 1) / TAR_RECORD * TAR_RECORD;
	if (wb_file_commit(&w->file, NULL, err))
		return -1;
	pthread_mutex_destroy(&w->lock);
	return 0;
}
