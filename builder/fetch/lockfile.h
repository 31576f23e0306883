/* wbuild.lock, beside the config: for every source the resolved revision and every file's path,
 * size, sha256 and the source's own etag; and for a packer's parameters the layers that they gave,
 * so that a rebuild can prove that neither download nor packing is needed (docs/formats.md).
 *
 *   { "version": 1,
 *     "sources": [ { "source": "hf://owner/repo@main", "key": HEX, "revision": "…", "root": "…",
 *                    "files": [ { "path", "size", "sha256", "etag", "version" } ] } ],
 *     "packer": "…",
 *     "layers": [ { "key", "digest", "diff_id", "size", "media_type", "contents" } ] }
 *
 * Text is stable: one line for each file and layer, sources in the config's order, files sorted,
 * nothing of the machine or the time. The reader is strict. Not thread safe. */
#ifndef WB_BUILDER_FETCH_LOCKFILE_H
#define WB_BUILDER_FETCH_LOCKFILE_H

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"
#include "builder/source/source.h"

#define WB_LOCK_NAME "wbuild.lock"
#define WB_LOCK_VERSION 1
#define WB_LOCK_BYTES_MAX (512u << 20)

struct wb_lock_file {
	char *path;
	uint64_t size;
	struct wb_digest sha256;
	char *etag, *version; /* "" when there is none */
	bool encoded;
};

struct wb_lock_source {
	char *source; /* as the config writes it, without credentials */
	char *key;    /* digest of wb_source_key() in hex */
	char *revision, *root;
	WB_VEC(struct wb_lock_file) files; /* sorted by wb_path_cmp */
};

struct wb_lock_layer {
	char *key; /* what went into the layer; the build module's own text */
	struct wb_digest digest, diff_id;
	uint64_t size;
	char *media_type;
	char *contents; /* where its table of contents is (chunked.h), or NULL */
};

struct wb_lockfile {
	WB_VEC(struct wb_lock_source) sources;
	char *packer; /* wb_packer_describe(), or NULL */
	WB_VEC(struct wb_lock_layer) layers;
};
#define WB_LOCKFILE_INIT ((struct wb_lockfile){0})
void wb_lockfile_release(struct wb_lockfile *l);

int wb_lockfile_parse(
	struct wb_lockfile *out, const char *text, size_t n, const char *name, struct wb_err *err);
char *wb_lockfile_dump(const struct wb_lockfile *l); /* the caller frees */
/* *found false, and an empty lockfile, when there is none. */
int wb_lockfile_load(struct wb_lockfile *out, bool *found, const char *path, struct wb_err *err);
/* Writes only when the text differs; *changed (may be NULL) tells. */
int wb_lockfile_save(
	const struct wb_lockfile *l, const char *path, bool *changed, struct wb_err *err);

/* The entry that pins this source as it is written now (address, patterns), or NULL. */
const struct wb_lock_source *wb_lockfile_find(
	const struct wb_lockfile *l, const struct wb_source *src);
/* A listing as the lock has it: files with their SHA-256 known, nothing asked. */
void wb_lock_listing(struct wb_listing *out, const struct wb_lock_source *s);
/* Adds a source from a listing; digests[i] belongs to listing->files[i]. */
void wb_lockfile_add(struct wb_lockfile *l, const struct wb_source *src,
	const struct wb_listing *listing, const struct wb_digest *digests);
struct wb_lock_layer *wb_lockfile_add_layer(struct wb_lockfile *l, const char *key);
const struct wb_lock_layer *wb_lockfile_layer(const struct wb_lockfile *l, const char *key);

/* For --locked: 0 when `now` says the same of every source as `then`; else WB_ERR_CONFIG that names
 * the first source and file that changed, and how. */
int wb_lockfile_same(
	const struct wb_lockfile *then, const struct wb_lockfile *now, struct wb_err *err);

#endif
