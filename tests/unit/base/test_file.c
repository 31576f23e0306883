#include "wbtest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/path.h"

struct place {
	char *dir, *file;
	atomic_bool stop;
};

static int make_place(void **state)
{
	struct place *p = wb_zalloc(sizeof(*p));

	p->dir = wbtest_dir();
	p->file = wb_path_join(p->dir, "file");
	*state = p;
	return 0;
}

static int drop_place(void **state)
{
	struct place *p = *state;

	wbtest_rmdir(p->dir);
	free(p->file);
	free(p);
	return 0;
}

static size_t count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void check_content(const char *path, const char *want)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;
	struct wb_err err = WB_ERR_INIT;

	wb_buf_init(&b, 1 << 20, "file");
	assert_ok(wb_file_read(&b, path, &err), &err);
	assert_string_equal(b.data, want);
}

static void appears_on_commit_only(void **state)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct stat st;
	bool existed = true;

	assert_ok(wb_file_create(&f, p->file, 0640, 0, &err), &err);
	f.mtime = 1000;
	wb_file_reserve(&f, 1 << 20);
	wb_file_write(&f, "hello ", 6);
	wb_file_write(&f, "world", 5);
	assert_int_not_equal(access(p->file, F_OK), 0);
	assert_ok(wb_file_commit(&f, &existed, &err), &err);
	assert_false(existed);
	check_content(p->file, "hello world");
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtime, 1000);
	assert_true(st.st_blocks * 512 < 1 << 20);
	assert_int_equal(count_entries(p->dir), 1);
}

static void without_commit_there_is_no_trace(void **state)
{
	struct wb_file f = WB_FILE_INIT;
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_create(&f, p->file, 0644, 0, &err), &err);
	wb_file_write(&f, "x", 1);
	assert_int_equal(count_entries(p->dir), 1);
	wb_file_release(&f);
	assert_int_equal(count_entries(p->dir), 0);
	wb_file_release(&f);
}

static void an_existing_target_stays_unless_replaced(void **state)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	bool existed = false;

	assert_ok(wb_file_put(p->file, "old", 3, 0644, 0, &err), &err);
	assert_ok(wb_file_create(&f, p->file, 0644, 0, &err), &err);
	wb_file_write(&f, "new", 3);
	assert_ok(wb_file_commit(&f, &existed, &err), &err);
	assert_true(existed);
	check_content(p->file, "old");
	assert_ok(wb_file_put(p->file, "new", 3, 0644, WB_FILE_REPLACE, &err), &err);
	check_content(p->file, "new");
	assert_int_equal(count_entries(p->dir), 1);
}

static void the_name_may_be_chosen_last(void **state)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	struct place *p = *state;
	wb_autofree char *other = wb_path_join(p->dir, "other");
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_create(&f, p->file, 0644, WB_FILE_NOSYNC, &err), &err);
	wb_file_rename(&f, other);
	assert_ok(wb_file_commit(&f, NULL, &err), &err);
	check_content(other, "");
	assert_int_equal(count_entries(p->dir), 1);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
	struct wb_file f = WB_FILE_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_file_create(&f, "/nonexistent/x", 0644, 0, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "\"/nonexistent\"");
	assert_int_equal(f.fd, -1);
	wb_file_release(&f);
}

static int write_beyond_the_limit(const char *path)
{
	const struct rlimit small = {1 << 20, 1 << 20};
	struct wb_file f = WB_FILE_INIT;
	struct wb_err err = WB_ERR_INIT;
	char *chunk = wb_zalloc(300000);

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	if (wb_file_create(&f, path, 0644, WB_FILE_STREAM, &err))
		return 1;
	for (int i = 0; i < 10; i++)
		wb_file_write(&f, chunk, 300000);
	int rc = wb_file_commit(&f, NULL, &err);

	wb_file_release(&f);
	free(chunk);
	if (!rc)
		return 2;
	return err.errnum == EFBIG && strstr(err.text, path) ? 0 : 3;
}

static void a_failed_write_fails_the_commit_and_leaves_nothing(void **state)
{
	struct place *p = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(write_beyond_the_limit(p->file));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(count_entries(p->dir), 0);
}

