#include "layers/layertest.h"

#include "layers/same.h"

struct fixture {
	char *dir;
	struct wb_tree tree;
	unsigned group;
};

static int make_tree(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));

	f->dir = wbtest_dir();
	f->group = wb_tree_group(&f->tree, "data", "/app/data");
	*state = f;
	return 0;
}

static int drop_tree(void **state)
{
	struct fixture *f = *state;

	wb_tree_release(&f->tree);
	wbtest_rmdir(f->dir);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *name, size_t n, uint32_t seed)
{
	layertest_add(&f->tree, f->group, f->dir, name, n, seed);
}

static struct wb_node *node(struct fixture *f, const char *name)
{
	struct wb_node *found;

	HASH_FIND_STR(f->tree.by_path, name, found);
	assert_non_null(found);
	return found;
}

static void finish(struct fixture *f, unsigned jobs)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_finish(&f->tree, jobs, &err), &err);
}

static void check_same(struct fixture *f, const char *name, const char *first)
{
	const struct wb_node *same = node(f, name)->same;

	if (!first)
		assert_null(same);
	else if (!same || strcmp(same->path, first))
		fail_msg("%s is the same as %s", name, same ? same->path : "nothing");
}

static void equal_small_files_are_found(void **state)
{
	struct fixture *f = *state;

	add(f, "b", 1000, 1);
	add(f, "a", 1000, 1);
	add(f, "c/d", 1000, 1);
	add(f, "e", 1000, 2);
	add(f, "g", 1001, 1);
	finish(f, 2);
	check_same(f, "a", NULL);
	check_same(f, "b", "a");
	check_same(f, "c/d", "a");
	check_same(f, "e", NULL);
	check_same(f, "g", NULL);
	assert_int_equal(f->tree.bytes, 3001);
	assert_true(node(f, "b")->content.digest_known);
	assert_false(node(f, "g")->content.digest_known); /* no other of its size: not read */
}

/* Shards: of one size, told apart without reading them. */
static void large_files_of_one_size_are_not_hashed(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 6; i++) {
		wb_autofree char *name = wb_asprintf("shard-%u", i);

		add(f, name, 2 << 20, i);
	}
	finish(f, 1);
	for (size_t i = 0; i < f->tree.nodes.n; i++) {
		assert_null(f->tree.nodes.items[i]->same);
		assert_false(f->tree.nodes.items[i]->content.digest_known);
	}
}

static void large_twins_among_many_are_found(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 2 << 20, 1);
	add(f, "b", 2 << 20, 2);
	add(f, "c", 2 << 20, 1);
	add(f, "d", 2 << 20, 3);
	add(f, "e", 2 << 20, 3);
	add(f, "f", 2 << 20, 3);
	finish(f, 1);
	check_same(f, "a", NULL);
	check_same(f, "b", NULL);
	check_same(f, "c", "a");
	check_same(f, "d", NULL);
	check_same(f, "e", "d");
	check_same(f, "f", "d");
}

/* Equal wherever a sample is taken, and still not equal. */
static void samples_alone_decide_nothing(void **state)
{
	struct fixture *f = *state;
	wb_autofree uint8_t *p = wb_alloc(2 << 20);
	struct wb_err err = WB_ERR_INIT;

	layertest_fill(p, 2 << 20, 9);
	for (int i = 0; i < 4; i++) {
		WB_AUTO(wb_content_release) struct wb_content c = {0};
		wb_autofree char *name = wb_asprintf("f%d", i);
		wb_autofree char *path = layertest_path(f->dir, name);

		p[100000] = (uint8_t)(i / 2); /* 0 0 1 1 */
		layertest_write(path, p, 2 << 20);
		layertest_content(&c, path);
		assert_ok(wb_tree_add_file(&f->tree, f->group, name, 0644, &c, &err), &err);
	}
	finish(f, 1);
	check_same(f, "f0", NULL);
	check_same(f, "f1", "f0");
	check_same(f, "f2", NULL);
	check_same(f, "f3", "f2");
}

/* A hard link has one mode. */
static void another_mode_is_another_file(void **state)
{
	struct fixture *f = *state;
	WB_AUTO(wb_content_release) struct wb_content c = {0};
	struct wb_err err = WB_ERR_INIT;

	add(f, "a", 1000, 1);
	wb_content_copy(&c, &node(f, "a")->content);
	assert_ok(wb_tree_add_file(&f->tree, f->group, "b", 0755, &c, &err), &err);
	assert_ok(wb_tree_add_file(&f->tree, f->group, "c", 0755, &c, &err), &err);
	finish(f, 1);
	check_same(f, "b", NULL);
	check_same(f, "c", "b");
}

static void empty_files_are_not_linked(void **state)
{
	struct fixture *f = *state;

	add(f, "a", 0, 1);
	add(f, "b", 0, 1);
	finish(f, 1);
	check_same(f, "b", NULL);
}

/* Known by digest alone: not on disk yet. */
static void files_that_are_elsewhere_are_compared_by_digest(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_content away = {.digest_known = true, .immutable = true, .size = 2 << 20};

	add(f, "here", 2 << 20, 1);
	add(f, "other", 2 << 20, 2);
	assert_ok(wb_content_hash(&away.digest, NULL, &node(f, "here")->content, &err), &err);
	assert_ok(wb_tree_add_file(&f->tree, f->group, "zaway", 0644, &away, &err), &err);
	finish(f, 2);
	check_same(f, "zaway", "here");
	check_same(f, "other", NULL);
}

static void a_file_that_is_gone_is_an_error(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *path = layertest_path(f->dir, "a");
	struct wb_err err = WB_ERR_INIT;

	add(f, "a", 1000, 1);
	add(f, "b", 1000, 1);
	assert_int_equal(unlink(path), 0);
	assert_err(wb_tree_finish(&f->tree, 2, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, path);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_tree, drop_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(equal_small_files_are_found),
		CASE(large_files_of_one_size_are_not_hashed),
		CASE(large_twins_among_many_are_found),
		CASE(samples_alone_decide_nothing),
		CASE(another_mode_is_another_file),
		CASE(empty_files_are_not_linked),
		CASE(files_that_are_elsewhere_are_compared_by_digest),
		CASE(a_file_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
