/* The engine below the pattern languages (glob.c, ignore.c): a pattern is a list of elements, and
 * matching keeps the set of places it may be at, so the time is pattern times subject whatever
 * the stars do. Bytes, no locale. Internal to builder/config. */
#ifndef WB_BUILDER_CONFIG_MATCH_H
#define WB_BUILDER_CONFIG_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

enum wb_match_kind {
	WB_MATCH_CHAR,      /* this byte */
	WB_MATCH_SET,       /* one byte of a set */
	WB_MATCH_TAIL,      /* any run of UTF-8 continuation bytes: after a set of first bytes */
	WB_MATCH_STAR,      /* any run */
	WB_MATCH_STAR_NAME, /* any run without "/" */
	WB_MATCH_FOLDERS,   /* nothing, or a run that ends with "/" */
	WB_MATCH_NEVER,     /* a pattern that cannot match */
};

struct wb_match_element {
	enum wb_match_kind kind;
	unsigned char c;
	uint32_t set[8];
};

struct wb_match {
	WB_VEC(struct wb_match_element) list;
};

struct wb_match_element *wb_match_add(struct wb_match *m, enum wb_match_kind kind);
void wb_match_add_char(struct wb_match *m, char c);
void wb_match_release(struct wb_match *m);

static inline void wb_match_set_range(struct wb_match_element *e, unsigned lo, unsigned hi)
{
	for (unsigned c = lo; c <= hi && c < 256; c++)
		e->set[c / 32] |= 1u << c % 32;
}
/* Negates the set when told, and takes "/" out of it when told. */
void wb_match_set_finish(struct wb_match_element *e, bool negate, bool no_slash);

/* Adds what a run of stars at s means where "*" stops at "/": a double star that is a whole
 * component spans folders, any other run is one star. Returns the rest of the pattern. */
const char *wb_match_add_stars(struct wb_match *m, const char *pattern, const char *s);

bool wb_match_run(const struct wb_match *m, const char *path);

#endif
