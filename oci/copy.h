/* Images from one place to another, digests unchanged: what push, pull and copy do, and the last
 * step of a build. Blobs go first, several at once, skipping what is there; then manifests,
 * children before parents. The caller commits. */
#ifndef WB_OCI_COPY_H
#define WB_OCI_COPY_H

#include "oci/manifest.h"
#include "oci/transport.h"

#define WB_COPY_JOBS 4 /* blobs at once when not told otherwise */

/* How a blob fares; called from several threads at once, each blob from one thread. Members may be
 * NULL. */
struct wb_copy_watch {
	void (*start)(void *arg, const struct wb_descriptor *d);
	void (*progress)(void *arg, const struct wb_descriptor *d, uint64_t done);
	void (*end)(void *arg, const struct wb_descriptor *d, const struct wb_put_result *how);
	void *arg;
};

struct wb_copy_stats {
	uint64_t blobs, bytes;             /* that the image consists of, each once */
	uint64_t sent;                     /* bytes that moved */
	uint64_t present, mounted, cloned; /* blobs that did not have to */
};

/* One blob, and where its bytes are: another transport, or src when from is NULL. */
struct wb_copy_item {
	const struct wb_descriptor *desc;
	struct wb_transport *from;
	struct wb_blob_source src;
};

/* Announces the blobs in this order and brings those that dst does not have, the largest first.
 * No digest twice. jobs 0: WB_COPY_JOBS. watch may be NULL. Adds to stats. */
int wb_copy_blobs(struct wb_copy_stats *stats, struct wb_transport *dst,
	const struct wb_copy_item *items, size_t n, unsigned jobs,
	const struct wb_copy_watch *watch, struct wb_err *err);

struct wb_copy_opts {
	unsigned jobs;
	const char *ref; /* tag or digest in the source; NULL: what its name says */
	/* Of an index, only these: one gives that manifest alone, several a new index of the same
	 * manifests (and their attestations), whose digest differs. None: all as it is. */
	const struct wb_platform *platforms;
	size_t n_platforms;
	/* How the root is entered; entered once when n_names is 0, under dst's own name. */
	const struct wb_manifest_put *names;
	size_t n_names;
	const struct wb_copy_watch *watch;
};

struct wb_copy_result {
	struct wb_document root; /* what was entered in dst */
	struct wb_copy_stats stats;
};

#define WB_COPY_RESULT_INIT ((struct wb_copy_result){0})
void wb_copy_result_release(struct wb_copy_result *r);

int wb_copy_image(struct wb_copy_result *out, struct wb_transport *dst, struct wb_transport *src,
	const struct wb_copy_opts *opts, struct wb_err *err);

#endif
