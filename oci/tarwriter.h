/* A deterministic, uncompressed tar that appears whole or not at all, written at any place: regions
 * are reserved in order and filled by several threads at once. For archive.c and
 * docker_archive.c. */
#ifndef WB_OCI_TARWRITER_H
#define WB_OCI_TARWRITER_H

#include <pthread.h>

#include "base/file.h"
#include "oci/tarfile.h"

struct wb_tarfile_writer {
	struct wb_file file;
	pthread_mutex_t lock;
	uint64_t end; /* where the next member goes */
};

int wb_tarfile_writer_init(struct wb_tarfile_writer *w, const char *path, struct wb_err *err);
void wb_tarfile_writer_release(struct wb_tarfile_writer *w); /* without commit: no trace */

/* Writes the header of a member and reserves its place: *offset is where its size bytes go. Any
 * thread. */
int wb_tarfile_reserve(uint64_t *offset, struct wb_tarfile_writer *w, const char *name,
	uint64_t size, struct wb_err *err);
/* A member whose size is only known when it has been written, by one thread at a time and with
 * nothing else added meanwhile: its bytes go to the file at the returned offset; then finish, or
 * drop what was written. */
uint64_t wb_tarfile_begin(const struct wb_tarfile_writer *w);
int wb_tarfile_finish(
	struct wb_tarfile_writer *w, const char *name, uint64_t size, struct wb_err *err);
int wb_tarfile_drop(struct wb_tarfile_writer *w, struct wb_err *err);
int wb_tarfile_add_dir(struct wb_tarfile_writer *w, const char *name, struct wb_err *err);
int wb_tarfile_add_bytes(
	struct wb_tarfile_writer *w, const char *name, const void *p, size_t n, struct wb_err *err);
/* End blocks, and the file gets its name. */
int wb_tarfile_commit(struct wb_tarfile_writer *w, struct wb_err *err);

#endif
