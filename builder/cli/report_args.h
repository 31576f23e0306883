/* --format of the commands that report. */
#ifndef WB_BUILDER_CLI_REPORT_ARGS_H
#define WB_BUILDER_CLI_REPORT_ARGS_H

#include "builder/cli/command.h"

/* *json: --format json. Others than text and json are usage errors. */
int wb_format_is_json(bool *json, const struct wb_args *args, struct wb_err *err);
/* Indented, to stdout. Takes j. */
void wb_print_json(void *j);

#endif
