/* Clearing a layout folder of what an image left behind that is not in its index any more.
 *
 * Only what such images reached is ever removed, and only when no entry that is left reaches it:
 * blobs that somebody else put there stay, as the specification allows them. Two programs may use
 * one folder: each holds a wb_layout_use while it reads or writes, and nothing is removed while
 * another one does. */
#ifndef WB_OCI_LAYOUT_PRUNE_H
#define WB_OCI_LAYOUT_PRUNE_H

#include "oci/layout_base.h"

/* A shared lock on the folder DIR/blobs. -1 (and no error) where that cannot be had: on such a file
 * system nothing is ever removed. */
int wb_layout_use(const char *dir);

/* gone: entries that the index had before. use: what wb_layout_use() gave. Best effort: whatever is
 * in doubt stays. Temporaries of writers that died go as well. */
void wb_layout_prune(struct wb_layout_base *l, const wb_descriptors *gone, int use);

#endif
