/* Shared by store.c and store_admin.c only. */
#ifndef WB_LAYERS_STORE_INTERNAL_H
#define WB_LAYERS_STORE_INTERNAL_H

#include "layers/store.h"

struct wb_store {
	char *dir;
	char *blobs; /* dir/blobs/sha256 */
	struct wb_lock lock;
};

#endif
