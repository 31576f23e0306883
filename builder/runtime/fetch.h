/* Running /.wbuild/fetch, the program that images with `use_volume: true` entries carry beside the
 * stub: it downloads and links what /.wbuild/fetch.json names while the stub checks what is there.
 * The stub itself speaks no network protocol. */
#ifndef WB_RUNTIME_FETCH_H
#define WB_RUNTIME_FETCH_H

#include <sys/types.h>

#include "base/buf.h"
#include "builder/runtime/options.h"

struct wb_fetched {
	bool done; /* the program ran to its end; else the rest says nothing */
	uint64_t files, bytes, found_files, found_bytes, transferred;
};

struct wb_fetching {
	pid_t pid; /* 0: nothing runs */
	int out;   /* its standard output */
	struct wb_buf text;
	double start; /* monotonic seconds */
};

#define WB_FETCHING_INIT ((struct wb_fetching){.out = -1})

/* WB_ERR_UNSUPPORTED when the program is not beside this one. */
int wb_fetching_start(struct wb_fetching *f, const struct wb_stub_options *o, struct wb_err *err);
/* Waits for its end; ends it itself when the options' deadline passes (WB_ERR_LIMIT) or a signal
 * comes (WB_ERR_CANCELLED). Nothing started is nothing to wait for. err is what the program said,
 * with the code of its exit status. */
int wb_fetching_wait(struct wb_fetched *out, struct wb_fetching *f, const struct wb_stub_options *o,
	struct wb_err *err);
/* Ends a program that still runs. */
void wb_fetching_release(struct wb_fetching *f);

/* What the program writes to its output: five numbers, or "error TEXT" and "hint TEXT" lines.
 * WB_ERR_FORMAT when it is neither. */
int wb_fetched_parse(struct wb_fetched *out, const char *text, int status, struct wb_err *err);

#endif
