/* A command: one table in one file (cmd_*.c), all of them listed in commands.c. */
#ifndef WB_BUILDER_CLI_COMMAND_H
#define WB_BUILDER_CLI_COMMAND_H

#include "base/err.h"
#include "builder/cli/options.h"

struct wb_command {
	const char *name;
	const char *operands; /* for the usage line: "[DIR]" */
	const char *summary;  /* one line */
	const char *about;    /* a paragraph for its help, or NULL */
	unsigned min_operands, max_operands;
	const enum wb_opt *options; /* ends with OPT_END */
	/* 0, or -1 with err set. A result that is bad by itself (verify found damage) is an error
	 * too: its code makes the exit code. Results go to stdout. */
	int (*run)(const struct wb_args *args, struct wb_err *err);
};

extern const struct wb_command wb_cmd_push, wb_cmd_pull, wb_cmd_copy;
extern const struct wb_command wb_cmd_build, wb_cmd_validate, wb_cmd_plan, wb_cmd_lock,
	wb_cmd_fetch, wb_cmd_inspect, wb_cmd_verify, wb_cmd_cache, wb_cmd_migrate, wb_cmd_diff,
	wb_cmd_dockerfile, wb_cmd_frontend, wb_cmd_version, wb_cmd_help, wb_cmd_completion;

/* In the order that help lists them; ends with NULL. */
extern const struct wb_command *const wb_commands[];
const struct wb_command *wb_command_find(const char *name);

/* Options that every command takes, for the tables: level of detail and progress. */
#define OPTS_COMMON OPT_PROGRESS, OPT_QUIET, OPT_VERBOSE

#endif
