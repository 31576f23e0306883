/* --progress and --quiet of the commands that take time. */
#ifndef WB_BUILDER_CLI_PROGRESS_ARGS_H
#define WB_BUILDER_CLI_PROGRESS_ARGS_H

#include "base/progress.h"
#include "builder/cli/command.h"

/* Neither progress nor notes: --quiet, or --progress quiet. */
bool wb_args_quiet(const struct wb_args *args);
/* On stderr; *out is NULL for quiet. title is one word, "Building". */
int wb_progress_open(struct wb_progress **out, const struct wb_args *args, const char *title,
	struct wb_err *err);

#endif
