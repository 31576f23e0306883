#include "wbtest.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void strings_are_copied(void **state)
{
	char *s = wb_strndup("abcdef", 3);

	assert_string_equal(s, "abc");
	free(s);
	s = wb_strndup("ab", 100);
	assert_string_equal(s, "ab");
	free(s);
	assert_null(wb_strdup(NULL));
	s = wb_asprintf("%d-%s", 7, "x");
	assert_string_equal(s, "7-x");
	free(s);
}

static void nothing_is_something_to_free(void **state)
{
	void *p = wb_alloc(0);

	assert_non_null(p);
	free(p);
	p = wb_calloc(0, 8);
	assert_non_null(p);
	free(p);
	p = wb_alloc_pages(0);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 4096, 0);
	free(p);
}

static void stealing_leaves_null(void **state)
{
	char *p = wb_strdup("x"), *q = wb_steal(p);

	assert_null(p);
	assert_string_equal(q, "x");
	free(q);
}

struct pair {
	int a, b;
};

static void vectors_grow_zeroed(void **state)
{
	WB_VEC(struct pair) v = {0};

	wb_vec_foreach (it, &v)
		fail();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(wb_vec_push(&v)->b, 0);
		v.items[i].a = i;
		v.items[i].b = -1;
	}
	assert_int_equal(v.n, 1000);
	int sum = 0;

	wb_vec_foreach (it, &v)
		sum += it->a;
	assert_int_equal(sum, 999 * 1000 / 2);
	/* an element that was taken back comes anew as zero */
	v.n--;
	assert_int_equal(wb_vec_push(&v)->b, 0);
	wb_vec_free(&v);
	assert_null(v.items);
	wb_vec_free(&v);
}

static void sizes_from_outside_have_a_limit(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	void *p = wb_alloc_checked(10, 10, "thing", &err);

	assert_non_null(p);
	free(p);
	assert_null(wb_alloc_checked(11, 10, "thing", &err));
	assert_int_equal(err.code, WB_ERR_LIMIT);
	assert_string_equal(err.text, "thing is 11 bytes, more than the limit of 10");
}

static void arithmetic_is_checked(void **state)
{
	uint64_t v = 5;

	assert_true(wb_add_u64(&v, UINT64_MAX - 1, 1));
	assert_true(v == UINT64_MAX);
	assert_false(wb_add_u64(&v, UINT64_MAX, 1));
	assert_true(v == UINT64_MAX);
	assert_true(wb_mul_u64(&v, UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1));
	assert_false(wb_mul_u64(&v, UINT64_C(1) << 32, UINT64_C(1) << 32));
	assert_true(v == ((UINT64_C(1) << 32) - 1) << 32);
}

/* The sanitizers would end the process themselves. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=4096";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* In a child: the line and the exit status of a process without memory. */
static int run_out_of_memory(char *line, size_t size, void (*use)(void))
{
	int fds[2], status;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		use();
		_exit(99);
	}
	close(fds[1]);
	size_t n = 0;

	for (ssize_t k; n < size - 1 && (k = read(fds[0], line + n, size - 1 - n)) > 0;)
		n += (size_t)k;
	line[n] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void ask_for_too_much(void)
{
	volatile size_t n = SIZE_MAX / 2;

	free(wb_realloc(NULL, n, 4));
}

static void overflow_ends_with_one_line(void **state)
{
	char line[2000];

	assert_int_equal(run_out_of_memory(line, sizeof(line), ask_for_too_much), 1);
	/* (behind the sanitizers' own warning, where there is one) */
	assert_contains(line, "wbuild: error: out of memory\n");
}

static void copies_are_exact_at_any_alignment(void **state)
{
	enum { N = 10000 };
	uint8_t from[N + 64], to[N + 128];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t n = 0; n <= N; n += n < 70 ? 1 : n < 5000 ? 677 : 2500) {
		size_t shift = n % 61;

		memset(to, 0xee, sizeof(to));
		wb_copy(to + shift, from + n % 13, n);
		assert_memory_equal(to + shift, from + n % 13, n);
		assert_int_equal(to[shift + n], 0xee);
		if (shift)
			assert_int_equal(to[shift - 1], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(nothing_is_something_to_free),
		cmocka_unit_test(stealing_leaves_null),
		cmocka_unit_test(vectors_grow_zeroed),
		cmocka_unit_test(sizes_from_outside_have_a_limit),
		cmocka_unit_test(arithmetic_is_checked),
		cmocka_unit_test(overflow_ends_with_one_line),
		cmocka_unit_test(copies_are_exact_at_any_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
