/* `init wait`: for probes, sidecars and servers that must not start before the bundle is there. */
#ifndef WB_RUNTIME_WAIT_H
#define WB_RUNTIME_WAIT_H

#include "builder/runtime/options.h"

/* Returns 0 when the ready file is there (or none was named: then there is nothing to wait for).
 * -1: WB_ERR_INTEGRITY when the failed file came first, WB_ERR_LIMIT at the timeout. */
int wb_stub_wait(const struct wb_stub_options *o, struct wb_err *err);

#endif
