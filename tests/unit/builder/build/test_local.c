/* Local folders into a tree: what goes in, what is left out and counted, and what is refused. */
#include "wbtest.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "builder/build/local.h"
#include "builder/source/source_util.h"

struct world {
	char *dir, *root;
	struct wb_tree tree;
	struct wb_local_result r;
	struct wb_local_opts o;
	struct source_log log;
};

static void sh(const struct world *w, const char *commands)
{
	wb_autofree char *cmd = wb_asprintf("cd '%s' && %s", w->dir, commands);

	assert_int_equal(system(cmd), 0);
}

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));

	w->dir = wbtest_dir();
	w->root = wb_asprintf("%s/data", w->dir);
	w->tree = WB_TREE_INIT;
	w->o.dest = "/app/data";
	w->o.ignore_prefix = "data";
	sh(w, "mkdir -p data/sub/empty && echo a >data/a && echo b >data/sub/b && chmod 755 "
	      "data/a");
	wb_log_set_sink(source_sink, &w->log);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wb_log_set_sink(NULL, NULL);
	wb_local_result_release(&w->r);
	wb_tree_release(&w->tree);
	sh(w, "chmod -R u+rwx .");
	wbtest_rmdir(w->dir);
	free(w->root);
	free(w);
	return 0;
}

static int add(struct world *w, const char *path, struct wb_err *err)
{
	wb_local_result_release(&w->r);
	wb_tree_release(&w->tree);
	w->tree = WB_TREE_INIT;
	w->log.text[0] = '\0';
	return wb_local_add(
		&w->r, &w->tree, wb_tree_group(&w->tree, "data", "/app/data"), path, &w->o, err);
}

static const struct wb_node *node(const struct world *w, const char *path)
{
	struct wb_node *n;

	HASH_FIND_STR(w->tree.by_path, path, n);
	return n;
}

static void a_folder(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	sh(w, "ln -s sub/b data/link && ln -s ../a data/sub/up && ln -s nothing data/dangling");
	assert_ok(add(w, w->root, &err), &err);
	assert_int_equal(w->r.files, 2);
	assert_int_equal(w->r.links, 3);
	assert_int_equal(node(w, "app/data/a")->mode & 0777, 0755);
	assert_int_equal(node(w, "app/data/sub/b")->content.size, 2);
	assert_int_equal(node(w, "app/data/sub/empty")->type, WB_NODE_DIR);
	assert_string_equal(node(w, "app/data/link")->target, "sub/b"); /* kept as a link */
	assert_contains(w->log.text, "dangling\" points to nothing");
	/* The folder's own name may be a link. */
	sh(w, "ln -s data alias");
	wb_autofree char *alias = wb_asprintf("%s/alias", w->dir);

	assert_ok(add(w, alias, &err), &err);
	assert_int_equal(w->r.files, 2);
}

static void one_file(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *file = wb_asprintf("%s/a", w->root);
	WB_AUTO(source_clear) struct wb_source src;
	size_t hits[1] = {0};

	assert_ok(add(w, file, &err), &err);
	assert_int_equal(w->r.files, 1);
	assert_non_null(node(w, "app/data/a"));
	source_make(&src, "hf://x/y", NULL);
	source_pattern(&src.allow, "*.bin");
	w->o.filter = &src;
	w->o.hits = hits;
	assert_ok(add(w, file, &err), &err);
	assert_int_equal(w->r.files, 0);
	assert_int_equal(w->r.filtered, 1);
}

