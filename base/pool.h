/* Worker groups. A group runs n jobs on up to `threads` threads (the caller's among them), stops
 * handing out jobs at the first error or cancellation, and returns that first error. Jobs are
 * taken in index order. A job must not start a group of its own on the same data. */
#ifndef WB_BASE_POOL_H
#define WB_BASE_POOL_H

#include <stddef.h>

#include "base/err.h"

typedef int wb_pool_fn(void *arg, size_t index, struct wb_err *err);

/* threads 0 means one per online core (in the cpuset), at most WB_POOL_MAX. */
#define WB_POOL_MAX 64
int wb_pool_run(unsigned threads, size_t n, wb_pool_fn *job, void *arg, struct wb_err *err);
unsigned wb_pool_cores(void);

#endif
