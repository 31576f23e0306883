#include "builder/cli/prepared_args.h"

#include "builder/cli/build_args.h"
#include "builder/cli/progress_args.h"

int wb_prepared_run(
	const struct wb_args *args, const char *title, wb_prepared_step *step, struct wb_err *err)
{
	WB_AUTO(wb_build_args_release) struct wb_build_args build = {0};
	WB_AUTO(wb_prepared_release) struct wb_prepared p = WB_PREPARED_INIT;
	WB_AUTO(wb_progress_freep) struct wb_progress *progress = NULL;

	if (wb_build_args_read(&build, args, err) || wb_progress_open(&progress, args, title, err))
		return -1;
	build.opts.plan.remote.progress = progress;
	return step(&p, &build.opts, err);
}
