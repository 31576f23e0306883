#include "wbtest.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "builder/runtime/place.h"

/* A volume with a bundle, and a root to put it into. */
struct fixture {
	char *dir, *from, *root, *moved;
	struct wb_bundle_manifest m;
	struct wb_err err;
};

static void add_source(struct fixture *f, const char *mount)
{
	*wb_vec_push(&f->m.sources) =
		(struct wb_bundle_source){.label = wb_strdup(mount), .mount = wb_strdup(mount)};
}

static void put(const char *root, const char *path)
{
	wb_autofree char *full = wb_path_join(root, path), *dir = wb_path_dirname(full);
	struct wb_err err;

	assert_ok(wb_mkdirs(dir, 0755, &err), &err);
	assert_ok(wb_file_put(full, path, strlen(path), 0644, WB_FILE_NOSYNC, &err), &err);
}

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));

	f->dir = wbtest_dir();
	f->from = wb_path_join(f->dir, "weights");
	f->root = wb_path_join(f->dir, "root");
	assert_int_equal(mkdir(f->root, 0755), 0);
	put(f->from, "app/data/a");
	put(f->from, "app/data/sub/b");
	put(f->from, "hub/models--o--r/c");
	add_source(f, "/app/data");
	add_source(f, "/hub");
	f->m.hf_cache = wb_strdup("/hub");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_bundle_manifest_release(&f->m);
	wbtest_rmdir(f->dir);
	free(f->from);
	free(f->root);
	free(f->moved);
	free(f);
	return 0;
}

static void place(struct fixture *f)
{
	free(f->moved);
	f->moved = NULL;
	assert_ok(wb_place(&f->moved, &f->m, f->from, WB_PLACE_LINK, f->root, &f->err), &f->err);
}

static void assert_link(const struct fixture *f, const char *path)
{
	wb_autofree char *full = wb_path_join(f->root, path), *want = wb_path_join(f->from, path);
	char text[4096];
	ssize_t n = readlink(full, text, sizeof(text) - 1);

	if (n < 0)
		fail_msg("%s is no link", full);
	text[n] = '\0';
	assert_string_equal(text, want);
}

static void test_link_absent(void **state)
{
	struct fixture *f = *state;

	place(f);
	assert_link(f, "app/data");
	assert_link(f, "hub");
	assert_null(f->moved);
	place(f); /* again: finds its own links */
	assert_link(f, "app/data");
}

static void test_link_empty_directory(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *data = wb_path_join(f->root, "app/data");

	assert_ok(wb_mkdirs(data, 0755, &f->err), &f->err);
	place(f);
	assert_link(f, "app/data");
}

static void test_link_joins_directories(void **state)
{
	struct fixture *f = *state;

	put(f->root, "app/data/sub/mine");
	place(f);
	assert_link(f, "app/data/a");
	assert_link(f, "app/data/sub/b");
	wb_autofree char *mine = wb_path_join(f->root, "app/data/sub/mine");
	assert_int_equal(access(mine, F_OK), 0);
	place(f);
}

static void test_link_covers_nothing(void **state)
{
	struct fixture *f = *state;

	put(f->root, "app/data/a");
	assert_err(wb_place(&f->moved, &f->m, f->from, WB_PLACE_LINK, f->root, &f->err), &f->err,
		WB_ERR_UNSUPPORTED);
	assert_contains(f->err.text, "app/data/a\" is there already");
	assert_true(f->err.hint[0]);
	assert_null(f->moved);
}

static void test_file_at_the_mount(void **state)
{
	struct fixture *f = *state;

	put(f->root, "app/data");
	assert_err(wb_place(&f->moved, &f->m, f->from, WB_PLACE_LINK, f->root, &f->err), &f->err,
		WB_ERR_UNSUPPORTED);
}

static void test_nested_and_missing_sources(void **state)
{
	struct fixture *f = *state;

	add_source(f, "/app/data/sub");
	add_source(f, "/app/data");
	add_source(f, "/nothing/there");
	place(f);
	assert_link(f, "app/data");
	wb_autofree char *none = wb_path_join(f->root, "nothing");
	assert_int_not_equal(access(none, F_OK), 0);
}

