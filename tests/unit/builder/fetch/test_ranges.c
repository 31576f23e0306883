#include "wbtest.h"

#include "builder/fetch/ranges.h"

#define N 64

/* Against a plain array of bits, for all that random operations do. */
static void test_against_bits(void **state)
{
	struct wb_ranges r = {0};
	unsigned char bits[N] = {0};
	unsigned seed = 7;

	for (int step = 0; step < 20000; step++) {
		seed = seed * 1103515245 + 12345;
		unsigned a = seed >> 16 & 63, len = seed >> 8 & 15;
		unsigned b = a + len < N ? a + len : N;
		bool add = seed >> 24 & 1;

		if (add)
			wb_ranges_add(&r, a, b);
		else
			wb_ranges_remove(&r, a, b);
		memset(bits + a, add, b - a);
		uint64_t total = 0;

		for (unsigned i = 0; i < N; i++) {
			unsigned end = i;

			total += bits[i];
			while (end < N && bits[end])
				end++;
			assert_int_equal(wb_ranges_end(&r, i), end);
		}
		assert_int_equal(wb_ranges_total(&r), total);
		for (size_t i = 0; i + 1 < r.list.n; i++)
			assert_true(r.list.items[i].end < r.list.items[i + 1].start);
	}
	wb_ranges_release(&r);
}

static void test_next(void **state)
{
	struct wb_ranges r = {0};
	struct wb_range out;

	assert_false(wb_ranges_next(&out, &r, 0));
	wb_ranges_add(&r, 10, 20);
	wb_ranges_add(&r, 30, UINT64_MAX);
	assert_true(wb_ranges_next(&out, &r, 0));
	assert_int_equal(out.start, 10);
	assert_true(wb_ranges_next(&out, &r, 15));
	assert_int_equal(out.start, 15);
	assert_int_equal(out.end, 20);
	assert_true(wb_ranges_next(&out, &r, 20));
	assert_int_equal(out.start, 30);
	wb_ranges_remove(&r, 30, UINT64_MAX);
	assert_true(wb_ranges_next(&out, &r, 25)); /* from the beginning again */
	assert_int_equal(out.start, 10);
	wb_ranges_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_bits),
		cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
