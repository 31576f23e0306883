#include "wbtest.h"

#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

struct seen {
	char lines[8][400];
	enum wb_level levels[8];
	size_t n;
};

static void keep(void *arg, enum wb_level level, const char *line)
{
	struct seen *s = arg;

	if (s->n < WB_ARRAY_LEN(s->lines)) {
		snprintf(s->lines[s->n], sizeof(s->lines[0]), "%s", line);
		s->levels[s->n] = level;
	}
	s->n++;
}

static int reset(void **state)
{
	wb_log_set_sink(NULL, NULL);
	wb_log_set_hooks(NULL, NULL, NULL);
	wb_log_set_level(WB_LOG_NOTE);
	return 0;
}

static void levels_choose_what_is_said(void **state)
{
	struct seen s = {0};

	wb_log_set_sink(keep, &s);
	wb_debug("hidden");
	wb_note("said");
	wb_warn("careful");
	wb_log_set_level(WB_LOG_WARNING);
	wb_note("hidden");
	wb_warn("still");
	wb_log_set_level(WB_LOG_TRACE);
	wb_trace("all");
	assert_int_equal(s.n, 4);
	assert_string_equal(s.lines[0], "wbuild: said");
	assert_string_equal(s.lines[1], "wbuild: warning: careful");
	assert_string_equal(s.lines[2], "wbuild: warning: still");
	assert_string_equal(s.lines[3], "wbuild: trace: all");
	assert_int_equal(s.levels[3], WB_LOG_TRACE);
	assert_true(wb_log_enabled(WB_LOG_TRACE));
}

static void errors_carry_position_and_hint(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct seen s = {0};

	wb_log_set_sink(keep, &s);
	wb_err_at(&err, "config.yaml", 3, 7, "unknown key");
	wb_err_hint(&err, "did you mean \"weights\"?");
	wb_log_err(&err);
	wb_err_at(&err, "wbuild.lock", 0, 0, "unreadable");
	wb_log_err_as(WB_LOG_WARNING, &err);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.lines[0], "wbuild: error: config.yaml:3:7: unknown key");
	assert_string_equal(s.lines[1], "wbuild: hint: did you mean \"weights\"?");
	assert_string_equal(s.lines[2], "wbuild: warning: wbuild.lock: unreadable");
}

static void no_secret_gets_out(void **state)
{
	struct wb_secret *secret = wb_secret_new("t", "very-secret-token", 17, false);
	struct wb_err err = WB_ERR_INIT;
	struct seen s = {0};

	wb_log_set_sink(keep, &s);
	wb_note("header very-secret-token");
	wb_err_set(&err, WB_ERR_NET, "GET https://very-secret-token@h");
	wb_err_hint(&err, "very-secret-token");
	wb_log_err(&err);
	for (size_t i = 0; i < 3; i++) {
		assert_contains(s.lines[i], "***");
		assert_null(strstr(s.lines[i], "secret"));
	}
	wb_secret_unref(secret);
}

static void mark(void *arg)
{
	fputs(arg, stderr);
	fflush(stderr);
}

static void before(void *arg)
{
	mark(*(char **)arg);
}

static void after(void *arg)
{
	mark(((char **)arg)[1]);
}

static void *chatter(void *arg)
{
	for (int i = 0; i < 200; i++)
		wb_note("%s", (char *)arg);
	return NULL;
}

/* On the real stderr: two threads, hooks around each line, and no line within another. */
static void lines_stay_whole(void **state)
{
	char open[] = "<", shut[] = ">", *marks[] = {open, shut};
	char a[301], b[301], line[400];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	pthread_t thread;
	size_t n = 0;

	memset(a, 'a', 300);
	memset(b, 'b', 300);
	a[300] = b[300] = '\0';
	dup2(fileno(file), STDERR_FILENO);
	wb_log_set_hooks(before, after, marks);
	pthread_create(&thread, NULL, chatter, a);
	chatter(b);
	pthread_join(thread, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		const char *p = line + (n ? 1 : 0); /* behind the ">" of the line before */

		if (*p == '\0')
			break;
		assert_memory_equal(p, "<wbuild: ", 9);
		assert_int_equal(strspn(p + 9, "a") + strspn(p + 9, "b"), 300);
		assert_string_equal(p + 309, "\n");
		n++;
	}
	assert_int_equal(n, 400);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(levels_choose_what_is_said, reset),
		cmocka_unit_test_teardown(errors_carry_position_and_hint, reset),
		cmocka_unit_test_teardown(no_secret_gets_out, reset),
		cmocka_unit_test_teardown(lines_stay_whole, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
