/* .truss_ignore: gitignore semantics (gitignore(5)) over paths relative to the Truss folder.
 * Read-only after load; thread safe. */
#ifndef WB_BUILDER_CONFIG_IGNORE_H
#define WB_BUILDER_CONFIG_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct wb_ignore;

/* A missing file gives an ignore that matches nothing. At most 1 MiB. */
struct wb_ignore *wb_ignore_load(const char *path, struct wb_err *err);
struct wb_ignore *wb_ignore_parse(const char *text, size_t n);
void wb_ignore_free(struct wb_ignore *ig);
/* path without leading slash. Callers walk top-down and do not enter a matched directory
 * (gitignore: a file cannot be re-included when a parent directory is excluded). */
bool wb_ignore_match(const struct wb_ignore *ig, const char *path, bool is_dir);

#endif
