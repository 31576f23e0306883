#include "wbtest.h"

#include "oci/authfile.h"

static void find(struct wb_credential *c, const char *json, const char *host, const char *repo)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *f = wb_authfile_parse(json, strlen(json), "config.json", &err);

	if (!f)
		fail_msg("%s", err.text);
	wb_credential_release(c);
	assert_ok(wb_authfile_find(c, f, host, repo, "config.json", &err), &err);
}

static void auth_is_user_and_password(void **state)
{
	struct wb_credential c = WB_CREDENTIAL_INIT;

	find(&c, "{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6YTpiOmM=\"}}}", "ghcr.io", "me/x");
	assert_int_equal(c.kind, WB_CREDENTIAL_BASIC);
	assert_string_equal(c.username, "me");
	assert_string_equal(wb_secret_reveal(c.secret), "a:b:c"); /* cut at the first colon */
	assert_string_equal(c.origin, "config.json");
	find(&c, "{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6cHcA\"}}}", "ghcr.io", "me/x");
	assert_string_equal(wb_secret_reveal(c.secret), "pw"); /* NUL padding goes */
	find(&c, "{\"auths\":{\"h\":{\"username\":\"u\",\"password\":\"p\"}}}", "h", "x");
	assert_string_equal(c.username, "u");
	wb_credential_release(&c);
}

static void tokens(void **state)
{
	struct wb_credential c = WB_CREDENTIAL_INIT;

	find(&c, "{\"auths\":{\"h\":{\"auth\":\"MDAwOg==\",\"identitytoken\":\"idt\"}}}", "h", "x");
	assert_int_equal(c.kind, WB_CREDENTIAL_IDENTITY);
	assert_string_equal(wb_secret_reveal(c.secret), "idt");
	find(&c, "{\"auths\":{\"h\":{\"registrytoken\":\"rt\"}}}", "h", "x");
	assert_int_equal(c.kind, WB_CREDENTIAL_BEARER);
	find(&c, "{\"auths\":{\"h\":{\"username\":\"<token>\",\"password\":\"idt\"}}}", "h", "x");
	assert_int_equal(c.kind, WB_CREDENTIAL_IDENTITY);
	wb_credential_release(&c);
}

static void hub_by_all_its_names(void **state)
{
	static const char *const keys[] = {"https://index.docker.io/v1/", "docker.io",
		"index.docker.io", "registry-1.docker.io"};
	struct wb_credential c = WB_CREDENTIAL_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(keys); i++) {
		wb_autofree char *json =
			wb_asprintf("{\"auths\":{\"other\":{\"registrytoken\":\"no\"},\"%s\":"
				    "{\"registrytoken\":\"yes\"}}}",
				keys[i]);

		find(&c, json, "docker.io", "library/debian");
		assert_int_equal(c.kind, WB_CREDENTIAL_BEARER);
		assert_string_equal(wb_secret_reveal(c.secret), "yes");
		find(&c, json, "example.com", "x");
		assert_int_equal(c.kind, WB_CREDENTIAL_NONE);
	}
	wb_credential_release(&c);
}

static void most_specific_key_wins(void **state)
{
	const char *json = "{\"auths\":{\"https://q.io/v2/\":{\"registrytoken\":\"old\"},"
			   "\"q.io/team/app\":{\"registrytoken\":\"app\"},"
			   "\"q.io/team\":{\"registrytoken\":\"team\"},"
			   "\"q.io\":{\"registrytoken\":\"host\"},"
			   "\"q.io:444\":{\"registrytoken\":\"port\"},"
			   "\"https://only.old/v1/\":{\"registrytoken\":\"only\"}}}";
	static const struct {
		const char *host, *repo, *want;
	} t[] = {{"q.io", "team/app", "app"}, {"q.io", "team/app/deep", "app"},
		{"q.io", "team/apple", "team"}, {"q.io", "teams/x", "host"},
		{"q.io:444", "team/app", "port"}, {"only.old", "x", "only"}};
	struct wb_credential c = WB_CREDENTIAL_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(t); i++) {
		find(&c, json, t[i].host, t[i].repo);
		assert_int_equal(c.kind, WB_CREDENTIAL_BEARER);
		assert_string_equal(wb_secret_reveal(c.secret), t[i].want);
	}
	find(&c, json, "q.io:445", "team/app");
	assert_int_equal(c.kind, WB_CREDENTIAL_NONE);
	wb_credential_release(&c);
}

