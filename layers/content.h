/* Reading a file's content (tree.h, struct wb_content) with the checks that keep a digest true: a
 * local file must be, before and after, the very file that the tree recorded. Thread safe. */
#ifndef WB_LAYERS_CONTENT_H
#define WB_LAYERS_CONTENT_H

#include "layers/tree.h"

/* Fills out from a local regular file's stat; no digest. */
void wb_content_from_stat(struct wb_content *out, const char *path, const struct stat *st);
void wb_content_copy(struct wb_content *out, const struct wb_content *in);
void wb_content_release(struct wb_content *c);

/* -> fd, positioned at 0. WB_ERR_IO when it is no longer what the tree recorded. */
int wb_content_open(const struct wb_content *c, struct wb_err *err);
/* After the last byte was read: it did not change meanwhile. */
int wb_content_check(const struct wb_content *c, int fd, struct wb_err *err);
/* SHA-256 of the whole content, and on the way to it its states (states.h; the caller frees them).
 * states may be NULL. */
int wb_content_hash(struct wb_digest *out, struct wb_digest **states, const struct wb_content *c,
	struct wb_err *err);
/* The error of content that is no longer that of its known digest; name is what it is called by. */
int wb_content_refuse(const struct wb_content *c, const char *name, struct wb_err *err);
/* SHA-256 of a few pieces of it, spread from the first byte to the last: equal files have equal
 * samples, and weights that are not equal hardly ever do. */
int wb_content_sample(struct wb_digest *out, const struct wb_content *c, struct wb_err *err);
/* Byte-for-byte equality (sizes are equal already), by so many threads (0: the cores): stops soon
 * after the first difference. */
int wb_content_equal(bool *equal, const struct wb_content *a, const struct wb_content *b,
	unsigned jobs, struct wb_err *err);

#endif
