/* What progress shows of the sources' downloads: one step for each source, with its files that are
 * under way as items. A step is begun when the first file of its source has to be fetched, and
 * lasts until nothing of the source is missing: digests are asked for first and the rest when the
 * packer wants it, but to a person that is one download. */
#ifndef WB_BUILDER_BUILD_REMOTE_SHOWN_H
#define WB_BUILDER_BUILD_REMOTE_SHOWN_H

#include "builder/build/remote.h"

/* The wb_fetch_item.owner of each item. Zero-initialised but for source. */
struct wb_remote_moving {
	struct wb_remote_source *source;
	struct wb_item *item;
};

/* Before a fetch, for each source that has a part in it. */
void wb_remote_shown_begin(struct wb_remote_source *s, struct wb_progress *progress);
/* In the form of wb_fetch_opts.moved. */
void wb_remote_shown_moved(void *arg, struct wb_fetch_item *item, uint64_t got, bool done);
/* After a fetch, when its results are in the source's items. err is read when rc is -1. */
void wb_remote_shown_end(struct wb_remote_source *s, int rc, const struct wb_err *err);

#endif
