#include "wbtest.h"

#include "base/path.h"

static void names_that_leave_or_cannot_be_packed_are_unsafe(void **state)
{
	static const struct {
		const char *path, *why;
	} bad[] = {
		{"", "is empty"},
		{"/etc/passwd", "is absolute"},
		{"..", "\"..\""},
		{"a/../b", "\"..\""},
		{"a/..", "\"..\""},
		{"./a", "\".\""},
		{"a/.", "\".\""},
		{"a//b", "empty component"},
		{"a/", "empty component"},
		{"a\nb", "control byte"},
		{"a\x7f", "control byte"},
		{"a\\b", "backslash"},
		{".wh.x", "whiteouts"},
		{"a/.wh..wh..opq", "whiteouts"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		const char *why = wb_path_unsafe(bad[i].path, strlen(bad[i].path));

		if (!why)
			fail_msg("\"%s\" passes", bad[i].path);
		assert_contains(why, bad[i].why);
	}
	assert_contains(wb_path_unsafe("a\0b", 3), "NUL");
}

static void ordinary_names_are_safe(void **state)
{
	static const char *const good[] = {"a", "a/b", "...", "..a/b..", ".wh", "a/.whx", "a b#c",
		"\xc3\xbc", "\xff\xfe", "-", "a:b", "*?[", NULL};

	for (size_t i = 0; good[i]; i++)
		assert_null(wb_path_unsafe(good[i], strlen(good[i])));
}

static void lengths_are_those_of_the_kernel(void **state)
{
	char path[5000];

	memset(path, 'x', sizeof(path));
	assert_null(wb_path_unsafe(path, 255));
	assert_contains(wb_path_unsafe(path, 256), "longer than 255");
	for (size_t i = 100; i < sizeof(path); i += 101)
		path[i] = '/';
	assert_null(wb_path_unsafe(path, 4095));
	assert_contains(wb_path_unsafe(path, 4096), "longer than 4095");
}

static void check_join(const char *a, const char *b, const char *want)
{
	char *got = wb_path_join(a, b);

	assert_string_equal(got, want);
	free(got);
}

static void joining_folds_slashes_and_dots(void **state)
{
	check_join("/a", "b", "/a/b");
	check_join("/a/", "/b/", "/a/b");
	check_join("a", "b", "a/b");
	check_join("a", "", "a");
	check_join("", "b", "b");
	check_join("", "/b", "/b");
	check_join("", "", ".");
	check_join("/", "", "/");
	check_join("./a/.", "./b//c", "a/b/c");
	check_join("a", "../b", "a/../b");
	check_join(".", ".", ".");
}

static void check_normalize(const char *base, const char *path, const char *want)
{
	char *got = wb_path_normalize(base, path);

	assert_string_equal(got, want);
	free(got);
}

static void normalizing_resolves_dots(void **state)
{
	check_normalize("/base", "x", "/base/x");
	check_normalize("/base", "/x/", "/x");
	check_normalize("/base", "..", "/");
	check_normalize("/base", "../../../..", "/");
	check_normalize("/base", "../../etc/./x/../y", "/etc/y");
	check_normalize("/", ".", "/");
	check_normalize("/a/b", "", "/a/b");
	check_normalize("/a", "...", "/a/...");
}

static void check_parts(const char *path, const char *dir, const char *base)
{
	char *got = wb_path_dirname(path);

	assert_string_equal(got, dir);
	assert_string_equal(wb_path_basename(path), base);
	free(got);
}

static void taking_apart(void **state)
{
	check_parts("a/b/c", "a/b", "c");
	check_parts("/a", "/", "a");
	check_parts("a", ".", "a");
	check_parts("/", "/", "");
}

static void within_is_by_component(void **state)
{
	assert_true(wb_path_within("/a/b", "/a"));
	assert_true(wb_path_within("/a", "/a"));
	assert_true(wb_path_within("/a", "/"));
	assert_true(wb_path_within("/a/b", "/a/"));
	assert_false(wb_path_within("/ab", "/a"));
	assert_false(wb_path_within("/", "/a"));
	assert_false(wb_path_within("a", "/a"));
}

/* What the layers and the manifest rely on: a folder's content is one run right behind it. */
static void a_folder_comes_right_before_its_content(void **state)
{
	static const char *const sorted[] = {"a", "a/b", "a/b/c", "a/z", "a\x01", "a b", "a-b",
		"a.b", "a0", "aa", "b", "\x7f", "\xc3\xa4", "\xff"};
	size_t n = WB_ARRAY_LEN(sorted);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int c = wb_path_cmp(sorted[i], sorted[j]);

			if ((c < 0) != (i < j) || (c > 0) != (i > j))
				fail_msg("\"%s\" and \"%s\": %d", sorted[i], sorted[j], c);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_leave_or_cannot_be_packed_are_unsafe),
		cmocka_unit_test(ordinary_names_are_safe),
		cmocka_unit_test(lengths_are_those_of_the_kernel),
		cmocka_unit_test(joining_folds_slashes_and_dots),
		cmocka_unit_test(normalizing_resolves_dots),
		cmocka_unit_test(taking_apart),
		cmocka_unit_test(within_is_by_component),
		cmocka_unit_test(a_folder_comes_right_before_its_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
