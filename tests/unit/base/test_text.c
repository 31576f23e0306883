#include "wbtest.h"

#include "base/text.h"

static void sizes_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"512", 512},
		{"512B", 512},
		{"10k", 10000},
		{"10kB", 10000},
		{"10 KB", 10000},
		{"1.5GB", 1500000000},
		{"1GiB", 1073741824},
		{"1gi", 1073741824},
		{"1.5MiB", 1572864},
		{"0.001k", 1},
		{"2T", UINT64_C(2000000000000)},
		{"9007199254740993", UINT64_C(9007199254740993)},
		{"18446744073709551615", UINT64_MAX},
		{"16EB", UINT64_C(16000000000000000000)},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(good); i++) {
		struct wb_err err = WB_ERR_INIT;
		uint64_t v = 1;

		assert_ok(wb_size_parse(&v, good[i].text, &err), &err);
		if (v != good[i].bytes)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)v);
	}
}

static void other_sizes_are_refused(void **state)
{
	static const char *const bad[] = {"", "GB", "-1", "+1", " 1", "1x", "1kk", "1kBB", "0x10",
		"1e3", "inf", "nan", ".5", "1.", "1..5", "1,5", "18446744073709551616", "19EB",
		"16EiB", "1 G B", NULL};

	for (size_t i = 0; bad[i]; i++) {
		struct wb_err err = WB_ERR_INIT;
		uint64_t v = 7;

		if (!wb_size_parse(&v, bad[i], &err))
			fail_msg("\"%s\" is %llu", bad[i], (unsigned long long)v);
		assert_int_equal(err.code, WB_ERR_USAGE);
		assert_true(v == 7);
	}
}

static void sizes_print_in_decimal_units(void **state)
{
	assert_string_equal(wb_size_text(0).s, "0 B");
	assert_string_equal(wb_size_text(999).s, "999 B");
	assert_string_equal(wb_size_text(1000).s, "1.0 kB");
	assert_string_equal(wb_size_text(1550000).s, "1.6 MB");
	assert_string_equal(wb_size_text(999949).s, "999.9 kB");
	assert_string_equal(wb_size_text(999950).s, "1.0 MB");
	assert_string_equal(wb_size_text(UINT64_MAX).s, "18.4 EB");
}

static void durations(void **state)
{
	assert_string_equal(wb_duration_text(0.04).s, "0.0s");
	assert_string_equal(wb_duration_text(9.94).s, "9.9s");
	assert_string_equal(wb_duration_text(59.4).s, "59s");
	assert_string_equal(wb_duration_text(130).s, "2m 10s");
	assert_string_equal(wb_duration_text(7260).s, "2h 01m");
}

static void check_quote(const char *in, size_t max, const char *want)
{
	char *got = wb_text_quote(in, max);

	assert_string_equal(got, want);
	free(got);
}

static void quoting_leaves_one_printable_line(void **state)
{
	check_quote("plain", 100, "plain");
	check_quote("a\n\033b", 100, "a\\x0a\\x1bb");
	check_quote("\xc3\xbc", 100, "\xc3\xbc");
	check_quote("\xff\xc3", 100, "\\xff\\xc3");
	check_quote("abcdef", 3, "abc...");
	check_quote("ab\xc3\xbc", 3, "ab...");
	check_quote("", 0, "");
}

static void utf8_is_that_of_rfc_3629(void **state)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", NULL};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xfe", "\xff", NULL};

	for (size_t i = 0; good[i]; i++)
		assert_true(wb_utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; bad[i]; i++)
		assert_false(wb_utf8_valid(bad[i], strlen(bad[i])));
}

static void suggestions_are_near(void **state)
{
	static const char *const words[] = {"build", "plan", "push", "validate", NULL};

	assert_string_equal(wb_text_nearest("biuld", words), "build");
	assert_string_equal(wb_text_nearest("BUILD", words), "build");
	assert_string_equal(wb_text_nearest("validat", words), "validate");
	assert_null(wb_text_nearest("xyz", words));
	assert_null(wb_text_nearest("", words));
	char huge[300];

	memset(huge, 'b', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_null(wb_text_nearest(huge, words));
}

static void numbers_are_whole_and_plain(void **state)
{
	uint64_t v = 3;

	assert_true(wb_parse_u64(&v, "18446744073709551615"));
	assert_true(v == UINT64_MAX);
	v = 3;
	assert_false(wb_parse_u64(&v, "18446744073709551616"));
	assert_false(wb_parse_u64(&v, ""));
	assert_false(wb_parse_u64(&v, "+1"));
	assert_false(wb_parse_u64(&v, " 1"));
	assert_false(wb_parse_u64(&v, "1 "));
	assert_true(v == 3);
}

static void the_environment(void **state)
{
	setenv("WB_TEST_VAR", "", 1);
	assert_null(wb_env("WB_TEST_VAR"));
	assert_false(wb_env_true("WB_TEST_VAR"));
	setenv("WB_TEST_VAR", "TRUE", 1);
	assert_string_equal(wb_env("WB_TEST_VAR"), "TRUE");
	assert_true(wb_env_true("WB_TEST_VAR"));
	setenv("WB_TEST_VAR", "0", 1);
	assert_false(wb_env_true("WB_TEST_VAR"));
	unsetenv("WB_TEST_VAR");
	assert_null(wb_env("WB_TEST_VAR"));
}

static void starts_and_ends(void **state)
{
	assert_true(wb_str_starts("abc", "ab"));
	assert_false(wb_str_starts("a", "ab"));
	assert_true(wb_str_ends("abc", "bc"));
	assert_false(wb_str_ends("c", "bc"));
	assert_true(wb_str_ends("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_read_as_people_write_them),
		cmocka_unit_test(other_sizes_are_refused),
		cmocka_unit_test(sizes_print_in_decimal_units),
		cmocka_unit_test(durations),
		cmocka_unit_test(quoting_leaves_one_printable_line),
		cmocka_unit_test(utf8_is_that_of_rfc_3629),
		cmocka_unit_test(suggestions_are_near),
		cmocka_unit_test(numbers_are_whole_and_plain),
		cmocka_unit_test(the_environment),
		cmocka_unit_test(starts_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
