/* Completion scripts, made from the option table, so that they cannot fall behind it. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "builder/cli/command.h"

static void each_word(const char *choices, const char *before)
{
	for (; *choices; choices += *choices == '|') {
		int n = (int)strcspn(choices, "|");

		printf("%s%.*s", before, n, choices);
		choices += n;
	}
}

/* What an argument is, for shells that can complete it. */
static bool is_file(const struct wb_option *o)
{
	return o->arg && (!strcmp(o->arg, "FILE") || !strcmp(o->arg, "DIR"));
}

/* --- bash --------------------------------------------------------------------------------- */

static void bash(void)
{
	puts("# bash completion for wbuild\n_wbuild() {\n"
	     "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} opts=\n"
	     "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
	printf("        COMPREPLY=($(compgen -W \"");
	for (size_t i = 0; wb_commands[i]; i++)
		printf("%s%s", i ? " " : "", wb_commands[i]->name);
	puts("\" -- \"$cur\"))\n        return\n    fi\n    case $prev in");
	for (int i = OPT_END + 1; i < OPT_COUNT; i++) {
		const struct wb_option *o = &wb_options[i];

		if (!o->arg)
			continue;
		printf("    --%s", o->name);
		if (o->short_name)
			printf("|-%c", o->short_name);
		printf(") ");
		if (o->choices) {
			printf("COMPREPLY=($(compgen -W \"");
			each_word(o->choices, " ");
			puts("\" -- \"$cur\")); return ;;");
		} else if (is_file(o)) {
			puts("COMPREPLY=($(compgen -f -- \"$cur\")); return ;;");
		} else {
			puts("return ;;");
		}
	}
	puts("    esac\n    case ${COMP_WORDS[1]} in");
	for (size_t i = 0; wb_commands[i]; i++) {
		printf("    %s) opts=\"", wb_commands[i]->name);
		for (size_t k = 0; wb_commands[i]->options[k] != OPT_END; k++)
			printf("--%s ", wb_options[wb_commands[i]->options[k]].name);
		puts("--help\" ;;");
	}
	puts("    esac\n    case $cur in\n"
	     "    -*) COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\")) ;;\n"
	     "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
	     "    esac\n}\ncomplete -o filenames -F _wbuild wbuild");
}

/* --- zsh ---------------------------------------------------------------------------------- */

static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:'\\", *text))
			putchar(*text == '\'' ? ' ' : '\\');
		if (*text != '\'')
			putchar(*text);
	}
}

static void zsh_option(enum wb_opt opt)
{
	const struct wb_option *o = &wb_options[opt];

	printf(" \\\n            '%s--%s%s[", o->repeatable ? "*" : "", o->name, o->arg ? "=" : "");
	zsh_text(o->help);
	putchar(']');
	if (o->arg) {
		printf(":%s:", o->arg);
		if (o->choices) {
			putchar('(');
			each_word(o->choices, " ");
			putchar(')');
		} else if (is_file(o)) {
			printf("_files");
		}
	}
	putchar('\'');
}

static void zsh(void)
{
	puts("#compdef wbuild\n_wbuild() {\n    if (( CURRENT == 2 )); then\n"
	     "        local -a commands=(");
	for (size_t i = 0; wb_commands[i]; i++) {
		printf("            '%s:", wb_commands[i]->name);
		zsh_text(wb_commands[i]->summary);
		puts("'");
	}
	puts("        )\n        _describe command commands\n        return\n    fi\n"
	     "    case $words[2] in");
	for (size_t i = 0; wb_commands[i]; i++) {
		printf("    %s)\n        _arguments", wb_commands[i]->name);
		for (size_t k = 0; wb_commands[i]->options[k] != OPT_END; k++)
			zsh_option(wb_commands[i]->options[k]);
		zsh_option(OPT_HELP);
		puts(" \\\n            '*:file:_files' ;;");
	}
	puts("    esac\n}\n_wbuild \"$@\"");
}

/* --- fish --------------------------------------------------------------------------------- */

static void fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_option(const char *command, enum wb_opt opt)
{
	const struct wb_option *o = &wb_options[opt];

	printf("complete -c wbuild -n '__fish_seen_subcommand_from %s' -l %s", command, o->name);
	if (o->short_name)
		printf(" -s %c", o->short_name);
	if (o->arg)
		printf(is_file(o) ? " -r -F" : " -x");
	if (o->choices) {
		printf(" -a '");
		each_word(o->choices, " ");
		putchar('\'');
	}
	printf(" -d ");
	fish_text(o->help);
	putchar('\n');
}

static void fish(void)
{
	puts("# fish completion for wbuild");
	for (size_t i = 0; wb_commands[i]; i++) {
		printf("complete -c wbuild -f -n __fish_use_subcommand -a %s -d ",
			wb_commands[i]->name);
		fish_text(wb_commands[i]->summary);
		putchar('\n');
		for (size_t k = 0; wb_commands[i]->options[k] != OPT_END; k++)
			fish_option(wb_commands[i]->name, wb_commands[i]->options[k]);
		fish_option(wb_commands[i]->name, OPT_HELP);
	}
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	const char *shell = args->operands.items[0];

	if (!strcmp(shell, "bash"))
		bash();
	else if (!strcmp(shell, "zsh"))
		zsh();
	else if (!strcmp(shell, "fish"))
		fish();
	else
		return wb_err_set(err, WB_ERR_USAGE,
			"completion: unknown shell \"%s\" (bash, zsh or fish)", shell);
	return 0;
}

static const enum wb_opt options[] = {OPT_END};

const struct wb_command wb_cmd_completion = {
	.name = "completion",
	.operands = "bash|zsh|fish",
	.summary = "print a completion script for a shell",
	.min_operands = 1,
	.max_operands = 1,
	.options = options,
	.run = run,
};
