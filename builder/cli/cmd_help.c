#include "builder/cli/help.h"

static int run(const struct wb_args *args, struct wb_err *err)
{
	if (!args->operands.n) {
		wb_help_overview();
		return 0;
	}
	const struct wb_command *cmd = wb_command_find(args->operands.items[0]);

	if (!cmd) {
		wb_err_set(err, WB_ERR_USAGE, "unknown command \"%s\"", args->operands.items[0]);
		return wb_err_hint(err, "\"wbuild help\" lists the commands");
	}
	wb_help_command(cmd);
	return 0;
}

static const enum wb_opt options[] = {OPT_END};

const struct wb_command wb_cmd_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.summary = "show help for wbuild or for a command",
	.max_operands = 1,
	.options = options,
	.run = run,
};
