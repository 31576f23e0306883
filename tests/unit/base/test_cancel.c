#include "wbtest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"

/* Signals end what they reach, so each case is a child; -> its exit status. */
static int in_child(int (*body)(void), char *said, size_t size)
{
	int fds[2], status;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		_exit(body());
	}
	close(fds[1]);
	ssize_t n = read(fds[0], said, size - 1);

	said[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int one_signal(void)
{
	struct wb_err err = WB_ERR_INIT;

	wb_cancel_install();
	if (wb_cancelled() || wb_cancel_check(&err))
		return 1;
	raise(SIGTERM);
	if (!wb_cancelled() || wb_cancel_signal() != SIGTERM || !wb_cancel_check(&err))
		return 2;
	return err.code == WB_ERR_CANCELLED && strstr(err.hint, "again") ? 0 : 3;
}

static int two_signals(void)
{
	wb_cancel_install();
	raise(SIGINT);
	raise(SIGTERM);
	return 1;
}

static int broken_pipe(void)
{
	int fds[2];

	wb_cancel_install();
	if (pipe(fds))
		return 1;
	close(fds[0]);
	return write(fds[1], "x", 1) < 0 && !wb_cancelled() ? 0 : 2;
}

/* What `ulimit -f` sends would end the process in the middle of a file, without a word. */
static int file_too_large(void)
{
	const struct rlimit small = {100, 100};
	FILE *f = tmpfile();
	char bytes[200] = "";

	wb_cancel_install();
	if (!f || setrlimit(RLIMIT_FSIZE, &small) || write(fileno(f), bytes, 200) != 100)
		return 1;
	return write(fileno(f), bytes, 1) < 0 && errno == EFBIG && !wb_cancelled() ? 0 : 2;
}

static void the_first_signal_asks_to_stop(void **state)
{
	char said[300];

	assert_int_equal(in_child(one_signal, said, sizeof(said)), 0);
	assert_contains(said, "a second signal ends it at once");
}

static void the_second_one_ends_it(void **state)
{
	char said[300];

	assert_int_equal(in_child(two_signals, said, sizeof(said)), 128 + SIGTERM);
}

static void a_closed_pipe_is_an_error_and_not_the_end(void **state)
{
	char said[300];

	assert_int_equal(in_child(broken_pipe, said, sizeof(said)), 0);
}

static void a_file_over_the_limit_is_an_error_and_not_the_end(void **state)
{
	char said[300];

	assert_int_equal(in_child(file_too_large, said, sizeof(said)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_signal_asks_to_stop),
		cmocka_unit_test(the_second_one_ends_it),
		cmocka_unit_test(a_closed_pipe_is_an_error_and_not_the_end),
		cmocka_unit_test(a_file_over_the_limit_is_an_error_and_not_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
