/* The size rules: a bundle above one size is worth a warning, above another it is refused. */
#ifndef WB_BUILDER_BUILD_SIZES_H
#define WB_BUILDER_BUILD_SIZES_H

#include "builder/build/plan.h"

#define WB_WARN_SIZE UINT64_C(1000000000)
#define WB_MAX_SIZE UINT64_C(50000000000)
#define WB_LARGEST_SHOWN 10

struct wb_size_limits {
	uint64_t warn, max; /* bytes; 0: the defaults above */
};

/* Indices into p->files, largest first (ties in path order); at most n. The caller frees. */
size_t *wb_sizes_largest(size_t *count, const struct wb_plan *p, size_t n);
/* The largest files, as notes, each with what it is. */
void wb_sizes_show_largest(const struct wb_plan *p);
/* -1 (WB_ERR_CONFIG) above the maximum. */
int wb_sizes_limit(
	const struct wb_plan *p, const struct wb_size_limits *limits, struct wb_err *err);
/* The same, and warns on stderr above the other size, with the largest files first. */
int wb_sizes_check(
	const struct wb_plan *p, const struct wb_size_limits *limits, struct wb_err *err);

#endif
