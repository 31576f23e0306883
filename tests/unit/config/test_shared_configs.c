/* Forty configs from the wild, read where they lie: none of them may give an error, each gives the
 * findings in tests/golden/config/shared_findings.txt, and migrating one keeps all its comments. */
#include "wbtest.h"

#include <dirent.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/config/migrate.h"

static char *shared_dir(void)
{
	const char *env = getenv("WB_SHARED");

	return wb_asprintf("%s/configs", env && *env ? env : WB_SOURCE_DIR "/../shared");
}

/* First thing in a test: skip() jumps out, and what is allocated before it would leak. */
static void skip_without_configs(void)
{
	char *dir = shared_dir();
	bool there = access(dir, R_OK) == 0;

	if (!there)
		print_message("skipped: no \"%s\" (set WB_SHARED)\n", dir);
	free(dir);
	if (!there)
		skip();
}

/* Calls fn for each config in the order of names, and counts them. */
static size_t for_each(
	void (*fn)(const char *path, const char *name, struct wb_buf *out), struct wb_buf *out)
{
	wb_autofree char *dir = shared_dir();
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort);
	size_t files = 0;

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		if (wb_str_ends(list[i]->d_name, ".yaml")) {
			wb_autofree char *path = wb_path_join(dir, list[i]->d_name);

			fn(path, list[i]->d_name, out);
			files++;
		}
		free(list[i]);
	}
	free(list);
	return files;
}

static void add_findings(const char *path, const char *name, struct wb_buf *out)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_config c;

	if (wb_config_load(&c, ".", path, &err))
		fail_msg("%s:%u:%u: %s", name, err.line, err.column, err.text);
	wb_buf_must(out, "%s: %zu sources\n", name, c.sources.n);
	wb_vec_foreach (f, &c.findings.list)
		wb_buf_must(out, "  %c %u:%u %s: %s\n", "EWN"[f->severity], f -> pos.line,
			f->pos.column, f->id, f->text);
	wb_config_release(&c);
}

static void test_all_are_accepted(void **state)
{
	static const char golden[] = WB_SOURCE_DIR "/tests/golden/config/shared_findings.txt";
	struct wb_buf got WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct wb_buf want WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;

	skip_without_configs();
	wb_buf_init(&got, 1 << 20, "findings");
	wb_buf_init(&want, 1 << 20, "golden");
	assert_int_equal(for_each(add_findings, &got), 40);
	assert_ok(wb_file_read(&want, golden, &err), &err);
	if (strcmp(got.data, want.data) != 0) {
		wb_autofree char *diff =
			wb_diff_unified(golden, want.data, want.len, "found", got.data, got.len);

		fail_msg("%s", diff);
	}
}

/* Every comment of the old text is in the new one. */
static void check_comments(const char *name, const char *old, const char *new)
{
	for (const char *p = old; (p = strstr(p, "# ")); p++) {
		wb_autofree char *comment = wb_strndup(p, strcspn(p, "\r\n"));

		if (!strstr(new, comment))
			fail_msg("%s: \"%s\" is lost", name, comment);
	}
}

static void migrate(const char *path, const char *name, struct wb_buf *out)
{
	struct wb_buf text WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct wb_migration m, again;
	struct wb_err err = WB_ERR_INIT;

	wb_buf_init(&text, WB_CONFIG_BYTES_MAX, "config");
	assert_ok(wb_file_read(&text, path, &err), &err);
	if (wb_migrate(&m, text.data, text.len, ".", name, &err))
		fail_msg("%s:%u:%u: %s", name, err.line, err.column, err.text);
	if (!m.text) {
		wb_migration_release(&m);
		return;
	}
	check_comments(name, text.data, m.text);
	assert_null(strstr(m.text, "truss-transfer-cli"));
	assert_null(strstr(m.text, "\nmodel_cache:"));
	assert_ok(wb_migrate(&again, m.text, m.n, ".", name, &err), &err);
	assert_null(again.text);
	wb_buf_must(out, "m");
	wb_migration_release(&again);
	wb_migration_release(&m);
}

static void test_migration(void **state)
{
	struct wb_buf migrated WB_AUTO(wb_buf_release) = WB_BUF_INIT;

	skip_without_configs();
	wb_buf_init(&migrated, 100, "count");
	for_each(migrate, &migrated);
	assert_int_equal(migrated.len, 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_accepted),
		cmocka_unit_test(test_migration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
