#include "builder/cli/report_args.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"

int wb_format_is_json(bool *json, const struct wb_args *args, struct wb_err *err)
{
	const char *format = wb_args_last(args, OPT_FORMAT);

	*json = format && !strcmp(format, "json");
	if (!format || *json || !strcmp(format, "text"))
		return 0;
	return wb_err_set(err, WB_ERR_USAGE, "--format: \"%s\" is not text or json", format);
}

void wb_print_json(void *j)
{
	wb_autojson json_t *owned = j;
	wb_autofree char *text = wb_json_dump_indent(owned);

	wb_autofree char *clean = wb_redact(text);

	fputs(clean, stdout);
}
