/* Worker groups. A group runs n jobs on up to `threads` threads (the caller's among them), stops
 * handing out jobs at the first error or cancellation, and returns that first error. Jobs are
 * taken in index order. A job must not start a group of its own on the same data. */
#ifndef WB_BASE_POOL_H
#define WB_BASE_POOL_H

#include <stddef.h>

#include "base/err.h"

typedef int wb_pool_fn(void *arg, size_t index, struct wb_err *err);

/* threads 0 means wb_pool_cores(). */
#define WB_POOL_MAX 64
int wb_pool_run(unsigned threads, size_t n, wb_pool_fn *job, void *arg, struct wb_err *err);
/* Processors that this process may use: its cpuset, no more than its cgroup's quota (a container's
 * CPU limit), at least 1 and at most WB_POOL_MAX. */
unsigned wb_pool_cores(void);
/* A quota as cgroup v2 writes it in cpu.max ("150000 100000": 2 processors, rounded up), 0 for
 * none ("max 100000") or a text that is no quota. */
unsigned wb_pool_cpu_max(const char *text);

#endif
