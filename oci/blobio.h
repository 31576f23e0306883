/* Moving a blob's bytes into a place of a file: what layouts and archives share. */
#ifndef WB_OCI_BLOBIO_H
#define WB_OCI_BLOBIO_H

#include "oci/transport.h"

/* Writes the d->size bytes of src to fd from offset on, cancellable, with progress. Bytes that are
 * not trusted are hashed on the way: WB_ERR_INTEGRITY when they are not d's. name is the file's.
 * Several threads may write to disjoint parts of one fd. */
int wb_blob_write(int fd, uint64_t offset, const char *name, const struct wb_descriptor *d,
	const struct wb_blob_source *src, const struct wb_put_opts *opts, struct wb_err *err);
/* The part of src->path that src means (src->path is set), its size checked, as a reader. */
int wb_blob_open(struct wb_reader **out, const struct wb_descriptor *d,
	const struct wb_blob_source *src, struct wb_err *err);
/* pwrite, whole. */
int wb_blob_pwrite(
	int fd, const void *p, size_t n, uint64_t offset, const char *name, struct wb_err *err);
/* Reads size bytes of fd from offset on and compares their digest with d's. */
int wb_blob_check(int fd, uint64_t offset, const struct wb_descriptor *d, const char *name,
	struct wb_err *err);

#endif
