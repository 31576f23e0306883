/* What reading a layout is, whether it lies in a folder or in a tar file: everything but finding
 * the bytes of a digest. For layout.c and archive.c. */
#ifndef WB_OCI_LAYOUT_BASE_H
#define WB_OCI_LAYOUT_BASE_H

#include "oci/layout_index.h"
#include "oci/transport.h"

/* Bytes in a plain file. */
struct wb_located {
	int fd;
	bool own_fd;
	uint64_t offset, size;
};

struct wb_layout_base {
	struct wb_transport base; /* first */
	char *path, *tag;         /* of the place */
	bool has_digest;
	struct wb_digest digest;
	struct wb_layout_index index;
	/* 1 when it is not there. Any thread. */
	int (*locate)(struct wb_located *out, struct wb_layout_base *l, const struct wb_digest *d,
		struct wb_err *err);
};

void wb_layout_base_init(struct wb_layout_base *l, const struct wb_place *p);
void wb_layout_base_release(struct wb_layout_base *l);

/* Members of wb_transport_ops. */
int wb_layout_base_resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err);
int wb_layout_base_get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err);
int wb_layout_base_open_blob(struct wb_reader **out, struct wb_transport *t,
	const struct wb_descriptor *d, uint64_t offset, struct wb_err *err);
int wb_layout_base_has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err);

#endif