static void reading_is_bounded(void **state)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_put(p->file, "0123456789", 10, 0644, 0, &err), &err);
	wb_buf_init(&b, 9, "config");
	assert_err(wb_file_read(&b, p->file, &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, p->file);
	assert_contains(err.text, "limit of 9 bytes");
	assert_err(wb_file_read(&b, p->dir, &err), &err, WB_ERR_IO);
}

static void what_is_no_file_does_not_hang(void **state)
{
	const struct place *p = *state;
	wb_autofree char *pipe_path = wb_path_join(p->dir, "pipe");
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;

	wb_buf_init(&b, 100, "text");
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	assert_err(wb_file_read_regular(&b, pipe_path, &err), &err, WB_ERR_FORMAT);
	assert_err(wb_file_read_regular(&b, p->dir, &err), &err, WB_ERR_FORMAT);
	assert_err(wb_file_read_regular(&b, "/dev/zero", &err), &err, WB_ERR_FORMAT);
}

static void exact_reads(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	char got[11] = "";

	assert_ok(wb_file_put(p->file, "0123456789", 10, 0644, 0, &err), &err);
	wb_autoclose int fd = open(p->file, O_RDONLY | O_CLOEXEC);

	assert_ok(wb_file_read_full(fd, got, 4, 6, "name", &err), &err);
	assert_string_equal(got, "6789");
	assert_ok(wb_file_read_full(fd, got, 10, -1, "name", &err), &err);
	assert_string_equal(got, "0123456789");
	assert_err(wb_file_read_full(fd, got, 2, 9, "name", &err), &err, WB_ERR_IO);
	assert_string_equal(err.text, "\"name\" ended early");
}

static void folders_on_the_way(void **state)
{
	struct place *p = *state;
	wb_autofree char *deep = wb_path_join(p->dir, "a/b/c");
	wb_autofree char *below = wb_path_join(p->file, "x");
	struct wb_err err = WB_ERR_INIT;
	struct stat st;

	assert_ok(wb_mkdirs(deep, 0700, &err), &err);
	assert_ok(wb_mkdirs(deep, 0700, &err), &err);
	assert_int_equal(stat(deep, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_ok(wb_file_put(p->file, "", 0, 0644, 0, &err), &err);
	assert_err(wb_mkdirs(p->file, 0755, &err), &err, WB_ERR_IO);
	assert_err(wb_mkdirs(below, 0755, &err), &err, WB_ERR_IO);
	assert_contains(err.text, below);
}

static void removing_does_not_follow_links(void **state)
{
	struct place *p = *state;
	wb_autofree char *tree = wb_path_join(p->dir, "tree");
	wb_autofree char *inner = wb_path_join(tree, "a/b");
	wb_autofree char *link = wb_path_join(tree, "a/link");
	wb_autofree char *kept = wb_path_join(p->dir, "kept");
	wb_autofree char *kept_file = wb_path_join(kept, "file");
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_mkdirs(inner, 0755, &err), &err);
	assert_ok(wb_mkdirs(kept, 0755, &err), &err);
	assert_ok(wb_file_put(kept_file, "", 0, 0644, 0, &err), &err);
	assert_int_equal(symlink(kept, link), 0);
	assert_ok(wb_remove_tree(tree, &err), &err);
	assert_int_not_equal(access(tree, F_OK), 0);
	assert_int_equal(access(kept_file, F_OK), 0);
	assert_ok(wb_remove_tree(tree, &err), &err);
}

/* What file systems answer that lack a call: 0, or an error. */
struct answer {
	int call, errnum;
};

static int answer(const struct answer *answers, size_t n)
{
	struct sock_filter filter[32] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_filter *f = filter + 1;

	for (size_t i = 0; i < n; i++) {
		*f++ = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)answers[i].call, 0, 1);
		*f++ = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)answers[i].errnum);
	}
	*f++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {.len = (unsigned short)(f - filter), .filter = filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* -> what run() returns in a process of its own, where these calls have these answers */
static int run_with(
	const struct answer *answers, size_t n, int (*run)(const struct place *p), struct place *p)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(answer(answers, n) ? 100 : run(p));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

static int copy_of_file(const struct place *p)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	wb_autofree char *copy = wb_path_join(p->dir, "copy");
	wb_autoclose int in = open(p->file, O_RDONLY | O_CLOEXEC);
	struct wb_err err = WB_ERR_INIT;

	if (in < 0 || wb_file_create(&f, copy, 0640, WB_FILE_REPLACE, &err) ||
		wb_file_fill(&f, in, p->file, &err))
		return 1;
	return f.size != 7 || wb_file_commit(&f, NULL, &err) ? 2 : 0;
}

