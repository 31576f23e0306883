#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/sealed.h"
#include "base/secret.h"
#include "base/sha256_openssl.h"
#include "base/text.h"
#include "builder/cli/help.h"
#include "builder/cli/progress_args.h"

static int no_command(const char *word, struct wb_err *err)
{
	const char *names[64];
	size_t n = 0;

	for (; wb_commands[n]; n++)
		names[n] = wb_commands[n]->name;
	names[n] = NULL;
	const char *near = wb_text_nearest(word, names);

	wb_err_set(err, WB_ERR_USAGE, "unknown command \"%s\"", word);
	return near ? wb_err_hint(err, "did you mean \"wbuild %s\"?", near)
	            : wb_err_hint(err, "\"wbuild help\" lists the commands");
}

static void set_verbosity(const struct wb_args *args)
{
	size_t v = args->values[OPT_VERBOSE].n;

	if (wb_args_quiet(args))
		wb_log_set_level(WB_LOG_WARNING);
	else if (v)
		wb_log_set_level(v > 1 ? WB_LOG_TRACE : WB_LOG_DEBUG);
}

static int run_command(const struct wb_command *cmd, int argc, char **argv, struct wb_err *err)
{
	WB_AUTO(wb_args_release) struct wb_args args = WB_ARGS_INIT;

	if (wb_args_parse(&args, argc, argv, cmd->options, err))
		return -1;
	if (wb_args_has(&args, OPT_HELP)) {
		wb_help_command(cmd);
		return 0;
	}
	if (args.operands.n < cmd->min_operands || args.operands.n > cmd->max_operands) {
		wb_err_set(err, WB_ERR_USAGE, "%s: %s", cmd->name,
			args.operands.n < cmd->min_operands ? "an operand is missing"
							    : "too many operands");
		return wb_err_hint(err, "usage: wbuild %s [OPTIONS] %s", cmd->name, cmd->operands);
	}
	set_verbosity(&args);
	return cmd->run(&args, err);
}

static int dispatch(int argc, char **argv, struct wb_err *err)
{
	static char help[] = "help", version[] = "version";

	if (argc < 2) {
		wb_err_set(err, WB_ERR_USAGE, "no command given");
		return wb_err_hint(err, "\"wbuild help\" lists the commands");
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		argv[1] = help;
	if (!strcmp(argv[1], "--version"))
		argv[1] = version;
	const struct wb_command *cmd = wb_command_find(argv[1]);

	if (!cmd)
		return no_command(argv[1], err);
	return run_command(cmd, argc - 1, argv + 1, err);
}

int main(int argc, char **argv)
{
	struct wb_err err = WB_ERR_INIT;

	wb_sealed_process();
	wb_secret_learn_environment();
	/* Output does not depend on the locale or the umask. */
	setlocale(LC_ALL, "C");
	umask(022);
	wb_cancel_install();
	wb_sha256_use_openssl();
	if (!dispatch(argc, argv, &err) && (fflush(stdout) == EOF || ferror(stdout)))
		wb_err_set(&err, WB_ERR_IO, "cannot write to standard output");
	if (err.code)
		wb_log_err(&err);
	return wb_err_exit_code(&err);
}
