/* One blob on its way into a registry: what upload.c (which way, again or not) and upload_send.c
 * (single requests) and upload_early.c (blobs that are not complete yet) share. */
#ifndef WB_OCI_UPLOAD_INTERNAL_H
#define WB_OCI_UPLOAD_INTERNAL_H

#include "oci/journal.h"
#include "oci/quirks.h"
#include "oci/registry_internal.h"

struct wb_upload {
	struct wb_registry *reg;
	struct wb_http *h;
	const struct wb_descriptor *d;
	const struct wb_blob_source *src;
	const struct wb_put_opts *opts;
	struct wb_quirks q;
	struct wb_journal journal;
	struct wb_upload_state s; /* location NULL: no session is open */

	int fd;                   /* of src->path */
	struct wb_reader *reader; /* else a stream, */
	uint64_t reader_pos;      /* and the offset of its next byte */

	uint64_t sent;                /* bytes that went out, repeated ones included */
	uint64_t body_from, body_len; /* what the current request carries of the blob */
	uint64_t body_sent;           /* and how much of that curl has taken */
	double took;                  /* seconds that the last request lasted */

	bool believed;     /* an offset was taken from the registry's word */
	bool whole;        /* one PUT only, from now on */
	unsigned failures; /* since something lasting was done */
	unsigned restarts, refusals;
	/* Requests that broke off: the shortest time that one lasted, in seconds, of those over one
	 * second; how many broke off in all, and how many after that time or little more. */
	double cut_after;
	unsigned cuts, cuts_alike;
	struct wb_err fault; /* the last fault that was not the end yet */
};

/* How one step ended: -1 with err, or one of these. */
enum wb_step {
	WB_STEP_ON,        /* done, go on */
	WB_STEP_THERE,     /* the blob is in the repository */
	WB_STEP_LOST,      /* the session is of no use any more */
	WB_STEP_CHECK,     /* something broke off: ask the session where it stands */
	WB_STEP_REFUSED,   /* this kind of request does not work there: why is in fault */
	WB_STEP_TOO_LARGE, /* the body was too large: likewise */
};

void wb_upload_release(struct wb_upload *u);

/* POST: opens a session, or with `from` mounts the blob out of that repository (THERE). A session
 * that is open already is given up when another one comes. REFUSED only with `from`. */
int wb_upload_begin(struct wb_upload *u, const char *from, struct wb_err *err);
/* POST with the blob itself: THERE, or ON with a session instead, or REFUSED. */
int wb_upload_single(struct wb_upload *u, struct wb_err *err);
/* GET: how much the session says it has; LOST. Asked until two answers agree: what a dead
 * connection left in buffers may still arrive. */
int wb_upload_status(struct wb_upload *u, uint64_t *received, struct wb_err *err);
/* PATCH of len bytes from s.acked on, which moves. *claimed is what the answer says has arrived,
 * or UINT64_MAX. */
int wb_upload_chunk(struct wb_upload *u, uint64_t len, uint64_t *claimed, struct wb_err *err);
/* PUT that closes the session, with the rest of the blob from s.acked on as its body. */
int wb_upload_close(struct wb_upload *u, struct wb_err *err);
/* DELETE, best effort. */
void wb_upload_cancel(struct wb_upload *u);

uint64_t wb_upload_chunk_size(const struct wb_upload *u); /* bytes of one PATCH at most */
/* upload.c: a chunk of at most len bytes, and what has to be done when it breaks off. ON: go on
 * from s.acked, with a new session when there is none. */
int wb_upload_send(struct wb_upload *u, uint64_t len, struct wb_err *err);
/* upload_early.c: goes on with the session of e, when it has one for u's registry. */
bool wb_early_take(struct wb_upload *u, struct wb_early *e);

/* Waits before another try: what the server asked for (seconds, -1: nothing), else doubling. */
int wb_upload_wait(struct wb_upload *u, long asked, struct wb_err *err);

#endif
