#include "wbtest.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "builder/volume/start.h"

#define BLOB_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BLOB_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct fixture {
	char *dir, *path, *a, *b;
	struct wb_err err;
};

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));

	f->dir = wbtest_dir();
	f->path = wb_path_join(f->dir, "m/sub/file");
	f->a = wb_path_join(f->dir, ".wbuild/blobs/sha256/" BLOB_A);
	f->b = wb_path_join(f->dir, ".wbuild/blobs/sha256/" BLOB_B);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wbtest_rmdir(f->dir);
	free(f->path);
	free(f->a);
	free(f->b);
	free(f);
	return 0;
}

static void assert_link(const struct fixture *f, const char *want)
{
	char target[4096];
	ssize_t n = readlink(f->path, target, sizeof(target) - 1);

	assert_true(n > 0);
	target[n] = '\0';
	assert_string_equal(target, want);
}

static void test_makes_folders_and_link(void **state)
{
	struct fixture *f = *state;

	assert_ok(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err);
	assert_link(f, f->a);
	assert_ok(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err);
}

static void test_relative(void **state)
{
	struct fixture *f = *state;

	assert_ok(wb_volume_link(f->dir, f->path, f->a, f->dir, &f->err), &f->err);
	assert_link(f, "../../.wbuild/blobs/sha256/" BLOB_A);
	/* from a cache elsewhere now, and back */
	assert_ok(wb_volume_link(f->dir, f->path, f->a, "/elsewhere", &f->err), &f->err);
	assert_link(f, f->a);
}

static void test_own_link_is_replaced(void **state)
{
	struct fixture *f = *state;

	assert_ok(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err);
	assert_ok(wb_volume_link(f->dir, f->path, f->b, NULL, &f->err), &f->err);
	assert_link(f, f->b);
}

static void test_nothing_else_is(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *dir = wb_path_dirname(f->path);
	struct stat st;

	assert_ok(wb_mkdirs(dir, 0755, &f->err), &f->err);
	assert_ok(wb_file_put(f->path, "mine", 4, 0644, 0, &f->err), &f->err);
	assert_err(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err, WB_ERR_IO);
	assert_contains(f->err.text, "is there already");
	assert_true(!lstat(f->path, &st) && S_ISREG(st.st_mode) && st.st_size == 4);

	unlink(f->path);
	assert_int_equal(symlink("/somewhere/blobs/sha256/else", f->path), 0);
	assert_err(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err, WB_ERR_IO);
	assert_link(f, "/somewhere/blobs/sha256/else");

	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0755), 0);
	assert_err(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err, WB_ERR_IO);
}

/* Somebody who may write in the volume has put a link where a folder of ours belongs. */
static void test_no_link_of_others_is_followed(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *elsewhere = wb_path_join(f->dir, "elsewhere");
	wb_autofree char *model = wb_path_join(f->dir, "m");
	wb_autofree char *sub = wb_path_join(f->dir, "elsewhere/sub");

	assert_int_equal(mkdir(elsewhere, 0755), 0);
	assert_int_equal(symlink("elsewhere", model), 0);
	assert_err(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err, WB_ERR_IO);
	assert_contains(f->err.text, "/m\"");
	assert_contains(f->err.hint, "a link in its place is not followed");
	assert_int_not_equal(access(sub, F_OK), 0);

	/* the folder itself is reached in any way */
	assert_ok(wb_volume_link(model, f->path, f->a, NULL, &f->err), &f->err);
	assert_link(f, f->a);
}

static void test_the_longest_name(void **state)
{
	struct fixture *f = *state;
	char name[256] = "";

	memset(name, 'n', sizeof(name) - 1);
	free(f->path);
	f->path = wb_path_join(f->dir, name);
	assert_ok(wb_volume_link(f->dir, f->path, f->a, NULL, &f->err), &f->err);
	assert_ok(wb_volume_link(f->dir, f->path, f->b, NULL, &f->err), &f->err);
	assert_link(f, f->b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_makes_folders_and_link),
		TEST(test_relative),
		TEST(test_own_link_is_replaced),
		TEST(test_nothing_else_is),
		TEST(test_no_link_of_others_is_followed),
		TEST(test_the_longest_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
