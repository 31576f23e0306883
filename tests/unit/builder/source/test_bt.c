/* bt://: projects, jobs and checkpoints of the platform's API, in all the ways to name one. */
#include "answers.h"

static const struct answer project = {.match = "GET /v1/training_projects#",
	.status = 200,
	.body = "{\"training_projects\":[{\"id\":\"p0\",\"name\":\"other\"},{\"name\":\"no id\"},"
		"{\"id\":\"p1\",\"name\":\"mine\"}]}"};
static const struct answer jobs = {.match = "GET /v1/training_projects/p1/jobs#",
	.status = 200,
	.body = "{\"training_jobs\":[{\"id\":\"j1\",\"created_at\":\"2025-01-01T00:00:00Z\"},"
		"{\"id\":\"j/2\",\"created_at\":\"2025-02-01T00:00:00Z\"},{\"id\":\"j0\"}]}"};
static const struct answer checkpoints = {
	.match = "GET /v1/training_projects/p1/jobs/j%2F2/checkpoints#",
	.status = 200,
	.body = "{\"checkpoints\":[{\"checkpoint_id\":\"c-1\",\"created_at\":\"2025-01-01\"},"
		"{\"checkpoint_id\":\"c-2\",\"created_at\":\"2025-02-01\"}]}"};

static char *file(const struct answers *a, const char *name, unsigned node, unsigned size)
{
	return wb_asprintf("{\"url\":\"%s/signed/%u/%s\",\"relative_file_name\":\"%s\","
			   "\"node_rank\":%u,\"size_bytes\":%u,\"last_modified\":\"2025-03-01\"}",
		a->url, node, name, name, node, size);
}

static void begin(struct answers *a)
{
	setenv("BASETEN_API_URL", a->url, 1);
	setenv("BASETEN_API_KEY", "bt-api-key", 1);
	answers_clear(a);
	answers_add(a, jobs);
	answers_add(a, checkpoints);
	answers_add(a, project);
}

static void the_newest_of_everything(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	wb_autofree char *one = file(a, "c-2/a.bin", 0, 5), *two = file(a, "c-2/sub/b.bin", 0, 6),
			 *other = file(a, "c-1/a.bin", 0, 7), *node = file(a, "c-2/a.bin", 1, 5);
	wb_autofree char *first =
		wb_asprintf("{\"presigned_urls\":[%s,%s],\"next_page_token\":\"p/2\"}", one, other);
	wb_autofree char *last =
		wb_asprintf("{\"presigned_urls\":[%s,%s],\"next_page_token\":\"\"}", two, node);
	wb_autofree char *body = NULL;

	begin(a);
	answers_add(a, (struct answer){.match = "checkpoint_files?page_size=1000&page_token=p%2F2",
			       .status = 200,
			       .body = last});
	answers_add(a, (struct answer){.match = "GET "
						"/v1/training_projects/p1/jobs/j%2F2/"
						"checkpoint_files?page_size=1000",
			       .status = 200,
			       .body = first});
	answers_add(
		a, (struct answer){.match = "/signed/0/c-2/a.bin", .status = 200, .body = "hello"});
	source_make(&src, "bt://mine", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	assert_ok(wb_remote_list(&l, r, &err), &err);
	assert_string_equal(l.revision, "j/2/c-2");
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.files.items[0].path, "a.bin");
	assert_string_equal(l.files.items[1].path, "sub/b.bin");
	assert_string_equal(l.files.items[0].etag, "2025-03-01");
	assert_contains(a->log.text, "1 files of nodes other than the first are left out");
	unsigned with_key = answers_count(a, "Authorization: Api-Key bt-api-key");

	assert_int_equal(with_key, 5);
	assert_ok(answers_get(&body, a, r, &l.files.items[0], &err), &err);
	assert_string_equal(body, "hello");
	/* The address is signed: the key is for the platform alone. */
	assert_int_equal(answers_count(a, "Api-Key"), with_key);
}

