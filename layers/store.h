/* The content store: bytes by SHA-256, verified before they get their name, shared by concurrent
 * builds.
 *
 *   DIR/blobs/sha256/<hex>   committed content (mode 0444): fetched files and packed layers
 *   DIR/parts/<key>.part     interrupted downloads with what of them is there (.part.log)
 *   DIR/index/<kind>/<key>   small records by a hashed key, replaced atomically
 *   DIR/uploads/…            journals of pushes that broke off (oci/journal.h)
 *   DIR/locks/…              per-key locks; DIR/lock is held shared by users, exclusive by prune
 *   DIR/version              "1"
 *
 * Only a committed, checked file gets a name under blobs/. An index record is only believed when
 * the blob it names is there with the size it says. All functions are thread safe and safe under
 * concurrent processes; a crash leaves temporaries that prune removes. */
#ifndef WB_LAYERS_STORE_H
#define WB_LAYERS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

struct wb_store;

/* Opens or makes the store and takes the shared lock. path NULL: $WBUILD_CACHE_DIR,
 * $XDG_CACHE_HOME/wbuild, ~/.cache/wbuild. */
struct wb_store *wb_store_open(const char *path, struct wb_err *err);
void wb_store_close(struct wb_store *s);
const char *wb_store_path(const struct wb_store *s);
/* Another user's store, or one on a read-only file system, can be read all the same. */
bool wb_store_writable(const struct wb_store *s);

/* Is the blob there (with this size, unless UINT64_MAX)? Marks it as used. */
bool wb_store_has(struct wb_store *s, const struct wb_digest *d, uint64_t size);
char *wb_store_blob_path(const struct wb_store *s, const struct wb_digest *d);
/* A blob opened for reading; size (may be NULL) is filled. -1 and err when missing. */
int wb_store_open_blob(
	struct wb_store *s, const struct wb_digest *d, uint64_t *size, struct wb_err *err);

/* Writing a blob whose digest the caller computes. Start, write through w->file, then commit with
 * the digest (the caller vouches that it hashed exactly what it wrote). */
struct wb_store_writer {
	struct wb_file file;
};
#define WB_STORE_WRITER_INIT ((struct wb_store_writer){.file = WB_FILE_INIT})
int wb_store_writer_init(
	struct wb_store_writer *w, struct wb_store *s, uint64_t size_hint, struct wb_err *err);
int wb_store_writer_commit(struct wb_store_writer *w, struct wb_store *s, const struct wb_digest *d,
	struct wb_err *err);
void wb_store_writer_release(struct wb_store_writer *w);
int wb_store_put(
	struct wb_store *s, const void *p, size_t n, struct wb_digest *out, struct wb_err *err);
/* Takes a finished, already verified file (a completed .part) as the blob `d`: rename. */
int wb_store_adopt(
	struct wb_store *s, const char *path, const struct wb_digest *d, struct wb_err *err);

/* Index records: kind is a folder name ("layer", "stat", "etag", "push"), key any text (hashed).
 * They carry their own checksum, so what is read is what was written. get: NULL without err when
 * there is none or it is damaged; marks the record as used. */
json_t *wb_store_index_get(struct wb_store *s, const char *kind, const char *key);
int wb_store_index_put(struct wb_store *s, const char *kind, const char *key, const json_t *value,
	struct wb_err *err);
/* The same for records that are not JSON, because there is one line for each of many files. out is
 * initialised; its limit rules. get: false when there is none, or it is damaged. */
bool wb_store_note_get(struct wb_buf *out, struct wb_store *s, const char *kind, const char *key);
int wb_store_note_put(struct wb_store *s, const char *kind, const char *key, const void *p,
	size_t n, struct wb_err *err);

/* Serialises work on one key between processes (two builds fetching one file). */
int wb_store_lock(struct wb_lock *l, struct wb_store *s, const char *key, struct wb_err *err);
/* Does not wait; errno as wb_lock_try() leaves it. */
bool wb_store_try_lock(struct wb_lock *l, struct wb_store *s, const char *key);
/* Path for an interrupted download's bytes; its folder exists. */
char *wb_store_part_path(struct wb_store *s, const char *key);

struct wb_store_entry {
	struct wb_digest digest;
	uint64_t size;
	int64_t last_used; /* seconds since the epoch */
	const char *kind;  /* "layer", "file" or "" */
};
struct wb_store_stats {
	uint64_t blobs, bytes, parts, part_bytes, temps;
};
int wb_store_list(struct wb_store *s, int (*each)(const struct wb_store_entry *, void *), void *arg,
	struct wb_store_stats *stats, struct wb_err *err);
/* Removes blobs unused since `before`, then least recently used until at most keep_bytes are left;
 * temporaries, and parts and journals older than before, always. Waits for running builds; dry:
 * only counts. */
int wb_store_prune(struct wb_store *s, int64_t before, uint64_t keep_bytes, bool dry,
	struct wb_store_stats *removed, struct wb_err *err);
/* The same for what nobody used since `before`, when no other process uses the store; else nothing
 * is removed. */
int wb_store_prune_idle(
	struct wb_store *s, int64_t before, struct wb_store_stats *removed, struct wb_err *err);
/* Re-hashes every blob; bad ones are reported and, with fix, removed. -1 WB_ERR_INTEGRITY when
 * any was bad. */
int wb_store_verify(struct wb_store *s, unsigned jobs, bool fix,
	void (*bad)(const struct wb_digest *d, const char *why, void *arg), void *arg,
	struct wb_store_stats *stats, struct wb_err *err);

#endif
