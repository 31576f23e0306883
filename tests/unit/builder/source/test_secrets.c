/* --secret and the other places that secrets come from. */
#include "source_util.h"

#include <unistd.h>

struct world {
	char *dir, *file;
	struct wb_secrets *s;
};

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;

	w->dir = wbtest_dir();
	w->file = wb_asprintf("%s/token", w->dir);
	w->s = wb_secrets_new(w->dir);
	assert_ok(wb_file_put(w->file, "of-the-file\r\n \n", 15, 0600, 0, &err), &err);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wb_secrets_free(w->s);
	wbtest_rmdir(w->dir);
	free(w->file);
	free(w);
	return 0;
}

static void given(struct world *w, const char *name, const char *want)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_secret_unrefp) struct wb_secret *s = wb_secrets_find(w->s, name, &err);

	if (!s)
		fail_msg("no secret \"%s\": %s", name, err.text);
	assert_string_equal(wb_secret_reveal(s), want);
}

static void options(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *src = wb_asprintf("id=a,src=%s", w->file);
	wb_autofree char *source = wb_asprintf("type=file,source=%s,id=b", w->file);

	setenv("T_SECRET", "of-the-variable", 1);
	setenv("bare", "by-its-own-name", 1);
	assert_ok(wb_secrets_add(w->s, src, &err), &err);
	assert_ok(wb_secrets_add(w->s, source, &err), &err);
	assert_ok(wb_secrets_add(w->s, "id=c,env=T_SECRET,type=env", &err), &err);
	assert_ok(wb_secrets_add(w->s, "id=bare", &err), &err);
	given(w, "a", "of-the-file"); /* white space at the end is no part of it */
	given(w, "b", "of-the-file");
	given(w, "c", "of-the-variable");
	given(w, "bare", "by-its-own-name");
	assert_ok(wb_secrets_add(w->s, "id=a,env=T_SECRET", &err), &err);
	given(w, "a", "of-the-variable"); /* the last one counts */
	unsetenv("T_SECRET");
	unsetenv("bare");
}

static void bad_options(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	static const char *const bad[][2] = {
		{"", "\"\" is not KEY=VALUE"},
		{"id", "\"id\" is not KEY=VALUE"},
		{"src=x", "no usable id"},
		{"id=,src=x", "no usable id"},
		{"id=../x,env=HOME", "no usable id"},
		{"id=..,env=HOME", "no usable id"},
		{"id=a,src=x,env=Y", "either src or env"},
		{"id=a,target=/x", "unknown key \"target\""},
		{"id=a,type=tmpfs", "unknown key \"type\""},
		{"id=a,env=T_NOT_SET", "the variable \"T_NOT_SET\" is not set"},
		{"id=a,src=/nonexistent/x", "no file \"/nonexistent/x\""},
		{"id=t_nowhere", "no file \"t_nowhere\""},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_err(wb_secrets_add(w->s, bad[i][0], &err), &err, WB_ERR_USAGE);
		assert_contains(err.text, bad[i][1]);
	}
	wb_autofree char *empty = wb_asprintf("%s/empty", w->dir);
	wb_autofree char *spec = wb_asprintf("id=a,src=%s", empty);
	wb_autofree char *folder = wb_asprintf("id=a,src=%s", w->dir);

	assert_ok(wb_file_put(empty, " \n", 2, 0600, 0, &err), &err);
	assert_err(wb_secrets_add(w->s, spec, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "is empty");
	assert_int_equal(wb_secrets_add(w->s, folder, &err), -1);
	/* None of them left anything behind. */
	wb_err_clear(&err);
	assert_null(wb_secrets_find(w->s, "a", &err));
	assert_int_equal(err.code, WB_OK);
}

static void variables(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	setenv("WBUILD_SECRET_HF_ACCESS_TOKEN", "upper", 1);
	setenv("WBUILD_SECRET_MY_TOKEN_2", "no-dashes", 1);
	given(w, "hf_access_token", "upper");
	given(w, "my-token.2", "no-dashes");
	setenv("WBUILD_SECRET_hf_access_token", "as-written", 1);
	given(w, "hf_access_token", "as-written");
	unsetenv("WBUILD_SECRET_HF_ACCESS_TOKEN");
	unsetenv("WBUILD_SECRET_hf_access_token");
	unsetenv("WBUILD_SECRET_MY_TOKEN_2");
	static const char *const unusable[] = {"", ".", "..", "a/b", "../../etc/passwd"};

	for (size_t i = 0; i < WB_ARRAY_LEN(unusable); i++) {
		assert_null(wb_secrets_find(w->s, unusable[i], &err));
		assert_int_equal(err.code, WB_ERR_CONFIG);
	}
	assert_null(wb_secrets_find(NULL, NULL, &err));
	assert_int_equal(err.code, WB_ERR_CONFIG);
}

static void legacy_files(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_asprintf("%s/s3_credentials.json", w->dir);

	assert_null(wb_secrets_legacy(NULL, "s3_credentials.json", &err));
	assert_int_equal(err.code, WB_OK);
	assert_null(wb_secrets_legacy(w->s, "s3_credentials.json", &err));
	assert_int_equal(err.code, WB_OK);
	assert_ok(wb_file_put(path, "{}", 2, 0600, 0, &err), &err);
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *s = wb_secrets_legacy(w->s, "s3_credentials.json", &err);

	assert_string_equal(wb_secret_reveal(s), "{}");
	/* Larger than any secret is: not read into memory to find out. */
	assert_int_equal(truncate(path, 64 << 20), 0);
	assert_null(wb_secrets_legacy(w->s, "s3_credentials.json", &err));
	assert_int_equal(err.code, WB_ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(options, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_options, setup, teardown),
		cmocka_unit_test_setup_teardown(variables, setup, teardown),
		cmocka_unit_test_setup_teardown(legacy_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
