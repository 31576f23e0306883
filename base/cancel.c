#include "base/cancel.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A signal has no argument to carry a context in, so the flag is the process's. */
static volatile sig_atomic_t requested;

static void on_signal(int signum)
{
	static const char line[] = "\nwbuild: stopping; a second signal ends it at once\n";

	if (requested)
		_exit(128 + signum);
	requested = signum;
	(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
}

void wb_cancel_install(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sigemptyset(&sa.sa_mask);
	sa.sa_handler = on_signal;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

void wb_cancel_request(int signum)
{
	requested = signum;
}

bool wb_cancelled(void)
{
	return requested != 0;
}

int wb_cancel_signal(void)
{
	return requested;
}

int wb_cancel_check(struct wb_err *err)
{
	if (!wb_cancelled())
		return 0;
	wb_err_set(err, WB_ERR_CANCELLED, "stopped by a signal");
	return wb_err_hint(
		err, "run the same command again to continue: what was finished is kept");
}
