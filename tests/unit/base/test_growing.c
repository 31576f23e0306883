/* A file that is read while it is written: who may read what, and when it is void. */
#include "wbtest.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/growing.h"

static struct wb_growing *make(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct wb_growing *g = wb_growing_new(fd);

	close(fd); /* it has its own */
	assert_non_null(g);
	assert_true(fcntl(wb_growing_fd(g), F_GETFD) >= 0);
	return g;
}

static void test_reach(void **state)
{
	struct wb_growing *g = make();
	bool ended = true;

	assert_int_equal(wb_growing_look(g, 0, 0, false), WB_GROWTH_THERE);
	assert_int_equal(wb_growing_look(g, 0, 1, false), WB_GROWTH_LATER);
	wb_growing_reach(g, 10);
	wb_growing_reach(g, 5); /* it does not shrink */
	assert_int_equal(wb_growing_look(g, 0, 10, false), WB_GROWTH_THERE);
	assert_int_equal(wb_growing_look(g, 0, 11, false), WB_GROWTH_LATER);
	assert_int_equal(wb_growing_reached(g, &ended), 10);
	assert_false(ended);
	assert_int_equal(wb_growing_look(g, 0, WB_GROWING_ALL, false), WB_GROWTH_LATER);
	wb_growing_end(g, true);
	wb_growing_end(g, false); /* too late */
	assert_int_equal(wb_growing_look(g, 0, WB_GROWING_ALL, false), WB_GROWTH_THERE);
	assert_false(wb_growing_failed(g));
	wb_growing_reached(g, &ended);
	assert_true(ended);
	wb_growing_unref(g);
}

static void test_rounds(void **state)
{
	struct wb_growing *g = make();

	wb_growing_reach(g, 10);
	wb_growing_restart(g);
	assert_int_equal(wb_growing_look(g, 0, 1, true), WB_GROWTH_VOID);
	assert_int_equal(wb_growing_round(g), 1);
	assert_int_equal(wb_growing_look(g, 1, 1, false), WB_GROWTH_LATER);
	wb_growing_end(g, true);
	assert_int_equal(wb_growing_look(g, 0, 1, true), WB_GROWTH_VOID);
	assert_int_equal(wb_growing_look(g, 1, 1, true), WB_GROWTH_THERE);
	wb_growing_unref(g);
	g = make();
	wb_growing_reach(g, 10);
	wb_growing_end(g, false);
	assert_int_equal(wb_growing_look(g, 0, 1, true), WB_GROWTH_VOID);
	assert_true(wb_growing_failed(g));
	wb_growing_unref(g);
	wb_growing_unref(NULL);
}

static void *write_it(void *arg)
{
	struct wb_growing *g = arg;

	for (uint64_t i = 1; i <= 100; i++)
		wb_growing_reach(g, i);
	wb_growing_end(g, true);
	wb_growing_unref(g);
	return NULL;
}

static void test_waiting(void **state)
{
	struct wb_growing *g = make();
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_it, wb_growing_ref(g)), 0);
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(wb_growing_look(g, 0, i, true), WB_GROWTH_THERE);
	assert_int_equal(wb_growing_look(g, 0, WB_GROWING_ALL, true), WB_GROWTH_THERE);
	pthread_join(thread, NULL);
	wb_growing_unref(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
