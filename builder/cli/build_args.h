/* The options that build and its siblings (plan, validate, lock, fetch) share, from arguments to
 * struct wb_build_opts. */
#ifndef WB_BUILDER_CLI_BUILD_ARGS_H
#define WB_BUILDER_CLI_BUILD_ARGS_H

#include "builder/build/build.h"
#include "builder/cli/command.h"

/* Options that say what goes into the bundle. */
#define OPTS_BUNDLE                                                                     \
	OPT_FILE, OPT_SECRET, OPT_LOCKED, OPT_FROZEN, OPT_OFFLINE, OPT_BUNDLE_VOLUMES,  \
		OPT_MAX_SIZE, OPT_WARN_SIZE, OPT_JOBS, OPT_CONNECTIONS, OPT_LIMIT_RATE, \
		OPT_INSECURE, OPT_CA_FILE, OPT_CACHE_DIR

struct wb_build_args {
	struct wb_build_opts opts;
	WB_VEC(struct wb_output) outputs;
	WB_VEC(struct wb_reference) tags;
	WB_VEC(const char *) labels, annotations, env, secrets, allow_secret, written;
	const char **mounts;
};

/* Borrows from args. */
int wb_build_args_read(struct wb_build_args *out, const struct wb_args *args, struct wb_err *err);
void wb_build_args_release(struct wb_build_args *b);

#endif
