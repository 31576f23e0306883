#include "wbtest.h"

#include <errno.h>

static void fills_and_returns_minus_one(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	assert_int_equal(wb_err_set(&err, WB_ERR_NET, "no route to \"%s\"", "host"), -1);
	assert_int_equal(err.code, WB_ERR_NET);
	assert_string_equal(err.text, "no route to \"host\"");
	assert_string_equal(err.hint, "");
	wb_err_hint(&err, "try %d", 2);
	assert_string_equal(err.hint, "try 2");
	wb_err_set(&err, WB_ERR_IO, "other");
	assert_string_equal(err.hint, "");
	wb_err_clear(&err);
	assert_int_equal(err.code, WB_OK);
	assert_string_equal(err.text, "");
}

static void system_errors_say_what_to_do(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	assert_int_equal(wb_err_sys(&err, ENOENT, "file \"%s\"", "a"), -1);
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	assert_int_equal(err.errnum, ENOENT);
	assert_string_equal(err.text, "file \"a\": No such file or directory");
	wb_err_sys(&err, ENOSPC, "cannot write");
	assert_int_equal(err.code, WB_ERR_IO);
	assert_contains(err.hint, "free some space");
	wb_err_sys(&err, EDQUOT, "cannot write");
	assert_contains(err.hint, "free some space");
	wb_err_sys(&err, EACCES, "cannot write");
	assert_string_equal(err.hint, "");
}

static void wrapping_keeps_the_rest(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	wb_err_at(&err, "config.yaml", 3, 7, "bad \"%s\"", "key");
	wb_err_hint(&err, "remove it");
	assert_int_equal(wb_err_wrap(&err, "reading %s", "it"), -1);
	assert_string_equal(err.text, "reading it: bad \"key\"");
	assert_int_equal(err.code, WB_ERR_CONFIG);
	assert_string_equal(err.file, "config.yaml");
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 7);
	assert_string_equal(err.hint, "remove it");
}

/* The natural way to give an error another code. */
static void may_be_made_from_its_own_text(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	wb_err_set(&err, WB_ERR_IO, "first");
	wb_err_set(&err, WB_ERR_NET, "then %s", err.text);
	assert_string_equal(err.text, "then first");
	wb_err_at(&err, err.text, 1, 1, "again %s", err.text);
	assert_string_equal(err.text, "again then first");
	assert_string_equal(err.file, "then first");
	wb_err_hint(&err, "a");
	wb_err_hint(&err, "%s and b", err.hint);
	assert_string_equal(err.hint, "a and b");
}

static void long_texts_end_in_dots(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char big[2 * WB_ERR_TEXT_MAX];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	wb_err_set(&err, WB_ERR_IO, "%s", big);
	assert_int_equal(strlen(err.text), WB_ERR_TEXT_MAX - 1);
	assert_string_equal(err.text + WB_ERR_TEXT_MAX - 5, "x...");
	wb_err_set(&err, WB_ERR_IO, "%.1020s", big);
	wb_err_wrap(&err, "prefix");
	assert_int_equal(strlen(err.text), WB_ERR_TEXT_MAX - 1);
	assert_string_equal(err.text + WB_ERR_TEXT_MAX - 5, "x...");
	wb_err_hint(&err, "%s", big);
	assert_int_equal(strlen(err.hint), WB_ERR_HINT_MAX - 1);
	wb_err_at(&err, big, 1, 1, "y");
	assert_int_equal(strlen(err.file), WB_ERR_FILE_MAX - 1);
	wb_err_sys(&err, EIO, "%s", big);
	assert_int_equal(strlen(err.text), WB_ERR_TEXT_MAX - 1);
}

/* One line, and no escape sequence from a hostile name. */
static void control_bytes_do_not_get_through(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	wb_err_set(&err, WB_ERR_FORMAT, "name \"%s\"", "a\033[2J\nb\x7f\t");
	assert_string_equal(err.text, "name \"a?[2J?b??\"");
}

static void exit_codes_are_the_documented_ones(void **state)
{
	static const struct {
		enum wb_code code;
		int exit;
	} want[] = {
		{WB_OK, 0},
		{WB_ERR_USAGE, 2},
		{WB_ERR_CONFIG, 2},
		{WB_ERR_IO, 1},
		{WB_ERR_NET, 1},
		{WB_ERR_AUTH, 1},
		{WB_ERR_NOT_FOUND, 1},
		{WB_ERR_FORMAT, 1},
		{WB_ERR_LIMIT, 1},
		{WB_ERR_UNSUPPORTED, 1},
		{WB_ERR_INTEGRITY, 3},
		{WB_ERR_CANCELLED, 130},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(want); i++)
		assert_int_equal(
			wb_err_exit_code(&(struct wb_err){.code = want[i].code}), want[i].exit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_and_returns_minus_one),
		cmocka_unit_test(system_errors_say_what_to_do),
		cmocka_unit_test(wrapping_keeps_the_rest),
		cmocka_unit_test(may_be_made_from_its_own_text),
		cmocka_unit_test(long_texts_end_in_dots),
		cmocka_unit_test(control_bytes_do_not_get_through),
		cmocka_unit_test(exit_codes_are_the_documented_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
