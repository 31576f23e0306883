#include "builder/cli/progress_args.h"

#include <unistd.h>

static int mode(enum wb_progress_mode *out, const struct wb_args *args, struct wb_err *err)
{
	const char *text = wb_args_last(args, OPT_PROGRESS);

	*out = WB_PROGRESS_AUTO;
	if (text && wb_progress_mode_parse(out, text, err))
		return -1;
	if (wb_args_has(args, OPT_QUIET))
		*out = WB_PROGRESS_QUIET;
	return 0;
}

bool wb_args_quiet(const struct wb_args *args)
{
	struct wb_err ignored = WB_ERR_INIT; /* the command itself refuses another word */
	enum wb_progress_mode m;

	return !mode(&m, args, &ignored) && m == WB_PROGRESS_QUIET;
}

int wb_progress_open(
	struct wb_progress **out, const struct wb_args *args, const char *title, struct wb_err *err)
{
	enum wb_progress_mode m;

	if (mode(&m, args, err))
		return -1;
	*out = wb_progress_new(m, STDERR_FILENO, title);
	return 0;
}
