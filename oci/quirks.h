/* How registries differ: which way of uploading they take, whether what they say about an upload
 * session can be believed, and their limits. docs/registries.md has the table with its sources.
 *
 * What the table does not know is learned: a registry that refuses a chunk, or whose session turned
 * out to be gone, is remembered in a small JSON file for WB_QUIRKS_DAYS days. Looking up is pure;
 * a memory is thread safe and safe under concurrent processes. */
#ifndef WB_OCI_QUIRKS_H
#define WB_OCI_QUIRKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WB_QUIRKS_DAYS 30
#define WB_QUIRKS_FILE_MAX (1u << 20)

/* How a blob too large for a single short request is sent. */
enum wb_upload_method {
	WB_UPLOAD_CHUNKS, /* PATCH by PATCH: can continue where it stopped */
	WB_UPLOAD_WHOLE,  /* one PUT: all that every registry takes */
};

/* What `Range` in the status of an upload session is worth. */
enum wb_session_trust {
	WB_SESSION_UNKNOWN, /* believed, until the finished blob's digest is refused */
	WB_SESSION_TRUE,
	WB_SESSION_COUNTED, /* it lies, but chunks that were acknowledged are there */
	WB_SESSION_NONE,    /* an interrupted upload starts again */
};

struct wb_quirks {
	const char *name;   /* "GitHub Container Registry"; "the registry" when not known */
	const char *source; /* where its limits are written down, or NULL */
	enum wb_upload_method method;
	enum wb_session_trust session;
	bool no_mount;         /* mounting from another repository is not worth asking for */
	uint64_t body_max;     /* bytes of one request's body; 0: no limit known */
	uint64_t chunk_min;    /* bytes of a chunk that is not the last */
	uint64_t layer_max;    /* bytes of one blob; 0: no limit known */
	unsigned layers_max;   /* layers of one image; 0: no limit known */
	unsigned request_secs; /* a longer request is cut off; 0: no limit known */
};

/* From the table alone. host with or without port. */
void wb_quirks_lookup(struct wb_quirks *out, const char *host);

/* Can an image of n layers of these sizes (base's included) be pushed to host? -1: WB_ERR_LIMIT,
 * with what to change as the hint. */
int wb_quirks_check_plan(const char *host, const uint64_t *sizes, size_t n, struct wb_err *err);

/* What one registry taught. Values are what the file holds: append only. */
enum wb_lesson {
	WB_LESSON_CHUNKS_REFUSED = 1, /* PATCH does not work there */
	WB_LESSON_SESSION_LIES = 2,   /* its Range led to a wrong digest, or fell behind */
	WB_LESSON_SESSION_LOST = 3,   /* after an interruption the session was gone */
	WB_LESSON_SESSION_KEPT = 4,   /* it continued, and the digest was right */
	WB_LESSON_BODY_MAX = 5,       /* a body of this many bytes was too large */
};

struct wb_quirks_memory;

/* path NULL: remembers until freed only. A file that does not parse counts as empty. */
struct wb_quirks_memory *wb_quirks_memory_new(const char *path);
void wb_quirks_memory_free(struct wb_quirks_memory *m);
/* The table's answer, corrected by what was learned. m may be NULL. */
void wb_quirks_get(struct wb_quirks *out, struct wb_quirks_memory *m, const char *host);
/* Best effort: a file that cannot be written is a debug line. */
void wb_quirks_learn(
	struct wb_quirks_memory *m, const char *host, enum wb_lesson lesson, uint64_t value);

#endif
