/* Commands that prepare the sources of a config and build nothing: fetch, lock. */
#ifndef WB_BUILDER_CLI_PREPARED_ARGS_H
#define WB_BUILDER_CLI_PREPARED_ARGS_H

#include "builder/build/prepared.h"
#include "builder/cli/command.h"

/* Does the command's work: p is WB_PREPARED_INIT, and released by the caller. */
typedef int wb_prepared_step(
	struct wb_prepared *p, const struct wb_build_opts *o, struct wb_err *err);

/* Reads the options of a build, shows progress under the title, and takes the step. */
int wb_prepared_run(
	const struct wb_args *args, const char *title, wb_prepared_step *step, struct wb_err *err);

#endif
