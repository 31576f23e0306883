/* Digests of local files by their stat, so that an unchanged file is not read again.
 *
 * A record is believed only when device, inode, size, mtime and ctime are the ones it was made
 * with, and it is only made when the file had been left alone long enough for a later change to
 * show in its ctime. One record in the store for each folder walked. Not thread safe. */
#ifndef WB_BUILDER_BUILD_STATCACHE_H
#define WB_BUILDER_BUILD_STATCACHE_H

#include "layers/store.h"
#include "layers/tree.h"

struct wb_statcache;

/* What is known of the files below dir (absolute, without symbolic links); an unreadable record is
 * an empty one. */
struct wb_statcache *wb_statcache_load(struct wb_store *s, const char *dir);
void wb_statcache_free(struct wb_statcache *c);
/* Fills content's digest when it is known. */
void wb_statcache_lookup(const struct wb_statcache *c, struct wb_content *content);
/* After packing: remembers the digests of the tree's files below dir. Writes nothing when nothing
 * changed. */
int wb_statcache_save(const struct wb_statcache *c, const struct wb_tree *t, struct wb_store *s,
	struct wb_err *err);

#endif
