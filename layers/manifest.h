/* The bundle manifest, /.wbuild/manifest.json in the image (docs/formats.md): every packed file's
 * path, size, mode, SHA-256 and its states at chunks' ends, where it came from, and where the hub
 * cache lies. What the runtime stub, `verify --root`, `inspect` and `diff` read. The reader is
 * strict (paths safe, sorted, unique); writing is deterministic. */
#ifndef WB_LAYERS_MANIFEST_H
#define WB_LAYERS_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"
#include "layers/states.h"

#define WB_MANIFEST_PATH ".wbuild/manifest.json"
#define WB_INIT_PATH ".wbuild/init"
#define WB_MANIFEST_VERSION 2
#define WB_MANIFEST_BYTES_MAX (512u << 20)

enum wb_bundle_type { WB_BUNDLE_FILE, WB_BUNDLE_SYMLINK, WB_BUNDLE_DIR };

struct wb_bundle_entry {
	char *path; /* relative to the image root */
	enum wb_bundle_type type;
	unsigned mode;
	uint64_t size;
	struct wb_digest digest;  /* files */
	struct wb_digest *states; /* files of several chunks: wb_states_count(size), else NULL */
	char *target;             /* symlinks */
	unsigned source;          /* index into sources */
};

struct wb_bundle_source {
	char *label;    /* "data", "hf://owner/repo" (never credentials) */
	char *revision; /* resolved commit, or NULL */
	char *mount;    /* absolute */
	bool shared;    /* others have files below mount too: extra ones are no fault */
};

struct wb_bundle_manifest {
	WB_VEC(struct wb_bundle_entry) entries; /* sorted by wb_path_cmp */
	WB_VEC(struct wb_bundle_source) sources;
	char *hf_cache; /* hub cache directory in the image when something is there, or NULL */
};

#define WB_BUNDLE_MANIFEST_INIT ((struct wb_bundle_manifest){0})

/* WB_ERR_FORMAT names the entry and what is wrong with it; WB_ERR_UNSUPPORTED is a version or
 * chunk size of another program; members with other names are passed over. On success out is the
 * caller's to release; it is overwritten, not released first. */
int wb_bundle_manifest_parse(
	struct wb_bundle_manifest *out, const char *text, size_t n, struct wb_err *err);
/* Equal manifests give equal bytes. Entries must be sorted, with all the states that their size
 * asks for. A text longer than WB_MANIFEST_BYTES_MAX is made, but no reader will take it: the
 * packer checks. The caller frees. */
char *wb_bundle_manifest_dump(const struct wb_bundle_manifest *m);
void wb_bundle_manifest_release(struct wb_bundle_manifest *m);

#endif
