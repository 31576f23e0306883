/* wbuild.lock: stable text, strict reader, what differs. */
#include "wbtest.h"

#include "base/path.h"
#include "builder/fetch/lockfile.h"

#define HEX "270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a"

static const char sample[] =
	"{\n"
	"  \"version\": 1,\n"
	"  \"sources\": [\n"
	"    {\n"
	"      \"source\": \"hf://o/r@main\",\n"
	"      \"key\": \"k1\",\n"
	"      \"revision\": \"abc\",\n"
	"      \"files\": [\n"
	"        {\"path\":\"a/b \\\"q\\\".json\",\"size\":3,\"sha256\":\"" HEX
	"\",\"etag\":\"e\"},\n"
	"        {\"path\":\"model.bin\",\"size\":9007199254740993,\"sha256\":\"" HEX "\"}\n"
	"      ]\n"
	"    }\n"
	"  ],\n"
	"  \"packer\": \"p\",\n"
	"  \"layers\": [\n"
	"    {\"key\":\"x\",\"digest\":\"sha256:" HEX "\",\"diff_id\":\"sha256:" HEX
	"\",\"size\":5,\"media_type\":\"t\"}\n"
	"  ]\n"
	"}\n";

static void test_round_trip(void **state)
{
	struct wb_lockfile l;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_lockfile_parse(&l, sample, strlen(sample), "wbuild.lock", &err), &err);
	assert_int_equal(l.sources.items[0].files.items[1].size, 9007199254740993);
	wb_autofree char *text = wb_lockfile_dump(&l);

	assert_string_equal(text, sample);
	assert_string_equal(wb_lockfile_layer(&l, "x")->media_type, "t");
	wb_lockfile_release(&l);
}

static void test_damage(void **state)
{
	static const char *const from[] = {"\"version\": 1", "\"size\":3", "a/b", HEX, "model.bin",
		"\"key\": \"k1\",", "\"files\": ["};
	static const char *const to[] = {
		"\"version\": 2", "\"size\":-3", "../b", "short", "a", "", "\"nofiles\": ["};

	for (size_t i = 0; i < WB_ARRAY_LEN(from); i++) {
		struct wb_lockfile l;
		struct wb_err err = WB_ERR_INIT;
		const char *at = strstr(sample, from[i]);
		wb_autofree char *bad = wb_asprintf(
			"%.*s%s%s", (int)(at - sample), sample, to[i], at + strlen(from[i]));

		assert_err(wb_lockfile_parse(&l, bad, strlen(bad), "wbuild.lock", &err), &err,
			WB_ERR_CONFIG);
		assert_contains(err.text, "wbuild.lock");
		assert_true(err.hint[0]);
	}
}

static void test_difference(void **state)
{
	struct wb_lockfile a, b;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_lockfile_parse(&a, sample, strlen(sample), "a", &err), &err);
	assert_ok(wb_lockfile_parse(&b, sample, strlen(sample), "b", &err), &err);
	assert_ok(wb_lockfile_same(&a, &b, &err), &err);
	b.sources.items[0].files.items[1].size++;
	assert_err(wb_lockfile_same(&a, &b, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "hf://o/r@main: model.bin changed");
	free(b.sources.items[0].key);
	b.sources.items[0].key = wb_strdup("other");
	assert_err(wb_lockfile_same(&a, &b, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "is not in the lockfile");
	wb_lockfile_release(&a);
	wb_lockfile_release(&b);
}

static void test_files(void **state)
{
	char *dir = wbtest_dir();
	wb_autofree char *path = wb_path_join(dir, WB_LOCK_NAME);
	struct wb_lockfile l;
	struct wb_err err = WB_ERR_INIT;
	bool found, changed;

	assert_ok(wb_lockfile_load(&l, &found, path, &err), &err);
	assert_false(found);
	assert_ok(wb_lockfile_parse(&l, sample, strlen(sample), "a", &err), &err);
	assert_ok(wb_lockfile_save(&l, path, &changed, &err), &err);
	assert_true(changed);
	assert_ok(wb_lockfile_save(&l, path, &changed, &err), &err);
	assert_false(changed);
	wb_lockfile_release(&l);
	assert_ok(wb_lockfile_load(&l, &found, path, &err), &err);
	assert_true(found);
	wb_lockfile_release(&l);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("fetch/lockfile", tests, NULL, NULL);
}
