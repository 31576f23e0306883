/* The hub's cache layout for one resolved repository (huggingface_hub, docs/hub "Local cache"):
 *
 *   models--OWNER--NAME/blobs/ETAG               the bytes
 *   models--OWNER--NAME/snapshots/COMMIT/PATH    a relative link to its blob
 *   models--OWNER--NAME/refs/REVISION            the commit, without a newline: readers use it as
 * is version.txt                                  "1": or transformers migrates the cache
 *
 * No refs entry when the revision is the commit itself, as the hub's own client has it. Pure. */
#ifndef WB_BUILDER_SOURCE_HF_CACHE_H
#define WB_BUILDER_SOURCE_HF_CACHE_H

#include "base/alloc.h"
#include "base/err.h"
#include "builder/config/config.h"

enum wb_hf_entry_type { WB_HF_BLOB, WB_HF_LINK, WB_HF_TEXT };

struct wb_hf_entry {
	char *path; /* below the cache directory */
	enum wb_hf_entry_type type;
	size_t file; /* blob: index of the file whose bytes it has */
	char *text;  /* link: its target; text: the content */
};

struct wb_hf_layout {
	WB_VEC(struct wb_hf_entry) entries;
};

#define WB_HF_LAYOUT_INIT ((struct wb_hf_layout){0})

struct wb_hf_file {
	const char *path; /* in the repository; safe */
	const char *etag; /* sha256 of LFS files, git blob sha1 of others */
};

/* commit: 40 lower-case hex digits. WB_ERR_FORMAT: a commit or etag that is none. */
int wb_hf_layout_make(struct wb_hf_layout *out, enum wb_hf_kind kind, const char *repo,
	const char *revision, const char *commit, const struct wb_hf_file *files, size_t n,
	struct wb_err *err);
void wb_hf_layout_release(struct wb_hf_layout *l);

#endif
