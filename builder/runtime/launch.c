#include "builder/runtime/launch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"

/* What container engines set where an image sets none. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

void wb_signals_catch(struct wb_signals *s)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = wb_cancel_request;
	sigfillset(&action.sa_mask);
	sigprocmask(SIG_BLOCK, NULL, &s->mask);
	for (size_t i = 0; i < WB_ARRAY_LEN(caught); i++) {
		sigaction(caught[i], NULL, &s->saved[i]);
		if (s->saved[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
	}
}

void wb_signals_restore(const struct wb_signals *s)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(caught); i++)
		sigaction(caught[i], &s->saved[i], NULL);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

/* Tries PATH's directories in turn; errno says what the best candidate failed with. */
static void exec_in_path(char *const *argv, char *const *env)
{
	const char *path = getenv("PATH");
	int best = ENOENT;

	for (const char *p = path ? path : DEFAULT_PATH; p;) {
		size_t n = strcspn(p, ":");
		/* an empty element is the current directory, as POSIX has it */
		wb_autofree char *full =
			wb_asprintf("%.*s/%s", n ? (int)n : 1, n ? p : ".", argv[0]);

		execve(full, argv, env);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
			best = errno;
			break;
		}
		if (errno == EACCES)
			best = EACCES;
		p = p[n] ? p + n + 1 : NULL;
	}
	errno = best;
}

int wb_launch(char *const *argv, char *const *env, struct wb_err *err)
{
	if (!*argv[0])
		errno = ENOENT;
	else if (strchr(argv[0], '/'))
		execve(argv[0], argv, env);
	else
		exec_in_path(argv, env);

	int errnum = errno;

	wb_err_sys(err, errnum, "cannot run \"%.400s\"", argv[0]);
	return errnum == ENOENT || errnum == ENOTDIR ? 127 : 126;
}
