#include "wbtest.h"

#include <time.h>

#include "builder/build/base_tree.h"

static void test_what_layers_leave(void **state)
{
	WB_AUTO(wb_base_tree_release) struct wb_base_node root = {0};

	wb_base_node_make(&root, "usr/lib")->folder = true;
	wb_base_node_make(&root, "usr/lib/x")->filled = true;
	wb_base_node_make(&root, "lib")->link = wb_strdup("usr/lib");
	assert_string_equal(wb_base_node_find(&root, "lib")->link, "usr/lib");
	assert_true(wb_base_node_find(&root, "usr/lib")->folder);
	assert_false(wb_base_node_find(&root, "usr")->folder);
	assert_null(wb_base_node_find(&root, "us"));
	assert_null(wb_base_node_find(&root, "usr/lib/x/y"));
	assert_true(wb_base_node_is_filled(wb_base_node_find(&root, "usr")));
	assert_ptr_equal(wb_base_node_find(&root, ""), &root);

	wb_base_node_forget(&root, "usr/lib", false);
	assert_true(wb_base_node_find(&root, "usr/lib")->folder);
	assert_false(wb_base_node_is_filled(wb_base_node_find(&root, "usr")));
	wb_base_node_forget(&root, "usr", true);
	assert_null(wb_base_node_find(&root, "usr"));
	wb_base_node_forget(&root, "nothing/there", true);
	wb_base_node_forget(&root, "", true);
	assert_null(wb_base_node_find(&root, "lib"));
}

/* Each removal once looked at everything there was. */
static void test_many_removals(void **state)
{
	WB_AUTO(wb_base_tree_release) struct wb_base_node root = {0};
	clock_t began = clock();
	char path[32];

	for (int i = 0; i < 200000; i++) {
		snprintf(path, sizeof(path), "d/%d", i);
		wb_base_node_make(&root, path)->folder = true;
	}
	for (int i = 0; i < 200000; i++) {
		snprintf(path, sizeof(path), "e/%d", i);
		wb_base_node_forget(&root, path, true);
		wb_base_node_make(&root, path)->link = wb_strdup("x");
	}
	assert_true(clock() - began < 20 * CLOCKS_PER_SEC);
	assert_non_null(wb_base_node_find(&root, "e/199999"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_layers_leave),
		cmocka_unit_test(test_many_removals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
