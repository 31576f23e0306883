#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

#define THREADS 256
#define LINGER_MS 1000 /* for processes that are about to end when the first one has */

struct thread {
	pid_t pid; /* 0: free */
	struct stop stop;
	bool in_call; /* its next stop is the call's end */
};

struct run {
	const struct tracer *t;
	pid_t main;
	struct thread threads[THREADS];
	uint64_t linker[2]; /* where the dynamic linker's code is */
	unsigned programs;  /* that the first process has been */
	uint64_t stops;
};

static volatile sig_atomic_t time_is_up;

static void on_alarm(int signum)
{
	(void)signum;
	time_is_up = 1;
}

/* For each call that is wanted: a comparison and "return TRACE". */
static int install_filter(const struct tracer *t)
{
	struct sock_filter code[2 * 128 + 4];
	struct sock_fprog program = {.filter = code};
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n_calls; i++) {
		if (!t->want[calls[i].kind])
			continue;
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].nr, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static _Noreturn void child(const struct tracer *t, const int gate[2], char **argv)
{
	char go;

	close(gate[1]);
	if ((!t->root || (chroot(t->root) == 0 && chdir("/") == 0)) && read(gate[0], &go, 1) == 1 &&
		install_filter(t) == 0) {
		close(gate[0]);
		execvp(argv[0], argv);
	}
	perror(argv[0]);
	_exit(127);
}

static int start(struct run *r, char **argv)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
	                     PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL |
	                     PTRACE_O_TRACESYSGOOD;
	int gate[2];

	if (pipe2(gate, O_CLOEXEC))
		return -1;
	r->main = fork();
	if (r->main == 0)
		child(r->t, gate, argv);
	close(gate[0]);
	int rc = r->main < 0 ? -1 : (int)ptrace(PTRACE_SEIZE, r->main, 0, options);

	if (rc == 0)
		rc = write(gate[1], "g", 1) == 1 ? 0 : -1;
	else if (r->main > 0)
		kill(r->main, SIGKILL);
	close(gate[1]);
	return rc;
}

/* The dynamic linker's code: the executable part of the one mapping of such a name. */
static void find_linker(struct run *r)
{
	char path[64], line[4400];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)r->main);
	FILE *f = fopen(path, "re");

	r->linker[0] = r->linker[1] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char *dash, *rights;
		uint64_t from = strtoull(line, &dash, 16), to = strtoull(dash + 1, &rights, 16);

		if (strstr(line, "/ld-linux") && !strncmp(rights, " r-x", 4)) {
			r->linker[0] = from;
			r->linker[1] = to;
		}
	}
	if (f)
		fclose(f);
}

static struct thread *thread_of(struct run *r, pid_t pid)
{
	struct thread *free_one = NULL;

	for (size_t i = 0; i < THREADS; i++) {
		if (r->threads[i].pid == pid)
			return &r->threads[i];
		if (!r->threads[i].pid && !free_one)
			free_one = &r->threads[i];
	}
	if (!free_one)
		abort();
	*free_one = (struct thread){.pid = pid};
	return free_one;
}

static void args_get(struct stop *s, const struct user_regs_struct *regs)
{
	const uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};

	memcpy(s->args, args, sizeof(args));
}

static void args_set(struct user_regs_struct *regs, const struct stop *s)
{
	regs->rdi = s->args[0];
	regs->rsi = s->args[1];
	regs->rdx = s->args[2];
	regs->r10 = s->args[3];
	regs->r8 = s->args[4];
	regs->r9 = s->args[5];
}

/* -> how the thread goes on. */
static enum __ptrace_request before_call(struct run *r, struct thread *th)
{
	struct user_regs_struct regs;
	struct stop *s = &th->stop;

	if (ptrace(PTRACE_GETREGS, th->pid, 0, &regs))
		return PTRACE_CONT;
	*s = (struct stop){.pid = th->pid, .call = call_find((long)regs.orig_rax)};
	if (!s->call || r->programs > 1 || (regs.rip >= r->linker[0] && regs.rip < r->linker[1]))
		return PTRACE_CONT;
	args_get(s, &regs);
	s->began = ++r->stops;
	if (s->call->kind == K_END) {
		if (th->pid == r->main && r->t->leaving)
			r->t->leaving(r->main, r->t->arg);
		return PTRACE_CONT;
	}
	switch (r->t->before(s, r->t->arg)) {
	case GO: break;
	case GO_RETURN: th->in_call = true; return PTRACE_SYSCALL;
	case DENY:
		regs.orig_rax = (unsigned long long)-1;
		regs.rax = (unsigned long long)s->result;
		ptrace(PTRACE_SETREGS, th->pid, 0, &regs);
		break;
	case CHANGE:
		args_set(&regs, s);
		ptrace(PTRACE_SETREGS, th->pid, 0, &regs);
		break;
	}
	return PTRACE_CONT;
}

