/* Cancellation: SIGINT and SIGTERM (and a fault in a sibling worker) ask every loop to stop at its
 * next safe place. The flag is sticky. Loops over bytes or items call wb_cancelled() at least
 * every few MiB; a function that returns because of it sets WB_ERR_CANCELLED by
 * wb_cancel_check(). A second signal ends the process at once. Thread and signal safe. */
#ifndef WB_BASE_CANCEL_H
#define WB_BASE_CANCEL_H

#include <stdbool.h>

#include "base/err.h"

#define WB_CANCEL_LINE "wbuild: stopping; a second signal ends it at once"

void wb_cancel_install(void); /* signal handlers; SIGPIPE and SIGXFSZ are ignored */
/* The handler writes WB_CANCEL_LINE to stderr, unless a live display says it in its own place. */
void wb_cancel_set_silent(bool on);
void wb_cancel_request(int signum);
bool wb_cancelled(void);
int wb_cancel_signal(void);              /* what was requested, 0 when nothing was */
int wb_cancel_check(struct wb_err *err); /* 0, or -1 with WB_ERR_CANCELLED */

#endif
