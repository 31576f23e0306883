/* What push, pull and copy share: the options of the way, and the moving itself. */
#ifndef WB_BUILDER_CLI_TRANSFER_H
#define WB_BUILDER_CLI_TRANSFER_H

#include "builder/build/place.h"
#include "builder/cli/command.h"
#include "oci/copy.h"

/* The options that reach registries, for the tables: to read there, and to write. */
#define OPTS_REACH OPT_PLAIN_HTTP, OPT_TLS_VERIFY, OPT_CA_FILE
#define OPTS_REGISTRY OPTS_REACH, OPT_MOUNT_FROM, OPT_REGISTRY_LIMITS, OPT_LIMIT_RATE

#define OPTS_TRANSFER OPT_PLATFORM, OPT_JOBS, OPT_CACHE_DIR, OPTS_REGISTRY, OPTS_COMMON

/* Reads OPTS_REACH into out. */
int wb_place_args_reach(struct wb_place_opts *out, const struct wb_args *args, struct wb_err *err);
/* Reads OPTS_REGISTRY into out (memory stays as it is). *mounts and out->rate are the caller's to
 * free, after what was opened with out. */
int wb_place_args_read(struct wb_place_opts *out, const char ***mounts, const struct wb_args *args,
	struct wb_err *err);

/* Copies the image at src to dst and prints its digest. */
int wb_transfer(const struct wb_place *src, const struct wb_place *dst, const struct wb_args *args,
	struct wb_err *err);

/* An operand as a place; registry_only: "the image's name in a registry" is wanted. */
int wb_transfer_place(
	struct wb_place *out, const char *text, bool registry_only, struct wb_err *err);

#endif
