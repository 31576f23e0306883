#include <unistd.h>

#include "builder/buildkit/frontend.h"
#include "builder/buildkit/step.h"
#include "builder/cli/command.h"

/* Standard output is the connection: whatever prints there from now on goes to the log. */
static int serve(struct wb_err *err)
{
	int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO);

	if (in < 0 || out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return wb_err_set(err, WB_ERR_IO, "cannot set up the connection");
	int rc = wb_frontend_run(in, out, environ, WB_FRONTEND_DEFINITION, err);

	close(in);
	close(out);
	return rc;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	return args->operands.n ? wb_frontend_step(args->operands.items[0], "", err) : serve(err);
}

static const enum wb_opt options[] = {OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_frontend = {
	.name = "frontend",
	.operands = "[STEP]",
	.summary = "the BuildKit gateway frontend (speaks on stdin and stdout)",
	.about =
		"What BuildKit runs for a config whose first line is \"# syntax=IMAGE\", IMAGE "
		"being one that\nholds wbuild. STEP is a part of such a build, which BuildKit runs "
		"in the same image: list, lock,\ncut, layer or manifest. Not for use by hand: "
		"see docs/buildkit.md.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
