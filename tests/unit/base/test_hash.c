#include "wbtest.h"

#include "base/digest.h"
#include "base/hash.h"

/* In one call, and cut into pieces of every small length. */
static void check(enum wb_hash_kind kind, const char *text, const char *want)
{
	size_t n = strlen(text);

	for (size_t step = 1; step <= n + 1; step++) {
		WB_AUTO(wb_hash_freep) struct wb_hash *h = wb_hash_new(kind);
		uint8_t out[WB_HASH_SIZE_MAX];
		char hex[2 * WB_HASH_SIZE_MAX + 1];

		for (size_t i = 0; i < n; i += step)
			wb_hash_update(h, text + i, n - i < step ? n - i : step);
		wb_hash_final(h, out);
		wb_hex(hex, out, wb_hash_size(kind));
		assert_string_equal(hex, want);
	}
}

static void test_check_values(void **state)
{
	static const char fox[] = "The quick brown fox jumps over the lazy dog";

	check(WB_HASH_CRC32, "123456789", "cbf43926");
	check(WB_HASH_CRC32C, "123456789", "e3069283");
	check(WB_HASH_CRC64NVME, "123456789", "ae8b14860a799888");
	check(WB_HASH_MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
	check(WB_HASH_MD5, fox, "9e107d9d372bb6826bd81d3542a419d6");
	check(WB_HASH_SHA1, fox, "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12");
	check(WB_HASH_CRC32C, fox, "22620404");
	check(WB_HASH_CRC32, fox, "414fa339");
	check(WB_HASH_CRC32, "", "00000000");
}

static void hmac(const char *key, size_t key_len, const char *text, const char *want)
{
	uint8_t out[32];
	char hex[65];

	wb_hmac_sha256(out, key, key_len, text, strlen(text));
	wb_hex(hex, out, sizeof(out));
	assert_string_equal(hex, want);
}

/* RFC 4231, cases 2, 6 and 7, and an empty key. */
static void test_hmac(void **state)
{
	char aa[131];

	memset(aa, 0xaa, sizeof(aa));
	hmac("Jefe", 4, "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	hmac(aa, sizeof(aa), "Test Using Larger Than Block-Size Key - Hash Key First",
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac(aa, sizeof(aa),
		"This is a test using a larger than block-size key and a larger than block-size "
		"data. The key needs to be hashed before being used by the HMAC algorithm.",
		"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
	hmac(NULL, 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_values),
		cmocka_unit_test(test_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
