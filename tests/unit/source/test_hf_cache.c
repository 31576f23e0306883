/* The hub cache layout, as its own client reads it (specs in hf_cache.h). */
#include "wbtest.h"

#include "builder/source/hf_cache.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define SHA1 "d9e9f15bc95d4a8ef5c8ac6e7a8a1f2d3c4b5a69"
#define SHA256 "270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a270a8b1a"

static const struct wb_hf_entry *find(const struct wb_hf_layout *l, const char *path)
{
	const struct wb_hf_entry *found = NULL;

	wb_vec_foreach (e, &l->entries)
		if (!strcmp(e->path, path)) {
			assert_null(found); /* no path twice */
			found = e;
		}
	return found;
}

static const struct wb_hf_file files[] = {
	{"config.json", SHA1},
	{"model.safetensors", SHA256},
	{"unet/deep/copy.safetensors", SHA256},
};

static void test_branch(void **state)
{
	struct wb_hf_layout l;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(
		wb_hf_layout_make(&l, WB_HF_MODEL, "Owner/name", "", COMMIT, files, 3, &err), &err);
	assert_int_equal(l.entries.n, 2 + 3 + 1 + 1);
	assert_string_equal(find(&l, "models--Owner--name/refs/main")->text, COMMIT);
	assert_string_equal(find(&l, "version.txt")->text, "1");
	assert_int_equal(find(&l, "models--Owner--name/blobs/" SHA256)->file, 1);
	assert_string_equal(find(&l, "models--Owner--name/snapshots/" COMMIT "/config.json")->text,
		"../../blobs/" SHA1);
	assert_string_equal(
		find(&l, "models--Owner--name/snapshots/" COMMIT "/unet/deep/copy.safetensors")
			->text,
		"../../../../blobs/" SHA256);
	wb_hf_layout_release(&l);
}

static void test_revisions(void **state)
{
	struct wb_hf_layout l;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(
		wb_hf_layout_make(&l, WB_HF_DATASET, "gpt2", "refs/pr/35", COMMIT, files, 1, &err),
		&err);
	assert_string_equal(find(&l, "datasets--gpt2/refs/refs/pr/35")->text, COMMIT);
	wb_hf_layout_release(&l);
	assert_ok(wb_hf_layout_make(&l, WB_HF_MODEL, "o/n", COMMIT, COMMIT, files, 1, &err), &err);
	wb_vec_foreach (e, &l.entries)
		assert_null(strstr(e->path, "refs/"));
	wb_hf_layout_release(&l);
}

static void test_hostile_names(void **state)
{
	const struct wb_hf_file bad[] = {{"x", "../../../../etc/passwd"}};
	struct wb_hf_layout l = WB_HF_LAYOUT_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_hf_layout_make(&l, WB_HF_MODEL, "o/n", "", COMMIT, bad, 1, &err), &err,
		WB_ERR_FORMAT);
	assert_err(wb_hf_layout_make(&l, WB_HF_MODEL, "o/n", "", "main", files, 1, &err), &err,
		WB_ERR_FORMAT);
	wb_hf_layout_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branch),
		cmocka_unit_test(test_revisions),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests_name("source/hf_cache", tests, NULL, NULL);
}