static void addresses_run_out(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	wb_autofree char *one = file(a, "c/a.bin", 0, 5);
	wb_autofree char *page = wb_asprintf("{\"presigned_urls\":[%s]}", one);
	wb_autofree char *body = NULL;
	struct wb_http_response refused = {.status = 403};
	const struct wb_refusal refusal = {.response = &refused};
	struct wb_remote_file gone = {.path = (char *)"gone.bin", .etag = (char *)""};

	begin(a);
	answers_add(
		a, (struct answer){
			   .match = "/p1/jobs/j9/checkpoint_files?", .status = 200, .body = page});
	answers_add(a, (struct answer){.match = "/signed/", .status = 200, .body = "hello"});
	source_make(&src, "bt://mine@j9/c", NULL);
	WB_AUTO(wb_remote_freep) struct wb_remote *r = answers_open(a, &src, &err);

	/* From a lockfile: never listed here. */
	wb_remote_pin(r, "j9/c", "");
	struct wb_remote_file f = {.path = (char *)"a.bin", .etag = (char *)""};

	assert_ok(answers_get(&body, a, r, &f, &err), &err);
	assert_int_equal(answers_count(a, "checkpoint_files?"), 1);
	free(wb_steal(body));
	assert_true(wb_remote_refresh(r, &refusal));
	assert_false(wb_remote_refresh(r, &refusal)); /* nothing to forget any more */
	assert_ok(answers_get(&body, a, r, &f, &err), &err);
	assert_int_equal(answers_count(a, "checkpoint_files?"), 2);
	refused.status = 500;
	assert_false(wb_remote_refresh(r, &refusal));
	free(wb_steal(body));
	assert_err(answers_get(&body, a, r, &gone, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "\"gone.bin\" is not in the checkpoint any more");
}

static void a_job_by_itself(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	wb_autofree char *one = file(a, "c/a.bin", 0, 5), *two = file(a, "c/a.bin", 3, 5);
	wb_autofree char *page = wb_asprintf("{\"presigned_urls\":[%s,%s]}", one, two);
	static const struct answer bad[] = {
		{.status = 200, .body = "{\"training_jobs\":[]}"},
		{.status = 200, .body = "nothing"},
		{.status = 403},
	};

	source_make(&src, "bt://mine@j9", NULL);
	src.uri.repo[0] = '\0'; /* as training_checkpoints in a config may leave it */
	begin(a);
	answers_add(
		a, (struct answer){.match = "POST /v1/training_jobs/search",
			   .status = 200,
			   .body = "{\"training_jobs\":[{\"training_project\":{\"id\":\"p1\"}}]}"});
	answers_add(
		a, (struct answer){
			   .match = "/p1/jobs/j9/checkpoint_files?", .status = 200, .body = page});
	assert_ok(answers_list(&l, a, &src, &err), &err);
	/* All nodes', each below its own folder. */
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.files.items[0].path, "rank-0/c/a.bin");
	assert_string_equal(l.files.items[1].path, "rank-3/c/a.bin");
	assert_string_equal(l.revision, "j9");
	assert_int_equal(answers_count(a, "{\"job_id\":\"j9\"}"), 1);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct answer it = bad[i];

		begin(a);
		it.match = "POST /v1/training_jobs/search";
		answers_add(a, it);
		wb_err_clear(&err);
		assert_int_equal(answers_list(&l, a, &src, &err), -1);
		assert_contains(err.text, "bt://");
	}
	assert_contains(err.hint, "check BASETEN_API_KEY");
}

static void loops(void **state)
{
	struct answers *a = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src;
	wb_autofree char *one = file(a, "a.bin", 0, 5);
	wb_autofree char *page = wb_asprintf("{\"presigned_urls\":[%s]}", one);

	begin(a);
	answers_add(a, (struct answer){.match = "GET /v1/loops/checkpoints/x1/files?page_size",
			       .status = 200,
			       .body = page});
	source_make(&src, "bt://loops:x1", NULL);
	assert_ok(answers_list(&l, a, &src, &err), &err);
	assert_string_equal(l.revision, "x1");
	assert_string_equal(l.files.items[0].path, "rank-0/a.bin");
}

static void what_is_not_there(void **state)
{
	struct answers *a = *state;

	begin(a);
	answers_refuse(a, "bt://nobodys", NULL, WB_ERR_NOT_FOUND, "no training project \"nobodys\"",
		"sees 3 projects");
	a->list[0].body = "{\"training_jobs\":[]}";
	answers_refuse(a, "bt://mine", NULL, WB_ERR_NOT_FOUND, "\"mine\" has no job", "");
	begin(a);
	a->list[1].body = "{\"checkpoints\":[]}";
	answers_refuse(a, "bt://mine", NULL, WB_ERR_NOT_FOUND, "\"j/2\" has no checkpoint", "");
	begin(a);
	answers_add(a, (struct answer){.match = "checkpoint_files?",
			       .status = 200,
			       .body = "{\"presigned_urls\":[{}]}"});
	answers_refuse(a, "bt://mine", NULL, WB_ERR_FORMAT, "\"url\" is missing", "");
	begin(a);
	answers_add(a, (struct answer){.match = "checkpoint_files?", .status = 200, .body = "{}"});
	answers_refuse(a, "bt://mine", NULL, WB_ERR_NOT_FOUND, "no files found", "");
	answers_clear(a);
	answers_add(a, (struct answer){.match = "GET", .status = 401});
	answers_refuse(a, "bt://mine", NULL, WB_ERR_AUTH, "401", "check BASETEN_API_KEY");
	unsetenv("BASETEN_API_KEY");
	answers_refuse(a, "bt://mine", NULL, WB_ERR_AUTH, "need an API key", "set BASETEN_API_KEY");
	setenv("WBUILD_SECRET_BT", "of-my-own", 1);
	answers_clear(a);
	answers_refuse(a, "bt://mine", "bt", WB_ERR_NOT_FOUND, "404", "");
	assert_int_equal(answers_count(a, "Authorization: Api-Key of-my-own"), 1);
	answers_refuse(a, "bt://mine", "a/b", WB_ERR_CONFIG, "cannot be the name of a secret", "");
	setenv("BASETEN_API_URL", "api", 1);
	answers_refuse(a, "bt://mine", NULL, WB_ERR_USAGE, "BASETEN_API_URL", "https://HOST");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_of_everything),
		cmocka_unit_test(addresses_run_out),
		cmocka_unit_test(a_job_by_itself),
		cmocka_unit_test(loops),
		cmocka_unit_test(what_is_not_there),
	};

	return cmocka_run_group_tests(tests, answers_setup, answers_teardown);
}
