/* The bundle as plain files (type=local) or as one tar (type=tar): what the layers hold, without
 * the base, and /.wbuild/manifest.json, so that `wbuild verify --root` works on the result. */
#ifndef WB_BUILDER_BUILD_EXPORT_H
#define WB_BUILDER_BUILD_EXPORT_H

#include "builder/build/plan.h"

/* Files that are there are replaced, others in dest are left alone. */
int wb_export_dir(
	const char *dest, const struct wb_plan *p, const char *manifest, struct wb_err *err);
/* The file appears whole or not at all. */
int wb_export_tar(
	const char *dest, const struct wb_plan *p, const char *manifest, struct wb_err *err);

#endif
