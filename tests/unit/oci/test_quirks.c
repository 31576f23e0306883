#include "wbtest.h"

#include <time.h>

#include "oci/quirks.h"

#define GB UINT64_C(1000000000)

static void hosts(void **state)
{
	static const struct {
		const char *host, *name;
		enum wb_upload_method method;
	} t[] = {{"ghcr.io", "GitHub Container Registry", WB_UPLOAD_WHOLE},
		{"GHCR.io:443", "GitHub Container Registry", WB_UPLOAD_WHOLE},
		{"1234.dkr.ecr.eu-west-1.amazonaws.com", "Amazon ECR", WB_UPLOAD_WHOLE},
		{"1234.dkr.ecr-fips.us-east-1.amazonaws.com", "Amazon ECR", WB_UPLOAD_WHOLE},
		{"1234.dkr.ecr.cn-north-1.amazonaws.com.cn", "Amazon ECR", WB_UPLOAD_WHOLE},
		{"public.ecr.aws", "Amazon ECR Public", WB_UPLOAD_WHOLE},
		{"europe-docker.pkg.dev", "Google Artifact Registry", WB_UPLOAD_WHOLE},
		{"eu.gcr.io", "Google Container Registry", WB_UPLOAD_WHOLE},
		{"me.azurecr.io", "Azure Container Registry", WB_UPLOAD_WHOLE},
		{"quay.io", "Quay", WB_UPLOAD_CHUNKS},
		{"docker.io", "Docker Hub", WB_UPLOAD_CHUNKS},
		{"localhost:5000", "the registry", WB_UPLOAD_CHUNKS},
		{"[::1]:5000", "the registry", WB_UPLOAD_CHUNKS},
		{"notghcr.io", "the registry", WB_UPLOAD_CHUNKS}};

	for (size_t i = 0; i < WB_ARRAY_LEN(t); i++) {
		struct wb_quirks q;

		wb_quirks_lookup(&q, t[i].host);
		assert_string_equal(q.name, t[i].name);
		assert_int_equal(q.method, t[i].method);
	}
}

static void a_plan_past_a_limit_is_refused(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	uint64_t fits[] = {1, 10 * GB}, large[] = {1, 10 * GB + 1};
	uint64_t *many = wb_calloc(501, sizeof(*many));

	assert_ok(wb_quirks_check_plan("ghcr.io", fits, 2, &err), &err);
	assert_err(wb_quirks_check_plan("ghcr.io", large, 2, &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, "layer 2 of 2");
	assert_contains(err.text, "10.0 GB");
	assert_contains(err.hint, "ignore_patterns");
	assert_ok(wb_quirks_check_plan("r.example.com", large, 2, &err), &err);
	assert_ok(wb_quirks_check_plan("1.dkr.ecr.x.amazonaws.com", many, 500, &err), &err);
	assert_err(wb_quirks_check_plan("1.dkr.ecr.x.amazonaws.com", many, 501, &err), &err,
		WB_ERR_LIMIT);
	assert_contains(err.text, "501 layers");
	assert_contains(err.hint, "--registry-limits off");
	free(many);
}

static void lessons_last_over_processes(void **state)
{
	char *dir = wbtest_dir();
	wb_autofree char *path = wb_asprintf("%s/quirks.json", dir);
	struct wb_quirks_memory *a = wb_quirks_memory_new(path), *b = wb_quirks_memory_new(path);
	struct wb_quirks q;

	wb_quirks_learn(a, "r:1", WB_LESSON_CHUNKS_REFUSED, 0);
	wb_quirks_learn(b, "r:2", WB_LESSON_SESSION_LOST, 0); /* keeps what a wrote */
	wb_quirks_memory_free(a);
	wb_quirks_memory_free(b);
	a = wb_quirks_memory_new(path);
	wb_quirks_get(&q, a, "r:1");
	assert_int_equal(q.method, WB_UPLOAD_WHOLE);
	assert_int_equal(q.session, WB_SESSION_UNKNOWN);
	wb_quirks_get(&q, a, "r:2");
	assert_int_equal(q.method, WB_UPLOAD_CHUNKS);
	assert_int_equal(q.session, WB_SESSION_NONE);
	wb_quirks_get(&q, a, "r:3");
	assert_int_equal(q.session, WB_SESSION_UNKNOWN);
	/* Updated since: the newer lesson about sessions counts. */
	wb_quirks_learn(a, "r:2", WB_LESSON_SESSION_KEPT, 0);
	wb_quirks_get(&q, a, "r:2");
	assert_int_equal(q.session, WB_SESSION_TRUE);
	wb_quirks_learn(a, "r:2", WB_LESSON_SESSION_LIES, 0);
	wb_quirks_get(&q, a, "r:2");
	assert_int_equal(q.session, WB_SESSION_COUNTED);
	wb_quirks_memory_free(a);
	wbtest_rmdir(dir);
}

static void bodies_shrink_to_a_floor(void **state)
{
	struct wb_quirks_memory *m = wb_quirks_memory_new(NULL);
	struct wb_quirks q;

	wb_quirks_learn(m, "r", WB_LESSON_BODY_MAX, 64 << 20);
	wb_quirks_get(&q, m, "r");
	assert_true(q.body_max == 32 << 20);
	wb_quirks_learn(m, "r", WB_LESSON_BODY_MAX, 100 << 20); /* not larger again */
	wb_quirks_get(&q, m, "r");
	assert_true(q.body_max == 32 << 20);
	wb_quirks_learn(m, "r", WB_LESSON_BODY_MAX, 100);
	wb_quirks_get(&q, m, "r");
	assert_true(q.body_max == 1 << 20);
	wb_quirks_memory_free(m);
}

static void old_or_broken_files_count_as_empty(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "{\"version\":2}",
		"{\"version\":1,\"hosts\":{\"r\":{\"when\":1,\"lessons\":2}}}",
		"{\"version\":1,\"hosts\":{\"r\":{\"when\":99999999999,\"lessons\":2}}}",
		"{\"version\":1,\"hosts\":{\"r\":[]}}", "{\"version\":1,\"hosts\":7}"};
	char *dir = wbtest_dir();
	wb_autofree char *path = wb_asprintf("%s/quirks.json", dir);
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++) {
		struct wb_quirks q;

		assert_ok(
			wb_file_put(path, texts[i], strlen(texts[i]), 0644, WB_FILE_REPLACE, &err),
			&err);
		struct wb_quirks_memory *m = wb_quirks_memory_new(path);

		wb_quirks_get(&q, m, "r");
		assert_int_equal(q.method, WB_UPLOAD_CHUNKS);
		wb_quirks_memory_free(m);
	}
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(a_plan_past_a_limit_is_refused),
		cmocka_unit_test(lessons_last_over_processes),
		cmocka_unit_test(bodies_shrink_to_a_floor),
		cmocka_unit_test(old_or_broken_files_count_as_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
