#include "builder/runtime/wait.h"

#include <time.h>
#include <unistd.h>

#include "base/cancel.h"

#define POLL_MS 50

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int wb_stub_wait(const struct wb_stub_options *o, struct wb_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	double start = now();

	if (!o->ready_file)
		return 0;
	for (;;) {
		if (!access(o->ready_file, F_OK))
			return 0;
		if (o->failed_file && !access(o->failed_file, F_OK))
			return wb_err_set(err, WB_ERR_INTEGRITY,
				"the bundle is not usable; \"%.200s\" says why", o->failed_file);
		if (wb_cancel_check(err))
			return -1;
		if (o->timeout > 0 && now() - start > o->timeout)
			return wb_err_set(err, WB_ERR_LIMIT,
				"\"%.200s\" did not appear within %g s", o->ready_file, o->timeout);
		nanosleep(&pause, NULL);
	}
}
