/* Every id that a finding of the config can have is explained in docs/config.md. */
#include "wbtest.h"

#include <ctype.h>
#include <glob.h>

static char *read_file(const char *path)
{
	struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;

	wb_buf_init(&b, 1 << 20, "file");
	assert_ok(wb_file_read(&b, path, &err), &err);
	return wb_buf_steal(&b);
}

/* The first string of a call that looks like an id: before the call ends, lower case and dashes. */
static char *id_of(const char *call)
{
	const char *end = strchr(call, ';');

	for (const char *q = call; (q = strchr(q, '"')) && q < end; q++) {
		size_t n = 1;

		while (islower((unsigned char)q[n]) || q[n] == '-')
			n++;
		if (n > 3 && q[n] == '"')
			return wb_strndup(q + 1, n - 1);
	}
	return NULL;
}

static size_t check_calls(const char *source, const char *function, const char *docs)
{
	size_t count = 0;

	for (const char *p = source; (p = strstr(p, function)); p++) {
		wb_autofree char *id = id_of(p);
		wb_autofree char *quoted = id ? wb_asprintf("`%s`", id) : NULL;

		if (quoted && !strstr(docs, quoted))
			fail_msg("docs/config.md does not explain %s", quoted);
		count += id != NULL;
	}
	return count;
}

static void test_ids_are_documented(void **state)
{
	static const char *const functions[] = {"wb_read_error(", "wb_read_warn(", "wb_read_note(",
		"wb_findings_add(", "fatal(l,", "note(j,"};
	wb_autofree char *docs = read_file(WB_SOURCE_DIR "/docs/config.md");
	size_t count = 0;
	glob_t g;

	assert_int_equal(glob(WB_SOURCE_DIR "/builder/config/*.c", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		wb_autofree char *source = read_file(g.gl_pathv[i]);

		for (size_t k = 0; k < WB_ARRAY_LEN(functions); k++)
			count += check_calls(source, functions[k], docs);
	}
	globfree(&g);
	assert_in_range(count, 60, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ids_are_documented)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
