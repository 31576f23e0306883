/* The download engine: files from remotes into the content store, each once.
 *
 * One thread drives all transfers (base/http.h), several files and several ranges of one file at a
 * time; workers write and hash what arrives, over bounded page-aligned buffers: when they fall
 * behind, transfers pause. Every file's SHA-256 is computed on the way, and what its source vouches
 * for is checked before the file becomes a blob; a mismatch is fetched once more, then it is
 * WB_ERR_INTEGRITY. What arrived of an unfinished file is kept with a journal and the next run asks
 * for the rest only.
 *
 * A file that is there already is not fetched: by its SHA-256, or by an index record of an earlier
 * fetch of something with the same identity (an etag that is a digest of content, whatever the name
 * and place). Two processes do not fetch one file twice: the second waits.
 *
 * Connections: from a few up to `connections`, as long as more of them bring more; fewer again when
 * a server asks for patience. */
#ifndef WB_BUILDER_FETCH_FETCH_H
#define WB_BUILDER_FETCH_FETCH_H

#include "base/growing.h"
#include "builder/source/source.h"
#include "layers/store.h"

#define WB_FETCH_CONNECTIONS 16

struct wb_fetch_item {
	struct wb_remote *remote;    /* NULL when offline: then it has to be in the store */
	struct wb_remote_file *file; /* learns its size and digests */
	const char *label;           /* of the source, for messages: "hf://owner/repo" */
	void *owner;                 /* the caller's own, for wb_fetch_opts.moved */
	/* Results. */
	bool done;
	bool cached;             /* was there; nothing was transferred for it */
	struct wb_digest digest; /* of the blob in the store */
	uint64_t size;
};

struct wb_fetch_progress {
	size_t files, files_done;   /* of those that are transferred; equal ones once */
	uint64_t bytes, bytes_done; /* bytes grows when an unknown size becomes known */
	unsigned connections;
	const char *newest; /* path of the file that was worked on last */
};

struct wb_fetch_opts {
	struct wb_http *http;
	struct wb_store *store;
	unsigned connections; /* at most; 0: WB_FETCH_CONNECTIONS */
	unsigned jobs;        /* workers; 0: one per core */
	bool offline;         /* a missing file is an error that names it */
	/* About ten times a second, on the caller's thread; NULL for none. */
	void (*progress)(const struct wb_fetch_progress *p, void *arg);
	/* As often, for each file that moved since: the bytes of it that are there (fewer than
	 * before when it is started over), and once when it is done. NULL for none. Of items with
	 * the same bytes the first is told of. */
	void (*moved)(void *arg, struct wb_fetch_item *item, uint64_t got, bool done);
	/* Each time that an item is done, while others are under way; of equal items once, and not
	 * of those that are in the store when the call begins. On the caller's thread; an error
	 * ends it all. NULL for none. */
	int (*arrived)(const struct wb_fetch_item *item, void *arg, struct wb_err *err);
	/* Once for each large file, when its first bytes are there: they can be read along while
	 * the others come, unchecked. It ends, good or not, after arrived was called; on the
	 * caller's thread; ref what is kept. NULL for none. */
	void (*grows)(void *arg, const struct wb_fetch_item *item, struct wb_growing *g);
	/* As often as progress: an error ends it all. NULL for none. */
	int (*goes_on)(void *arg, struct wb_err *err);
	void *arg; /* of all these */
};

struct wb_fetch_total {
	size_t fetched, cached;                            /* items */
	uint64_t fetched_bytes, cached_bytes, transferred; /* transferred: over the network */
};

/* Marks the items that are in the store; touches no network. */
void wb_fetch_find(struct wb_fetch_item *items, size_t n, struct wb_store *store);
/* Gets the others. total may be NULL. On error what is finished stays in the store. */
int wb_fetch(struct wb_fetch_item *items, size_t n, const struct wb_fetch_opts *opts,
	struct wb_fetch_total *total, struct wb_err *err);

#endif
