#include "wbtest.h"

#include "base/path.h"
#include "base/sha256.h"
#include "layers/tree.h"

struct fixture {
	struct wb_tree tree;
	unsigned data, weights;
};

static int make_tree(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));

	f->data = wb_tree_group(&f->tree, "data", "/app/data");
	f->weights = wb_tree_group(&f->tree, "file:///w", "/app/w");
	*state = f;
	return 0;
}

static int drop_tree(void **state)
{
	struct fixture *f = *state;

	wb_tree_release(&f->tree);
	free(f);
	return 0;
}

static int add(
	struct fixture *f, unsigned group, const char *path, unsigned mode, struct wb_err *err)
{
	struct wb_content c = {.digest_known = true, .immutable = true, .size = 3};

	wb_autofree char *text = wb_asprintf("%u %s", group, path);

	wb_sha256_once(&c.digest, text, strlen(text));
	return wb_tree_add_file(&f->tree, group, path, mode, &c, err);
}

static void paths_come_out_sorted_with_their_folders(void **state)
{
	static const char *const want[] = {"app", "app/data", "app/data/a", "app/data/a/x",
		"app/data/a-b", "app/data/b", "app/w", "app/w/m"};
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(add(f, f->weights, "app/w/m", 0644, &err), &err);
	assert_ok(add(f, f->data, "app/data/b", 0644, &err), &err);
	assert_ok(add(f, f->data, "app/data/a-b", 0644, &err), &err);
	assert_ok(add(f, f->data, "app/data/a/x", 0644, &err), &err);
	assert_ok(wb_tree_add_dir(&f->tree, f->data, "app/data", &err), &err);
	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	assert_int_equal(f->tree.nodes.n, WB_ARRAY_LEN(want));
	for (size_t i = 0; i < WB_ARRAY_LEN(want); i++) {
		assert_string_equal(f->tree.nodes.items[i]->path, want[i]);
		assert_int_equal(f->tree.nodes.items[i]->order, i);
	}
	assert_int_equal(f->tree.bytes, 12);
	/* finishing again, after more came, is fine */
	assert_ok(add(f, f->data, "aaa", 0644, &err), &err);
	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	assert_string_equal(f->tree.nodes.items[0]->path, "aaa");
	assert_int_equal(f->tree.bytes, 15);
}

static void modes_are_normalised(void **state)
{
	static const struct {
		const char *path;
		unsigned given, want;
	} cases[] = {{"a", 0600, 0644}, {"b", 0777, 0755}, {"c", 0100, 0755}, {"d", 04755, 0755},
		{"e", 0, 0644}, {"f", 0100666, 0644}};
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++)
		assert_ok(add(f, f->data, cases[i].path, cases[i].given, &err), &err);
	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++)
		assert_int_equal(f->tree.nodes.items[i]->mode, cases[i].want);
}

static void one_path_from_two_sources_names_both(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(add(f, f->data, "app/x", 0644, &err), &err);
	assert_err(add(f, f->weights, "app/x", 0644, &err), &err, WB_ERR_CONFIG);
	assert_string_equal(err.text, "\"/app/x\" is written twice: by data and by file:///w");
	assert_contains(err.hint, "mount locations");
	assert_err(
		wb_tree_add_symlink(&f->tree, f->weights, "app/x", "y", &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "is a file in data and a symbolic link in file:///w");
}

static void equal_files_at_one_path_are_one(void **state)
{
	struct fixture *f = *state;
	struct wb_content c = {.digest_known = true, .immutable = true, .size = 3};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_add_file(&f->tree, f->data, "x", 0644, &c, &err), &err);
	assert_ok(wb_tree_add_file(&f->tree, f->weights, "x", 0600, &c, &err), &err);
	assert_err(
		wb_tree_add_file(&f->tree, f->weights, "x", 0755, &c, &err), &err, WB_ERR_CONFIG);
}

static void a_file_is_no_folder(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(add(f, f->data, "app/x", 0644, &err), &err);
	assert_err(add(f, f->weights, "app/x/y/z", 0644, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "\"/app/x\" is a file in data and a folder in file:///w");
	assert_err(wb_tree_add_dir(&f->tree, f->weights, "app/x", &err), &err, WB_ERR_CONFIG);
	assert_ok(add(f, f->data, "app/d/f", 0644, &err), &err);
	assert_err(add(f, f->weights, "app/d", 0644, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "is a folder in data and a file in file:///w");
	/* nothing below a link either: it would land somewhere else */
	assert_ok(wb_tree_add_symlink(&f->tree, f->data, "app/l", "d", &err), &err);
	assert_err(add(f, f->weights, "app/l/f", 0644, &err), &err, WB_ERR_CONFIG);
}

static void the_same_folder_twice_is_fine(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_add_dir(&f->tree, f->data, "app/d", &err), &err);
	assert_ok(wb_tree_add_dir(&f->tree, f->weights, "app/d", &err), &err);
	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	assert_int_equal(f->tree.nodes.n, 2);
}

static void unsafe_names_are_shown_and_refused(void **state)
{
	static const char *const bad[] = {
		"", "/abs", "../x", "a/../../x", "a//b", "a/.wh.b", "a\nb", "a\\b", NULL};
	struct fixture *f = *state;

	for (size_t i = 0; bad[i]; i++) {
		struct wb_err err = WB_ERR_INIT;

		assert_err(add(f, f->data, bad[i], 0644, &err), &err, WB_ERR_CONFIG);
		assert_contains(err.text, "data: the name \"");
		assert_err(wb_tree_add_dir(&f->tree, f->data, bad[i], &err), &err, WB_ERR_CONFIG);
	}
	struct wb_err err = WB_ERR_INIT;

	assert_err(add(f, f->data, "a\033[2J\xff", 0644, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "\"a\\x1b[2J\\xff\"");
}

static void many_files_cost_no_more_each(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	for (int i = 0; i < 100000; i++) {
		wb_autofree char *path = wb_asprintf("app/data/%02d/%05d", i % 100, i);

		assert_ok(add(f, f->data, path, 0644, &err), &err);
	}
	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	assert_int_equal(f->tree.nodes.n, 100000 + 100 + 2);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_tree, drop_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(paths_come_out_sorted_with_their_folders),
		CASE(modes_are_normalised),
		CASE(one_path_from_two_sources_names_both),
		CASE(equal_files_at_one_path_are_one),
		CASE(a_file_is_no_folder),
		CASE(the_same_folder_twice_is_fine),
		CASE(unsafe_names_are_shown_and_refused),
		CASE(many_files_cost_no_more_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
