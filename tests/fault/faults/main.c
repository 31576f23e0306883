/* Makes one system call of a program fail:
 *
 *   faults count SECONDS REPORT PROGRAM...
 *   faults fail KIND N HOW SECONDS REPORT PROGRAM...
 *   faults record ROOT LOG DATA PROGRAM...
 *
 * KIND is one of kind_names; the N-th call of it (from 1) is denied with the errno HOW, or made
 * short, or ("ENOSPC+") it and all that follow are denied. "short" halves what is to be read or
 * written. FAULTS_ROOT is the program's root folder. Exit status: that of the program, 128 and the
 * signal, or 124 when it took too long.
 *
 * REPORT gets lines "calls KIND NUMBER", "hit CALL HOW WHAT", "fd NUMBER WHAT" (open when the
 * program ended by itself), "left N" (processes) and how it ended: "exit N", "signal N", "hung". */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"
#include "trace.h"

#define WHAT_MAX 4096

struct fault {
	bool counting;
	enum kind kind;
	unsigned long n;
	int error; /* 0: short */
	bool from_here_on;
	const char *how;
	unsigned long seen[KINDS];
	FILE *report;
};

static const struct {
	const char *name;
	int value;
} errors[] = {
	{"EIO", EIO},
	{"ENOSPC", ENOSPC},
	{"EDQUOT", EDQUOT},
	{"EMFILE", EMFILE},
	{"ENFILE", ENFILE},
	{"ENOMEM", ENOMEM},
	{"EAGAIN", EAGAIN},
	{"EINTR", EINTR},
	{"EACCES", EACCES},
	{"EPERM", EPERM},
	{"EROFS", EROFS},
	{"EMLINK", EMLINK},
	{"EXDEV", EXDEV},
	{"ENOSYS", ENOSYS},
	{"EINVAL", EINVAL},
	{"EOPNOTSUPP", EOPNOTSUPP},
	{"ENOLCK", ENOLCK},
	{"EPIPE", EPIPE},
	{"ECONNRESET", ECONNRESET},
	{"ECONNREFUSED", ECONNREFUSED},
	{"ENETUNREACH", ENETUNREACH},
	{"ETIMEDOUT", ETIMEDOUT},
};

static bool parse_how(struct fault *f, const char *how)
{
	size_t n = strlen(how);

	f->how = how;
	if (!strcmp(how, "short"))
		return true;
	f->from_here_on = n && how[n - 1] == '+';
	n -= f->from_here_on;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strlen(errors[i].name) == n && !strncmp(errors[i].name, how, n))
			f->error = errors[i].value;
	return f->error != 0;
}

static bool parse_kind(struct fault *f, const char *name)
{
	for (int k = 0; k < K_END; k++)
		if (!strcmp(name, kind_names[k])) {
			f->kind = (enum kind)k;
			return true;
		}
	return false;
}

static void describe(char *out, size_t size, const struct stop *s)
{
	const struct call *c = s->call;

	out[0] = '\0';
	if (c->path >= 0)
		trace_path(out, size, s, c->dir, c->path);
	else if (c->fd >= 0 && (int)s->args[c->fd] >= 0)
		trace_fd(out, size, s->pid, (int)s->args[c->fd]);
}

static enum verdict make_short(struct stop *s)
{
	uint64_t *count = s->call->count < 0 ? NULL : &s->args[s->call->count];

	if (!count || *count < 2)
		return GO;
	*count = *count / 2;
	return CHANGE;
}

static enum verdict before(struct stop *s, void *arg)
{
	struct fault *f = arg;
	enum kind kind = s->call->kind;
	char what[WHAT_MAX];

	/* copying a file is the one ioctl meant */
	if (!strcmp(s->call->name, "ioctl") && s->args[1] != FICLONE)
		return GO;
	/* from here on, but what the program has to say of it can be said */
	bool talk = kind == K_WRITE && s->args[0] <= 2;
	unsigned long n = ++f->seen[kind];

	if (f->counting || n < f->n || (n > f->n && (!f->from_here_on || talk)))
		return GO;
	enum verdict v = f->error ? DENY : make_short(s);

	if (v != GO && n == f->n) {
		describe(what, sizeof(what), s);
		fprintf(f->report, "hit %s %s %s\n", s->call->name, f->how, what);
	}
	s->result = -f->error;
	return v;
}

static void leaving(pid_t process, void *arg)
{
	struct fault *f = arg;
	char path[64], what[WHAT_MAX];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)process);
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));) {
		long fd = strtol(e->d_name, NULL, 10);

		trace_fd(what, sizeof(what), process, (int)fd);
		if (fd > 2)
			fprintf(f->report, "fd %ld %s\n", fd, what);
	}
	if (d)
		closedir(d);
}

static int tell(const struct fault *f, const struct end *end)
{
	int rc = WIFSIGNALED(end->status) ? 128 + WTERMSIG(end->status) : WEXITSTATUS(end->status);

	for (int k = 0; f->counting && k < K_END; k++)
		fprintf(f->report, "calls %s %lu\n", kind_names[k], f->seen[k]);
	if (end->left)
		fprintf(f->report, "left %d\n", end->left);
	if (end->hung)
		fprintf(f->report, "hung\n");
	else if (WIFSIGNALED(end->status))
		fprintf(f->report, "signal %d\n", WTERMSIG(end->status));
	else
		fprintf(f->report, "exit %d\n", rc);
	return end->hung ? 124 : rc;
}

static int run(struct fault *f, const char *seconds, const char *report, char **argv)
{
	struct tracer t = {.before = before, .leaving = leaving, .arg = f};
	struct end end;

	for (int k = 0; k < KINDS; k++)
		t.want[k] = f->counting || k == (int)f->kind || k == K_END;
	t.seconds = (unsigned)strtoul(seconds, NULL, 10);
	t.root = getenv("FAULTS_ROOT");
	f->report = fopen(report, "we");
	if (!f->report || trace_run(&end, &t, argv)) {
		perror("faults");
		return 125;
	}
	int rc = tell(f, &end);

	return fclose(f->report) ? 125 : rc;
}

int main(int argc, char **argv)
{
	struct fault f = {0};

	if (argc > 4 && !strcmp(argv[1], "count")) {
		f.counting = true;
		return run(&f, argv[2], argv[3], argv + 4);
	}
	if (argc > 7 && !strcmp(argv[1], "fail") && parse_kind(&f, argv[2]) &&
		parse_how(&f, argv[4])) {
		f.n = strtoul(argv[3], NULL, 10);
		return run(&f, argv[5], argv[6], argv + 7);
	}
	if (argc > 5 && !strcmp(argv[1], "record"))
		return record(argv[2], argv[3], argv[4], argv + 5);
	fprintf(stderr, "usage: faults count SECONDS REPORT PROGRAM...\n"
			"       faults fail KIND N HOW SECONDS REPORT PROGRAM...\n"
			"       faults record ROOT LOG DATA PROGRAM...\n");
	return 125;
}
