#include "builder/cli/help.h"

#include <stdio.h>
#include <string.h>

enum { COLUMN = 32, WIDTH = 96 };

/* Text from COLUMN on, wrapped; the cursor is at `at`. */
static void wrap(const char *text, int at)
{
	if (at >= COLUMN - 1) {
		putchar('\n');
		at = 0;
	}
	printf("%*s", COLUMN - at, "");
	for (int col = COLUMN; *text;) {
		int n = (int)strcspn(text, " ");

		if (col + n > WIDTH && col > COLUMN) {
			printf("\n%*s", COLUMN, "");
			col = COLUMN;
		}
		printf("%s%.*s", col > COLUMN ? " " : "", n, text);
		col += n + (col > COLUMN);
		text += n;
		text += *text == ' ';
	}
	putchar('\n');
}

void wb_help_overview(void)
{
	puts("Usage: wbuild COMMAND [OPTIONS] ...\n");
	puts("Packs the files that a Truss-style config.yaml names into OCI image layers.\n");
	puts("Commands:");
	for (size_t i = 0; wb_commands[i]; i++)
		wrap(wb_commands[i]->summary, printf("  %s", wb_commands[i]->name));
	puts("\n\"wbuild help COMMAND\" shows a command's options; wbuild(1) is the manual.");
}

static void print_option(enum wb_opt opt)
{
	const struct wb_option *o = &wb_options[opt];
	int at = o->short_name ? printf("  -%c, --%s", o->short_name, o->name)
	                       : printf("      --%s", o->name);

	if (o->arg)
		at += printf(" %s", o->choices ? o->choices : o->arg);
	wrap(o->help, at);
}

void wb_help_command(const struct wb_command *cmd)
{
	printf("Usage: wbuild %s [OPTIONS] %s\n\n%s\n", cmd->name, cmd->operands,
		cmd->about ? cmd->about : cmd->summary);
	puts("\nOptions:");
	for (size_t i = 0; cmd->options[i] != OPT_END; i++)
		print_option(cmd->options[i]);
	print_option(OPT_HELP);
}
