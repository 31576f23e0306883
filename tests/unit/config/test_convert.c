#include "wbtest.h"

#include "builder/config/convert.h"
#include "builder/config/glob.h"

static void converts(const char *pattern, const char *want, bool exact)
{
	struct wb_words w = {0};
	char got[512] = "";

	assert_int_equal(wb_convert_pattern(&w, pattern), exact);
	wb_vec_foreach (it, &w.list)
		snprintf(
			got + strlen(got), sizeof(got) - strlen(got), "%s%s", *got ? " " : "", *it);
	if (strcmp(got, want) != 0)
		fail_msg("\"%s\" gives \"%s\", not \"%s\"", pattern, got, want);
	wb_words_release(&w);
}

static void test_patterns(void **state)
{
	converts("*.safetensors", "**/*.safetensors", true);
	converts("*.fp16.safetensors", "**/*.fp16.safetensors", true);
	converts("config.json", "config.json", true);
	converts("original/*", "original/**", true);
	converts("sub/", "sub/**", true);
	converts("*", "**", true);
	converts("**", "**", true);
	converts("**/*.bin", "*/**/*.bin", true);
	converts("*/config.json", "*/**/config.json", true);
	converts("tokenizer*", "tokenizer* tokenizer*/**", true);
	converts("model-*.bin", "model-*.bin model-*/**/*.bin", true);
	converts("a*/b", "a*/**/b", true);
	converts("*.bin*", "**/*.bin* **/*.bin*/**", true);
	converts("", "", true);
	converts("[*]x", "[*]x", false);
	converts("a?b", "a?b", false);
	converts("a*b*c*d*e*f", "a*b*c*d*e*f", false);
}

static void random_text(char *out, size_t max, const char *set, unsigned *seed)
{
	size_t n = (unsigned)rand_r(seed) % max;

	for (size_t i = 0; i < n; i++)
		out[i] = set[(unsigned)rand_r(seed) % strlen(set)];
	out[n] = '\0';
}

/* A relative path as repositories have them. */
static void random_path(char *out, size_t max, unsigned *seed)
{
	do
		random_text(out, max, "ab/ab", seed);
	while (!*out || *out == '/' || out[strlen(out) - 1] == '/' || strstr(out, "//"));
}

static bool any_matches(enum wb_glob_dialect dialect, const struct wb_words *w, const char *path)
{
	wb_vec_foreach (it, &w->list)
		if (wb_glob_match(dialect, *it, path))
			return true;
	return false;
}

/* An exact conversion selects exactly the same files. */
static void test_conversion_is_exact(void **state)
{
	unsigned seed = 7;
	size_t matches = 0, exact = 0;

	for (int i = 0; i < 3000; i++) {
		struct wb_words w = {0};
		char pattern[10], path[12];

		random_text(pattern, sizeof(pattern), "ab/**", &seed);
		if (!wb_convert_pattern(&w, pattern)) {
			wb_words_release(&w);
			continue;
		}
		exact++;
		for (int k = 0; k < 40; k++) {
			random_path(path, sizeof(path), &seed);
			bool want = wb_glob_match(WB_GLOB_FNMATCH, pattern, path);

			matches += want;
			if (any_matches(WB_GLOB_WEIGHTS, &w, path) != want)
				fail_msg("\"%s\" on \"%s\": fnmatch says %d", pattern, path, want);
		}
		wb_words_release(&w);
	}
	assert_in_range(exact, 2500, 3000);
	assert_in_range(matches, 5000, 100000);
}

static void test_stripping_a_prefix(void **state)
{
	unsigned seed = 11;
	size_t matches = 0;

	for (int i = 0; i < 3000; i++) {
		struct wb_words w = {0};
		char pattern[10], prefix[6], path[10];

		random_text(pattern, sizeof(pattern), "ab/*?", &seed);
		random_path(prefix, sizeof(prefix), &seed);
		wb_convert_strip(&w, pattern, prefix);
		for (int k = 0; k < 40; k++) {
			random_path(path, sizeof(path), &seed);
			wb_autofree char *whole = wb_asprintf("%s%s", prefix, path);
			bool want = wb_glob_match(WB_GLOB_FNMATCH, pattern, whole);

			matches += want;
			if (any_matches(WB_GLOB_FNMATCH, &w, path) != want)
				fail_msg("\"%s\" without \"%s\" on \"%s\": fnmatch says %d",
					pattern, prefix, path, want);
		}
		wb_words_release(&w);
	}
	assert_in_range(matches, 5000, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_conversion_is_exact),
		cmocka_unit_test(test_stripping_a_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
