/* What is remembered of local files, and when it is believed. */
#include "layers/layertest.h"

#include "builder/build/statcache.h"

struct fixture {
	char *dir, *files;
	struct wb_store *store;
	struct wb_tree tree;
	unsigned group;
};

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	struct wb_err err = WB_ERR_INIT;

	f->dir = wbtest_dir();
	f->files = wb_path_join(f->dir, "files");
	wb_autofree char *cache = wb_path_join(f->dir, "cache");

	f->store = wb_store_open(cache, &err);
	assert_non_null(f->store);
	f->group = wb_tree_group(&f->tree, "data", "/app/data");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_tree_release(&f->tree);
	wb_store_close(f->store);
	wbtest_rmdir(f->dir);
	free(f->files);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *name)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_node *node;

	layertest_add(&f->tree, f->group, f->files, name, 1000, 1);
	HASH_FIND_STR(f->tree.by_path, name, node);
	assert_ok(wb_content_hash(&node->content.digest, NULL, &node->content, &err), &err);
	node->content.digest_known = true;
}

/* Long enough after the last change for the next one to show. */
static void settle(void)
{
	const struct timespec tick = {.tv_nsec = 150000000};

	nanosleep(&tick, NULL);
}

static void save(struct fixture *f)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	struct wb_statcache *c = wb_statcache_load(f->store, f->files);

	assert_ok(wb_statcache_save(c, &f->tree, f->store, &err), &err);
	wb_statcache_free(c);
}

static bool is_known(struct fixture *f, const char *name)
{
	struct wb_statcache *c = wb_statcache_load(f->store, f->files);
	wb_autofree char *path = wb_path_join(f->files, name);
	WB_AUTO(wb_content_release) struct wb_content content = {0};
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest want;

	layertest_content(&content, path);
	wb_statcache_lookup(c, &content);
	wb_statcache_free(c);
	if (!content.digest_known)
		return false;
	assert_ok(wb_content_hash(&want, NULL, &content, &err), &err);
	assert_true(wb_digest_equal(&want, &content.digest));
	return true;
}

static void files_left_alone_are_known(void **state)
{
	struct fixture *f = *state;

	add(f, "a");
	add(f, "sub/not-utf8-\xff b");
	settle();
	assert_false(is_known(f, "a"));
	save(f);
	assert_true(is_known(f, "a"));
	assert_true(is_known(f, "sub/not-utf8-\xff b"));
}

static void a_change_of_any_kind_is_seen(void **state)
{
	static const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct fixture *f = *state;
	wb_autofree char *a = wb_path_join(f->files, "a"), *b = wb_path_join(f->files, "b"),
			 *c = wb_path_join(f->files, "c");
	uint8_t bytes[1000];

	add(f, "a");
	add(f, "b");
	add(f, "c");
	settle();
	save(f);
	layertest_fill(bytes, sizeof(bytes), 1);
	layertest_write(a, bytes, sizeof(bytes)); /* the same bytes in another file */
	assert_int_equal(utimensat(AT_FDCWD, b, past, 0), 0);
	assert_int_equal(truncate(c, 999), 0);
	assert_false(is_known(f, "a"));
	assert_false(is_known(f, "b"));
	assert_false(is_known(f, "c"));
}

/* A change within the same tick of the clock would not show. */
static void a_file_that_just_changed_is_not_remembered(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *path = wb_path_join(f->files, "b");
	struct wb_err err = WB_ERR_INIT;

	add(f, "a");
	settle();
	struct wb_statcache *c = wb_statcache_load(f->store, f->files);

	add(f, "b"); /* after the walk began */
	assert_ok(wb_tree_finish(&f->tree, 1, &err), &err);
	assert_ok(wb_statcache_save(c, &f->tree, f->store, &err), &err);
	wb_statcache_free(c);
	assert_true(is_known(f, "a"));
	assert_false(is_known(f, "b"));
}

static void a_damaged_note_is_none(void **state)
{
	static const char *const bad[] = {"", "stat 1", "stat 2\0a\0b", "1 2 3", NULL};
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	add(f, "a");
	settle();
	for (size_t i = 0; bad[i]; i++) {
		assert_ok(wb_store_note_put(
				  f->store, "stat", f->files, bad[i], strlen(bad[i]) + 1, &err),
			&err);
		assert_false(is_known(f, "a"));
	}
	save(f);
	assert_true(is_known(f, "a"));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(files_left_alone_are_known),
		CASE(a_change_of_any_kind_is_seen),
		CASE(a_file_that_just_changed_is_not_remembered),
		CASE(a_damaged_note_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
