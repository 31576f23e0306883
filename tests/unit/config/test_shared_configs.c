/* Forty configs from the wild, read where they lie: none of them may give an error. */
#include "wbtest.h"

#include <dirent.h>

#include "base/text.h"
#include "builder/config/config.h"

static char *shared_dir(void)
{
	const char *env = getenv("WB_SHARED");

	return wb_asprintf("%s/configs", env && *env ? env : WB_SOURCE_DIR "/../shared");
}

static void load(const char *dir, const char *name, size_t *sources)
{
	wb_autofree char *path = wb_asprintf("%s/%s", dir, name);
	struct wb_err err = WB_ERR_INIT;
	struct wb_config c;

	if (wb_config_load(&c, dir, path, &err))
		fail_msg("%s:%u:%u: %s", name, err.line, err.column, err.text);
	wb_vec_foreach (f, &c.findings.list) {
		assert_int_not_equal(f->pos.line, 0);
		if (!strcmp(f->id, "unknown-key"))
			fail_msg("%s:%u: %s", name, f->pos.line, f->text);
	}
	*sources += c.sources.n;
	wb_config_release(&c);
}

static void test_all_are_accepted(void **state)
{
	wb_autofree char *dir = shared_dir();
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort);
	size_t files = 0, sources = 0;

	if (n < 0) {
		print_message("skipped: no \"%s\" (set WB_SHARED)\n", dir);
		skip();
	}
	for (int i = 0; i < n; i++) {
		if (wb_str_ends(list[i]->d_name, ".yaml")) {
			load(dir, list[i]->d_name, &sources);
			files++;
		}
		free(list[i]);
	}
	free(list);
	assert_int_equal(files, 40);
	assert_int_equal(sources, 46);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_are_accepted)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
