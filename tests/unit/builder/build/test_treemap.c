/* The treemap: areas are as the weights, nothing overlaps, and rectangles are near to squares. */
#include "wbtest.h"

#include "builder/build/treemap.h"

#define EPSILON 1e-6

static const struct wb_rect whole = {10, 20, 600, 400};

static bool apart(const struct wb_rect *a, const struct wb_rect *b)
{
	return a->x + a->w <= b->x + EPSILON || b->x + b->w <= a->x + EPSILON ||
	       a->y + a->h <= b->y + EPSILON || b->y + b->h <= a->y + EPSILON;
}

static bool inside(const struct wb_rect *r)
{
	return r->x >= whole.x - EPSILON && r->y >= whole.y - EPSILON &&
	       r->x + r->w <= whole.x + whole.w + EPSILON &&
	       r->y + r->h <= whole.y + whole.h + EPSILON;
}

/* Returns the worst ratio of the sides. */
static double check(const uint64_t *weights, size_t n)
{
	struct wb_rect rects[64];
	double sum = 0, worst = 1;

	assert_true(n <= 64);
	for (size_t i = 0; i < n; i++)
		sum += (double)weights[i];
	wb_treemap(rects, weights, n, whole);
	for (size_t i = 0; i < n; i++) {
		const struct wb_rect *r = &rects[i];
		double want = (double)weights[i] / sum * whole.w * whole.h, got = r->w * r->h;
		double ratio = r->w > r->h ? r->w / r->h : r->h / r->w;

		assert_true(got > want - 0.01 && got < want + 0.01);
		assert_true(inside(r));
		for (size_t k = 0; k < i; k++)
			assert_true(apart(r, &rects[k]));
		worst = ratio > worst ? ratio : worst;
	}
	return worst;
}

static void test_published_example(void **state)
{
	/* figure 4 of the paper: 6 by 4, and none worse than 25 by 9 */
	static const uint64_t weights[] = {6, 6, 4, 3, 2, 2, 1};

	(void)state;
	assert_true(check(weights, WB_ARRAY_LEN(weights)) < 2.8);
}

static void test_one(void **state)
{
	static const uint64_t weights[] = {UINT64_MAX};

	(void)state;
	assert_true(check(weights, 1) < 1.51);
}

static void test_equal_ones_are_squares_nearly(void **state)
{
	uint64_t weights[64];

	(void)state;
	for (size_t i = 0; i < 64; i++)
		weights[i] = 5000000000;
	assert_true(check(weights, 64) < 2);
}

static void test_very_different_ones(void **state)
{
	uint64_t weights[40];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		weights[i] = UINT64_C(1) << (40 - i);
	check(weights, 40);
	wb_treemap(NULL, NULL, 0, whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_example),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_equal_ones_are_squares_nearly),
		cmocka_unit_test(test_very_different_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
