/* What the stub tells: lines on stderr (stdout belongs to the command), a JSON form of the same,
 * and the marker files that probes and sidecars look at. */
#ifndef WB_RUNTIME_REPORT_H
#define WB_RUNTIME_REPORT_H

#include "builder/runtime/fetch.h"
#include "builder/runtime/options.h"

/* How it went. */
struct wb_outcome {
	struct wb_verify_report checked;
	struct wb_fetched fetched;
	struct wb_err err; /* WB_OK when all is well */
};

/* "wbuild: error: …" and, where there is one, "wbuild: hint: …". */
void wb_say_err(const struct wb_err *err);
void wb_say(const char *fmt, ...) WB_PRINTF(1, 2);

/* One line of JSON: what was checked, how fast, and every problem. The caller frees. */
char *wb_report_json(const struct wb_stub_options *o, const struct wb_outcome *how);
/* Prints the outcome as the options want it. */
void wb_report_print(const struct wb_stub_options *o, const struct wb_outcome *how);

/* Markers of an earlier start are removed first, so that nobody trusts them. */
void wb_markers_clear(const struct wb_stub_options *o);
/* Writes the ready or the failed file (its content is the JSON report), whole or not at all. One
 * that cannot be written is said, and does not stop the command. */
void wb_markers_write(const struct wb_stub_options *o, const struct wb_outcome *how);

#endif
