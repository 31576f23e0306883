#include "wbtest.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci/journal.h"

static char *dir;
static const struct wb_digest blob = {{1, 2, 3}};

static int setup(void **state)
{
	dir = wbtest_dir();
	return 0;
}

static int teardown(void **state)
{
	wbtest_rmdir(dir);
	return 0;
}

static struct wb_upload_state state_of(const char *location, uint64_t acked)
{
	return (struct wb_upload_state){.location = (char *)location,
		.acked = acked,
		.size = 100,
		.started = (uint64_t)time(NULL)};
}

static void another_process_goes_on(void **state)
{
	struct wb_journal j, again;
	struct wb_upload_state s = state_of("https://r.io/u/1?s=%20", 40), got = {0};

	wb_journal_open(&j, dir, "r.io", "a/b", &blob);
	assert_non_null(j.path);
	assert_false(wb_journal_read(&got, &j));
	wb_journal_write(&j, &s);
	s.acked = 60;
	wb_journal_write(&j, &s);
	wb_journal_release(&j); /* as a dead process leaves it */

	wb_journal_open(&again, dir, "r.io", "a/b", &blob);
	assert_true(wb_journal_read(&got, &again));
	assert_string_equal(got.location, s.location);
	assert_true(got.acked == 60 && got.size == 100 && got.started == s.started);
	wb_upload_state_release(&got);

	struct stat st;

	assert_int_equal(stat(again.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	wb_journal_drop(&again);
	assert_false(wb_journal_read(&got, &again));
	wb_journal_release(&again);
}

static void one_holder_at_a_time(void **state)
{
	struct wb_journal a, b, other;
	struct wb_upload_state s = state_of("https://r.io/u", 1), got = {0};

	wb_journal_open(&a, dir, "r.io", "a/b", &blob);
	wb_journal_write(&a, &s);
	wb_journal_open(&b, dir, "r.io", "a/b", &blob);
	wb_journal_open(&other, dir, "r.io", "a/c", &blob);
	assert_null(b.path); /* goes without */
	assert_false(wb_journal_read(&got, &b));
	wb_journal_write(&b, &s);
	wb_journal_drop(&b);
	assert_non_null(other.path);
	assert_true(wb_journal_read(&got, &a));
	wb_upload_state_release(&got);
	wb_journal_drop(&a);
	wb_journal_release(&a);
	wb_journal_release(&b);
	wb_journal_release(&other);
	wb_journal_open(&b, dir, "r.io", "a/b", &blob);
	assert_non_null(b.path);
	wb_journal_release(&b);
}

static void none_without_a_folder(void **state)
{
	struct wb_journal j;
	struct wb_upload_state s = state_of("https://r.io/u", 1), got = {0};

	wb_journal_open(&j, NULL, "r.io", "a/b", &blob);
	wb_journal_write(&j, &s);
	assert_false(wb_journal_read(&got, &j));
	wb_journal_drop(&j);
	wb_journal_release(&j);
	wb_journal_open(&j, "/dev/null/x", "r.io", "a/b", &blob);
	assert_null(j.path);
	wb_journal_release(&j);
}

static int parse(const char *text, uint64_t now, struct wb_err *err)
{
	struct wb_journal j = {.host = (char *)"r.io", .repository = (char *)"a/b", .digest = blob};
	struct wb_upload_state got = WB_UPLOAD_STATE_INIT;
	int rc = wb_upload_state_parse(&got, text, strlen(text), &j, now, err);

	if (rc)
		assert_null(got.location);
	wb_upload_state_release(&got);
	return rc;
}

#define DIGEST "sha256:0102030000000000000000000000000000000000000000000000000000000000"
#define ENTRY(version, host, location, acked, started)                                      \
	"{\"version\":" version ",\"host\":\"" host                                         \
	"\",\"repository\":\"a/b\",\"digest\":\"" DIGEST "\",\"size\":100,\"acked\":" acked \
	",\"started\":" started ",\"location\":\"" location "\"}"

static void what_is_read_is_checked(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	const uint64_t now = 1000000;

	assert_ok(parse(ENTRY("1", "r.io", "https://r.io/u", "100", "999999"), now, &err), &err);
	assert_err(parse("", now, &err), &err, WB_ERR_FORMAT);
	assert_err(parse("[]", now, &err), &err, WB_ERR_FORMAT);
	assert_err(parse("{\"version\":1}", now, &err), &err, WB_ERR_FORMAT);
	assert_err(parse(ENTRY("2", "r.io", "https://r.io/u", "1", "1"), now, &err), &err,
		WB_ERR_UNSUPPORTED);
	assert_err(parse(ENTRY("1", "x.io", "https://r.io/u", "1", "999999"), now, &err), &err,
		WB_ERR_FORMAT);
	assert_err(parse(ENTRY("1", "r.io", "https://r.io/u", "101", "999999"), now, &err), &err,
		WB_ERR_FORMAT);
	assert_err(parse(ENTRY("1", "r.io", "https://r.io/u", "-1", "999999"), now, &err), &err,
		WB_ERR_FORMAT);
	assert_err(parse(ENTRY("1", "r.io", "file:///etc/passwd", "1", "999999"), now, &err), &err,
		WB_ERR_FORMAT);
	assert_err(parse(ENTRY("1", "r.io", "https://r.io/\\n", "1", "999999"), now, &err), &err,
		WB_ERR_FORMAT);
	assert_err(parse(ENTRY("1", "r.io", "https://r.io/u", "1", "1"), now, &err), &err,
		WB_ERR_NOT_FOUND);
	assert_err(parse(ENTRY("1", "r.io", "https://r.io/u", "1", "1000001"), now, &err), &err,
		WB_ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_process_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(one_holder_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(none_without_a_folder, setup, teardown),
		cmocka_unit_test(what_is_read_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
