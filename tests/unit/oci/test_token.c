#include "wbtest.h"

#include "oci/token.h"

static void replies(void **state)
{
	static const struct {
		const char *json, *header;
		uint64_t lifetime;
	} t[] = {
		{"{\"token\":\"abc\"}", "Bearer abc", 60},
		{"{\"access_token\":\"abc\",\"expires_in\":300}", "Bearer abc", 300},
		{"{\"token\":\"\",\"access_token\":\"b.c-_d\"}", "Bearer b.c-_d", 60},
		{"{\"token\":\"a\",\"access_token\":\"b\",\"expires_in\":0}", "Bearer a", 60},
		{"{\"token\":\"a\",\"expires_in\":-5}", "Bearer a", 60},
		{"{\"token\":\"a\",\"expires_in\":99999999999}", "Bearer a", 86400},
		{"{\"token\":\"a\",\"expires_in\":\"300\"}", "Bearer a", 60},
		{"{\"token\":\"a\",\"issued_at\":\"2020\",\"refresh_token\":\"r\"}", "Bearer a",
			60},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(t); i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_token got = WB_TOKEN_INIT;

		assert_ok(wb_token_parse(&got, t[i].json, strlen(t[i].json), "s", &err), &err);
		assert_string_equal(wb_secret_reveal(got.header), t[i].header);
		assert_int_equal(got.lifetime_s, t[i].lifetime);
		wb_token_release(&got);
	}
}

static void unusable_replies(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"token\":7}", "{\"token\":\"\"}",
		"{\"token\":\"a b\"}", "{\"token\":\"a\\r\\nX: y\"}", "{\"token\":\"a\\u00e9\"}",
		"{\"token\":\"hunter22\"", "<html>hunter22</html>"};
	struct wb_token got = WB_TOKEN_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct wb_err err = WB_ERR_INIT;

		assert_err(wb_token_parse(&got, bad[i], strlen(bad[i]), "https://auth.x/", &err),
			&err, WB_ERR_FORMAT);
		assert_contains(err.text, "https://auth.x/");
		assert_null(strstr(err.text, "hunter22"));
		assert_null(got.header);
	}
	wb_autofree char *huge = wb_zalloc(WB_TOKEN_MAX + 100);
	struct wb_err err = WB_ERR_INIT;

	memset(huge, 'a', WB_TOKEN_MAX + 50);
	memcpy(huge, "{\"token\":\"", 10);
	memcpy(huge + WB_TOKEN_MAX + 40, "\"}", 3);
	assert_err(wb_token_parse(&got, huge, strlen(huge), "s", &err), &err, WB_ERR_FORMAT);
}

static void tokens_are_redacted(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_token got = WB_TOKEN_INIT;
	const char *json = "{\"token\":\"very-secret-token\"}";

	assert_ok(wb_token_parse(&got, json, strlen(json), "s", &err), &err);
	wb_autofree char *line = wb_redact("Authorization: Bearer very-secret-token, and "
					   "very-secret-token");

	assert_null(strstr(line, "very-secret-token"));
	wb_token_release(&got);
	struct wb_secret *password = wb_secret_new("p", "hunter22", 8, false);
	struct wb_secret *basic = wb_basic_header("me", password);

	assert_string_equal(wb_secret_reveal(basic), "Basic bWU6aHVudGVyMjI=");
	wb_autofree char *other = wb_redact("x bWU6aHVudGVyMjI= y");

	assert_null(strstr(other, "bWU6aHVudGVyMjI="));
	wb_secret_unref(basic);
	wb_secret_unref(password);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
		cmocka_unit_test(unusable_replies),
		cmocka_unit_test(tokens_are_redacted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
