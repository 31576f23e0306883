#include "builder/runtime/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

#define PROGRAM "fetch" /* beside this one */
#define LIST ".wbuild/fetch.json"
#define TEXT_MAX 4096
#define POLL_MS 100
#define PATIENCE_MS 5000 /* from SIGTERM to SIGKILL */

extern char **environ;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static char *program(struct wb_err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	wb_autofree char *dir = n > 0 ? wb_path_dirname(self) : wb_strdup("/.wbuild");
	wb_autofree char *path = wb_path_join(dir, PROGRAM);

	if (!access(path, X_OK))
		return wb_steal(path);
	wb_err_set(err, WB_ERR_UNSUPPORTED, "this image has no \"%s\" to fetch with", path);
	wb_err_hint(err, "wbuild puts it into images that have use_volume entries");
	return NULL;
}

/* In the child: nothing may be left of this process but what a new program inherits. */
static void run(const char *path, char *const *argv, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO)
		execve(path, argv, environ);
	_exit(126);
}

static int spawn(struct wb_fetching *f, const char *path, char *const *argv, struct wb_err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return wb_err_sys(err, errno, "cannot make a pipe");
	pid_t pid = fork();

	if (pid == 0)
		run(path, argv, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return wb_err_sys(err, errno, "cannot start \"%s\"", path);
	}
	f->pid = pid;
	f->out = ends[0];
	f->start = now();
	wb_buf_init(&f->text, TEXT_MAX, "what the fetching program says");
	return 0;
}

int wb_fetching_start(struct wb_fetching *f, const struct wb_stub_options *o, struct wb_err *err)
{
	wb_autofree char *path = program(err);
	wb_autofree char *list = wb_path_join(o->from ? o->from : "/", LIST);
	char jobs[16];
	WB_VEC(const char *) argv = {0};

	if (!path)
		return -1;
	snprintf(jobs, sizeof(jobs), "%u", o->verify.threads);
	*wb_vec_push(&argv) = path;
	if (!access(list, F_OK)) {
		*wb_vec_push(&argv) = "--list";
		*wb_vec_push(&argv) = list;
	}
	if (o->cache_dir) {
		*wb_vec_push(&argv) = "--cache-dir";
		*wb_vec_push(&argv) = o->cache_dir;
	}
	if (o->verify.threads) {
		*wb_vec_push(&argv) = "--jobs";
		*wb_vec_push(&argv) = jobs;
	}
	if (o->verify.mode == WB_VERIFY_FULL)
		*wb_vec_push(&argv) = "--full";
	if (o->quiet)
		*wb_vec_push(&argv) = "--quiet";
	wb_vec_push(&argv);
	int rc = spawn(f, path, (char *const *)argv.items, err);

	wb_vec_free(&argv);
	return rc;
}

/* ---- its end ---- */

static bool exited(struct wb_fetching *f, int *status, int flags)
{
	pid_t pid = waitpid(f->pid, status, flags);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	if (pid < 0)
		*status = 0; /* somebody else waits for our children */
	f->pid = 0;
	return true;
}

void wb_fetching_release(struct wb_fetching *f)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000000L};
	int status;

	wb_closep(&f->out);
	wb_buf_release(&f->text);
	if (f->pid <= 0)
		return;
	kill(f->pid, SIGTERM);
	for (int waited = 0; !exited(f, &status, WNOHANG); waited += 20) {
		if (waited >= PATIENCE_MS) /* not before: it leaves what can be continued */
			kill(f->pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
}

static bool number(uint64_t *out, const char **p, char end)
{
	size_t n = strspn(*p, "0123456789");
	wb_autofree char *digits = wb_strndup(*p, n);

	if (!wb_parse_u64(out, digits) || (*p)[n] != end)
		return false;
	*p += n + 1;
	return true;
}

/* The rest of the line that begins with word, printable, or NULL. */
static char *line_of(const char *text, const char *word)
{
	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (!wb_str_starts(p, word))
			continue;
		wb_autofree char *line =
			wb_strndup(p + strlen(word), strcspn(p + strlen(word), "\n"));

		return wb_text_quote(line, 900);
	}
	return NULL;
}

int wb_fetched_parse(struct wb_fetched *out, const char *text, int status, struct wb_err *err)
{
	struct wb_fetched f = {.done = true};
	wb_autofree char *error = line_of(text, "error "), *hint = line_of(text, "hint ");
	bool failed = !WIFEXITED(status) || WEXITSTATUS(status);

	if (!failed && number(&f.files, &text, ' ') && number(&f.bytes, &text, ' ') &&
		number(&f.found_files, &text, ' ') && number(&f.found_bytes, &text, ' ') &&
		number(&f.transferred, &text, '\n') && !*text) {
		*out = f;
		return 0;
	}
	enum wb_code code = !failed                    ? WB_ERR_FORMAT
	                    : WEXITSTATUS(status) == 3 ? WB_ERR_INTEGRITY
	                    : WEXITSTATUS(status) == 2 ? WB_ERR_CONFIG
	                                               : WB_ERR_NET;

	if (error)
		wb_err_set(err, code, "%s", error);
	else if (WIFSIGNALED(status))
		wb_err_set(
			err, code, "the fetching program was ended by signal %d", WTERMSIG(status));
	else
		wb_err_set(err, code, "the fetching program ended with status %d",
			WEXITSTATUS(status));
	return hint ? wb_err_hint(err, "%s", hint) : -1;
}

/* More of what it says; false at its end. */
static bool listen(struct wb_fetching *f)
{
	char part[512];
	struct wb_err ignored = WB_ERR_INIT;
	ssize_t n = read(f->out, part, sizeof(part));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n > 0 && f->text.len + (size_t)n < TEXT_MAX)
		(void)!wb_buf_add(&f->text, part, (size_t)n, &ignored);
	return n > 0;
}

int wb_fetching_wait(struct wb_fetched *out, struct wb_fetching *f, const struct wb_stub_options *o,
	struct wb_err *err)
{
	int status = 0;

	if (!f->pid)
		return 0;
	for (bool more = true; more;) {
		struct pollfd end = {.fd = f->out, .events = POLLIN};

		if (wb_cancel_check(err))
			return -1;
		if (o->verify.deadline > 0 && now() - f->start > o->verify.deadline)
			return wb_err_set(err, WB_ERR_LIMIT, "fetching passed its deadline of %g s",
				o->verify.deadline);
		if (poll(&end, 1, POLL_MS) > 0)
			more = listen(f);
	}
	while (!exited(f, &status, 0))
		;
	return wb_fetched_parse(out, f->text.data ? f->text.data : "", status, err);
}
