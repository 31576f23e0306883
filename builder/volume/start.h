/* Fetching a list's files and putting them where the model expects them: what /.wbuild/fetch does.
 *
 * Files go to a content store (layers/store.h) and links to its blobs go to the mounts. With a
 * cache directory that the replicas of a node share, each file is fetched once: who comes first
 * holds the file's lock, which ends with the process, however that ends; who comes after finds the
 * blob, or goes on where the first was killed. Without one the store lies beside the volumes, and
 * the links to it are relative. Nothing becomes a blob that is not verified. */
#ifndef WB_BUILDER_VOLUME_START_H
#define WB_BUILDER_VOLUME_START_H

#include "builder/fetch/fetch.h"
#include "builder/volume/list.h"

#define WB_VOLUME_DIR "/app/model_cache"
#define WB_VOLUME_UNUSED_DAYS 14 /* after which files of the cache are removed */

struct wb_volume_opts {
	const char *root;      /* "/"; another one in tests */
	const char *cache_dir; /* or NULL */
	const char *list;      /* the fetch list, or NULL */
	bool full;             /* what the cache holds is hashed again */
	bool insecure;
	unsigned jobs, connections;
};

/* What is at a path already, unless a link of an earlier start, is never covered: WB_ERR_IO. */
int wb_volumes_start(
	struct wb_fetch_total *total, const struct wb_volume_opts *o, struct wb_err *err);
/* One link at path to the store's blob. Others may write in the volume too: below folder, where
 * path lies, no link of theirs is followed, so that ours is nowhere else. relative_to: both lie
 * below it, and the link is relative; or NULL. */
int wb_volume_link(const char *folder, const char *path, const char *blob, const char *relative_to,
	struct wb_err *err);

#endif
