#include "wbtest.h"

#include <sys/stat.h>

#include "oci/credentials.h"
#include "oci/credhelper.h"

/* A home of its own, with a bin/ that comes first in PATH. */
static char *dir;

static void put(const char *name, const char *text, mode_t mode)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_asprintf("%s/%s", dir, name);
	wb_autofree char *parent = wb_strndup(path, (size_t)(strrchr(path, '/') - path));

	assert_ok(wb_mkdirs(parent, 0755, &err), &err);
	assert_ok(wb_file_put(path, text, strlen(text), mode, WB_FILE_REPLACE, &err), &err);
	chmod(path, mode);
}

static void set(const char *var, const char *below)
{
	wb_autofree char *path = wb_asprintf("%s/%s", dir, below);

	setenv(var, path, 1);
}

static int setup(void **state)
{
	static const char *const vars[] = {"DOCKER_CONFIG", "REGISTRY_AUTH_FILE",
		"DOCKER_AUTH_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"};
	wb_autofree char *path = NULL;

	dir = wbtest_dir();
	for (size_t i = 0; i < WB_ARRAY_LEN(vars); i++)
		unsetenv(vars[i]);
	setenv("HOME", dir, 1);
	path = wb_asprintf("%s/bin:/usr/bin:/bin", dir);
	setenv("PATH", path, 1);
	return 0;
}

static int teardown(void **state)
{
	wbtest_rmdir(dir);
	return 0;
}

#define AUTHS(host, token) "{\"auths\":{\"" host "\":{\"registrytoken\":\"" token "\"}}}"

static void expect(const char *host, const char *want)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_credentials *c = wb_credentials_new(NULL);
	struct wb_credential got = WB_CREDENTIAL_INIT;

	assert_ok(wb_credentials_get(&got, c, host, "a/b", &err), &err);
	if (want)
		assert_string_equal(got.secret ? wb_secret_reveal(got.secret) : "(none)", want);
	else
		assert_int_equal(got.kind, WB_CREDENTIAL_NONE);
	wb_credential_release(&got);
	wb_credentials_unref(c);
}

static void places_in_order(void **state)
{
	expect("h", NULL);
	put(".dockercfg", "{\"h\":{\"registrytoken\":\"cfg\"}}", 0600);
	expect("h", "cfg");
	put(".docker/config.json", AUTHS("h", "docker"), 0600);
	expect("h", "docker");
	put(".config/containers/auth.json", AUTHS("h", "podman"), 0600);
	expect("h", "podman");
	put("run/containers/auth.json", AUTHS("h", "runtime"), 0600);
	set("XDG_RUNTIME_DIR", "run");
	expect("h", "runtime");
	put("dc/config.json", AUTHS("h", "dockerconfig"), 0600);
	set("DOCKER_CONFIG", "dc");
	expect("h", "dockerconfig");
	setenv("DOCKER_AUTH_CONFIG", AUTHS("h", "inline"), 1);
	expect("h", "inline");
	expect("other", NULL);
	put("auth.json", AUTHS("other", "file"), 0600);
	set("REGISTRY_AUTH_FILE", "auth.json");
	expect("other", "file");
	expect("h", NULL); /* and no other place is looked at */
}

static void docker_config_stands_in(void **state)
{
	put(".docker/config.json", AUTHS("h", "home"), 0600);
	set("DOCKER_CONFIG", "nowhere");
	expect("h", NULL);
}

