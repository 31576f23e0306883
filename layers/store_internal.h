/* Shared by store.c, store_admin.c and store_verify.c only. */
#ifndef WB_LAYERS_STORE_INTERNAL_H
#define WB_LAYERS_STORE_INTERNAL_H

#include "layers/store.h"

struct wb_store {
	char *dir;
	char *blobs; /* dir/blobs/sha256 */
	struct wb_lock lock;
};

struct store_verify {
	struct wb_store *store;
	const struct wb_store_entry *blobs;
	size_t n;
	bool fix; /* remove the bad ones */
	void (*bad)(const struct wb_digest *d, const char *why, void *arg); /* or NULL */
	void *arg;
	uint64_t n_bad; /* the result */
};

/* store_verify.c: hashes the blobs on up to jobs threads (0: one for each core), in their order. */
int store_verify(struct store_verify *v, unsigned jobs, struct wb_err *err);

#endif
