/* Truss's own list of what to fetch at start, its "b10 pointers" manifest, in JSON or YAML: for
 * images that Truss built, and clusters that mount one.
 *
 *   { "pointers": [ { "resolution": {"resolution_type": "http", "url": "https://huggingface.co/…"},
 *                     "file_name": "/app/model_cache/m/model.safetensors", "hashtype": "etag",
 *                     "hash": HEX, "size": N, "uid": "…", "runtime_secret_name": "…" } ],
 *     "models": [ { "repo_id", "revision", "volume_folder", … } ] or null }
 *
 * Pointers of the hub become files of its repository at the commit that the address names, so the
 * hub's own settings hold (HF_ENDPOINT, tokens); its etags are digests and are checked, as are
 * MD5s. Models are entries as in config.yaml, listed at start. */
#ifndef WB_BUILDER_VOLUME_BPTR_H
#define WB_BUILDER_VOLUME_BPTR_H

#include "builder/volume/list.h"

/* Adds what the manifest has and v has not: of two entries for one path the first counts. name is
 * for messages. WB_ERR_FORMAT says which pointer is wrong, and how. */
int wb_bptr_add(
	struct wb_volumes *v, const char *text, size_t n, const char *name, struct wb_err *err);
/* The files where Truss looks for them, below root ("" outside of tests), in its order. Missing
 * ones are none. */
int wb_bptr_add_all(struct wb_volumes *v, const char *root, struct wb_err *err);

#endif
