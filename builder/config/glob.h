/* The two filter dialects (config.h, enum wb_glob_dialect). Case-sensitive, bytes; linear time in
 * pattern times subject, no recursion. Thread safe. */
#ifndef WB_BUILDER_CONFIG_GLOB_H
#define WB_BUILDER_CONFIG_GLOB_H

#include <stdbool.h>

#include "builder/config/config.h"

bool wb_glob_match(enum wb_glob_dialect dialect, const char *pattern, const char *path);

/* allow first (when set), then ignore. hits (may be NULL) counts, per pattern, the paths it
 * matched: hits[0..allow.n) then hits[allow.n..allow.n + ignore.n). */
bool wb_glob_keeps(enum wb_glob_dialect dialect, const struct wb_patterns *allow,
	const struct wb_patterns *ignore, const char *path, size_t *hits);

#endif
