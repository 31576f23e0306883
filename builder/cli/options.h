/* Every option of every command, in one table: the same word means the same wherever it is taken.
 * Help, completions and the check of the man pages all come from this table. */
#ifndef WB_BUILDER_CLI_OPTIONS_H
#define WB_BUILDER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

enum wb_opt {
	OPT_END, /* closes a command's list */
	OPT_FILE,
	OPT_TAG,
	OPT_OUTPUT,
	OPT_PUSH,
	OPT_BASE,
	OPT_PLATFORM,
	OPT_COMPRESSION,
	OPT_COMPRESSION_LEVEL,
	OPT_COMPAT,
	OPT_SECRET,
	OPT_ALLOW_SECRET,
	OPT_LOCKED,
	OPT_FROZEN,
	OPT_OFFLINE,
	OPT_BUNDLE_VOLUMES,
	OPT_NO_STUB,
	OPT_VERIFY,
	OPT_MAX_SIZE,
	OPT_WARN_SIZE,
	OPT_JOBS,
	OPT_CONNECTIONS,
	OPT_LIMIT_RATE,
	OPT_PROGRESS,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_METADATA_FILE,
	OPT_IIDFILE,
	OPT_FORMAT,
	OPT_HTML,
	OPT_CACHE_DIR,
	OPT_LABEL,
	OPT_ANNOTATION,
	OPT_ENV,
	OPT_INSECURE,
	OPT_PLAIN_HTTP,
	OPT_TLS_VERIFY,
	OPT_CA_FILE,
	OPT_MOUNT_FROM,
	OPT_REGISTRY_LIMITS,
	OPT_ROOT,
	OPT_FIX,
	OPT_KEEP_BYTES,
	OPT_OLDER_THAN,
	OPT_DRY_RUN,
	OPT_YES,
	OPT_STRICT,
	OPT_IGNORE,
	OPT_BANDWIDTH,
	OPT_ALL,
	OPT_DIFF,
	OPT_HELP,
	OPT_COUNT,
};

struct wb_option {
	const char *name;    /* without dashes */
	char short_name;     /* or 0 */
	const char *arg;     /* name of its argument, or NULL for a switch */
	const char *choices; /* "auto|zstd|…" for completion, or NULL */
	bool repeatable;
	const char *help; /* one line */
};

extern const struct wb_option wb_options[OPT_COUNT];

/* What a command line says. */
struct wb_args {
	WB_VEC(char *) values[OPT_COUNT]; /* a switch has one value, "" */
	WB_VEC(char *) operands;
};

#define WB_ARGS_INIT ((struct wb_args){0})

/* argv[0] is the command's name. taken ends with OPT_END; OPT_HELP is always taken. */
int wb_args_parse(
	struct wb_args *out, int argc, char **argv, const enum wb_opt *taken, struct wb_err *err);
void wb_args_release(struct wb_args *a);
bool wb_args_has(const struct wb_args *a, enum wb_opt opt);
/* The last value given, or NULL. */
const char *wb_args_last(const struct wb_args *a, enum wb_opt opt);
/* Numbers and sizes; *out is untouched when the option was not given. */
int wb_args_number(
	unsigned *out, const struct wb_args *a, enum wb_opt opt, unsigned max, struct wb_err *err);
int wb_args_size(uint64_t *out, const struct wb_args *a, enum wb_opt opt, struct wb_err *err);

#endif
