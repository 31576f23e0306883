#include "wbtest.h"

#include "builder/runtime/fetch.h"

#define EXIT(n) ((n) << 8)

static void refuse(const char *text, int status, enum wb_code code, const char *why)
{
	struct wb_fetched f = {.files = 77};
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_fetched_parse(&f, text, status, &err), &err, code);
	assert_contains(err.text, why);
	assert_int_equal(f.files, 77);
	assert_false(f.done);
}

static void test_what_it_did(void **state)
{
	struct wb_fetched f = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_fetched_parse(&f, "3 18446744073709551615 0 0 7\n", EXIT(0), &err), &err);
	assert_true(f.done);
	assert_int_equal(f.files, 3);
	assert_true(f.bytes == UINT64_MAX);
	assert_int_equal(f.transferred, 7);
}

static void test_what_went_wrong(void **state)
{
	struct wb_fetched f = {0};
	struct wb_err err = WB_ERR_INIT;

	refuse("error no such repository\nhint look again\n", EXIT(1), WB_ERR_NET, "no such repo");
	refuse("error bad\n", EXIT(3), WB_ERR_INTEGRITY, "bad");
	refuse("error bad\n", EXIT(2), WB_ERR_CONFIG, "bad");
	refuse("", EXIT(1), WB_ERR_NET, "status 1");
	refuse("", EXIT(126), WB_ERR_NET, "status 126");
	refuse("", 9, WB_ERR_NET, "signal 9");
	assert_int_equal(wb_fetched_parse(&f, "error a\nhint b c\n", EXIT(1), &err), -1);
	assert_string_equal(err.hint, "b c");
}

static void test_nonsense(void **state)
{
	static const char *const texts[] = {"", "1 2 3 4\n", "1 2 3 4 5", "1 2 3 4 5\n6\n",
		"1 2 3 4 -5\n", "1  2 3 4 5\n", "1 2 3 4 18446744073709551616\n", "a b c d e\n"};

	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++)
		refuse(texts[i], EXIT(0), WB_ERR_FORMAT, "status 0");
	refuse("error \x1b[31mred\n", EXIT(1), WB_ERR_NET, "\\x1b[31mred");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_did),
		cmocka_unit_test(test_what_went_wrong),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