static void helpers(void **state)
{
	const char *json = "{\"credHelpers\":{\"ghcr.io\":\"own\",\"x\":3},\"credsStore\":\"all\"}";
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *f = wb_authfile_parse(json, strlen(json), "c", &err);

	assert_non_null(f);
	assert_string_equal(wb_authfile_helper(f, "ghcr.io"), "own");
	assert_null(wb_authfile_helper(f, "x"));
	assert_null(wb_authfile_helper(f, "y"));
	assert_string_equal(wb_authfile_store(f), "all");
}

static void old_dockercfg(void **state)
{
	struct wb_credential c = WB_CREDENTIAL_INIT;

	find(&c, "{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\",\"email\":\"e\"}}",
		"docker.io", "library/x");
	assert_string_equal(c.username, "u");
	wb_credential_release(&c);
}

static void empty_entries_are_none(void **state)
{
	static const char *const json[] = {"{}", "{\"auths\":{}}", "{\"auths\":{\"h\":{}}}",
		"{\"auths\":{\"h\":{\"auth\":\"\"}}}", "{\"auths\":{\"h\":7}}", "{\"auths\":[]}",
		"{\"auths\":{\"h\":{\"email\":\"e\"}}}"};
	struct wb_credential c = WB_CREDENTIAL_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(json); i++) {
		find(&c, json[i], "h", "x");
		assert_int_equal(c.kind, WB_CREDENTIAL_NONE);
	}
	wb_credential_release(&c);
}

static void bad_entries_say_which(void **state)
{
	static const char *const auth[] = {"bm9jb2xvbg==", "***", "bWU6AHB3", "bWU6cHc", "OnB"};

	for (size_t i = 0; i < WB_ARRAY_LEN(auth); i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_credential c = WB_CREDENTIAL_INIT;
		wb_autofree char *json =
			wb_asprintf("{\"auths\":{\"h:5\":{\"auth\":\"%s\"}}}", auth[i]);
		wb_autojson json_t *f = wb_authfile_parse(json, strlen(json), "the.json", &err);

		assert_err(
			wb_authfile_find(&c, f, "h:5", "x", "the.json", &err), &err, WB_ERR_FORMAT);
		assert_contains(err.text, "the.json");
		assert_contains(err.text, "h:5");
		assert_null(strstr(err.text, auth[i]));
		assert_int_equal(c.kind, WB_CREDENTIAL_NONE);
	}
}

static void broken_file_shows_no_secret(void **state)
{
	static const char *const json[] = {"{\"auths\":{\"h\":{\"password\": hunter22}}}",
		"{\"password\":\"hunter22\" \"hunter22\"}", "[\"hunter22\"]", "\"hunter22"};
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(json); i++) {
		assert_null(wb_authfile_parse(json[i], strlen(json[i]), "c.json", &err));
		assert_int_equal(err.code, WB_ERR_FORMAT);
		assert_contains(err.text, "c.json");
		assert_null(strstr(err.text, "hunter22"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_is_user_and_password),
		cmocka_unit_test(tokens),
		cmocka_unit_test(hub_by_all_its_names),
		cmocka_unit_test(most_specific_key_wins),
		cmocka_unit_test(helpers),
		cmocka_unit_test(old_dockercfg),
		cmocka_unit_test(empty_entries_are_none),
		cmocka_unit_test(bad_entries_say_which),
		cmocka_unit_test(broken_file_shows_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
