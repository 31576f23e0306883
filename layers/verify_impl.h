/* Between the files of layers/verify*.c; nothing else includes this. */
#ifndef WB_LAYERS_VERIFY_IMPL_H
#define WB_LAYERS_VERIFY_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "layers/root.h"
#include "layers/verify.h"

/* What the look at the names left for the reading: where an entry's bytes are. */
struct verify_node {
	bool sound; /* a regular file of the right size: worth reading */
	dev_t dev;
	ino_t ino;
	nlink_t links;
};

/* One chunk to hash. */
struct verify_piece {
	uint32_t entry, chunk;
};

struct verify {
	const struct wb_bundle_manifest *m;
	const struct wb_verify_options *o;
	struct wb_root root;
	double start, deadline;    /* monotonic seconds; deadline 0: none */
	struct verify_node *nodes; /* one for each entry */

	WB_VEC(struct verify_piece) pieces; /* in the order of the manifest */
	size_t taken;                       /* of these, by workers */
	unsigned workers;                   /* that take them */

	pthread_mutex_t lock; /* guards problems and taken */
	WB_VEC(struct wb_problem) problems;
	_Atomic uint64_t hashed, chunks;
};

double verify_now(void);
/* -1 when the run has to stop: WB_ERR_LIMIT at the deadline, WB_ERR_CANCELLED. */
int verify_go_on(const struct verify *v, struct wb_err *err);
/* Thread safe; the texts of p, and detail (NULL for none), are taken over. */
void verify_add(struct verify *v, struct wb_problem p);
void verify_problem(struct verify *v, enum wb_problem_kind kind, const char *path, char *detail);
/* The bytes from errno: missing, or unreadable and why. */
void verify_problem_errno(struct verify *v, const char *path, int errnum);

uint64_t verify_piece_size(const struct verify *v, const struct verify_piece *p);
/* verify_hash.c: hashes v->pieces. */
int verify_hash(struct verify *v, struct wb_err *err);
/* verify_extra.c: names what lies in the sources' directories and is not in the manifest. */
int verify_extra(struct verify *v, struct wb_err *err);

#endif
