/* The bundle as plain files, and as one tar. */
#include "wbtest.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "builder/build/export.h"
#include "layers/content.h"

struct fixture {
	char *dir, *source, *dest;
	struct wb_plan plan;
};

static void write_file(const char *path, const char *text)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_put(path, text, strlen(text), 0600, WB_FILE_REPLACE, &err), &err);
}

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_content_release) struct wb_content content;
	struct stat st;

	f->dir = wbtest_dir();
	f->source = wb_path_join(f->dir, "weights");
	f->dest = wb_path_join(f->dir, "out");
	f->plan = WB_PLAN_INIT;
	write_file(f->source, "weights");
	assert_int_equal(stat(f->source, &st), 0);
	wb_content_from_stat(&content, f->source, &st);
	unsigned group = wb_tree_group(&f->plan.tree, "data", "/app/data");

	assert_ok(wb_tree_add_file(&f->plan.tree, group, "app/data/w", 0755, &content, &err), &err);
	assert_ok(wb_tree_add_symlink(&f->plan.tree, group, "app/data/link", "w", &err), &err);
	assert_ok(wb_tree_add_dir(&f->plan.tree, group, "app/data/empty", &err), &err);
	assert_ok(wb_tree_finish(&f->plan.tree, 1, &err), &err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_tree_release(&f->plan.tree);
	wbtest_rmdir(f->dir);
	free(f->source);
	free(f->dest);
	free(f);
	return 0;
}

static char *out(const struct fixture *f, const char *rel)
{
	return wb_path_join(f->dest, rel);
}

static void test_plain_files(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *file = out(f, "app/data/w"), *link = out(f, "app/data/link");
	wb_autofree char *empty = out(f, "app/data/empty"), *text = out(f, ".wbuild/manifest.json");
	struct stat st;
	char target[16] = "";

	assert_ok(wb_export_dir(f->dest, &f->plan, "{}", &err), &err);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_size, 7);
	assert_int_equal(st.st_nlink, 1); /* what is done to it must not reach the source */
	assert_int_equal(readlink(link, target, sizeof(target) - 1), 1);
	assert_int_equal(stat(empty, &st), 0);
	assert_int_equal(stat(text, &st), 0);
	assert_ok(wb_export_dir(f->dest, &f->plan, "{}", &err), &err); /* again, over it */
}

/* What the manifest says of the file would not be true of the copy. */
static void test_changed_source(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	write_file(f->source, "changed");
	assert_err(wb_export_dir(f->dest, &f->plan, "{}", &err), &err, WB_ERR_IO);
	assert_contains(err.text, "weights");
}

/* A link that somebody put in the destination does not lead the files elsewhere. */
static void test_link_in_the_way(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *app = out(f, "app"), *elsewhere = wb_path_join(f->dir, "elsewhere");
	wb_autofree char *leaked = wb_path_join(elsewhere, "data");
	struct stat st;

	assert_ok(wb_mkdirs(f->dest, 0755, &err), &err);
	assert_ok(wb_mkdirs(elsewhere, 0755, &err), &err);
	assert_int_equal(symlink(elsewhere, app), 0);
	assert_err(wb_export_dir(f->dest, &f->plan, "{}", &err), &err, WB_ERR_IO);
	assert_int_equal(stat(leaked, &st), -1);
}

/* Nor does one in place of the folder that the manifest, and what is unfinished, is in. */
static void test_link_for_our_folder(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *own = out(f, ".wbuild"), *elsewhere = wb_path_join(f->dir, "elsewhere");

	assert_ok(wb_mkdirs(f->dest, 0755, &err), &err);
	assert_ok(wb_mkdirs(elsewhere, 0755, &err), &err);
	assert_int_equal(symlink(elsewhere, own), 0);
	assert_err(wb_export_dir(f->dest, &f->plan, "{}", &err), &err, WB_ERR_IO);
	assert_int_equal(rmdir(elsewhere), 0);
}

static void test_what_a_killed_build_left(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *own = out(f, ".wbuild"), *left = out(f, ".wbuild/.wbtmp.abcdef");

	assert_ok(wb_mkdirs(own, 0755, &err), &err);
	write_file(left, "half");
	assert_ok(wb_export_dir(f->dest, &f->plan, "{}", &err), &err);
	assert_int_equal(access(left, F_OK), -1);
}

#define ROUNDS 60

struct other {
	const struct fixture *f;
	struct wb_err err;
	int done;
};

static void *export_again_and_again(void *arg)
{
	struct other *o = arg;

	while (o->done < ROUNDS && !wb_export_dir(o->f->dest, &o->f->plan, "{}", &o->err))
		o->done++;
	return NULL;
}

/* Two builds at once: neither takes a file from under the other, and none is ever missing. */
static void test_two_at_once(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct other a = {.f = f, .err = WB_ERR_INIT}, b = a;
	wb_autofree char *file = out(f, "app/data/w");
	pthread_t one, two;
	struct stat st;

	assert_ok(wb_export_dir(f->dest, &f->plan, "{}", &err), &err);
	assert_int_equal(pthread_create(&one, NULL, export_again_and_again, &a), 0);
	assert_int_equal(pthread_create(&two, NULL, export_again_and_again, &b), 0);
	bool whole = true;

	for (int i = 0; i < 20000 && whole; i++)
		whole = !stat(file, &st) && st.st_size == 7 && (st.st_mode & 07777) == 0755;
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	assert_ok(a.done == ROUNDS ? 0 : -1, &a.err);
	assert_ok(b.done == ROUNDS ? 0 : -1, &b.err);
	assert_true(whole);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_plain_files),
		T(test_changed_source),
		T(test_link_in_the_way),
		T(test_link_for_our_folder),
		T(test_what_a_killed_build_left),
		T(test_two_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
