#include "wbtest.h"

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
		cmocka_unit_test(references_share_one_value),
		cmocka_unit_test(white_space_alone_is_an_empty_value),
		cmocka_unit_test(wiping_leaves_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
