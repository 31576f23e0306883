/* What a layer blob holds, entry by entry, without unpacking it. The bytes are hostile: sizes,
 * names and counts are bounded, and nothing is written anywhere. */
#ifndef WB_OCI_LAYER_SCAN_H
#define WB_OCI_LAYER_SCAN_H

#include <stdint.h>

#include "oci/transport.h"

#define WB_LAYER_ENTRIES_MAX 10000000

enum wb_layer_entry_type {
	WB_LAYER_ENTRY_DIR,
	WB_LAYER_ENTRY_FILE,
	WB_LAYER_ENTRY_SYMLINK,
	WB_LAYER_ENTRY_HARDLINK,
	WB_LAYER_ENTRY_OTHER, /* device, pipe, socket */
};

struct wb_layer_entry {
	enum wb_layer_entry_type type;
	const char *path; /* no leading "./" or "/", no trailing slash; as written otherwise */
	const char *link; /* target, or NULL */
	unsigned mode, uid, gid;
	uint64_t size;
};

/* Each returns 0, or -1 with err set to stop. */
struct wb_layer_visitor {
	int (*entry)(void *arg, const struct wb_layer_entry *e, struct wb_err *err);
	/* Optional: the bytes of the regular file that entry announced last, in order. */
	int (*data)(void *arg, const void *p, size_t n, struct wb_err *err);
	void *arg;
	/* Optional: on success the digest of the tar inside a compressed blob (its diff_id). Left
	 * alone where the blob is the tar itself, whose digest the reader checks. */
	struct wb_digest *diff_id;
};

/* What a blob of so many bytes may expand to: as gzip can at most, and "free" bytes besides, since
 * zstd makes next to nothing of zeros. */
uint64_t wb_layer_expansion(uint64_t blob_size, uint64_t free);

/* Reads a tar, plain, gzip or zstd, to its end; expanded, it is at most so many bytes, or
 * WB_ERR_LIMIT. The blob's own digest is the reader's business (wb_transport_open_blob verifies,
 * once it was read to its end). */
int wb_layer_scan(struct wb_reader *r, const char *what, uint64_t expanded_max,
	const struct wb_layer_visitor *v, struct wb_err *err);
/* One file's bytes (*out NULL when the layer has no such file; the caller frees, a NUL follows). */
int wb_layer_read_file(char **out, size_t *n, struct wb_reader *r, const char *what,
	uint64_t expanded_max, const char *path, size_t limit, struct wb_err *err);

#endif
