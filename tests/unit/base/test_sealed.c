#include "wbtest.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sealed.h"

/* Is this flag set for the mapping that p lies in? */
static bool mapping_has(const void *p, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	uintptr_t address = (uintptr_t)p;
	char line[512];
	bool inside = false, has = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from <= address && address < to;
		if (inside && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has;
}

static void it_is_left_out_of_core_dumps(void **state)
{
	char *small = wb_sealed_alloc(10), *large = wb_sealed_alloc(100000);

	assert_true(mapping_has(small, " dd"));
	assert_true(mapping_has(large, " dd"));
	wb_sealed_free(small, 10);
	wb_sealed_free(large, 100000);
	wb_sealed_free(NULL, 5);
}

static void pieces_are_apart_zeroed_and_used_again(void **state)
{
	char *p[200], *first;

	for (size_t i = 0; i < WB_ARRAY_LEN(p); i++) {
		size_t n = 1 + i * 50;

		p[i] = wb_sealed_alloc(n);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(p[i][k], 0);
		memset(p[i], (int)(i + 1), n);
	}
	for (size_t i = 0; i < WB_ARRAY_LEN(p); i++)
		for (size_t k = 0; k < 1 + i * 50; k++)
			assert_int_equal((unsigned char)p[i][k], (unsigned char)(i + 1));
	first = p[0];
	for (size_t i = WB_ARRAY_LEN(p); i; i--)
		wb_sealed_free(p[i - 1], 1 + (i - 1) * 50);
	char *again = wb_sealed_alloc(20);

	assert_ptr_equal(again, first);
	for (size_t k = 0; k < 20; k++)
		assert_int_equal(again[k], 0);
	wb_sealed_free(again, 20);
}

static void a_variable_leaves_the_block_and_stays_readable(void **state)
{
	char *entry = wb_strdup("WB_TEST_VARIABLE=some-value");

	putenv(entry);
	wb_sealed_variable("WB_TEST_VARIABLE");
	wb_sealed_variable("WB_TEST_NOT_THERE");
	assert_string_equal(getenv("WB_TEST_VARIABLE"), "some-value");
	for (size_t i = 0; i < sizeof("WB_TEST_VARIABLE=some-value"); i++)
		assert_int_equal(entry[i], 0);
	unsetenv("WB_TEST_VARIABLE");
	free(entry);
}

static void names_of_secrets(void **state)
{
	assert_true(wb_sealed_names_secret("HF_TOKEN=x"));
	assert_true(wb_sealed_names_secret("WBUILD_SECRET_my_thing=x"));
	assert_true(wb_sealed_names_secret("AWS_SECRET_ACCESS_KEY="));
	assert_false(wb_sealed_names_secret("HF_TOKEN_PATH=/x"));
	assert_false(wb_sealed_names_secret("BOS_TOKEN=<|begin|>"));
	assert_false(wb_sealed_names_secret("HOME=/root"));
}

static bool passes(const char *name)
{
	wb_autofree char **list = wb_sealed_environment();

	for (char **e = list; *e; e++)
		if (!strncmp(*e, name, strlen(name)) && (*e)[strlen(name)] == '=')
			return true;
	return false;
}

static void a_program_gets_what_it_may_need(void **state)
{
	setenv("HF_TOKEN", "a", 1);
	setenv("WBUILD_SECRET_X", "b", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "c", 1);
	setenv("WB_TEST_OTHER", "d", 1);
	assert_false(passes("HF_TOKEN"));
	assert_false(passes("WBUILD_SECRET_X"));
	assert_true(passes("AWS_SECRET_ACCESS_KEY"));
	assert_true(passes("WB_TEST_OTHER"));
	unsetenv("HF_TOKEN");
	unsetenv("WBUILD_SECRET_X");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("WB_TEST_OTHER");
}

/* In a child: it cannot be taken back. */
static int sealed_child(bool debuggable)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct rlimit core = {0, 0};

		if (debuggable)
			setenv("WBUILD_COREDUMP", "1", 1);
		wb_sealed_process();
		getrlimit(RLIMIT_CORE, &core);
		_exit(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && core.rlim_max == 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void a_sealed_process_dumps_no_core(void **state)
{
	assert_int_equal(sealed_child(false), 1);
	assert_int_equal(sealed_child(true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_left_out_of_core_dumps),
		cmocka_unit_test(pieces_are_apart_zeroed_and_used_again),
		cmocka_unit_test(a_variable_leaves_the_block_and_stays_readable),
		cmocka_unit_test(names_of_secrets),
		cmocka_unit_test(a_program_gets_what_it_may_need),
		cmocka_unit_test(a_sealed_process_dumps_no_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
