#include "wbtest.h"

#include "oci/uploadwire.h"

static void upload_range(void **state)
{
	static const struct {
		const char *value;
		uint64_t want;
	} good[] = {{"0-0", 0}, {"0-1", 2}, {"bytes=0-1023", 1024}, {"bytes 0-9", 10},
		{"0-18446744073709551614", UINT64_MAX}};
	static const char *const bad[] = {"", "0", "0-", "-1", "1-2", "0-x", "0-1 ", " 0-1",
		"0-18446744073709551615", "0-99999999999999999999", "bytes=", "0--1", "0-1-2",
		"bytes=bytes=0-1", "0x0-1"};

	for (size_t i = 0; i < WB_ARRAY_LEN(good); i++) {
		uint64_t got = 77;

		assert_true(wb_upload_range_parse(&got, good[i].value));
		assert_true(got == good[i].want);
	}
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		uint64_t got = 77;

		if (wb_upload_range_parse(&got, bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(got == 77);
	}
}

static void content_range(void **state)
{
	static const char *const bad[] = {"", "bytes", "bytes 0-1", "bytes 2-1/5", "bytes 0-5/5",
		"bytes 0-1/x", "bytes 0-1/", "0-1/5", "bytes */5", "bytes 0-1/5 "};
	uint64_t a, b, n;

	assert_true(wb_content_range_parse(&a, &b, &n, "bytes 5-9/10"));
	assert_true(a == 5 && b == 9 && n == 10);
	assert_true(wb_content_range_parse(&a, &b, &n, "bytes 0-0/*"));
	assert_true(a == 0 && b == 0 && n == UINT64_MAX);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		if (wb_content_range_parse(&a, &b, &n, bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void location(void **state)
{
	static const struct {
		const char *base, *location, *want;
	} t[] = {
		{"https://r.io/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/1?s=x",
			"https://r.io/v2/a/blobs/uploads/1?s=x"},
		{"https://r.io/v2/a/blobs/uploads/", "uuid",
			"https://r.io/v2/a/blobs/uploads/uuid"},
		{"https://r.io/v2/", "https://s3.example/put?X-Sig=1%2F",
			"https://s3.example/put?X-Sig=1%2F"},
		/* A proxy in front of the registry ended TLS, and the registry does not know. */
		{"https://r.io/v2/", "http://r.io/u/1", "https://r.io/u/1"},
		{"https://r.io:8443/v2/", "http://R.io:8443/u/1", "https://R.io:8443/u/1"},
		{"https://r.io/v2/", "http://other.io/u/1", "http://other.io/u/1"},
		{"http://localhost:5000/v2/", "http://localhost:5000/u", "http://localhost:5000/u"},
	};
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(t); i++) {
		wb_autofree char *got = wb_upload_location(t[i].base, t[i].location, &err);

		if (!got)
			fail_msg("%s: %s", t[i].location, err.text);
		assert_string_equal(got, t[i].want);
	}
}

static void hostile_location(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *huge = wb_alloc(WB_LOCATION_MAX + 2);
	const char *bad[] = {"", "/a b", "/a\r\nX: y", "/\x80", huge};

	memset(huge, '/', WB_LOCATION_MAX + 1);
	huge[WB_LOCATION_MAX + 1] = '\0';
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_null(wb_upload_location("https://r.io/v2/", bad[i], &err));
		assert_int_equal(err.code, WB_ERR_FORMAT);
	}
}

static void closing(void **state)
{
	static const struct {
		const char *location, *want;
	} t[] = {{"https://h/u", "https://h/u?digest="},
		{"https://h/u?a=b", "https://h/u?a=b&digest="},
		{"https://h/u?", "https://h/u?digest="},
		{"https://h/u?a=b&", "https://h/u?a=b&digest="},
		{"https://h/u?a#frag?", "https://h/u?a&digest="}};
	struct wb_digest d = {{0xab}};

	for (size_t i = 0; i < WB_ARRAY_LEN(t); i++) {
		wb_autofree char *got = wb_upload_close_url(t[i].location, &d);
		wb_autofree char *want = wb_asprintf("%s%s", t[i].want, wb_digest_text(&d).s);

		assert_string_equal(got, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upload_range),
		cmocka_unit_test(content_range),
		cmocka_unit_test(location),
		cmocka_unit_test(hostile_location),
		cmocka_unit_test(closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
