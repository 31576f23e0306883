/* Folders below a root: never out of it, with the kernel's help or without. */
#include "wbtest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layers/root.h"

/* root/in/file, a link in it that stays inside, and links that lead out in every way. */
static char *make_tree(void)
{
	char *dir = wbtest_dir();
	wb_autofree char *cmd =
		wb_asprintf("cd %s && mkdir -p root/in/deep outside && ln -s in root/link && "
			    "ln -s ../outside root/up && ln -s /etc root/abs && "
			    "ln -s ../../../../../../../../etc root/in/far && "
			    "touch root/in/file outside/secret",
			dir);

	assert_int_equal(system(cmd), 0);
	return dir;
}

/* Opens the path and says whether that is the folder of this name. */
static bool leads_to(const struct wb_root *r, const char *path, const char *dir, const char *name)
{
	wb_autofree char *want = wb_asprintf("%s/%s", dir, name);
	struct stat a, b;
	int fd = wb_root_open_dir(r, path);
	bool same = fd >= 0 && !fstat(fd, &a) && !stat(want, &b) && a.st_ino == b.st_ino &&
	            a.st_dev == b.st_dev;

	if (fd >= 0)
		close(fd);
	return same;
}

static bool leads_nowhere(const struct wb_root *r, const char *path)
{
	int fd = wb_root_open_dir(r, path);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void stays_inside(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char *dir = make_tree();
	wb_autofree char *path = wb_asprintf("%s/root", dir);
	struct wb_root r = WB_ROOT_INIT;

	assert_ok(wb_root_init(&r, path, &err), &err);
	assert_false(r.whole);
	assert_true(leads_to(&r, "", dir, "root"));
	assert_true(leads_to(&r, "in/deep", dir, "root/in/deep"));
	assert_true(leads_to(&r, "link/deep", dir, "root/in/deep")); /* as a container sees it */
	assert_true(leads_nowhere(&r, "up"));
	assert_true(leads_nowhere(&r, "abs"));
	assert_true(leads_nowhere(&r, "in/far"));
	assert_true(leads_nowhere(&r, "in/file"));
	wb_root_release(&r);
	assert_int_equal(wb_root_init(&r, "/nonexistent", &err), -1);
	assert_contains(err.text, "\"/nonexistent\"");
	wbtest_rmdir(dir);
}

/* What a container's seccomp profile of some years ago does. */
static int forbid_openat2(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = WB_ARRAY_LEN(filter), .filter = filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static int without_openat2(const char *dir, int error)
{
	wb_autofree char *path = wb_asprintf("%s/root", dir);
	struct wb_err err = WB_ERR_INIT;
	struct wb_root r = WB_ROOT_INIT, slash = WB_ROOT_INIT;

	if (forbid_openat2(error) || wb_root_init(&r, path, &err) ||
		wb_root_init(&slash, "/", &err))
		return 10;
	wb_autofree char *full = wb_asprintf("%s/root/link/deep", dir);
	int rc = !leads_to(&r, "in/deep", dir, "root/in/deep")      ? 1
	         : !leads_nowhere(&r, "link/deep")                  ? 2 /* no links at all then */
	         : !leads_nowhere(&r, "up")                         ? 3
	         : !leads_nowhere(&r, "abs")                        ? 4
	         : !leads_nowhere(&r, "in/nothing/more")            ? 5
	         : !leads_to(&slash, full + 1, dir, "root/in/deep") ? 6
	                                                            : 0;

	wb_root_release(&r);
	wb_root_release(&slash);
	return rc;
}

static void older_kernels(void **state)
{
	static const int errors[] = {ENOSYS, EPERM};
	char *dir = make_tree();

	for (size_t i = 0; i < WB_ARRAY_LEN(errors); i++) {
		int status = 0;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			exit(without_openat2(dir, errors[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	wbtest_rmdir(dir);
}

static void parents(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char *dir = make_tree();
	wb_autofree char *path = wb_asprintf("%s/root", dir);
	struct wb_root r = WB_ROOT_INIT;
	struct wb_root_dir d = WB_ROOT_DIR_INIT;
	const char *name;

	assert_ok(wb_root_init(&r, path, &err), &err);
	int first = wb_root_parent(&d, &r, "in/file", &name);

	assert_true(first >= 0);
	assert_string_equal(name, "file");
	assert_int_equal(wb_root_parent(&d, &r, "in/other", &name), first); /* looked up once */
	assert_int_equal(wb_root_parent(&d, &r, "i", &name) < 0, 0);
	assert_string_equal(name, "i");
	errno = 0;
	assert_int_equal(wb_root_parent(&d, &r, "none/x", &name), -1);
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_int_equal(wb_root_parent(&d, &r, "none/y", &name), -1); /* and remembered */
	assert_int_equal(errno, ENOENT);
	wb_root_dir_release(&d);
	wb_root_release(&r);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_inside),
		cmocka_unit_test(older_kernels),
		cmocka_unit_test(parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
