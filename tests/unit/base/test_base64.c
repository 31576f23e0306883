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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rfc4648_vectors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
