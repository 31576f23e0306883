/* Where fetched bytes go: workers that write buffers to their places in a part file, hash each file
 * in order, check it at its end and make it a blob of the store.
 *
 * A buffer is filled by one thread and handed over. A file's bytes may arrive in any order; they
 * are hashed as the prefix without gaps grows, from the buffer while it is still at hand, else from
 * the page cache. The number of buffers is the bound on memory: when none is free, the giver stops
 * its transfer and is woken when one is. */
#ifndef WB_BUILDER_FETCH_SINK_H
#define WB_BUILDER_FETCH_SINK_H

#include <pthread.h>

#include "base/growing.h"
#include "builder/fetch/check.h"
#include "builder/fetch/part.h"

#define WB_SINK_FULL (512u << 10)  /* hand a buffer over when it holds this much */
#define WB_SINK_SLACK (128u << 10) /* what a last piece may go beyond that */

struct wb_sink;
struct wb_sink_file;

struct wb_sink_buffer {
	struct wb_sink_buffer *next;
	char *data; /* WB_SINK_FULL + WB_SINK_SLACK bytes, page-aligned */
	size_t len;
	uint64_t offset;
};

/* woken: something changed that wb_sink_collect() or wb_sink_buffer() would tell; called from
 * workers. NULL and err where no thread can be had. */
struct wb_sink *wb_sink_new(struct wb_store *store, unsigned threads, unsigned buffers,
	void (*woken)(void *arg), void *arg, struct wb_err *err);
/* Finishes what is queued, joins the workers. Files that are not closed must not be used after. */
void wb_sink_free(struct wb_sink *s);

/* A free buffer, empty, or NULL. */
struct wb_sink_buffer *wb_sink_buffer(struct wb_sink *s);
void wb_sink_buffer_return(struct wb_sink *s, struct wb_sink_buffer *b);

/* key names the part. Small files (at most WB_SINK_FULL bytes) have none and come in one buffer. */
struct wb_sink_file *wb_sink_open(struct wb_sink *s, const char *key, const char *validator,
	uint64_t size, struct wb_err *err);
/* What is there already, from an earlier run. Before the first put. */
const struct wb_ranges *wb_sink_have(const struct wb_sink_file *f);
/* How much is written from the first byte on without gaps, checked or not; 0 for small files. */
uint64_t wb_sink_reached(struct wb_sink_file *f);
/* The part, for others to read along; NULL for small files. */
struct wb_growing *wb_sink_growing(const struct wb_sink_file *f);
/* The digests to check; after that, bytes may be put, and what is there is hashed. Again, with what
 * became known of them meanwhile, as long as nothing was there and nothing was put. */
void wb_sink_start(struct wb_sink_file *f, const struct wb_known *want);
void wb_sink_put(struct wb_sink_file *f, struct wb_sink_buffer *b);
/* The size of a file whose size was not known: all its bytes are put. */
void wb_sink_end(struct wb_sink_file *f, uint64_t size);
/* Forgets all bytes and starts over (from wb_sink_start). Only when idle. */
int wb_sink_restart(struct wb_sink_file *f, struct wb_err *err);
bool wb_sink_idle(struct wb_sink_file *f);  /* no task of this file is queued or running */
void wb_sink_close(struct wb_sink_file *f); /* waits until it is idle; the part stays */

/* The next file that came to its end, good (err->code WB_OK, *digest and *size filled, a blob now)
 * or bad; NULL when there is none. Each file comes once for each start. */
struct wb_sink_file *wb_sink_collect(
	struct wb_sink *s, struct wb_digest *digest, uint64_t *size, struct wb_err *err);

#endif
