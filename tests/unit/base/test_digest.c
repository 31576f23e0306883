#include "wbtest.h"

#include "base/digest.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddee0f"

static void text_and_back(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d, e;

	assert_ok(wb_digest_parse(&d, "sha256:" HEX, &err), &err);
	assert_string_equal(wb_digest_text(&d).s, "sha256:" HEX);
	assert_string_equal(wb_digest_hex(&d).s, HEX);
	assert_true(wb_digest_parse_hex(&e, HEX, 64));
	assert_true(wb_digest_equal(&d, &e));
	e.bytes[31] ^= 1;
	assert_false(wb_digest_equal(&d, &e));
	assert_false(wb_digest_is_zero(&d));
	assert_true(wb_digest_is_zero(&(struct wb_digest){{0}}));
}

static void other_forms_are_refused(void **state)
{
	static const char *const bad[] = {"", "sha256:", HEX, "sha512:" HEX, "SHA256:" HEX,
		"sha256:" HEX "0", "sha256: " HEX,
		"sha256:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddee0f",
		"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddee0",
		"sha256:0x112233445566778899aabbccddeeff00112233445566778899aabbccddee0f", NULL};
	struct wb_digest d = {{7}};

	for (size_t i = 0; bad[i]; i++) {
		struct wb_err err = WB_ERR_INIT;

		assert_err(wb_digest_parse(&d, bad[i], &err), &err, WB_ERR_FORMAT);
		assert_int_equal(d.bytes[0], 7);
	}
	assert_false(wb_digest_parse_hex(&d, HEX, 63));
}

static void hex_in_either_case_where_asked(void **state)
{
	uint8_t out[2];

	assert_true(wb_unhex(out, "aB09", 2, true));
	assert_int_equal(out[0], 0xab);
	assert_int_equal(out[1], 0x09);
	assert_false(wb_unhex(out, "aB09", 2, false));
	assert_false(wb_unhex(out, "a", 1, true));
	assert_false(wb_unhex(out, "g0", 1, true));
	assert_true(wb_unhex(out, "", 0, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(hex_in_either_case_where_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
