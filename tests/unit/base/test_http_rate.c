#include "wbtest.h"

#include <time.h>
#include <unistd.h>

#include "base/http_rate.h"

static void test_no_limit(void **state)
{
	struct wb_http_rate *r = wb_http_rate_new(0);

	assert_null(r);
	assert_true(wb_http_rate_open(r, WB_HTTP_UP));
	wb_http_rate_take(r, WB_HTTP_UP, 1u << 30);
	assert_true(wb_http_rate_open(r, WB_HTTP_UP));
	assert_int_equal(wb_http_rate_wait(r, WB_HTTP_UP), 0);
	wb_http_rate_free(r);
}

/* Debts are of many seconds: a machine that stalls for some of them changes nothing. */
static void test_overdraft_is_paid_back(void **state)
{
	struct wb_http_rate *r = wb_http_rate_new(10000);

	usleep(2000);
	assert_true(wb_http_rate_open(r, WB_HTTP_UP));
	wb_http_rate_take(r, WB_HTTP_UP, 500000);
	assert_false(wb_http_rate_open(r, WB_HTTP_UP));
	assert_in_range(wb_http_rate_wait(r, WB_HTTP_UP), 30000, 50001);
	wb_http_rate_free(r);
}

static void test_ways_are_apart(void **state)
{
	struct wb_http_rate *r = wb_http_rate_new(10000);

	usleep(2000);
	wb_http_rate_take(r, WB_HTTP_UP, 1000000);
	assert_false(wb_http_rate_open(r, WB_HTTP_UP));
	assert_true(wb_http_rate_open(r, WB_HTTP_DOWN));
	wb_http_rate_free(r);
}

static int now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* What was not used is kept for a tenth of a second only: 30 s are owed, less that tenth, and less
 * what passes before the debt is asked for. */
static void test_idle_time_is_no_credit(void **state)
{
	struct wb_http_rate *r = wb_http_rate_new(10000);

	usleep(300000);
	int began = now_ms();

	assert_true(wb_http_rate_open(r, WB_HTTP_UP));
	wb_http_rate_take(r, WB_HTTP_UP, 300000);
	int owed = wb_http_rate_wait(r, WB_HTTP_UP);

	assert_in_range(owed + (now_ms() - began), 29890, 30000 + (now_ms() - began));
	assert_false(wb_http_rate_open(r, WB_HTTP_UP));
	wb_http_rate_free(r);
}

static void test_wait_has_an_end(void **state)
{
	struct wb_http_rate *r = wb_http_rate_new(1);

	wb_http_rate_take(r, WB_HTTP_DOWN, 1u << 31);
	assert_int_equal(wb_http_rate_wait(r, WB_HTTP_DOWN), 60000);
	wb_http_rate_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_overdraft_is_paid_back),
		cmocka_unit_test(test_ways_are_apart),
		cmocka_unit_test(test_idle_time_is_no_credit),
		cmocka_unit_test(test_wait_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
