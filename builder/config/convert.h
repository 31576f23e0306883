/* Patterns of one dialect said in the other. */
#ifndef WB_BUILDER_CONFIG_CONVERT_H
#define WB_BUILDER_CONFIG_CONVERT_H

#include <stdbool.h>

#include "base/alloc.h"

struct wb_words {
	WB_VEC(char *) list;
};

/* Adds to out the weights patterns that together match what an fnmatch pattern does. false: they
 * are only near it ("?" and sets match "/" in fnmatch; more than two stars inside names). */
bool wb_convert_pattern(struct wb_words *out, const char *fnmatch);
/* Adds the fnmatch patterns that match a path exactly when pattern matches prefix + path; none
 * when it matches nothing below prefix. */
void wb_convert_strip(struct wb_words *out, const char *pattern, const char *prefix);
void wb_words_release(struct wb_words *w);

#endif
