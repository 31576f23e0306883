/* Rectangles whose areas are as their weights, as square as can be: the squarified treemap of
 * Bruls, Huizing and van Wijk (2000). */
#ifndef WB_BUILDER_BUILD_TREEMAP_H
#define WB_BUILDER_BUILD_TREEMAP_H

#include <stddef.h>
#include <stdint.h>

struct wb_rect {
	double x, y, w, h;
};

/* Fills out[0..n) with parts of whole. weights are in falling order, none of them 0. */
void wb_treemap(struct wb_rect *out, const uint64_t *weights, size_t n, struct wb_rect whole);

#endif
