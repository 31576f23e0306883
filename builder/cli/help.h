/* Help texts, all made from the tables. */
#ifndef WB_BUILDER_CLI_HELP_H
#define WB_BUILDER_CLI_HELP_H

#include "builder/cli/command.h"

void wb_help_overview(void);                        /* to stdout */
void wb_help_command(const struct wb_command *cmd); /* to stdout */

#endif
