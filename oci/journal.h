/* What is known of an upload that has begun, on disk, so that a new process can go on with a blob
 * that a dead one left half-way. One small file for each registry, repository and blob, replaced
 * atomically, readable by its owner only: an upload's address may carry the right to write to it.
 *
 * A journal is held by one process at a time; a second one that pushes the same blob does without.
 * What is read back is checked like anything from outside. */
#ifndef WB_OCI_JOURNAL_H
#define WB_OCI_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"

#define WB_JOURNAL_MAX (64u << 10) /* bytes of one file */
#define WB_JOURNAL_DAYS 7 /* older ones are not believed: registries purge their sessions */

struct wb_upload_state {
	char *location;   /* where the session goes on */
	uint64_t acked;   /* bytes that the registry acknowledged */
	uint64_t size;    /* of the whole blob */
	uint64_t started; /* seconds since the epoch */
};

#define WB_UPLOAD_STATE_INIT ((struct wb_upload_state){0})
void wb_upload_state_release(struct wb_upload_state *s);

struct wb_journal {
	char *path; /* NULL: none is kept */
	struct wb_lock lock;
	char *host, *repository;
	struct wb_digest digest;
};

#define WB_JOURNAL_INIT ((struct wb_journal){.lock = {.fd = -1}})

/* dir NULL, not writable, or the journal held by another: one that keeps nothing. */
void wb_journal_open(struct wb_journal *j, const char *dir, const char *host,
	const char *repository, const struct wb_digest *digest);
void wb_journal_release(struct wb_journal *j); /* keeps the file */
/* true with *out filled when a recent state of this very upload is there. */
bool wb_journal_read(struct wb_upload_state *out, const struct wb_journal *j);
/* Best effort: without it only the resuming is lost. */
void wb_journal_write(const struct wb_journal *j, const struct wb_upload_state *s);
void wb_journal_drop(const struct wb_journal *j);

/* The parser of the file, for itself. */
int wb_upload_state_parse(struct wb_upload_state *out, const char *p, size_t n,
	const struct wb_journal *j, uint64_t now, struct wb_err *err);

#endif
