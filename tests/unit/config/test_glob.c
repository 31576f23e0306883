#include "wbtest.h"

#include "builder/config/glob.h"

static const char *const files[] = {"model.safetensors", "sub/model.safetensors",
	"a/b/model.safetensors", "config.json", "sub/config.json", "sub/deep/config.json", "sub",
	"tok.bin", "tok.bin.index.json"};

/* want has one letter for each file: "x" where the pattern matches. */
static void check(enum wb_glob_dialect dialect, const char *pattern, const char *want)
{
	char got[WB_ARRAY_LEN(files) + 1] = "";

	for (size_t i = 0; i < WB_ARRAY_LEN(files); i++)
		got[i] = wb_glob_match(dialect, pattern, files[i]) ? 'x' : '-';
	if (strcmp(got, want) != 0)
		fail_msg("\"%s\": %s, not %s", pattern, got, want);
}

/* Measured with huggingface_hub 0.34.4's filter_repo_objects. */
static void test_fnmatch_vectors(void **state)
{
	const struct {
		const char *pattern, *want;
	} v[] = {
		{"*.safetensors", "xxx------"},
		{"**/*.safetensors", "-xx------"},
		{"**", "xxxxxxxxx"},
		{"*", "xxxxxxxxx"},
		{"sub/", "-x--xx---"},
		{"sub/*", "-x--xx---"},
		{"sub/**", "-x--xx---"},
		{"*/config.json", "----xx---"},
		{"**/config.json", "----xx---"},
		{"co?fig.json", "---x-----"},
		{"[c]onfig.json", "---x-----"},
		{"[!x]onfig.json", "---x-----"},
		{"*.bin*", "-------xx"},
		{"sub", "------x--"},
		{"*.{json,bin}", "---------"},
		{"./config.json", "---------"},
		{"/config.json", "---------"},
		{"", "---------"},
		{"CONFIG.json", "---------"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++)
		check(WB_GLOB_FNMATCH, v[i].pattern, v[i].want);
}

static void test_weights_vectors(void **state)
{
	const struct {
		const char *pattern, *want;
	} v[] = {
		{"*.safetensors", "x--------"},
		{"**/*.safetensors", "xxx------"},
		{"**", "xxxxxxxxx"},
		{"*", "x--x--xxx"},
		{"sub/", "-x--xx---"},
		{"sub/*", "-x--x----"},
		{"sub/**", "-x--xx---"},
		{"*/config.json", "----x----"},
		{"**/config.json", "---xxx---"},
		{"sub/**/config.json", "----xx---"},
		{"co?fig.json", "---x-----"},
		{"sub?config.json", "---------"},
		{"sub[!a]config.json", "---------"},
		{"[c]onfig.json", "---x-----"},
		{"tok.*", "-------xx"},
		{"*.{json,bin}", "---------"},
		{"**.json", "---x----x"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++)
		check(WB_GLOB_WEIGHTS, v[i].pattern, v[i].want);
}

static void test_fnmatch_details(void **state)
{
	const struct {
		const char *pattern, *path;
		bool want;
	} v[] = {
		{"ab*ba", "abba", true},
		{"a*a", "a", false},
		{"[", "[", true},
		{"[]", "[]", true},
		{"[]]", "]", true},
		{"[!]]x", "ax", true},
		{"[!]]x", "]x", false},
		{"[a-c]", "b", true},
		{"[a-]", "-", true},
		{"[a-", "[a-", true},
		{"a[b", "a[b", true},
		{"*.x", ".x", true},
		{"?", "\xc3\xa9", true},
		{"??", "\xc3\xa9", false},
		{"[!a]b",
			"\xe2\x82\xac"
			"b",
			true},
		{"a\\*", "a\\b", true},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++)
		if (wb_glob_match(WB_GLOB_FNMATCH, v[i].pattern, v[i].path) != v[i].want)
			fail_msg("\"%s\" and \"%s\"", v[i].pattern, v[i].path);
}

/* What backtracking would take years for. */
static void test_time_is_bounded(void **state)
{
	char pattern[1025], path[4001];

	for (size_t i = 0; i < 1024; i += 2)
		memcpy(pattern + i, "a*", 2);
	pattern[1023] = 'b';
	pattern[1024] = '\0';
	memset(path, 'a', 4000);
	path[4000] = '\0';
	assert_false(wb_glob_match(WB_GLOB_FNMATCH, pattern, path));
	assert_false(wb_glob_match(WB_GLOB_WEIGHTS, pattern, path));
}

static void set(struct wb_patterns *p, const char *text)
{
	p->set = true;
	wb_vec_push(&p->list)->text = wb_strdup(text);
}

static void clear(struct wb_patterns *p)
{
	wb_vec_foreach (it, &p->list)
		free(it->text);
	wb_vec_free(&p->list);
}

static void test_keeps(void **state)
{
	struct wb_patterns allow = {0}, ignore = {0};
	size_t hits[3] = {0};

	assert_true(wb_glob_keeps(WB_GLOB_FNMATCH, &allow, &ignore, "a.bin", NULL));
	allow.set = true;
	assert_false(wb_glob_keeps(WB_GLOB_FNMATCH, &allow, &ignore, "a.bin", NULL));
	set(&allow, "*.bin");
	set(&allow, "*.json");
	set(&ignore, "old/*");
	assert_true(wb_glob_keeps(WB_GLOB_FNMATCH, &allow, &ignore, "a.bin", hits));
	assert_false(wb_glob_keeps(WB_GLOB_FNMATCH, &allow, &ignore, "old/a.bin", hits));
	assert_false(wb_glob_keeps(WB_GLOB_FNMATCH, &allow, &ignore, "old/a.txt", hits));
	assert_int_equal(hits[0], 2);
	assert_int_equal(hits[1], 0);
	assert_int_equal(hits[2], 2);
	clear(&allow);
	clear(&ignore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fnmatch_vectors),
		cmocka_unit_test(test_weights_vectors),
		cmocka_unit_test(test_fnmatch_details),
		cmocka_unit_test(test_time_is_bounded),
		cmocka_unit_test(test_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
