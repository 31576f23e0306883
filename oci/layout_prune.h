/* Clearing a layout folder of what is in no image of its index any more.
 *
 * Blobs that wbuild writes carry one fixed time (1980-01-01, as those of the store, which they may
 * be links of). One with that time is whole, for who changes it changes the time too; and it may go
 * when no entry of the index reaches it, whether its image was replaced or its build was killed. Of
 * others' blobs only those go that a replaced image reached: the specification allows what nobody
 * refers to. Two programs may use
 * one folder: each holds a wb_layout_use while it reads or writes, and nothing is removed while
 * another one does. */
#ifndef WB_OCI_LAYOUT_PRUNE_H
#define WB_OCI_LAYOUT_PRUNE_H

#include "oci/layout_base.h"

#define WB_LAYOUT_MTIME 315532800

/* A shared lock on the folder DIR/blobs. -1 (and no error) where that cannot be had: on such a file
 * system nothing is ever removed. */
int wb_layout_use(const char *dir);

/* Is the blob there, whole? One with another time is hashed, and is wbuild's from then on. */
bool wb_layout_has(const struct wb_layout_base *l, const struct wb_descriptor *d);

/* gone: entries that the index had before. use: what wb_layout_use() gave. Best effort: whatever is
 * in doubt stays. Temporaries of writers that died go as well. */
void wb_layout_prune(struct wb_layout_base *l, const wb_descriptors *gone, int use);

#endif
