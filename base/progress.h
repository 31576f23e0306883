/* Progress as people know it from BuildKit: what runs, how far it is, what was found ready.
 *
 * A display shows steps (one line each: "fetch hf://owner/repo") and, within a step, items (one
 * file, one blob). Four kinds: a live view for terminals, numbered plain lines for logs, JSON
 * lines in the shape of buildx's --progress=rawjson, and nothing. A thread of the display reads
 * the counters several times a second; adding bytes is one atomic add and may be done from any
 * thread. Steps and items may be begun and ended from any thread; each item is moved by one thread
 * at a time.
 *
 * Every function takes NULL for "no display", so that callers need not ask. A live view is drawn
 * with one write per frame, fits itself to the window each time, begins only after
 * WB_PROGRESS_DELAY, and makes room for log lines (base/log.h, hooks). Names may come from outside:
 * they are redacted and made printable. */
#ifndef WB_BASE_PROGRESS_H
#define WB_BASE_PROGRESS_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

#define WB_PROGRESS_DELAY 0.5 /* seconds before the first frame: a quick run shows none */

enum wb_progress_mode {
	WB_PROGRESS_AUTO, /* tty on a terminal that can be drawn on, unless $CI is set; else plain
	                   */
	WB_PROGRESS_TTY,
	WB_PROGRESS_PLAIN,
	WB_PROGRESS_RAWJSON,
	WB_PROGRESS_QUIET,
};

struct wb_progress;
struct wb_step;
struct wb_item;

/* "auto", "tty", "plain", "rawjson", "quiet" ("none" is buildx's other word for quiet). */
int wb_progress_mode_parse(enum wb_progress_mode *out, const char *text, struct wb_err *err);

/* Shows on fd (which stays the caller's) until freed; title is one word: "Building". NULL for
 * WB_PROGRESS_QUIET. While it lives it owns the log's hooks and, with rawjson, its sink. Steps that
 * were not ended are shown as given up. */
struct wb_progress *wb_progress_new(enum wb_progress_mode mode, int fd, const char *title);
void wb_progress_free(struct wb_progress *p);
static inline void wb_progress_freep(struct wb_progress **p)
{
	wb_progress_free(*p);
}

/* A step lives as long as its display. */
struct wb_step *wb_step_begin(struct wb_progress *p, const char *fmt, ...) WB_PRINTF(2, 3);
/* Bytes expected in all; 0, the start value: not known. */
void wb_step_total(struct wb_step *s, uint64_t bytes);
void wb_step_add(struct wb_step *s, uint64_t bytes);
/* In the form of wb_pack_opts.progress. */
void wb_step_add_to(void *step, uint64_t bytes);
/* A few words behind the name, replaced by the next: "31 of 40 files". */
void wb_step_detail(struct wb_step *s, const char *fmt, ...) WB_PRINTF(2, 3);
/* There was nothing to do; call before the end. */
void wb_step_cached(struct wb_step *s);
/* Ends it; failed: with err's text. Returns -1 when failed, so that it can stand in a chain. */
int wb_step_end(struct wb_step *s, int rc, const struct wb_err *err);

/* An item's bytes count as its step's. total 0: not known. */
struct wb_item *wb_item_begin(struct wb_step *s, uint64_t total, const char *fmt, ...)
	WB_PRINTF(3, 4);
void wb_item_set(struct wb_item *i, uint64_t done); /* may go back (a retry) */
/* In the form of wb_put_opts.progress. */
void wb_item_set_to(void *item, uint64_t done);
/* Ends and frees it; what it had done stays in the step's count. */
void wb_item_end(struct wb_item *i);

#endif