static void after_call(struct run *r, struct thread *th)
{
	struct user_regs_struct regs;

	th->in_call = false;
	if (ptrace(PTRACE_GETREGS, th->pid, 0, &regs))
		return;
	th->stop.result = (int64_t)regs.rax;
	th->stop.ended = ++r->stops;
	r->t->after(&th->stop, r->t->arg);
}

static void stopped(struct run *r, pid_t pid, int status)
{
	struct thread *th = thread_of(r, pid);
	enum __ptrace_request how = PTRACE_CONT;
	int signum = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_EXEC && pid == r->main && ++r->programs == 1)
		find_linker(r);
	if (event == PTRACE_EVENT_SECCOMP)
		how = before_call(r, th);
	else if (event == 0 && signum == (SIGTRAP | 0x80) && th->in_call)
		after_call(r, th);
	ptrace(how, pid, 0, event || signum == (SIGTRAP | 0x80) ? 0 : signum);
}

static int alive(const struct run *r)
{
	int n = 0;

	for (size_t i = 0; i < THREADS; i++)
		n += r->threads[i].pid != 0;
	return n;
}

/* Waits for one thing to happen; false when there is nothing more to wait for. */
static bool step(struct run *r, struct end *out, bool *ended, int flags)
{
	int status;
	pid_t pid = waitpid(-1, &status, __WALL | flags);

	if (pid < 0 && errno == EINTR)
		return !time_is_up;
	if (pid <= 0)
		return false;
	if (WIFSTOPPED(status)) {
		stopped(r, pid, status);
		return true;
	}
	thread_of(r, pid)->pid = 0;
	if (pid == r->main) {
		out->status = status;
		*ended = true;
	}
	return true;
}

int trace_run(struct end *out, const struct tracer *t, char **argv)
{
	const struct timespec tick = {.tv_nsec = 10000000};
	struct sigaction action = {.sa_handler = on_alarm};
	struct run r = {.t = t};
	bool ended = false;

	*out = (struct end){0};
	if (start(&r, argv))
		return -1;
	sigaction(SIGALRM, &action, NULL);
	alarm(t->seconds);
	while (!ended && step(&r, out, &ended, 0))
		;
	out->hung = !ended;
	for (int i = 0; ended && alive(&r) && i < LINGER_MS / 10; i++)
		if (!step(&r, out, &ended, WNOHANG))
			nanosleep(&tick, NULL);
	out->left = alive(&r);
	for (size_t i = 0; i < THREADS; i++)
		if (r.threads[i].pid)
			kill(r.threads[i].pid, SIGKILL);
	return 0;
}

uint64_t trace_number(const struct stop *s, int arg)
{
	uint64_t value = 0;
	struct iovec to = {&value, sizeof(value)};
	struct iovec at = {(void *)(uintptr_t)s->args[arg], sizeof(value)};

	if (process_vm_readv(s->pid, &to, 1, &at, 1, 0) != (ssize_t)sizeof(value))
		abort();
	return value;
}

void trace_fd(char *out, size_t size, pid_t pid, int fd)
{
	char link[64];

	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	ssize_t n = readlink(link, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
}

static void read_text(char *out, size_t size, pid_t pid, uint64_t from)
{
	size_t n = 0;

	memset(out, 0, size);
	/* by pages, for what follows the text may not be there */
	while (n < size - 1) {
		size_t page = 4096 - (from + n) % 4096, want = size - 1 - n;
		struct iovec to = {out + n, want < page ? want : page};
		struct iovec at = {(void *)(uintptr_t)(from + n), to.iov_len};
		ssize_t got = process_vm_readv(pid, &to, 1, &at, 1, 0);

		if (got <= 0 || memchr(out + n, '\0', (size_t)got))
			break;
		n += (size_t)got;
	}
	out[size - 1] = '\0';
}

void trace_text(char *out, size_t size, const struct stop *s, int arg)
{
	read_text(out, size, s->pid, s->args[arg]);
}

void trace_path(char *out, size_t size, const struct stop *s, int dir, int path)
{
	char text[4096] = "", base[4096] = "";

	out[0] = '\0';
	if (path < 0)
		return;
	read_text(text, sizeof(text), s->pid, s->args[path]);
	if (text[0] != '/')
		trace_fd(base, sizeof(base), s->pid, dir < 0 ? AT_FDCWD : (int)s->args[dir]);
	int n = snprintf(out, size, "%s%s%s", base, base[0] && text[0] ? "/" : "", text);

	if (n < 0 || (size_t)n >= size)
		out[0] = '\0';
}
