#include "wbtest.h"

#include "base/json_text.h"

/* What the text is as a value is compared with another reader by tests/fuzz/fuzz_json_text.c; here
 * are the reader's own promises. */

static void refuse(const char *text, const char *why)
{
	WB_AUTO(wb_jread_release) struct wb_jread j;
	struct wb_err err;

	wb_jread_init(&j, text, strlen(text));
	wb_jread_skip(&j);
	assert_err(wb_jread_end(&j, "thing", &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, "thing: not valid JSON: line ");
	assert_contains(err.text, why);
}

static void test_refused(void **state)
{
	refuse("", "line 1, column 1: the text ends early");
	refuse("[1,\n 2,\n x]", "line 3, column 2: not a JSON value");
	refuse("[1 2]", "\",\" or \"]\" expected");
	refuse("{\"a\":1 \"b\":2}", "\",\" or \"}\" expected");
	refuse("{\"a\" 1}", "\":\" expected");
	refuse("{a:1}", "a name in quotes expected");
	refuse("{\"a\":1,}", "a name in quotes expected");
	refuse("[1,]", "not a JSON value");
	refuse("1 2", "something follows");
	refuse("\"abc", "string not closed");
	refuse("\"abc\\", "string not closed");
	refuse("\"\\u12", "string not closed");
	refuse("\"\\u12g4\"", "not a hex digit");
	refuse("\"\\x\"", "unknown escape");
	refuse("\"\\u0000\"", "NUL");
	refuse("\"\\ud800x\"", "surrogate");
	refuse("\"\\udc00\"", "surrogate");
	refuse("\"\\ud800\\u0041\"", "surrogate");
	refuse("\"\n\"", "control byte");
	refuse("\"\xff\"", "not UTF-8");
	refuse("01", "something follows");
	refuse("-", "number without digits");
	refuse("1.", "number without digits");
	refuse("1e+", "number without digits");
	refuse("tru", "not a JSON value");
	char deep[WB_JSON_TEXT_DEPTH + 2];
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	refuse(deep, "nested too deep");
}

/* Asked for the wrong thing, a call still consumes the value, and the rest is read. */
static void test_soft_types(void **state)
{
	static const char text[] = "[{\"a\":[1,{}]},\"s\",-1,1.5,9223372036854775808,true,null,7]";
	WB_AUTO(wb_jread_release) struct wb_jread j;
	struct wb_err err;
	uint64_t v = 42;

	wb_jread_init(&j, text, strlen(text));
	assert_true(wb_jread_array(&j));
	assert_true(wb_jread_element(&j));
	assert_null(wb_jread_string(&j)); /* an object */
	for (int i = 0; i < 4; i++) {
		assert_true(wb_jread_element(&j));
		assert_false(wb_jread_u64(&j, &v)); /* text, negative, fraction, too large */
	}
	assert_int_equal(v, 42);
	assert_true(wb_jread_element(&j));
	assert_false(wb_jread_object(&j)); /* true */
	assert_true(wb_jread_element(&j));
	assert_false(wb_jread_array(&j)); /* null */
	assert_true(wb_jread_element(&j));
	assert_true(wb_jread_u64(&j, &v));
	assert_int_equal(v, 7);
	assert_false(wb_jread_element(&j));
	assert_ok(wb_jread_end(&j, "thing", &err), &err);
}

static void test_nothing_after_an_error(void **state)
{
	WB_AUTO(wb_jread_release) struct wb_jread j;
	uint64_t v;

	wb_jread_init(&j, "[x,1]", 5);
	assert_true(wb_jread_array(&j));
	assert_true(wb_jread_element(&j));
	wb_jread_skip(&j);
	assert_false(wb_jread_element(&j));
	assert_false(wb_jread_u64(&j, &v));
	assert_null(wb_jread_string(&j));
	assert_null(wb_jread_member(&j));
	assert_false(wb_jread_true(&j));
}

static void test_strings(void **state)
{
	static const char text[] = "[\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00z\"]";
	WB_AUTO(wb_jread_release) struct wb_jread j;

	wb_jread_init(&j, text, strlen(text));
	assert_true(wb_jread_array(&j));
	assert_true(wb_jread_element(&j));
	assert_string_equal(
		wb_jread_string(&j), "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
}

static void test_quote(void **state)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;
	WB_AUTO(wb_jread_release) struct wb_jread j;

	wb_buf_init(&b, 1000, "test");
	wb_json_text_quote(&b, "a\"b\\c\n\x01/é");
	assert_string_equal(b.data, "\"a\\\"b\\\\c\\u000a\\u0001/é\"");
	wb_jread_init(&j, b.data, b.len);
	assert_string_equal(wb_jread_string(&j), "a\"b\\c\n\x01/é");
	wb_buf_clear(&b);
	wb_json_text_quote(&b, "");
	assert_string_equal(b.data, "\"\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_soft_types),
		cmocka_unit_test(test_nothing_after_an_error),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
