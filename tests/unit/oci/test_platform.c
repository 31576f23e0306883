#include "wbtest.h"

#include "oci/platform.h"

static struct wb_platform parse(const char *text)
{
	struct wb_platform p = WB_PLATFORM_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_platform_parse(&p, text, &err), &err);
	return p;
}

static void test_parse(void **state)
{
	static const char *const cases[][2] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"Linux/AArch64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/6", "linux/arm/v6"},
		{"linux/armel", "linux/arm/v6"},
		{"linux/amd64/v1", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"arm64", "linux/arm64"},
		{"s390x", "linux/s390x"},
		{"windows/amd64", "windows/amd64"},
		{"macos/arm64", "darwin/arm64"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		struct wb_platform p = parse(cases[i][0]);

		assert_string_equal(wb_platform_text(&p).s, cases[i][1]);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {"", "/", "linux/", "/amd64", "linux/amd64/v1/x", "linux",
		"bogus", "linux/am d64", "linux//v8", "linux/\xc3\xa9",
		"linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct wb_err err = WB_ERR_INIT;
	struct wb_platform p;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		assert_err(wb_platform_parse(&p, bad[i], &err), &err, WB_ERR_USAGE);
}

static void test_match(void **state)
{
	struct wb_platform v8 = parse("linux/arm64"), written = v8;
	struct wb_platform v3 = parse("linux/amd64/v3"), plain = parse("linux/amd64");

	strcpy(written.variant, "v8");
	strcpy(written.arch, "aarch64");
	assert_true(wb_platform_equal(&v8, &written));
	assert_true(wb_platform_match(&written, &v8));
	assert_false(wb_platform_equal(&plain, &v3));
	assert_true(wb_platform_match(&v3, &plain)); /* any variant will do */
	assert_false(wb_platform_match(&plain, &v3));
	assert_false(wb_platform_match(&plain, &v8));

	struct wb_platform old = parse("windows/amd64"), new = old, any = old;

	strcpy(old.os_version, "10.0.17763.1");
	strcpy(new.os_version, "10.0.20348.1");
	assert_false(wb_platform_equal(&old, &new));
	assert_true(wb_platform_match(&old, &any));
}

static void test_json(void **state)
{
	struct wb_platform p = parse("linux/arm/v6"), q = WB_PLATFORM_INIT;
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *o = wb_platform_to_json(&p);
	wb_autofree char *text = wb_json_dump(o);

	assert_string_equal(text, "{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v6\"}");
	assert_ok(wb_platform_from_json(&q, o, "x", &err), &err);
	assert_true(wb_platform_equal(&p, &q));

	wb_autojson json_t *number = json_pack("{s:i}", "os", 1);
	wb_autojson json_t *list = json_array();
	wb_autojson json_t *longer =
		json_pack("{s:s}", "os", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");

	assert_err(wb_platform_from_json(&q, number, "x", &err), &err, WB_ERR_FORMAT);
	assert_err(wb_platform_from_json(&q, list, "x", &err), &err, WB_ERR_FORMAT);
	assert_err(wb_platform_from_json(&q, longer, "x", &err), &err, WB_ERR_LIMIT);

	/* It goes into names and messages. */
	wb_autojson json_t *path = json_pack("{s:s}", "os", "../x");
	wb_autojson json_t *control = json_pack("{s:s}", "architecture", "amd64\n");

	assert_err(wb_platform_from_json(&q, path, "x", &err), &err, WB_ERR_FORMAT);
	assert_err(wb_platform_from_json(&q, control, "x", &err), &err, WB_ERR_FORMAT);

	struct wb_platform unknown = parse("unknown/unknown");

	assert_true(wb_platform_unknown(&unknown));
	assert_false(wb_platform_unknown(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
