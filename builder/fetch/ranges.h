/* Sets of byte ranges [start, end): what of a file is there, what is still to do. Sorted, disjoint
 * and merged. Not thread safe. */
#ifndef WB_BUILDER_FETCH_RANGES_H
#define WB_BUILDER_FETCH_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

struct wb_range {
	uint64_t start, end;
};

struct wb_ranges {
	WB_VEC(struct wb_range) list;
};

void wb_ranges_add(struct wb_ranges *r, uint64_t start, uint64_t end);
void wb_ranges_remove(struct wb_ranges *r, uint64_t start, uint64_t end);
void wb_ranges_release(struct wb_ranges *r); /* empty after, and usable */
uint64_t wb_ranges_total(const struct wb_ranges *r);
/* The end of the range that holds `at`, or `at` when none does. */
uint64_t wb_ranges_end(const struct wb_ranges *r, uint64_t at);
/* The first range at or after `at` (what of it lies after), else the first of all; false when
 * empty. */
bool wb_ranges_next(struct wb_range *out, const struct wb_ranges *r, uint64_t at);

#endif