/* Only what is not there is left out: the command must not start without its files. */
static void test_unreadable_source(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *loop = wb_path_join(f->from, "loop");

	assert_int_equal(symlink("loop", loop), 0);
	add_source(f, "/loop");
	assert_err(wb_place(&f->moved, &f->m, f->from, WB_PLACE_LINK, f->root, &f->err), &f->err,
		WB_ERR_IO);
	assert_contains(f->err.text, loop);
}

static void test_unwritable(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(seteuid(60000), 0);
	int rc = wb_place(&f->moved, &f->m, f->from, WB_PLACE_LINK, f->root, &f->err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -1);
	assert_contains(f->err.text, "Permission denied");
	assert_contains(f->err.hint, "--mount bind");

	/* a hub cache needs no path: the client is told where it is */
	free(f->m.sources.items[0].label);
	free(f->m.sources.items[0].mount);
	f->m.sources.items[0] = f->m.sources.items[1];
	f->m.sources.n = 1;
	assert_int_equal(seteuid(60000), 0);
	rc = wb_place(&f->moved, &f->m, f->from, WB_PLACE_LINK, f->root, &f->err);
	assert_int_equal(seteuid(0), 0);
	assert_ok(rc, &f->err);
	assert_non_null(f->moved);
	assert_contains(f->moved, "/weights/hub");
}

static void test_bind_without_capability(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->root, 0777), 0);
	assert_int_equal(seteuid(60000), 0);
	int rc = wb_place(&f->moved, &f->m, f->from, WB_PLACE_BIND, f->root, &f->err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -1);
	assert_contains(f->err.hint, "CAP_SYS_ADMIN");
}

static void test_none_moves_the_hub(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *app = wb_path_join(f->root, "app");

	assert_ok(wb_place(&f->moved, &f->m, f->from, WB_PLACE_NONE, f->root, &f->err), &f->err);
	assert_non_null(f->moved);
	assert_int_not_equal(access(app, F_OK), 0);
}

/* ---- the hub client's environment ---- */

static int clean_environment(void **state)
{
	unsetenv("HF_HUB_CACHE");
	unsetenv("HUGGINGFACE_HUB_CACHE");
	unsetenv("HF_HOME");
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", "/root", 1);
	return 0;
}

#define PACKED "/root/.cache/huggingface/hub"

static void test_hub_by_default(void **state)
{
	wb_hub_point_to(PACKED, PACKED);
	assert_null(getenv("HF_HUB_CACHE")); /* it would look there anyway */
	wb_hub_point_to(PACKED, "/w" PACKED);
	assert_string_equal(getenv("HF_HUB_CACHE"), "/w" PACKED);
}

static void test_hub_of_another_user(void **state)
{
	setenv("HOME", "/", 1);
	wb_hub_point_to(PACKED, PACKED);
	assert_string_equal(getenv("HF_HUB_CACHE"), PACKED);
}

static void test_hub_set_for_the_packed_one(void **state)
{
	setenv("HF_HOME", "/models", 1);
	wb_hub_point_to("/models/hub", "/w/models/hub");
	assert_string_equal(getenv("HF_HUB_CACHE"), "/w/models/hub");
}

static void test_hub_set_by_someone(void **state)
{
	setenv("HF_HUB_CACHE", "/mine", 1);
	wb_hub_point_to(PACKED, "/w" PACKED);
	assert_string_equal(getenv("HF_HUB_CACHE"), "/mine");
	clean_environment(state);
	setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
	wb_hub_point_to(PACKED, "/w" PACKED);
	assert_null(getenv("HF_HUB_CACHE"));
	clean_environment(state);
	setenv("XDG_CACHE_HOME", "/cache", 1);
	wb_hub_point_to("/cache/huggingface/hub", "/cache/huggingface/hub");
	assert_null(getenv("HF_HUB_CACHE"));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_link_absent),
		CASE(test_link_empty_directory),
		CASE(test_link_joins_directories),
		CASE(test_link_covers_nothing),
		CASE(test_file_at_the_mount),
		CASE(test_nested_and_missing_sources),
		CASE(test_unreadable_source),
		CASE(test_unwritable),
		CASE(test_bind_without_capability),
		CASE(test_none_moves_the_hub),
		cmocka_unit_test_setup(test_hub_by_default, clean_environment),
		cmocka_unit_test_setup(test_hub_of_another_user, clean_environment),
		cmocka_unit_test_setup(test_hub_set_for_the_packed_one, clean_environment),
		cmocka_unit_test_setup(test_hub_set_by_someone, clean_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
