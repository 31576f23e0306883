#include "wbtest.h"

#include "base/base64.h"

static void rfc4648_vectors(void **state)
{
	static const struct {
		const char *in, *out;
	} v[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++) {
		wb_autofree char *got = wb_base64_encode(v[i].in, strlen(v[i].in));

		assert_string_equal(got, v[i].out);
	}
}

static void decodes_strictly(void **state)
{
	static const struct {
		const char *text, *bytes;
		size_t n;
	} good[] = {{"", "", 0}, {"Zg==", "f", 1}, {"Zm8=", "fo", 2}, {"Zm9v", "foo", 3},
		{"Zm9vYmFy", "foobar", 6}, {"+/+/", "\xfb\xff\xbf", 3}};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "=", "====", "Zg==Zg==", "Z===", "Zm9v\n", "Zm-_", "Zh=="};
	size_t n = 0;

	for (size_t i = 0; i < WB_ARRAY_LEN(good); i++) {
		wb_autofree uint8_t *p = wb_base64_decode(&n, good[i].text, 100);

		assert_non_null(p);
		assert_int_equal(n, good[i].n);
		assert_memory_equal(p, good[i].bytes, n);
	}
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		assert_null(wb_base64_decode(&n, bad[i], 100));
	assert_null(wb_base64_decode(&n, "Zm9vYmFy", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc4648_vectors), cmocka_unit_test(decodes_strictly)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