static void copies_are_whole_on_any_file_system(void **state)
{
	static const struct answer answers[][2] = {
		{{SYS_copy_file_range, 0}, {SYS_ioctl, EOPNOTSUPP}}, /* "nothing to copy" */
		{{SYS_copy_file_range, EXDEV}, {SYS_ioctl, EXDEV}},
		{{SYS_copy_file_range, EPERM}, {SYS_ioctl, EPERM}},
		{{SYS_ioctl, EOPNOTSUPP}, {SYS_ioctl, EOPNOTSUPP}},
	};
	struct place *p = *state;
	wb_autofree char *copy = wb_path_join(p->dir, "copy");
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_put(p->file, "content", 7, 0600, 0, &err), &err);
	for (size_t i = 0; i < WB_ARRAY_LEN(answers); i++) {
		assert_int_equal(run_with(answers[i], 2, copy_of_file, p), 0);
		check_content(copy, "content");
		assert_int_equal(unlink(copy), 0);
	}
	assert_int_equal(copy_of_file(p), 0);
	check_content(copy, "content");
}

static int put_twice(const struct place *p)
{
	struct wb_err err = WB_ERR_INIT;
	bool existed[2] = {true, false};

	for (int i = 0; i < 2; i++) {
		WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;

		if (wb_file_create(&f, p->file, 0644, WB_FILE_NOSYNC, &err))
			return 1;
		wb_file_write(&f, i ? "second" : "first", i ? 6 : 5);
		if (wb_file_commit(&f, &existed[i], &err))
			return 2;
	}
	return existed[0] || !existed[1] ? 3 : 0;
}

static void a_name_is_given_on_any_file_system(void **state)
{
	static const struct answer answers[][2] = {
		{{SYS_renameat2, EINVAL}, {SYS_renameat2, EINVAL}}, /* NFS */
		{{SYS_renameat2, EINVAL}, {SYS_linkat, EPERM}},
		{{SYS_renameat2, EINVAL}, {SYS_linkat, EOPNOTSUPP}},
		{{SYS_renameat2, ENOSYS}, {SYS_linkat, ENOSYS}},
	};
	struct place *p = *state;

	for (size_t i = 0; i < WB_ARRAY_LEN(answers); i++) {
		assert_int_equal(run_with(answers[i], 2, put_twice, p), 0);
		check_content(p->file, "first");
		assert_int_equal(count_entries(p->dir), 1);
		assert_int_equal(unlink(p->file), 0);
	}
}

/* Temporaries are of a living writer, or of a dead one. */
static void what_dead_writers_left_is_tidied(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_file_release) struct wb_file alive = WB_FILE_INIT;
	wb_autofree char *dead = wb_path_join(p->dir, ".wbtmp.dead00");
	wb_autofree char *fresh = wb_path_join(p->dir, ".wbtmp.fresh0");
	wb_autofree char *other = wb_path_join(p->dir, "wbtmp.other");

	assert_ok(wb_file_create(&alive, p->file, 0644, 0, &err), &err);
	wb_file_write(&alive, "x", 1);
	assert_ok(wb_file_put(dead, "x", 1, 0600, 0, &err), &err);
	assert_ok(wb_file_put(fresh, "", 0, 0600, 0, &err), &err);
	assert_ok(wb_file_put(other, "x", 1, 0600, 0, &err), &err);
	wb_file_tidy(p->dir);
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(fresh, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	assert_ok(wb_file_commit(&alive, NULL, &err), &err);
	check_content(p->file, "x");
	wb_file_tidy("/nonexistent");
}

static void *tidy_until_told(void *arg)
{
	struct place *p = arg;

	while (!atomic_load(&p->stop))
		wb_file_tidy(p->dir);
	return NULL;
}

/* A file that was just made, and is not locked yet, may be taken for one of a dead writer. */
static void a_writer_that_just_began_is_not_harmed(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	pthread_t thread;

	atomic_store(&p->stop, false);
	assert_int_equal(pthread_create(&thread, NULL, tidy_until_told, p), 0);
	for (int i = 0; i < 1000; i++)
		if (wb_file_put(p->file, "x", 1, 0600, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err))
			break;
	atomic_store(&p->stop, true);
	pthread_join(thread, NULL);
	assert_ok(err.code == WB_OK ? 0 : -1, &err);
}

