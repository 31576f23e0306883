/* A file's content against what its source vouches for: SHA-256 always, and beside it whatever else
 * the source gave when it did not give that, and on the way the states of that SHA-256
 * (layers/states.h). One thread at a time. */
#ifndef WB_BUILDER_FETCH_CHECK_H
#define WB_BUILDER_FETCH_CHECK_H

#include "base/sha256.h"
#include "builder/source/source.h"
#include "layers/states.h"

struct wb_check {
	struct wb_known want;
	uint64_t size; /* WB_SIZE_UNKNOWN: any */
	uint64_t seen;
	struct wb_sha256 sha256;
	WB_VEC(struct wb_digest) states; /* after each whole chunk */
	struct wb_hash *git;
	struct wb_hash *other[WB_HASH_KINDS];
};
#define WB_CHECK_INIT ((struct wb_check){0})

void wb_check_init(struct wb_check *c, const struct wb_known *want, uint64_t size);
void wb_check_update(struct wb_check *c, const void *p, size_t n);
/* Two files at once cost little more than one (base/sha256.h). */
void wb_check_update_two(
	struct wb_check *a, const void *p, size_t n, struct wb_check *b, const void *q, size_t m);
/* After all bytes: *digest is their SHA-256. WB_ERR_INTEGRITY names the digest that does not fit.
 */
int wb_check_finish(struct wb_digest *digest, struct wb_check *c, struct wb_err *err);
void wb_check_release(struct wb_check *c);

#endif
