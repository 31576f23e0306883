#include "builder/build/treemap.h"

#include <stdbool.h>

#include "base/alloc.h"

/* How far the worst of a row is from a square: weights from largest to smallest, sum of them all,
 * in a row along a side of that length. */
static double worst(double largest, double smallest, double sum, double side)
{
	double wide = side * side * largest / (sum * sum);
	double narrow = sum * sum / (side * side * smallest);

	return wide > narrow ? wide : narrow;
}

/* Lays the areas in a row along the shorter side of rest, and takes their place from it. */
static void lay_row(
	struct wb_rect *out, const double *areas, size_t n, double sum, struct wb_rect *rest)
{
	bool upright = rest->w >= rest->h;
	double side = upright ? rest->h : rest->w;
	double depth = side > 0 ? sum / side : 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		double length = depth > 0 ? areas[i] / depth : 0;

		out[i] = upright ? (struct wb_rect){rest->x, rest->y + at, depth, length}
		                 : (struct wb_rect){rest->x + at, rest->y, length, depth};
		at += length;
	}
	*(upright ? &rest->x : &rest->y) += depth;
	*(upright ? &rest->w : &rest->h) -= depth;
}

void wb_treemap(struct wb_rect *out, const uint64_t *weights, size_t n, struct wb_rect whole)
{
	wb_autofree double *areas = wb_calloc(n + 1, sizeof(*areas));
	struct wb_rect rest = whole;
	double all = 0;

	for (size_t i = 0; i < n; i++)
		all += (double)weights[i];
	for (size_t i = 0; i < n; i++)
		areas[i] = (double)weights[i] / all * whole.w * whole.h;
	for (size_t from = 0, to; from < n; from = to) {
		double side = rest.w < rest.h ? rest.w : rest.h, sum = areas[from];

		for (to = from + 1; to < n; to++) {
			double with = sum + areas[to];

			if (worst(areas[from], areas[to], with, side) >
				worst(areas[from], areas[to - 1], sum, side))
				break;
			sum = with;
		}
		lay_row(out + from, areas + from, to - from, sum, &rest);
	}
}