static void named_file_must_be_there(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_credential got = WB_CREDENTIAL_INIT;
	struct wb_credentials *c = wb_credentials_new("/nonexistent/auth.json");

	assert_err(wb_credentials_get(&got, c, "h", "r", &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "/nonexistent/auth.json");
	assert_contains(err.hint, "REGISTRY_AUTH_FILE");
	wb_credentials_unref(c);
}

static void empty_file_is_no_login(void **state)
{
	put(".docker/config.json", "", 0600);
	expect("h", NULL);
}

static void helper_is_asked_over_its_stdin(void **state)
{
	put("bin/docker-credential-t",
		"#!/bin/sh\n"
		"[ \"$*\" = get ] || exit 9\n"
		"read s; echo \"{\\\"ServerURL\\\":\\\"$s\\\",\\\"Username\\\":\\\"u@$s\\\","
		"\\\"Secret\\\":\\\"pw-$s\\\"}\"\n",
		0755);
	put(".docker/config.json",
		"{\"credsStore\":\"missing\",\"credHelpers\":{\"own.io\":\"t\"},"
		"\"auths\":{\"own.io\":{},\"plain.io\":{\"registrytoken\":\"plain\"}}}",
		0600);
	expect("own.io", "pw-own.io");
	expect("plain.io", "plain"); /* the general helper cannot be run: the entry still counts */

	struct wb_err err = WB_ERR_INIT;
	struct wb_credentials *c = wb_credentials_new(NULL);
	struct wb_credential got = WB_CREDENTIAL_INIT;

	assert_ok(wb_credentials_get(&got, c, "none.io", "r", &err), &err);
	assert_int_equal(got.kind, WB_CREDENTIAL_NONE);
	assert_contains(got.origin, "docker-credential-missing"); /* kept for the refusal */
	wb_credential_release(&got);
	wb_credentials_unref(c);

	put(".docker/config.json", "{\"credsStore\":\"t\"}", 0600);
	expect("docker.io", "pw-https://index.docker.io/v1/");
}

static void helper_answers_are_remembered(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_credentials *c = wb_credentials_new(NULL);

	put("bin/docker-credential-t",
		"#!/bin/sh\necho x >>\"$HOME/calls\"\n"
		"echo '{\"Username\":\"u\",\"Secret\":\"secret1\"}'\n",
		0755);
	put(".docker/config.json", "{\"credsStore\":\"t\"}", 0600);
	for (int i = 0; i < 3; i++) {
		struct wb_credential got = WB_CREDENTIAL_INIT;

		assert_ok(wb_credentials_get(&got, c, "h", "r", &err), &err);
		assert_string_equal(wb_secret_reveal(got.secret), "secret1");
		wb_credential_release(&got);
	}
	struct wb_buf b;
	wb_autofree char *calls = wb_asprintf("%s/calls", dir);

	wb_buf_init(&b, 100, "calls");
	assert_ok(wb_file_read(&b, calls, &err), &err);
	assert_string_equal(b.data, "x\n");
	wb_buf_release(&b);
	wb_credentials_unref(c);
}

static int helper(struct wb_credential *c, const char *script, struct wb_err *err)
{
	put("bin/docker-credential-t", script, 0755);
	return wb_credhelper_get(c, "t", "example.com", err);
}

static void helper_without_an_entry(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_credential c = WB_CREDENTIAL_INIT;

	assert_ok(helper(&c, "#!/bin/sh\necho credentials not found in native keychain; exit 1\n",
			  &err),
		&err);
	assert_int_equal(c.kind, WB_CREDENTIAL_NONE);
	assert_contains(c.origin, "docker-credential-t");
	wb_credential_release(&c);
}

static void helper_faults(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_credential c = WB_CREDENTIAL_INIT;

	/* Its reason is shown, its secrets are not. */
	assert_err(helper(&c, "#!/bin/sh\necho the keychain is locked; echo more; exit 3\n", &err),
		&err, WB_ERR_AUTH);
	assert_contains(err.text, "exit status 3): the keychain is locked");
	assert_null(strstr(err.text, "more"));
	assert_err(helper(&c, "#!/bin/sh\necho 'Secret: hunter22'\n", &err), &err, WB_ERR_FORMAT);
	assert_null(strstr(err.text, "hunter22"));
	assert_err(
		helper(&c, "#!/bin/sh\necho '{\"Username\":\"u\"}'\n", &err), &err, WB_ERR_FORMAT);
	assert_err(helper(&c, "#!/bin/sh\nkill -9 $$\n", &err), &err, WB_ERR_AUTH);
	assert_err(helper(&c, "#!/bin/sh\nexec head -c 2000000 /dev/zero\n", &err), &err,
		WB_ERR_LIMIT);
	/* One that ends without reading its input does not end us. */
	assert_err(helper(&c, "#!/bin/sh\nexec <&-; exit 4\n", &err), &err, WB_ERR_AUTH);
	assert_err(wb_credhelper_get(&c, "../t", "h", &err), &err, WB_ERR_FORMAT);
	assert_err(wb_credhelper_get(&c, "", "h", &err), &err, WB_ERR_FORMAT);
	assert_err(wb_credhelper_get(&c, "not-there", "h", &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.hint, "credsStore");
	assert_int_equal(c.kind, WB_CREDENTIAL_NONE);
}

static void identity_token_from_a_helper(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_credential c = WB_CREDENTIAL_INIT;

	assert_ok(
		helper(&c, "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"idtoken\"}'\n",
			&err),
		&err);
	assert_int_equal(c.kind, WB_CREDENTIAL_IDENTITY);
	assert_null(c.username);
	wb_credential_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(places_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(docker_config_stands_in, setup, teardown),
		cmocka_unit_test_setup_teardown(named_file_must_be_there, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_file_is_no_login, setup, teardown),
		cmocka_unit_test_setup_teardown(helper_is_asked_over_its_stdin, setup, teardown),
		cmocka_unit_test_setup_teardown(helper_answers_are_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(helper_without_an_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(helper_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(identity_token_from_a_helper, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
