/* Mounting, which asks for a login to two repositories, and logins. */
#include "oci/uploadworld.h"

static void recall(void *arg, const char *host, const struct wb_digest *d,
	void (*each)(void *each_arg, const char *repository), void *each_arg)
{
	each(each_arg, "nowhere");
	each(each_arg, "up");
}

static void remember(void *arg, const char *host, const char *repository, const struct wb_digest *d)
{
	snprintf(arg, 100, "%s/%s", host, repository);
}

static void mounted_from_where_it_was(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;
	char place[100] = "";
	wb_autofree char *want = wb_asprintf("127.0.0.1:%u/copy", w->f.s.port);

	PUSH_OK(w, &r);
	w->name = "copy";
	w->f.bytes_in = 0;
	w->o.places = (struct wb_blob_places){recall, remember, place};
	assert_ok(push(w, &r, &err), &err);
	assert_int_equal(r.how, WB_PUT_MOUNTED);
	assert_int_equal(w->f.bytes_in, 0);
	assert_int_equal(w->f.mounts, 2);
	assert_there(w);
	assert_string_equal(place, want);
}

static void refused_mount_is_an_upload(void **state)
{
	struct world *w = *state;
	wb_autofree char *own = wb_asprintf("127.0.0.1:%u/other/x", w->f.s.port);
	const char *const from[] = {"up", own, "ghcr.io/not/here", "up/up", NULL};
	struct wb_put_result r;

	w->f.refuses_mounts = true;
	w->o.mount_from = from;
	PUSH_OK(w, &r);
	assert_int_equal(r.how, WB_PUT_SENT);
	assert_int_equal(w->f.mounts, 2); /* not from itself, not from another host */
	assert_int_equal(w->f.posts, 2);  /* its session is used, the other given up */
	assert_int_equal(w->f.deletes, 1);
}

static void login(struct world *w, const char *entry)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_asprintf("%s/auth.json", w->dir);
	wb_autofree char *json =
		wb_asprintf("{\"auths\":{\"127.0.0.1:%u\":{%s}}}", w->f.s.port, entry);

	assert_ok(wb_file_put(path, json, strlen(json), 0600, WB_FILE_REPLACE, &err), &err);
	setenv("REGISTRY_AUTH_FILE", path, 1);
}

static void basic(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;

	w->f.auth = "basic";
	assert_err(push(w, &r, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "wants a login");
	login(w, "\"auth\":\"bWU6cHc=\"");
	w->f.refusals = 0;
	PUSH_OK(w, &r);
	assert_int_equal(w->f.refusals, 2); /* of the look which scheme it is, and of the first */
	login(w, "\"auth\":\"bWU6bm8=\"");
	w->f.refusals = 0;
	assert_err(push(w, &r, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "refused the login of \"me\"");
	assert_contains(err.hint, "auth.json");
	assert_int_equal(w->f.refusals, 3);
}

static void bearer_for_two_repositories(void **state)
{
	struct world *w = *state;
	const char *const from[] = {"base/image", NULL};
	struct wb_put_result r;

	w->f.auth = "bearer";
	w->o.mount_from = from;
	login(w, "\"auth\":\"bWU6cHc=\"");
	PUSH_OK(w, &r);
	assert_int_equal(w->f.refusals, 2);
	assert_int_equal(w->f.tokens, 3); /* pull, push with the source, push */
	assert_contains(w->f.token_query, "scope=repository%3Aup%3Apull%2Cpush");
	assert_contains(w->f.token_query, "service=fake");
	assert_contains(w->f.token_query, "account=me");
}

static void identity_token(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.auth = "bearer";
	login(w, "\"identitytoken\":\"idtoken\"");
	PUSH_OK(w, &r);
	assert_contains(w->f.token_query, "grant_type=refresh_token");
	assert_null(strstr(w->f.token_query, "?")); /* nothing in the address */
}

static void tokens_that_end_in_the_middle(void **state)
{
	struct world *w = *state;
	struct wb_put_result r;

	w->f.auth = "bearer";
	w->f.token_uses = 2;
	login(w, "\"auth\":\"bWU6cHc=\"");
	PUSH_OK(w, &r);
	assert_true(w->f.tokens >= 3);
	/* A chunk that met an old token went out twice. */
	assert_true(r.sent <= SIZE + 3 * CHUNK);
}

static void wrong_password_and_no_permission(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_put_result r;

	w->f.auth = "bearer";
	login(w, "\"auth\":\"bWU6bm8=\"");
	assert_err(push(w, &r, &err), &err, WB_ERR_AUTH);
	assert_contains(err.text, "refused the login of \"me\"");
	assert_contains(err.text, "wrong password");
	assert_contains(err.hint, "auth.json");
	assert_int_equal(w->f.tokens, 1);

	/* Let in, but not for this: the server gives a smaller token and says 401 again. */
	login(w, "\"registrytoken\":\"mine\"");
	assert_err(push(w, &r, &err), &err, WB_ERR_AUTH);
	assert_string_equal(w->f.last_auth, "Bearer mine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(mounted_from_where_it_was),
		T(refused_mount_is_an_upload),
		T(basic),
		T(bearer_for_two_repositories),
		T(identity_token),
		T(tokens_that_end_in_the_middle),
		T(wrong_password_and_no_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
