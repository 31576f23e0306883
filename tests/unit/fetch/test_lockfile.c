/* wbuild.lock: stable text, strict reader, what differs. */
#include "wbtest.h"

#include <unistd.h>

#include "base/path.h"
#include "builder/source/source_util.h"
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
		"\"key\": \"k1\",", "\"files\": [", "\"version\": 1,", "\"source\": \"",
		"\"path\":\"model", "\"size\":3,", "\"sha256\"", "\"key\":\"x\"", "\"size\":5",
		"\"digest\":\"sha256:", "\"diff_id\"", "{"};
	static const char *const to[] = {"\"version\": 2", "\"size\":-3", "../b", "short", "a", "",
		"\"nofiles\": [", "", "\"s\": \"", "\"p\":\"model", "", "\"sha1\"", "\"k\":\"x\"",
		"\"size\":\"5\"", "\"digest\":\"sha512:", "\"diff\"", "["};

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

/* What a build locks, and what the next one takes from it instead of asking. */
static void test_listing(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_lockfile_release) struct wb_lockfile l = WB_LOCKFILE_INIT;
	WB_AUTO(wb_lockfile_release) struct wb_lockfile again = WB_LOCKFILE_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing listing = WB_LISTING_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing back = WB_LISTING_INIT;
	WB_AUTO(source_clear) struct wb_source src, other;
	const struct wb_digest digests[] = {{{1}}, {{2}}};

	source_make(&src, "gs://bucket/m", NULL);
	source_make(&other, "gs://bucket/n", NULL);
	listing.root = wb_strdup("m/");
	for (int i = 0; i < 2; i++) {
		struct wb_remote_file *f = wb_vec_push(&listing.files);

		*f = (struct wb_remote_file){.path = wb_strdup(i ? "b" : "a"), .size = 7};
		f->version = i ? wb_strdup("12") : NULL;
		f->encoded = i;
	}
	wb_lockfile_add(&l, &src, &listing, digests);
	wb_lockfile_add_layer(&l, "x")->media_type = wb_strdup("t");
	wb_autofree char *text = wb_lockfile_dump(&l);

	assert_ok(wb_lockfile_parse(&again, text, strlen(text), "wbuild.lock", &err), &err);
	assert_null(wb_lockfile_find(&again, &other));
	assert_null(wb_lockfile_layer(&again, "y"));
	const struct wb_lock_source *s = wb_lockfile_find(&again, &src);

	assert_non_null(s);
	assert_string_equal(s->source, "gs://bucket/m");
	wb_lock_listing(&back, s);
	assert_string_equal(back.root, "m/");
	assert_string_equal(back.revision, "");
	assert_int_equal(back.files.n, 2);
	assert_int_equal(back.seen, 2);
	const struct wb_remote_file *f = &back.files.items[1];

	assert_string_equal(f->path, "b");
	assert_string_equal(f->version, "12");
	assert_true(f->encoded && f->known.has_sha256);
	assert_true(wb_digest_equal(&f->known.sha256, &digests[1]));
	wb_autofree char *identity = wb_asprintf("sha256:%s", wb_digest_hex(&digests[1]).s);

	assert_string_equal(f->identity, identity);
}

/* --locked says what changed: a file, a revision, a source. */
static void test_differences_are_named(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	static const char *const from[] = {
		"a/b \\\"q\\\".json", "\"model.bin\"", "\"revision\": \"abc\"", NULL};
	static const char *const to[] = {
		"a/a.json", "\"model2.bin\"", "\"revision\": \"def\"", NULL};
	static const char *const want[] = {"a/a.json is new", "model.bin is gone",
		"hf://o/r@main: is at def instead of abc",
		"is in the lockfile, and not in the config"};

	for (size_t i = 0; i < WB_ARRAY_LEN(want); i++) {
		WB_AUTO(wb_lockfile_release) struct wb_lockfile a, b = WB_LOCKFILE_INIT;

		assert_ok(wb_lockfile_parse(&a, sample, strlen(sample), "a", &err), &err);
		if (from[i]) {
			const char *at = strstr(sample, from[i]);

			assert_non_null(at);
			wb_autofree char *text = wb_asprintf("%.*s%s%s", (int)(at - sample), sample,
				to[i], at + strlen(from[i]));

			assert_ok(wb_lockfile_parse(&b, text, strlen(text), "b", &err), &err);
		}
		assert_err(wb_lockfile_same(&a, &b, &err), &err, WB_ERR_CONFIG);
		assert_contains(err.text, want[i]);
		assert_contains(err.hint, "wbuild lock");
	}
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
	/* Half of it, as a full disk leaves files that are not written in one piece. */
	assert_int_equal(truncate(path, (off_t)strlen(sample) / 2), 0);
	assert_err(wb_lockfile_load(&l, &found, path, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.hint, "restore it from version control");
	assert_int_equal(wb_lockfile_load(&l, &found, dir, &err), -1);
	assert_false(found);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_differences_are_named),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("fetch/lockfile", tests, NULL, NULL);
}
