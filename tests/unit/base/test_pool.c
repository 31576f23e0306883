#include "wbtest.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/pool.h"

struct work {
	atomic_uint count[1000];
	atomic_size_t done;
	size_t fail_at;
};

static int count(void *arg, size_t index, struct wb_err *err)
{
	struct work *w = arg;

	atomic_fetch_add(&w->count[index], 1);
	atomic_fetch_add(&w->done, 1);
	if (index == w->fail_at)
		return wb_err_set(err, WB_ERR_IO, "job %zu", index);
	return 0;
}

static void every_job_runs_once(void **state)
{
	static const unsigned threads[] = {0, 1, 2, 8, 1000};

	for (size_t t = 0; t < WB_ARRAY_LEN(threads); t++) {
		struct work *w = wb_zalloc(sizeof(*w));
		struct wb_err err = WB_ERR_INIT;

		w->fail_at = SIZE_MAX;
		assert_ok(wb_pool_run(threads[t], 1000, count, w, &err), &err);
		for (size_t i = 0; i < 1000; i++)
			assert_int_equal(w->count[i], 1);
		free(w);
	}
}

static void no_jobs_is_no_work(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_pool_run(4, 0, count, NULL, &err), &err);
}

static void the_first_error_stops_the_group(void **state)
{
	struct work *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;

	w->fail_at = 10;
	assert_err(wb_pool_run(1, 1000, count, w, &err), &err, WB_ERR_IO);
	assert_string_equal(err.text, "job 10");
	assert_int_equal(w->done, 11);
	memset(w, 0, sizeof(*w));
	w->fail_at = 10;
	assert_err(wb_pool_run(8, 1000, count, w, &err), &err, WB_ERR_IO);
	assert_string_equal(err.text, "job 10");
	free(w);
}

static int cancel_at_5(void *arg, size_t index, struct wb_err *err)
{
	atomic_fetch_add((atomic_size_t *)arg, 1);
	if (index == 5)
		wb_cancel_request(15);
	return 0;
}

/* Last, for the request stays. */
static void cancelling_stops_the_group(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	atomic_size_t done = 0;

	assert_err(wb_pool_run(1, 100, cancel_at_5, &done, &err), &err, WB_ERR_CANCELLED);
	assert_int_equal(done, 6);
	assert_err(wb_pool_run(4, 100, cancel_at_5, &done, &err), &err, WB_ERR_CANCELLED);
	assert_int_equal(done, 6);
}

static void cores_are_within_bounds(void **state)
{
	assert_in_range(wb_pool_cores(), 1, WB_POOL_MAX);
}

static void test_quota(void **state)
{
	assert_int_equal(wb_pool_cpu_max("max 100000\n"), 0);
	assert_int_equal(wb_pool_cpu_max("200000 100000\n"), 2);
	assert_int_equal(wb_pool_cpu_max("150000 100000\n"), 2);
	assert_int_equal(wb_pool_cpu_max("1000 100000\n"), 1);
	assert_int_equal(wb_pool_cpu_max("99900000 100000\n"), 0); /* more than any group uses */
	assert_int_equal(wb_pool_cpu_max(""), 0);
	assert_int_equal(wb_pool_cpu_max("0 100000"), 0);
	assert_int_equal(wb_pool_cpu_max("100000 0"), 0);
	assert_int_equal(wb_pool_cpu_max("100000"), 0);
	assert_int_equal(wb_pool_cpu_max("-1 100000"), 0);
	assert_int_equal(wb_pool_cpu_max("99999999999999999999999 1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota),
		cmocka_unit_test(every_job_runs_once),
		cmocka_unit_test(no_jobs_is_no_work),
		cmocka_unit_test(the_first_error_stops_the_group),
		cmocka_unit_test(cores_are_within_bounds),
		cmocka_unit_test(cancelling_stops_the_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
