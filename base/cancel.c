#include "base/cancel.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* A signal has no argument to carry a context in, so the flags are the process's. Lock-free, so
 * that the handler may touch it; atomic, because every worker reads it. */
static atomic_int requested;
static atomic_bool silent;

static void on_signal(int signum)
{
	static const char line[] = "\n" WB_CANCEL_LINE "\n";
	int none = 0;

	if (!atomic_compare_exchange_strong(&requested, &none, signum))
		_exit(128 + signum);
	if (!atomic_load(&silent))
		(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
}

void wb_cancel_set_silent(bool on)
{
	atomic_store(&silent, on);
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
	sigaction(SIGXFSZ, &sa, NULL); /* a file over the user's limit: write() says so */
}

void wb_cancel_request(int signum)
{
	atomic_store(&requested, signum);
}

bool wb_cancelled(void)
{
	return atomic_load_explicit(&requested, memory_order_relaxed) != 0;
}

int wb_cancel_signal(void)
{
	return atomic_load(&requested);
}

int wb_cancel_check(struct wb_err *err)
{
	if (!wb_cancelled())
		return 0;
	wb_err_set(err, WB_ERR_CANCELLED, "stopped by a signal");
	return wb_err_hint(
		err, "run the same command again to continue: what was finished is kept");
}
