/* What fetch.c (which files, in which order, to which end) and transfer.c (requests and their
 * bytes) share. */
#ifndef WB_BUILDER_FETCH_FETCH_INTERNAL_H
#define WB_BUILDER_FETCH_FETCH_INTERNAL_H

#include <uthash.h>

#include "builder/fetch/fetch.h"
#include "builder/fetch/sink.h"

enum wb_fetch_state {
	WB_FETCH_WAITING,   /* not begun, or another process has it */
	WB_FETCH_HEAD,      /* asking what is known of it */
	WB_FETCH_RUNNING,   /* bytes are coming, or could */
	WB_FETCH_FINISHING, /* all are handed to the sink */
	WB_FETCH_AGAIN,     /* to be started over, when nothing of it is under way */
	WB_FETCH_DONE,
};

/* One file to get; equal ones of several items are one. */
struct wb_fetch_file {
	struct wb_fetch_item *item; /* the first that wants it */
	enum wb_fetch_state state;
	char *key; /* of lock and part */
	struct wb_lock lock;
	struct wb_sink_file *sink;
	struct wb_growing *growing; /* NULL: nobody reads along */
	struct wb_ranges todo;      /* not asked for yet */
	unsigned transfers;
	char *direct;  /* where redirects led; used until it is refused */
	bool answered; /* a first response says how the file is to be had: until then one request */
	bool no_ranges, head_done;
	bool unbegun;      /* its size is counted in unbegun_bytes */
	unsigned faults;   /* in a row, without progress */
	unsigned refusals; /* in a row */
	unsigned mismatches;
	int64_t begun;      /* ms; 0: not yet */
	int64_t not_before; /* ms */
	uint64_t got;       /* bytes that are there or came, less what was thrown away */
	uint64_t told;      /* of them */
	bool told_done;
	UT_hash_handle hh; /* by key */
};

struct wb_transfer {
	struct wb_fetch *fetch;
	struct wb_fetch_file *f;
	struct wb_http_req *req; /* NULL: free slot */
	struct wb_sink_buffer *buffer;
	char *url;                /* that was asked */
	uint64_t start, pos, end; /* end exclusive; UINT64_MAX: unknown */
	int64_t taken;            /* ms: when the buffer was */
	int64_t first;            /* ms: when the first byte came; 0: not yet */
	bool ranged, direct, head, paused, bad;
	bool split; /* more was asked for than up to end */
};

struct wb_fetch {
	struct wb_fetch_opts o;
	struct wb_sink *sink;
	WB_VEC(struct wb_fetch_file *) files;
	WB_VEC(struct wb_fetch_file *) open; /* neither waiting nor done */
	WB_VEC(struct wb_transfer *) transfers;
	size_t done, next; /* files; next: where to look for one that has not begun */
	uint64_t unbegun_bytes;
	unsigned active, limit, most; /* transfers now, allowed now, allowed at all */
	unsigned large_most;          /* large files that are begun at once */
	uint64_t transferred;
	struct wb_err err; /* the first fault that ends all */

	/* Adapting the number of connections. */
	int64_t window_start, settled_until, grown;
	uint64_t window_bytes;
	double best_rate;
	unsigned best_limit;
	bool window_starved, patience;

	struct wb_fetch_progress progress;
	int64_t told, grew;
};

int64_t wb_fetch_now(void); /* ms */
/* First fault wins; the loop stops at the next look. */
void wb_fetch_fail(struct wb_fetch *d, const struct wb_err *err);
/* Drops what is there and starts over, when the transfers of the file have ended. */
void wb_fetch_start_over(struct wb_fetch_file *f);
/* Another request for a part of the file could be made now, if there was a part to ask for. */
bool wb_fetch_takes_one(const struct wb_fetch_file *f, int64_t now);

/* transfer.c */
bool wb_transfer_start(struct wb_fetch *d, struct wb_fetch_file *f); /* false: nothing to ask */
/* Gives paused ones their buffers, and the sink what waits for more for too long. */
void wb_transfer_look_after(struct wb_fetch *d);
void wb_transfer_stop_all(struct wb_fetch *d); /* what arrived goes to the sink */
/* Gives half of what the slowest transfer has left back to what is to be asked for; false: none is
 * worth it. */
bool wb_transfer_split(struct wb_fetch *d);
/* Connections that were begun and have brought nothing yet. */
unsigned wb_transfer_fresh(const struct wb_fetch *d);

#endif
