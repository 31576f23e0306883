#include "wbtest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mapped.h"

#define SIZE (1u << 20)

struct look {
	const uint8_t *p;
	volatile unsigned sum, seen;
};

static void look(void *arg)
{
	struct look *l = arg;

	for (size_t i = 0; i < SIZE; i += 4096) {
		l->sum += l->p[i];
		l->seen++;
	}
}

static int make(char **dir)
{
	*dir = wbtest_dir();
	wb_autofree char *path = wb_asprintf("%s/file", *dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(pwrite(fd, "\7", 1, 4096), 1);
	return fd;
}

static void test_looks(void **state)
{
	char *dir;
	wb_autoclose int fd = make(&dir);
	struct wb_mapped_time time;
	struct look l = {.p = wb_mapped(fd, 0, SIZE)};

	assert_non_null(l.p);
	wb_mapped_begin(&time);
	assert_true(wb_mapped_look(look, &l));
	wb_mapped_end(&time);
	assert_int_equal(l.sum, 7);
	munmap((void *)(uintptr_t)l.p, SIZE);
	wbtest_rmdir(dir);
}

static void test_shorter_file_is_a_result(void **state)
{
	char *dir;
	wb_autoclose int fd = make(&dir);
	struct wb_mapped_time time;
	struct sigaction before, after;
	struct look l = {.p = wb_mapped(fd, 0, SIZE)};

	assert_int_equal(sigaction(SIGBUS, NULL, &before), 0);
	assert_int_equal(ftruncate(fd, SIZE / 2), 0);
	wb_mapped_begin(&time);
	for (unsigned i = 1; i <= 3; i++) {
		assert_false(wb_mapped_look(look, &l));
		assert_int_equal(l.seen, i * (SIZE / 2 / 4096));
	}
	wb_mapped_end(&time);
	assert_int_equal(sigaction(SIGBUS, NULL, &after), 0);
	assert_true(before.sa_handler == after.sa_handler);
	munmap((void *)(uintptr_t)l.p, SIZE);
	wbtest_rmdir(dir);
}

static void test_what_cannot_be_mapped(void **state)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_null(wb_mapped(ends[0], 0, SIZE));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_shorter_file_is_a_result),
		cmocka_unit_test(test_what_cannot_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
