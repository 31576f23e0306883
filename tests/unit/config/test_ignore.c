#include "wbtest.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder/config/ignore.h"

/* As callers do it: top-down, not entering what is ignored. path ends with "/" for a folder. */
static bool ignored(const struct wb_ignore *ig, const char *path)
{
	wb_autofree char *p = wb_strdup(path);

	for (char *slash = p; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (wb_ignore_match(ig, p, true))
			return true;
		*slash = '/';
		if (!slash[1])
			return false;
	}
	return wb_ignore_match(ig, p, false);
}

static void check(const char *rules, const char *path, bool want)
{
	struct wb_ignore *ig = wb_ignore_parse(rules, strlen(rules));

	if (ignored(ig, path) != want)
		fail_msg("\"%s\" %s \"%s\"", rules, want ? "does not ignore" : "ignores", path);
	wb_ignore_free(ig);
}

static void test_rules(void **state)
{
	check("*.log\n", "a/b/x.log", true);
	check("*.log\n!keep.log\n", "a/keep.log", false);
	check("build/\n", "a/build/", true);
	check("build/\n", "a/build/x", true);
	check("build/\n", "a/build", false);
	check("/build\n", "build", true);
	check("/build\n", "a/build", false);
	check("a/b\n", "a/b", true);
	check("a/b\n", "x/a/b", false);
	check("**/b\n", "x/a/b", true);
	check("a/**/b\n", "a/b", true);
	check("a/**/b\n", "a/x/y/b", true);
	check("a/**\n", "a/x/y", true);
	check("a/**\n", "a/", false);
	check("a/*\n", "a/x/y", true);
	check("a*c\n", "abc", true);
	check("a/*c\n", "a/b/c", false);
	check("# no\n\\#yes\n", "#yes", true);
	check("\\!x\n", "!x", true);
	check("x  \n", "x", true);
	check("x\\ \n", "x ", true);
	check("x\t\n", "x", false);
	check("x\r\n", "x", true);
	check("\xef\xbb\xbfx\n", "x", true);
	check("x", "x", true);
	check("", "x", false);
	check("dir/\n!dir/keep\n", "dir/keep", true);
	check("dir/*\n!dir/keep\n", "dir/keep", false);
	check("[[:digit:]]x\n", "5x", true);
	check("[^a]x\n", "ax", false);
	check("[]-a]x\n", "_x", true);
	check("[a-\n", "[a-", false);
	check("a\\\n", "a\\", false);
	check("a[/]b\n", "a/b", false);
	check("foo**bar\n", "foo/bar", false);
}

static void test_files(void **state)
{
	char *dir = wbtest_dir();
	wb_autofree char *path = wb_asprintf("%s/.truss_ignore", dir);
	struct wb_err err = WB_ERR_INIT;
	struct wb_ignore *ig = wb_ignore_load(path, &err);

	assert_non_null(ig);
	assert_int_equal(err.code, WB_OK);
	assert_false(wb_ignore_match(ig, "x", false));
	wb_ignore_free(ig);
	assert_ok(wb_file_put(path, "*.pyc\n", 6, 0644, 0, &err), &err);
	ig = wb_ignore_load(path, &err);
	assert_true(wb_ignore_match(ig, "a/x.pyc", false));
	wb_ignore_free(ig);
	assert_null(wb_ignore_load("/dev/zero", &err));
	assert_int_equal(err.code, WB_ERR_LIMIT);
	wbtest_rmdir(dir);
}

static void test_time_is_bounded(void **state)
{
	char rules[4001], path[4001];

	for (size_t i = 0; i < 3000; i += 4)
		memcpy(rules + i, "**/a", 4);
	rules[4000] = '\0';
	memset(path, 'a', 4000);
	path[4000] = '\0';
	check(rules, path, false);
}

/* What git itself says about random rules and a fixed tree. */
static const char *const tree[] = {"a", "b/a", "b/b/a", "b/b/b", "b/c.a", "ab/a", "ab/ab",
	"ab/b/ab", "c.a", ".a", "b/.a", "a b", "b/a ", "]", "!a", "#a", "a-b", "b/-", "*", "b/?"};

