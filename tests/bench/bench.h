/* What the measuring programs share. Times are seconds. */
#ifndef WB_TESTS_BENCH_H
#define WB_TESTS_BENCH_H

#include <stdlib.h>
#include <time.h>

static inline double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline int bench_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The middle one of n values; sorts them. */
static inline double bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), bench_by_value);
	return values[n / 2];
}

#endif
