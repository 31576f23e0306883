/* Becoming the command, so that nothing of the stub is left: same process, arguments, environment,
 * descriptors, signal dispositions and mask as if it had been started directly. */
#ifndef WB_RUNTIME_LAUNCH_H
#define WB_RUNTIME_LAUNCH_H

#include <signal.h>

#include "base/err.h"

/* Signals during the checks. As process 1 of a container the stub gets no signal by default, and a
 * pod would be killed only after its grace period; so TERM, INT, HUP and QUIT are caught and ask
 * the checks to stop, unless they were ignored from the start. */
struct wb_signals {
	sigset_t mask; /* as it was found */
	struct sigaction saved[4];
};

void wb_signals_catch(struct wb_signals *s);
/* Everything as it was found. A signal that came before counts as cancellation (wb_cancelled()),
 * one that comes later finds what the command would have found. */
void wb_signals_restore(const struct wb_signals *s);

/* Does not return when it works. What a shell would exit with otherwise: 127 when there is no such
 * command, 126 when there is but it cannot be run; err says why. A name without a slash is
 * looked for in PATH; a file that the kernel cannot run is not handed to a shell. */
int wb_launch(char *const *argv, char *const *env, struct wb_err *err);

#endif
