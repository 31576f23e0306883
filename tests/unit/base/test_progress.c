#include "base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "wbtest.h"

/* What a display wrote, read from a pipe that is large enough for it. */
struct capture {
	int fds[2];
	char *text;
};

static void capture_begin(struct capture *c)
{
	assert_int_equal(pipe2(c->fds, O_CLOEXEC), 0);
	assert_true(fcntl(c->fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	c->text = NULL;
}

static const char *capture_end(struct capture *c)
{
	size_t n = 0;
	ssize_t k;

	close(c->fds[1]);
	c->text = wb_zalloc((1 << 20) + 1);
	while ((k = read(c->fds[0], c->text + n, (1 << 20) - n)) > 0)
		n += (size_t)k;
	close(c->fds[0]);
	return c->text;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Every duration ("0.0s") becomes "T": a machine that stalls makes any of them longer. */
static char *without_durations(const char *text)
{
	char *out = wb_zalloc(strlen(text) + 1), *to = out;

	for (const char *at = text; *at;) {
		size_t n = at == text || at[-1] == ' ' ? strspn(at, "0123456789.") : 0;

		if (n && at[n] == 's' && (at[n + 1] == '\n' || at[n + 1] == ' ')) {
			*to++ = 'T';
			at += n + 1;
		} else {
			*to++ = *at++;
		}
	}
	return out;
}

static void modes_are_named(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_progress_mode mode;

	(void)state;
	assert_ok(wb_progress_mode_parse(&mode, "rawjson", &err), &err);
	assert_int_equal(mode, WB_PROGRESS_RAWJSON);
	assert_ok(wb_progress_mode_parse(&mode, "none", &err), &err);
	assert_int_equal(mode, WB_PROGRESS_QUIET);
	assert_err(wb_progress_mode_parse(&mode, "fancy", &err), &err, WB_ERR_USAGE);
}

static void nothing_works_without_a_display(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_progress *p = wb_progress_new(WB_PROGRESS_QUIET, STDERR_FILENO, "Building");
	struct wb_step *s = wb_step_begin(p, "x");
	struct wb_item *i = wb_item_begin(s, 1, "y");

	(void)state;
	assert_null(p);
	assert_null(s);
	assert_null(i);
	wb_step_total(s, 1);
	wb_step_add(s, 1);
	wb_step_detail(s, "%d", 1);
	wb_step_cached(s);
	wb_item_set(i, 1);
	wb_item_end(i);
	assert_int_equal(wb_step_end(s, 0, &err), 0);
	assert_int_equal(wb_step_end(s, -1, &err), -1);
	wb_progress_free(p);
}

static void plain_numbers_the_steps(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct capture c;

	(void)state;
	capture_begin(&c);
	struct wb_progress *p = wb_progress_new(WB_PROGRESS_PLAIN, c.fds[1], "Building");
	struct wb_step *a = wb_step_begin(p, "fetch %s", "hf://o/r");
	struct wb_step *b = wb_step_begin(p, "pack");

	wb_step_add(a, 1500000);
	wb_step_cached(b);
	assert_int_equal(wb_step_end(b, 0, &err), 0);
	assert_int_equal(wb_step_end(a, 0, &err), 0);
	struct wb_step *bad = wb_step_begin(p, "push");

	wb_err_set(&err, WB_ERR_NET, "no route");
	assert_int_equal(wb_step_end(bad, -1, &err), -1);
	wb_step_begin(p, "left behind");
	wb_progress_free(p);
	const char *text = capture_end(&c);

	wb_autofree char *timeless = without_durations(text);

	assert_contains(text, "#1 fetch hf://o/r\n#2 pack\n#2 CACHED\n");
	assert_contains(timeless, "#1 1.5 MB in T\n#1 DONE T\n");
	assert_contains(text, "#3 push\n#3 ERROR: no route\n");
	assert_contains(text, "#4 left behind\n#4 ERROR: given up\n");
	free(c.text);
}

static void names_are_redacted_and_printable(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct capture c;
	struct wb_secret *secret = wb_secret_new("token", "hunter2hunter2", 14, false);

	(void)state;
	capture_begin(&c);
	struct wb_progress *p = wb_progress_new(WB_PROGRESS_PLAIN, c.fds[1], "Building");

	wb_step_end(wb_step_begin(p, "fetch \x1b[2J hunter2hunter2"), 0, &err);
	wb_progress_free(p);
	const char *text = capture_end(&c);

	assert_contains(text, "#1 fetch \\x1b[2J ***\n");
	free(c.text);
	wb_secret_unref(secret);
}

/* Every line is a SolveStatus; returns the members' lists joined. */
static json_t *parse_lines(char *text, const char *member)
{
	json_t *all = json_array();

	for (char *save, *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(o);
		json_array_extend(all, json_object_get(o, member));
		json_decref(o);
	}
	return all;
}

/* There are more before it when this took more than half a second. */
static const json_t *last_status(const json_t *statuses, const char *id)
{
	for (size_t n = json_array_size(statuses); n--;) {
		const json_t *o = json_array_get(statuses, n);

		if (!strcmp(json_string_value(json_object_get(o, "id")), id))
			return o;
	}
	fail_msg("no status of \"%s\"", id);
	return NULL;
}

static void rawjson_has_the_shape_of_buildx(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct capture c;

	(void)state;
	capture_begin(&c);
	struct wb_progress *p = wb_progress_new(WB_PROGRESS_RAWJSON, c.fds[1], "Building");
	struct wb_step *s = wb_step_begin(p, "fetch");
	struct wb_item *i = wb_item_begin(s, 100, "model.bin");

	wb_step_total(s, 100);
	wb_item_set(i, 60);
	wb_item_set(i, 40); /* a retry */
	wb_item_set(i, 100);
	wb_item_end(i);
	wb_warn("careful");
	wb_step_end(s, 0, &err);
	wb_progress_free(p);
	wb_autofree char *again = wb_strdup(capture_end(&c));
	wb_autofree char *third = wb_strdup(c.text);
	json_t *vertexes = parse_lines(c.text, "vertexes");
	json_t *statuses = parse_lines(again, "statuses");
	json_t *warnings = parse_lines(third, "warnings");

	assert_int_equal(json_array_size(vertexes), 2);
	const json_t *last = json_array_get(vertexes, 1);

	assert_string_equal(json_string_value(json_object_get(last, "name")), "fetch");
	assert_non_null(json_object_get(last, "completed"));
	assert_string_equal(json_string_value(json_object_get(last, "digest")),
		json_string_value(json_object_get(json_array_get(vertexes, 0), "digest")));
	last = last_status(statuses, "model.bin");
	assert_int_equal(json_integer_value(json_object_get(last, "current")), 100);
	assert_int_equal(json_integer_value(json_object_get(last, "total")), 100);
	last = last_status(statuses, "fetch");
	assert_int_equal(json_integer_value(json_object_get(last, "current")), 100);
	assert_ptr_equal(last, json_array_get(statuses, json_array_size(statuses) - 1));
	assert_int_equal(json_array_size(warnings), 1);
	assert_string_equal(/* "wbuild: warning: careful" */
		json_string_value(json_object_get(json_array_get(warnings, 0), "short")),
		"d2J1aWxkOiB3YXJuaW5nOiBjYXJlZnVs");
	json_decref(vertexes);
	json_decref(statuses);
	json_decref(warnings);
	free(c.text);
}

/* --- the live view, on a terminal of our own ---------------------------------------------- */

static int open_terminal(int *terminal, unsigned short columns, unsigned short rows)
{
	const struct winsize w = {.ws_col = columns, .ws_row = rows};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(master >= 0);
	assert_int_equal(grantpt(master) || unlockpt(master), 0);
	*terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*terminal >= 0);
	assert_int_equal(ioctl(*terminal, TIOCSWINSZ, &w), 0);
	assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	return master;
}

/* All that was written so far. */
static char *drain(int master)
{
	char *text = wb_zalloc((1 << 16) + 1);
	size_t n = 0;
	ssize_t k;

	while ((k = read(master, text + n, (1 << 16) - n)) > 0)
		n += (size_t)k;
	return text;
}

/* All that is written until so many frames have begun, and another one, so that they are whole. */
static char *drain_frames(int master, unsigned frames)
{
	struct pollfd wait = {.fd = master, .events = POLLIN};
	WB_AUTO(wb_buf_release) struct wb_buf all = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	unsigned seen = 0;

	wb_buf_init(&all, 1 << 20, "frames");
	while (seen <= frames) {
		assert_int_equal(poll(&wait, 1, 60000), 1);
		wb_autofree char *text = drain(master);

		assert_ok(wb_buf_puts(&all, text, &err), &err);
		seen = 0;
		for (const char *at = all.data; (at = strstr(at, "[+] Building")); at++)
			seen++;
	}
	return wb_buf_steal(&all);
}

/* The widest line, escapes not counted. */
static size_t widest(const char *text)
{
	size_t most = 0, n = 0;

	for (; *text; text++) {
		if (*text == '\x1b') {
			while (*text && !strchr("ABCDHJKmhl", *text))
				text++;
			continue;
		}
		n = *text == '\n' || *text == '\r' ? 0 : n + ((*text & 0xc0) != 0x80);
		most = n > most ? n : most;
	}
	return most;
}

/* On a machine that stalls a run is not always quick: one that was, by the clock, counts. */
static void a_quick_run_shows_nothing(void **state)
{
	bool was_quick = false;

	(void)state;
	while (!was_quick) {
		struct wb_err err = WB_ERR_INIT;
		int terminal, master = open_terminal(&terminal, 80, 24);
		double began = seconds();
		struct wb_progress *p = wb_progress_new(WB_PROGRESS_TTY, terminal, "Building");

		wb_step_end(wb_step_begin(p, "quick"), 0, &err);
		wb_progress_free(p);
		was_quick = seconds() - began < WB_PROGRESS_DELAY;
		wb_autofree char *text = drain(master);

		if (was_quick)
			assert_string_equal(text, "");
		close(master);
		close(terminal);
	}
}

static void the_view_fits_the_window(void **state)
{
	static const char long_name[] =
		"fetch hf://an-organisation-with-a-long-name/"
		"a-repository-with-an-even-longer-name-\xe6\xbc\xa2\xe5\xad\x97-v2";
	struct wb_err err = WB_ERR_INIT;
	int terminal, master = open_terminal(&terminal, 80, 24);
	const struct winsize narrow = {.ws_col = 40, .ws_row = 6};

	(void)state;
	setenv("NO_COLOR", "1", 1);
	struct wb_progress *p = wb_progress_new(WB_PROGRESS_TTY, terminal, "Building");
	struct wb_step *s = wb_step_begin(p, "%s", long_name);

	wb_step_total(s, 5000000000);
	for (int i = 0; i < 12; i++)
		wb_item_set(wb_item_begin(s, 4000000, "model-%d.safetensors", i), 1000000);
	wb_autofree char *wide = drain_frames(master, 3);

	assert_true(widest(wide) <= 80);
	assert_contains(wide, "[+] Building");
	assert_contains(wide, "12.0 MB / 5.0 GB");
	assert_contains(wide, "model-3.safetensors");
	assert_contains(wide, "and 8 more");
	assert_contains(wide, "-v2");
	assert_int_equal(ioctl(terminal, TIOCSWINSZ, &narrow), 0);
	free(drain(master));
	free(drain_frames(master, 2)); /* the first may be from before the change */
	wb_autofree char *thin = drain_frames(master, 1);

	assert_true(widest(thin) <= 40);
	assert_null(strstr(thin, "\x1b[6A")); /* a frame never is as high as the window */
	wb_step_end(s, 0, &err);
	wb_progress_free(p);
	wb_autofree char *last = drain(master);

	const char *frame = last;

	for (const char *at = last; (at = strstr(at, "[+] Building")); at++)
		frame = at;
	assert_contains(frame, "FINISHED");
	assert_null(strstr(frame, "safetensors"));
	unsetenv("NO_COLOR");
	close(master);
	close(terminal);
}

/* --- threads ------------------------------------------------------------------------------ */

static void *work(void *arg)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_progress *p = arg;

	for (int n = 0; n < 40; n++) {
		struct wb_step *s = wb_step_begin(p, "step %d", n);

		for (int k = 0; k < 20; k++) {
			struct wb_item *i = wb_item_begin(s, 1000, "item %d", k);

			for (unsigned b = 1; b <= 10; b++)
				wb_item_set(i, 100 * b);
			wb_step_detail(s, "%d", k);
			wb_item_end(i);
		}
		wb_step_end(s, 0, &err);
	}
	return NULL;
}

static void many_threads_may_report(void **state)
{
	static const enum wb_progress_mode modes[] = {
		WB_PROGRESS_PLAIN, WB_PROGRESS_TTY, WB_PROGRESS_RAWJSON};

	(void)state;
	for (size_t m = 0; m < WB_ARRAY_LEN(modes); m++) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		struct wb_progress *p = wb_progress_new(modes[m], null, "Building");
		pthread_t threads[4];

		for (size_t i = 0; i < WB_ARRAY_LEN(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, work, p), 0);
		for (size_t i = 0; i < WB_ARRAY_LEN(threads); i++)
			pthread_join(threads[i], NULL);
		wb_progress_free(p);
		close(null);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_are_named),
		cmocka_unit_test(nothing_works_without_a_display),
		cmocka_unit_test(plain_numbers_the_steps),
		cmocka_unit_test(names_are_redacted_and_printable),
		cmocka_unit_test(rawjson_has_the_shape_of_buildx),
		cmocka_unit_test(a_quick_run_shows_nothing),
		cmocka_unit_test(the_view_fits_the_window),
		cmocka_unit_test(many_threads_may_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
