/* Runs a program under ptrace and shows each of the system calls that somebody asked for, before
 * it happens (and after, where that is wanted). Works below the C library: static programs and what
 * other libraries do are seen, too. x86-64 Linux; the calls that are not asked for cost nothing,
 * for seccomp chooses them in the kernel. One program at a time, one thread. */
#ifndef FAULTS_TRACE_H
#define FAULTS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum kind {
	K_OPEN,
	K_READ,
	K_WRITE,
	K_SYNC,
	K_RENAME,
	K_LINK,
	K_MKDIR,
	K_SIZE,
	K_COPY,
	K_MMAP,
	K_LIST,
	K_STAT,
	K_META,
	K_UNLINK,
	K_CONNECT,
	K_SEND,
	K_RECV,
	K_THREAD,
	K_RANDOM,
	K_WAIT,
	K_PIPE,
	K_END, /* the end of the program, not to be tampered with */
	KINDS
};

extern const char *const kind_names[KINDS];

/* Arguments by number, or -1: a descriptor, a path (looked up from dir, when that is one), a second
 * path, a count of bytes or elements that may be made smaller. */
struct call {
	long nr;
	const char *name;
	enum kind kind;
	int fd, dir, path, dir2, path2, count;
};

struct stop {
	pid_t pid; /* the thread */
	const struct call *call;
	uint64_t args[6];
	int64_t result; /* after the call */
	uint64_t began; /* running numbers of the stops before and after the call */
	uint64_t ended;
};

enum verdict {
	GO,        /* let it happen */
	GO_RETURN, /* let it happen, and show it again with its result */
	DENY,      /* it does not happen; its result is stop->result */
	CHANGE,    /* it happens with stop->args */
};

struct tracer {
	enum verdict (*before)(struct stop *s, void *arg);
	void (*after)(struct stop *s, void *arg);  /* where before said GO_RETURN */
	void (*leaving)(pid_t process, void *arg); /* the program is about to end by itself */
	void *arg;
	bool want[KINDS];
	unsigned seconds; /* of life, after which it is killed */
	const char *root; /* the program's root folder, or NULL */
};

struct end {
	bool hung;
	int status; /* as of waitpid */
	int left;   /* processes that outlived it */
};

/* -1 where the program could not be started or traced; errno says why. Calls that the dynamic
 * linker makes before the program begins are not shown, nor those of a program that it becomes. */
int trace_run(struct end *out, const struct tracer *t, char **argv);

/* The text that an argument of a stopped thread points to. */
void trace_text(char *out, size_t size, const struct stop *s, int arg);
/* A path argument of a stopped thread, whole; where that cannot be had, "". */
void trace_path(char *out, size_t size, const struct stop *s, int dir, int path);
/* The 64-bit number that an argument points to. */
uint64_t trace_number(const struct stop *s, int arg);
/* What a descriptor of a stopped thread is. */
void trace_fd(char *out, size_t size, pid_t pid, int fd);

#endif
