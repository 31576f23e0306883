#include <string.h>

#include "builder/cli/command.h"

const struct wb_command *const wb_commands[] = {
	&wb_cmd_build,
	&wb_cmd_validate,
	&wb_cmd_plan,
	&wb_cmd_lock,
	&wb_cmd_fetch,
	&wb_cmd_push,
	&wb_cmd_pull,
	&wb_cmd_copy,
	&wb_cmd_inspect,
	&wb_cmd_diff,
	&wb_cmd_verify,
	&wb_cmd_migrate,
	&wb_cmd_cache,
	&wb_cmd_dockerfile,
	&wb_cmd_frontend,
	&wb_cmd_completion,
	&wb_cmd_version,
	&wb_cmd_help,
	NULL,
};

const struct wb_command *wb_command_find(const char *name)
{
	for (size_t i = 0; wb_commands[i]; i++)
		if (!strcmp(wb_commands[i]->name, name))
			return wb_commands[i];
	return NULL;
}
