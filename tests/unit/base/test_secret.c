#include "wbtest.h"

#include "base/base64.h"
#include "base/secret.h"

/* The registry only grows, so every case has values of its own. */

static void check_redacted(const char *text, const char *want)
{
	char *got = wb_redact(text);

	assert_string_equal(got, want);
	free(got);
}

static void a_registered_value_is_replaced_everywhere(void **state)
{
	struct wb_secret *s = wb_secret_new("token", "hf_abcdefgh\n", 12, true);

	assert_string_equal(wb_secret_reveal(s), "hf_abcdefgh");
	assert_int_equal(wb_secret_len(s), 11);
	assert_string_equal(wb_secret_name(s), "token");
	check_redacted("a hf_abcdefgh b hf_abcdefgh", "a *** b ***");
	check_redacted("hf_abcdefg", "hf_abcdefg");
	check_redacted("", "");
	wb_secret_unref(s);
	/* known even after the last user is done with it */
	check_redacted("xhf_abcdefghx", "x***x");
}

static void its_encoded_forms_too(void **state)
{
	struct wb_secret *s = wb_secret_new("key", "p@ss/wörd+1", strlen("p@ss/wörd+1"), false);

	check_redacted("?sig=p%40ss%2Fw%C3%B6rd%2B1&x", "?sig=***&x");
	check_redacted("Basic cEBzcy93w7ZyZCsx", "Basic ***");
	wb_secret_unref(s);
}

static void short_values_would_redact_ordinary_words(void **state)
{
	struct wb_secret *s = wb_secret_new("pin", "build", 5, false);

	check_redacted("wbuild build", "wbuild build");
	wb_secret_unref(s);
}

static void the_longest_match_wins(void **state)
{
	struct wb_secret *a = wb_secret_new("a", "0123456", 7, false);
	struct wb_secret *b = wb_secret_new("b", "0123456789", 10, false);

	check_redacted("0123456789", "***");
	check_redacted("012345678", "***78");
	wb_secret_unref(a);
	wb_secret_unref(b);
}

static void bytes_are_searched_for_values(void **state)
{
	static const char haystack[] = "\0\0binary-needle-value\0";
	struct wb_secret *s = wb_secret_new("needle", "needle-value", 12, false);

	assert_string_equal(wb_secret_find(haystack, sizeof(haystack)), "needle");
	assert_null(wb_secret_find(haystack, 12));
	assert_null(wb_secret_find("", 0));
	wb_secret_unref(s);
}

/* Base64 of "user:VALUE" or of a whole file holds the value's bits at any of three places. */
static void base64_of_something_longer(void **state)
{
	static const char *const before[] = {"", "u", "us", "use", "user:"};
	struct wb_secret *s = wb_secret_new("longer", "longer-Value/1?>", 16, false);

	for (size_t i = 0; i < WB_ARRAY_LEN(before); i++) {
		wb_autofree char *whole = wb_asprintf("%slonger-Value/1?>, and more", before[i]);
		wb_autofree char *text = wb_base64_encode(whole, strlen(whole));

		assert_string_equal(wb_secret_find(text, strlen(text)), "longer");
		for (char *p = text; *p; p++)
			*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
		assert_string_equal(wb_secret_find(text, strlen(text)), "longer");
	}
	wb_secret_unref(s);
}

static void escaped_as_json_does(void **state)
{
	struct wb_secret *s = wb_secret_new("lines", "two\nlines \"and\" quotes", 22, false);

	check_redacted("{\"a\": \"two\\nlines \\\"and\\\" quotes\"}", "{\"a\": \"***\"}");
	wb_secret_unref(s);
}

static bool in_data(const char *value, const char *text)
{
	struct wb_secret *s = wb_secret_new("data", value, strlen(value), false);
	WB_AUTO(wb_finder_freep) struct wb_finder *f = wb_secret_finder();
	const char *found = wb_secret_find(text, strlen(text)), *name;
	size_t at;
	bool scanned = wb_finder_scan(&at, &name, f, text, strlen(text));

	wb_secret_unref(s);
	assert_int_equal(scanned, found != NULL);
	return scanned;
}

static void words_and_numbers_are_no_find_in_data(void **state)
{
	assert_false(in_data("short-1", "a short-1 word"));
	assert_false(in_data("password", "the password of it"));
	assert_false(in_data("20240131", "on 20240131 at noon"));
	assert_true(in_data("passw0rd", "the passw0rd of it"));
	assert_true(in_data("sixteenofletters", "it is sixteenofletters"));
}

static void marks_tell_values_apart_and_say_no_more(void **state)
{
	struct wb_secret_marks before = {0}, after = {0}, salted = {0};

	wb_secret_marks(&before, "salt");
	wb_secret_unref(wb_secret_new("marked", "a value to mark 1", 17, false));
	wb_secret_unref(wb_secret_new_session("handed out", "a value to mark 2", 17, false));
	wb_secret_unref(wb_secret_new("brief", "ghs_a-value-to-mark-3", 21, false));
	wb_secret_marks(&after, "salt");
	wb_secret_marks(&salted, "another");
	assert_int_equal(after.list.n, before.list.n + 1);
	assert_int_equal(salted.list.n, after.list.n);
	for (size_t i = 0; i < before.list.n; i++)
		assert_int_equal(before.list.items[i], after.list.items[i]);
	assert_int_not_equal(after.list.items[before.list.n], salted.list.items[before.list.n]);
	wb_vec_free(&before.list);
	wb_vec_free(&after.list);
	wb_vec_free(&salted.list);
}

static void the_environment_is_learned_by_name(void **state)
{
	setenv("HF_TOKEN", "the-value-of-a-variable-1", 1);
	setenv("BOS_TOKEN", "the-value-of-a-variable-2", 1);
	wb_secret_learn_environment();
	check_redacted("the-value-of-a-variable-1", "***");
	check_redacted("the-value-of-a-variable-2", "the-value-of-a-variable-2");
	unsetenv("HF_TOKEN");
	unsetenv("BOS_TOKEN");
}

static void references_share_one_value(void **state)
{
	struct wb_secret *s = wb_secret_new("shared", "shared-value", 12, false);
	struct wb_secret *t = wb_secret_ref(s);

	wb_secret_unref(s);
	assert_string_equal(wb_secret_reveal(t), "shared-value");
	wb_secret_unref(t);
	assert_null(wb_secret_ref(NULL));
	wb_secret_unref(NULL);
}

static void white_space_alone_is_an_empty_value(void **state)
{
	struct wb_secret *s = wb_secret_new("empty", " \n", 2, true);

	assert_int_equal(wb_secret_len(s), 0);
	check_redacted("a b", "a b");
	wb_secret_unref(s);
}

static void wiping_leaves_zeros(void **state)
{
	char p[] = "secret";

	wb_wipe(p, 6);
	assert_memory_equal(p, "\0\0\0\0\0\0", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registered_value_is_replaced_everywhere),
		cmocka_unit_test(its_encoded_forms_too),
		cmocka_unit_test(short_values_would_redact_ordinary_words),
		cmocka_unit_test(the_longest_match_wins),
		cmocka_unit_test(bytes_are_searched_for_values),
		cmocka_unit_test(base64_of_something_longer),
		cmocka_unit_test(escaped_as_json_does),
		cmocka_unit_test(words_and_numbers_are_no_find_in_data),
		cmocka_unit_test(marks_tell_values_apart_and_say_no_more),
		cmocka_unit_test(the_environment_is_learned_by_name),
		cmocka_unit_test(references_share_one_value),
		cmocka_unit_test(white_space_alone_is_an_empty_value),
		cmocka_unit_test(wiping_leaves_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
