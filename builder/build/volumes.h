/* What an image fetches when it starts: the listings of `use_volume: true` entries, pinned now. */
#ifndef WB_BUILDER_BUILD_VOLUMES_H
#define WB_BUILDER_BUILD_VOLUMES_H

#include "builder/build/plan.h"
#include "builder/volume/list.h"

/* Lists the entries that the plan leaves out; no content is read. Asks their sources, so it fails
 * when nothing may be asked. The caller releases out, also on failure. */
int wb_plan_volumes(struct wb_volumes *out, struct wb_plan *p, struct wb_store *store,
	const struct wb_plan_opts *opts, struct wb_err *err);

#endif