/* Below a folder that is open, without following a link, and from another folder to its name. */
static void files_in_open_folders(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	wb_autofree char *inside = wb_path_join(p->dir, "a/b/file");
	wb_autofree char *moved = wb_path_join(p->dir, "a/elsewhere");
	wb_autofree char *folder = wb_path_join(p->dir, "a/b");
	wb_autofree char *there = wb_path_join(p->dir, "a/elsewhere/file");
	wb_autoclose int top = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wb_autoclose int dir = wb_open_below(top, p->dir, "a/b/file", strlen("a/b/"), &err);

	assert_true(dir >= 0);
	assert_ok(wb_file_create_at(&f, dir, top, inside, 0640, WB_FILE_REPLACE, &err), &err);
	wb_file_write(&f, "abc", 3);
	assert_int_equal(rename(folder, moved), 0);
	assert_int_equal(symlink(p->dir, folder), 0);
	assert_ok(wb_file_commit(&f, NULL, &err), &err);
	check_content(there, "abc");
	assert_ok(wb_file_put_at(dir, inside, "de", 2, 0640, WB_FILE_REPLACE, &err), &err);
	check_content(there, "de");
	WB_AUTO(wb_lock_release) struct wb_lock lock = WB_LOCK_INIT;

	assert_true(wb_lock_try_at(&lock, dir, inside, true));
	assert_int_equal(symlinkat("nothing", dir, "lock"), 0);
	assert_false(wb_lock_try_at(&lock, dir, "a/b/lock", true));
	assert_int_equal(errno, ELOOP);
	assert_int_equal(faccessat(dir, "nothing", F_OK, 0), -1);
	assert_err(wb_open_below(top, p->dir, "a/b", 3, &err), &err, WB_ERR_IO);
	assert_contains(err.text, "a/b");
	assert_contains(err.hint, "link");
}

static void a_wait_for_a_lock_can_be_stopped(void **state)
{
	struct place *p = *state;
	struct wb_lock held = WB_LOCK_INIT, wanted = WB_LOCK_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_lock_acquire(&held, p->file, true, &err), &err);
	wb_cancel_request(SIGTERM);
	assert_err(wb_lock_acquire(&wanted, p->file, false, &err), &err, WB_ERR_CANCELLED);
	wb_cancel_request(0);
	assert_int_equal(wanted.fd, -1);
	wb_lock_release(&held);
}

static void locks_exclude(void **state)
{
	struct place *p = *state;
	struct wb_lock a = WB_LOCK_INIT, b = WB_LOCK_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_lock_acquire(&a, p->file, false, &err), &err);
	assert_true(wb_lock_try(&b, p->file, false));
	wb_lock_release(&b);
	errno = 0;
	assert_false(wb_lock_try(&b, p->file, true));
	assert_int_equal(errno, EWOULDBLOCK);
	wb_lock_release(&a);
	assert_true(wb_lock_try(&b, p->file, true));
	assert_false(wb_lock_try(&a, p->file, false));
	wb_lock_release(&b);
	wb_lock_release(&b);
	assert_err(wb_lock_acquire(&a, "/nonexistent/lock", true, &err), &err, WB_ERR_NOT_FOUND);
	assert_false(wb_lock_try(&a, "/nonexistent/lock", true)); /* and never will be had */
	assert_int_equal(errno, ENOENT);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_place, drop_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(appears_on_commit_only),
		CASE(without_commit_there_is_no_trace),
		CASE(an_existing_target_stays_unless_replaced),
		CASE(the_name_may_be_chosen_last),
		CASE(a_folder_that_is_not_there_is_named),
		CASE(a_failed_write_fails_the_commit_and_leaves_nothing),
		CASE(reading_is_bounded),
		CASE(what_is_no_file_does_not_hang),
		CASE(exact_reads),
		CASE(folders_on_the_way),
		CASE(removing_does_not_follow_links),
		CASE(copies_are_whole_on_any_file_system),
		CASE(a_name_is_given_on_any_file_system),
		CASE(what_dead_writers_left_is_tidied),
		CASE(a_writer_that_just_began_is_not_harmed),
		CASE(files_in_open_folders),
		CASE(a_wait_for_a_lock_can_be_stopped),
		CASE(locks_exclude),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
