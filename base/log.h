/* What a person reads on stderr: errors, hints, warnings, notes, debug lines. One line each,
 * passed through wb_redact(). Thread safe: lines do not interleave, and a live progress display
 * (base/progress.h) is moved out of the way. Results go to stdout and not through here. */
#ifndef WB_BASE_LOG_H
#define WB_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum wb_level {
	WB_LOG_ERROR,
	WB_LOG_WARNING,
	WB_LOG_NOTE,
	WB_LOG_DEBUG, /* -v */
	WB_LOG_TRACE, /* -vv */
};

void wb_log_set_level(enum wb_level most); /* default WB_LOG_NOTE */
bool wb_log_enabled(enum wb_level level);
void wb_log(enum wb_level level, const char *fmt, ...) WB_PRINTF(2, 3);
#define wb_warn(...) wb_log(WB_LOG_WARNING, __VA_ARGS__)
#define wb_note(...) wb_log(WB_LOG_NOTE, __VA_ARGS__)
#define wb_debug(...) wb_log(WB_LOG_DEBUG, __VA_ARGS__)
#define wb_trace(...) wb_log(WB_LOG_TRACE, __VA_ARGS__)

/* "wbuild: error: FILE:LINE:COL: TEXT" and, where there is one, "wbuild: hint: HINT". */
void wb_log_err(const struct wb_err *err);
/* As above, as a warning that does not end the run. */
void wb_log_err_as(enum wb_level level, const struct wb_err *err);

/* Called around each line (by the progress display) with the lock held; NULL for none. */
void wb_log_set_hooks(void (*before)(void *), void (*after)(void *), void *arg);
/* Where lines go instead of stderr (rawjson progress, tests); NULL for stderr. */
void wb_log_set_sink(void (*sink)(void *arg, enum wb_level level, const char *line), void *arg);

#endif
