/* One entry of model_cache, as the config and the migration to weights both read it. */
#ifndef WB_BUILDER_CONFIG_CACHE_ENTRY_H
#define WB_BUILDER_CONFIG_CACHE_ENTRY_H

#include "builder/config/config.h"

/* The source address that kind, repo_id and revision ("" for none) stand for. An address in
 * repo_id wins over kind, as it does in Truss. Freed by the caller. */
char *wb_cache_address(enum wb_scheme kind, const char *repo, const char *revision);

#endif