static void what_is_left_out(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	static const char *const never[] = {"service_account.json", "s3_credentials.json", NULL};
	static const char ignored[] = "*.log\n/data/cache/\n";
	struct wb_ignore *ignore = wb_ignore_parse(ignored, strlen(ignored));
	wb_autofree char *image = wb_asprintf("%s/image", w->root);
	char *const own[] = {image};
	WB_AUTO(source_clear) struct wb_source src;
	size_t hits[2] = {0};

	sh(w, "mkdir -p data/cache data/image && echo x >data/x.log && echo x >data/cache/y && "
	      "echo '{}' >data/service_account.json && echo '{}' >data/sub/service_account.json && "
	      "echo x >data/image/index.json");
	w->o.never = never;
	w->o.ignore = ignore;
	w->o.own = own;
	w->o.n_own = 1;
	assert_ok(add(w, w->root, &err), &err);
	assert_int_equal(w->r.ignored, 2);
	assert_int_equal(w->r.left_out.n, 1);
	assert_string_equal(w->r.left_out.items[0], "service_account.json");
	assert_null(node(w, "app/data/service_account.json"));
	assert_non_null(
		node(w, "app/data/sub/service_account.json")); /* of that name, not that file */
	assert_int_equal(w->r.own.n, 1);
	assert_null(node(w, "app/data/image/index.json"));
	assert_null(node(w, "app/data/cache"));
	/* Patterns choose files, and folders only for them. */
	source_make(&src, "hf://x/y", NULL);
	source_pattern(&src.allow, "**/b");
	source_pattern(&src.ignore, "*.json");
	w->o.filter = &src;
	w->o.hits = hits;
	assert_ok(add(w, w->root, &err), &err);
	assert_int_equal(w->r.files, 1);
	assert_int_equal(hits[0], 1);
	assert_non_null(node(w, "app/data/sub/b"));
	assert_null(node(w, "app/data/sub/empty"));
	assert_int_equal(w->r.filtered, 2);
	assert_int_equal(w->r.filtered_names.n, 2);
	wb_ignore_free(ignore);
}

static void links_that_lead_out(void **state)
{
	struct world *w = *state;
	static const char *const out[] = {"/etc/passwd", "..", "../outside", "sub/../../outside",
		"../data2/x", "../../../../../../../etc/passwd"};

	sh(w, "mkdir data2 && echo secret >outside");
	for (size_t i = 0; i < WB_ARRAY_LEN(out); i++) {
		struct wb_err err = WB_ERR_INIT;
		wb_autofree char *make = wb_asprintf("ln -sfn '%s' data/link", out[i]);

		sh(w, make);
		assert_err(add(w, w->root, &err), &err, WB_ERR_CONFIG);
		assert_contains(err.text, "leads out of its folder");
		assert_contains(err.text, out[i]);
		assert_contains(err.hint, ".truss_ignore");
	}
}

static void things_that_are_no_files(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *pipe = wb_asprintf("%s/pipe", w->root);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_err(add(w, w->root, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "pipe\" is a named pipe and cannot be packed");
	assert_err(add(w, pipe, &err), &err, WB_ERR_CONFIG); /* and is not opened */
	unlink(pipe);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", w->root);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	assert_err(add(w, w->root, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "s\" is a socket");
	unlink(a.sun_path);
	assert_err(add(w, "/dev/null", &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "is a device");
	assert_int_equal(add(w, "/nonexistent/data", &err), -1);
	assert_contains(err.text, "cannot read \"/nonexistent/data\"");
}

/* Names that no image, or no other machine, could hold. */
static void names(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = {".wh.gone", "back\\slash", "line\nbreak"};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct wb_err err = WB_ERR_INIT;
		wb_autofree char *path = wb_asprintf("%s/%s", w->root, bad[i]);

		assert_ok(wb_file_put(path, "x", 1, 0644, 0, &err), &err);
		assert_err(add(w, w->root, &err), &err, WB_ERR_CONFIG);
		unlink(path);
	}
}

/* Deeper than a path may be long: an error, not the end of the stack. */
static void deep(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	char name[201];
	int fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(name, 'd', 200);
	name[200] = '\0';
	for (int i = 0; i < 25; i++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_err(add(w, w->root, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "is nested too deep");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_folder),
		T(one_file),
		T(what_is_left_out),
		T(links_that_lead_out),
		T(things_that_are_no_files),
		T(names),
		T(deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
