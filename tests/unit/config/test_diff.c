#include "wbtest.h"

#include "builder/config/migrate.h"

static void diffs(const char *a, const char *b, const char *want)
{
	wb_autofree char *got = wb_diff_unified("old", a, strlen(a), "new", b, strlen(b));

	if (strcmp(got, want) != 0)
		fail_msg("%s\nnot\n%s", got, want);
}

static void test_known_diffs(void **state)
{
	diffs("a\n", "a\n", "");
	diffs("", "a\n", "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n");
	diffs("a\n", "", "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n");
	diffs("a\nb\nc\n", "a\nx\nc\n", "--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
	diffs("a", "a\n", "--- old\n+++ new\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
	diffs("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n5\n6\n7\n8\n9\n",
		"--- old\n+++ new\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n");
	diffs("x\n1\n2\n3\n4\n5\n6\n7\ny\n", "1\n2\n3\n4\n5\n6\n7\n",
		"--- old\n+++ new\n@@ -1,4 +1,3 @@\n-x\n 1\n 2\n 3\n@@ -6,4 +5,3 @@\n 5\n 6\n "
		"7\n-y\n");
}

/* Applies a diff the way patch(1) does, checking every line of it against the old text. */
static char *apply(const char *old, const char *diff)
{
	struct wb_buf out WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	size_t line = 1, start;

	wb_buf_init(&out, 1 << 20, "patched");
	diff = strstr(diff, "@@");
	while (diff && *diff) {
		size_t n = strcspn(diff, "\n") + 1, have = strcspn(old, "\n") + 1;

		if (*diff == '@') {
			bool empty = sscanf(diff, "@@ -%zu,0", &start) == 1 &&
			             strstr(diff, ",0 +") && strstr(diff, ",0 +") < diff + n;

			assert_int_equal(sscanf(diff, "@@ -%zu", &start), 1);
			for (start += empty; line < start; line++, old += have) {
				have = strcspn(old, "\n") + 1;
				wb_buf_must(&out, "%.*s", (int)have, old);
			}
		} else if (*diff == '+') {
			wb_buf_must(&out, "%.*s", (int)n - 1, diff + 1);
		} else {
			assert_memory_equal(diff + 1, old, n - 1);
			if (*diff == ' ')
				wb_buf_must(&out, "%.*s", (int)have, old);
			old += have;
			line++;
		}
		diff += n;
	}
	wb_buf_must(&out, "%s", old);
	return wb_buf_steal(&out);
}

static void random_lines(char *out, unsigned *seed)
{
	size_t n = (unsigned)rand_r(seed) % 40;

	for (size_t i = 0; i < n; i++) {
		*out++ = (char)('a' + rand_r(seed) % 4);
		*out++ = '\n';
	}
	*out = '\0';
}

static void test_random_texts(void **state)
{
	unsigned seed = 3;

	for (int i = 0; i < 3000; i++) {
		char a[100], b[100];

		random_lines(a, &seed);
		random_lines(b, &seed);
		wb_autofree char *d = wb_diff_unified("a", a, strlen(a), "b", b, strlen(b));
		wb_autofree char *patched = apply(a, d);

		if (strcmp(patched, b) != 0)
			fail_msg("%s\nto\n%s\nby\n%s", a, b, d);
	}
}

/* Texts that have nothing in common are shown as replaced instead of searched for hours. */
static void test_far_apart(void **state)
{
	struct wb_buf a WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;

	wb_buf_init(&a, 1 << 20, "a");
	wb_buf_init(&b, 1 << 20, "b");
	for (int i = 0; i < 5000; i++) {
		wb_buf_must(&a, "a%d\n", i);
		wb_buf_must(&b, "b%d\n", i);
	}
	wb_autofree char *d = wb_diff_unified("a", a.data, a.len, "b", b.data, b.len);

	assert_contains(d, "@@ -1,5000 +1,5000 @@\n-a0\n");
	assert_contains(d, "\n+b4999\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_diffs),
		cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_far_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
