#include "wbtest.h"

#include <time.h>

#include "base/http.h"

static void redacts(const char *url, const char *want)
{
	wb_autofree char *s = wb_url_redact(url);

	assert_string_equal(s, want);
}

static void test_redact(void **state)
{
	redacts("https://h/p", "https://h/p");
	redacts("https://user:pw@h/p", "https://h/p");
	redacts("https://u:p@w@h/p?a=b&c=d#e", "https://h/p?a=…&c=…");
	redacts("https://h/p?X-Amz-Signature=abc&list-type",
		"https://h/p?X-Amz-Signature=…&list-type");
	redacts("https://h/p?a=b=c?d=e", "https://h/p?a=…");
	redacts("https://h/@x?u=a@b", "https://h/@x?u=…");
	redacts("u:p@h", "h");
	redacts("", "");
	redacts("?=x", "?=…");
}

static void test_encode(void **state)
{
	wb_autofree char *a = wb_url_encode("a b/ü~+%", 9, NULL);
	wb_autofree char *b = wb_url_encode("a/b c", 5, "/");
	wb_autofree char *c = wb_url_decode("a%20b%2Fc%zz%4", 14);
	wb_autofree char *d = wb_url_encode("\0x", 2, "/");

	assert_string_equal(a, "a%20b%2F%C3%BC~%2B%25");
	assert_string_equal(b, "a/b%20c");
	assert_string_equal(c, "a b/c%zz%4");
	assert_string_equal(d, "%00x");
}

static void resolves(const char *base, const char *ref, const char *want)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *s = wb_url_resolve(base, ref, &err);

	if (!want) {
		assert_null(s);
		assert_int_equal(err.code, WB_ERR_FORMAT);
		return;
	}
	assert_non_null(s);
	assert_string_equal(s, want);
}

static void test_resolve(void **state)
{
	resolves("https://h/a/b?c=d", "e", "https://h/a/e");
	resolves("https://h/a/b", "/x?y=z", "https://h/x?y=z");
	resolves("https://h/a/b", "//g/x", "https://g/x");
	resolves("https://h/a/b", "http://g:80/x", "http://g:80/x");
	resolves("https://h/a/b/c", "../x", "https://h/a/x");
	resolves("https://h/a?b=c", "?d=e", "https://h/a?d=e");
	resolves("not a url", "x", NULL);
	resolves("https://h/", "http://[::1", NULL);
}

static void test_hosts(void **state)
{
	static const char *const yes[] = {"http://127.0.0.1/", "http://127.9.9.9:80",
		"http://localhost/", "http://[::1]:8080/", "http://LOCALHOST",
		"http://bucket.localhost:9000/", "http://[::ffff:127.0.0.1]/",
		"http://user@127.0.0.1/"};
	static const char *const no[] = {"http://127.0.0.1.evil/", "http://localhost.evil/",
		"http://128.0.0.1/", "http://127.0.0.1@evil/", "http://evil/127.0.0.1",
		"http://[::2]/", "http://10.0.0.1", "http://notlocalhost/", "", "localhost"};

	for (size_t i = 0; i < WB_ARRAY_LEN(yes); i++)
		assert_true(wb_url_host_is_loopback(yes[i]));
	for (size_t i = 0; i < WB_ARRAY_LEN(no); i++)
		assert_false(wb_url_host_is_loopback(no[i]));
	assert_true(wb_url_same_origin("https://H/a", "https://h:443/b"));
	assert_true(wb_url_same_origin("http://h:80", "http://h/"));
	assert_false(wb_url_same_origin("http://h/", "https://h/"));
	assert_false(wb_url_same_origin("https://h/", "https://h:444/"));
	assert_false(wb_url_same_origin("https://h/", "https://h.evil/"));
	assert_false(wb_url_same_origin("", ""));
}

static void test_rate_limit_wait(void **state)
{
	(void)state;
	assert_int_equal(wb_http_rate_limit_wait("\"api\";r=0;t=55"), 56);
	assert_int_equal(wb_http_rate_limit_wait("\"api\";r=3;t=55"), -1);
	assert_int_equal(wb_http_rate_limit_wait("\"api\";r=0;t=99999999999"), 1000000000);
	assert_int_equal(wb_http_rate_limit_wait("\"api\";r=;t="), -1);
	assert_int_equal(wb_http_rate_limit_wait("\"api\";t=1"), -1);
	assert_int_equal(wb_http_rate_limit_wait(""), -1);
	assert_int_equal(wb_http_rate_limit_wait(NULL), -1);
}

static void test_named_by_a_server(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} bad[] = {{"https://r.example/", "file:///etc/passwd", "not a usable address"},
		{"https://r.example/", "gopher://h/x", "neither https nor http"},
		{"https://r.example/", "http://r.example/x", "plain http"},
		{"https://127.0.0.1/", "http://127.0.0.1/x", "leaves https"},
		{"https://r.example/", "https://127.0.0.1/x", "own addresses"},
		{"https://r.example/", "https://localhost/x", "own addresses"},
		{"https://r.example/", "https://[fe80::1]/x", "own addresses"},
		{"http://127.0.0.1/", "https://169.254.169.254/x", "nothing but this machine"},
		{"http://127.0.0.1/", "https://2852039166/x", "nothing but this machine"},
		{"https://r.example/", "https://[fd00:ec2::254]/x", "nothing but this machine"},
		{"https://r.example/", "https://[::ffff:169.254.169.254]/x", "own addresses"},
		{"https://r.example/", "https://100.100.100.200/x", "nothing but this machine"},
		{"https://r.example/", "https://192.0.0.192/", "nothing but this machine"},
		{"https://r.example/", "https://168.63.129.16/", "nothing but this machine"}};
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_err(wb_url_check_named(bad[i].from, bad[i].to, false, "a realm", &err), &err,
			WB_ERR_NET);
		assert_contains(err.text, bad[i].says);
		assert_contains(err.text, "as a realm: refused");
	}
	assert_ok(wb_url_check_named(
			  "https://r.example/", "https://auth.example/t", false, "a", &err),
		&err);
	assert_ok(wb_url_check_named("https://r.example/", "https://10.0.0.1/t", false, "a", &err),
		&err);
	assert_ok(
		wb_url_check_named("http://127.0.0.1:1/", "http://127.0.0.1:2/", false, "a", &err),
		&err);
	assert_ok(wb_url_check_named("http://r.example/", "http://x.example/", true, "a", &err),
		&err);
}

static void test_retry_after(void **state)
{
	char date[64];
	time_t then = time(NULL) + 100;
	struct tm tm;

	assert_int_equal(wb_http_retry_after("0"), 0);
	assert_int_equal(wb_http_retry_after(" 120 "), 120);
	assert_int_equal(wb_http_retry_after(NULL), -1);
	assert_int_equal(wb_http_retry_after(""), -1);
	assert_int_equal(wb_http_retry_after("-5"), -1);
	assert_int_equal(wb_http_retry_after("soon"), -1);
	assert_int_equal(wb_http_retry_after("99999999999999"), 1000000000);
	assert_int_equal(wb_http_retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
	gmtime_r(&then, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	assert_in_range(wb_http_retry_after(date), 98, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redact),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_named_by_a_server),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_rate_limit_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
