/* A config, opened and planned: what plan, lock, fetch and validate start from. */
#ifndef WB_BUILDER_BUILD_PREPARED_H
#define WB_BUILDER_BUILD_PREPARED_H

#include "builder/build/build.h"

struct wb_prepared {
	struct wb_config config;
	struct wb_store *store;
	struct wb_plan plan;
};

#define WB_PREPARED_INIT ((struct wb_prepared){0})

/* Loads the config (showing its findings), opens the store and makes the plan. On error, out holds
 * what was reached; release it either way. */
int wb_prepared_open(struct wb_prepared *out, const struct wb_build_opts *opts, struct wb_err *err);
void wb_prepared_release(struct wb_prepared *p);

#endif
