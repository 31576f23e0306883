#include "wbtest.h"

#include "base/json.h"

static json_t *parse(const char *text, struct wb_err *err)
{
	return wb_json_parse(text, strlen(text), "doc", err);
}

static void bad_documents_say_where(void **state)
{
	static const char *const bad[] = {"", "{", "{\"a\":1,\"a\":2}", "[1,]", "{\"a\":\"\xff\"}",
		"nul", "[1] x", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\u0000\"}", "1", NULL};

	for (size_t i = 0; bad[i]; i++) {
		struct wb_err err = WB_ERR_INIT;
		json_t *j = parse(bad[i], &err);

		if (j)
			fail_msg("\"%s\" parses", bad[i]);
		assert_int_equal(err.code, WB_ERR_FORMAT);
		assert_contains(err.text, "doc: not valid JSON: line ");
	}
}

/* A token file or a login file that is damaged, say. */
static void errors_quote_nothing_of_the_document(void **state)
{
	static const char *const bad[] = {"hunter2", "{\"auth\":\"hunter2\" x}",
		"{\"auth\":\"hunter2", "{\"hunter2\":1,\"hunter2\":2}", "[\"hunter2\"] \"hunter2\"",
		"{\"auth\":hunter2}"};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct wb_err err = WB_ERR_INIT;

		assert_null(parse(bad[i], &err));
		assert_contains(err.text, "not valid JSON: line 1, column ");
		assert_null(strstr(err.text, "hunter"));
	}
}

static void depth_is_bounded_outside_of_strings(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char text[400] = "";

	for (int i = 0; i < WB_JSON_DEPTH_MAX; i++)
		strcat(text, "[");
	for (int i = 0; i < WB_JSON_DEPTH_MAX; i++)
		strcat(text, "]");
	json_t *j = parse(text, &err);

	assert_non_null(j);
	json_decref(j);
	memmove(text + 1, text, strlen(text) + 1);
	text[0] = '[';
	strcat(text, "]");
	assert_null(parse(text, &err));
	assert_contains(err.text, "nested deeper than 64");
	j = parse("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		  "\"]",
		&err);
	assert_non_null(j);
	json_decref(j);
}

static void a_million_brackets_do_not_overflow_the_stack(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char *text = wb_alloc(1000001);

	memset(text, '[', 1000000);
	text[1000000] = '\0';
	assert_null(parse(text, &err));
	assert_int_equal(err.code, WB_ERR_FORMAT);
	free(text);
}

static void members_are_checked(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	json_t *o = parse("{\"s\":\"x\",\"n\":5,\"neg\":-1,\"f\":1.5,\"null\":null}", &err);
	const char *s = NULL;
	uint64_t v = 9;

	assert_ok(wb_json_str(&s, o, "s", "doc", &err), &err);
	assert_string_equal(s, "x");
	assert_err(wb_json_str(&s, o, "n", "doc", &err), &err, WB_ERR_FORMAT);
	assert_string_equal(err.text, "doc: \"n\" is not a string");
	assert_err(wb_json_str(&s, o, "none", "doc", &err), &err, WB_ERR_FORMAT);
	assert_string_equal(err.text, "doc: \"none\" is missing");
	assert_ok(wb_json_u64(&v, o, "n", "doc", &err), &err);
	assert_int_equal(v, 5);
	assert_err(wb_json_u64(&v, o, "neg", "doc", &err), &err, WB_ERR_FORMAT);
	assert_err(wb_json_u64(&v, o, "f", "doc", &err), &err, WB_ERR_FORMAT);
	assert_int_equal(v, 5);
	assert_int_equal(wb_json_u64_opt(o, "neg", 8), 8);
	assert_int_equal(wb_json_u64_opt(o, "n", 8), 5);
	assert_null(wb_json_str_opt(o, "null"));
	assert_null(wb_json_str_opt(NULL, "s"));
	json_decref(o);
}

static void writing_keeps_the_order(void **state)
{
	json_t *o = json_object(), *a = json_array();

	wb_json_set_str(o, "z", "\xc3\xbc/");
	wb_json_set_u64(o, "a", 1);
	wb_json_append(a, json_true());
	wb_json_set(o, "m", a);
	char *text = wb_json_dump(o);

	assert_string_equal(text, "{\"z\":\"\xc3\xbc/\",\"a\":1,\"m\":[true]}");
	free(text);
	text = wb_json_dump_indent(o);
	assert_contains(text, "{\n  \"z\": ");
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
	json_decref(o);
}

static char *repeated(const char *what, size_t times)
{
	size_t n = strlen(what);
	char *text = wb_alloc(n * times + sizeof("[0]")), *p = text;

	*p++ = '[';
	for (size_t i = 0; i < times; i++, p += n)
		memcpy(p, what, n);
	memcpy(p, "0]", sizeof("0]"));
	return text;
}

/* Three bytes of "{}," become some three hundred. */
static void brackets_do_not_fill_the_memory(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *objects = repeated("{},", 1000000);
	wb_autofree char *lists = repeated("[],", 1000000);
	wb_autofree char *few = repeated("{},", 1000);
	wb_autofree char *rows =
		repeated("{\"type\":\"file\",\"path\":\"a/b/c\",\"size\":1},", 100000);

	assert_null(wb_json_parse(objects, strlen(objects), "page", &err));
	assert_int_equal(err.code, WB_ERR_LIMIT);
	assert_contains(err.text, "page: 3000003 bytes of JSON that are nothing but brackets");
	assert_null(wb_json_parse(lists, strlen(lists), "page", &err));

	wb_autojson json_t *a = wb_json_parse(few, strlen(few), "page", &err);
	wb_autojson json_t *b = wb_json_parse(rows, strlen(rows), "page", &err);

	assert_int_equal(json_array_size(a), 1001);
	assert_int_equal(json_array_size(b), 100001);
}

/* What people are shown may come from file names. */
static void text_of_any_bytes_can_be_shown(void **state)
{
	json_t *o = json_object(), *a = json_array();

	wb_json_set_text(o, "name", "a\xff\x01");
	wb_json_append(a, wb_json_text("\xc3"));
	wb_json_append(a, wb_json_text("\xc3\xbc"));
	wb_json_set(o, "list", a);
	char *text = wb_json_dump(o);

	assert_string_equal(
		text, "{\"name\":\"a\\\\xff\\\\x01\",\"list\":[\"\\\\xc3\",\"\xc3\xbc\"]}");
	free(text);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_documents_say_where),
		cmocka_unit_test(errors_quote_nothing_of_the_document),
		cmocka_unit_test(depth_is_bounded_outside_of_strings),
		cmocka_unit_test(a_million_brackets_do_not_overflow_the_stack),
		cmocka_unit_test(brackets_do_not_fill_the_memory),
		cmocka_unit_test(members_are_checked),
		cmocka_unit_test(writing_keeps_the_order),
		cmocka_unit_test(text_of_any_bytes_can_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
