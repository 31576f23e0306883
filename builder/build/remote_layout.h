/* Where a remote source's files land: plain below the mount, as one file, or in the hub's cache
 * layout. */
#ifndef WB_BUILDER_BUILD_REMOTE_LAYOUT_H
#define WB_BUILDER_BUILD_REMOTE_LAYOUT_H

#include "builder/build/remote.h"

/* Every item's digest and size are known; its bytes may still be elsewhere. */
int wb_remote_layout_add(
	struct wb_tree *t, struct wb_remote_source *s, struct wb_store *store, struct wb_err *err);

#endif