static int sh(const char *dir, const char *script)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (chdir(dir) || setenv("GIT_CONFIG_NOSYSTEM", "1", 1) || setenv("HOME", dir, 1))
			_exit(126);
		unsetenv("GIT_DIR");
		unsetenv("GIT_WORK_TREE");
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(126);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void random_rules(char *out, size_t size, unsigned *seed)
{
	static const char *const pieces[] = {"a", "b", "ab", "/", "*", "**", "**/", "/**", "?",
		"[ab]", "[!a]", "[a-c", "]", ".", "!", "\\", "-", " ", "#", "c", "/**/", "[]a]",
		"[^-a]", "[\\]]", "[[:alpha:]]", "[a\\-c]"};
	size_t lines = 1 + (unsigned)rand_r(seed) % 3;

	*out = '\0';
	for (size_t l = 0; l < lines; l++) {
		size_t n = 1 + (unsigned)rand_r(seed) % 5;

		if (rand_r(seed) % 4 == 0)
			strncat(out, "!", size - strlen(out) - 1);
		for (size_t i = 0; i < n; i++)
			strncat(out, pieces[(unsigned)rand_r(seed) % WB_ARRAY_LEN(pieces)],
				size - strlen(out) - 1);
		strncat(out, "\n", size - strlen(out) - 1);
	}
}

/* git takes "a**" + "/b" for "a" + a whole-component double star when what is before the stars has
 * no wildcard, against gitignore(5) ("other consecutive asterisks are considered regular
 * asterisks"). We follow the page. */
static bool has_glued_stars(const char *rules)
{
	const char *line = rules;

	for (const char *p = rules; *p; p++) {
		if (*p == '\n')
			line = p + 1;
		if (p > line && p[0] == '*' && p[1] == '*' && !strchr("/*", p[-1]) &&
			!(p == line + 1 && *line == '!'))
			return true;
	}
	return false;
}

static void write_tree(const char *dir)
{
	struct wb_err err = WB_ERR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(tree); i++) {
		wb_autofree char *path = wb_asprintf("%s/%s", dir, tree[i]);
		wb_autofree char *parent = wb_strdup(path);

		*strrchr(parent, '/') = '\0';
		assert_ok(wb_mkdirs(parent, 0755, &err), &err);
		assert_ok(wb_file_put(path, "", 0, 0644, WB_FILE_NOSYNC, &err), &err);
	}
}

/* The names that git prints, one a line, each between newlines. */
static char *git_says(const char *dir)
{
	wb_autofree char *out = wb_asprintf("%s/.git/out", dir);
	struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;

	wb_buf_init(&b, 1 << 16, "output");
	assert_ok(wb_buf_puts(&b, "\n", &err), &err);
	if (sh(dir, "git -c core.quotePath=false check-ignore --no-index --stdin -z "
		    "<.git/names | tr '\\0' '\\n' >.git/out"))
		fail_msg("git check-ignore failed");
	assert_ok(wb_file_read(&b, out, &err), &err);
	return wb_buf_steal(&b);
}

/* How many of the tree git ignores, after checking that we say the same. */
static size_t compare_with_git(const char *dir, const char *rules)
{
	size_t count = 0;

	wb_autofree char *file = wb_asprintf("%s/.git/info/exclude", dir);
	struct wb_err err = WB_ERR_INIT;
	struct wb_ignore *ig = wb_ignore_parse(rules, strlen(rules));

	assert_ok(wb_file_put(
			  file, rules, strlen(rules), 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err),
		&err);
	wb_autofree char *said = git_says(dir);

	for (size_t i = 0; i < WB_ARRAY_LEN(tree); i++) {
		wb_autofree char *line = wb_asprintf("\n%s\n", tree[i]);
		bool want = strstr(said, line);

		count += want;
		if (ignored(ig, tree[i]) != want)
			fail_msg("git %s \"%s\" under\n%s", want ? "ignores" : "keeps", tree[i],
				rules);
	}
	wb_ignore_free(ig);
	return count;
}

static void test_against_git(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	unsigned seed = 20240817;
	size_t count = 0;

	if (sh(dir, "git init -q . >/dev/null 2>&1")) {
		print_message("skipped: no git\n");
		wbtest_rmdir(dir);
		skip();
	}
	wb_autofree char *names = wb_asprintf("%s/.git/names", dir);
	struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;

	wb_buf_init(&b, 1 << 16, "names");
	for (size_t i = 0; i < WB_ARRAY_LEN(tree); i++)
		assert_ok(wb_buf_add(&b, tree[i], strlen(tree[i]) + 1, &err), &err);
	assert_ok(wb_file_put(names, b.data, b.len, 0644, 0, &err), &err);
	write_tree(dir);
	for (int i = 0; i < 300; i++) {
		char rules[256];

		do
			random_rules(rules, sizeof(rules), &seed);
		while (has_glued_stars(rules));
		count += compare_with_git(dir, rules);
	}
	assert_in_range(count, 400, 7000);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_time_is_bounded),
		cmocka_unit_test(test_against_git),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
