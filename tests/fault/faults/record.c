#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace.h"

#define PATH_SIZE 4096
#define SECONDS 120

struct recorder {
	const char *root;
	FILE *log, *data;
	uint64_t at; /* bytes in data */
};

static bool below(const struct recorder *r, const char *path)
{
	size_t n = strlen(r->root);

	return !strncmp(path, r->root, n) && (path[n] == '/' || path[n] == '\0');
}

static bool is(const struct stop *s, const char *name)
{
	return !strcmp(s->call->name, name);
}

static enum verdict before(struct stop *s, void *arg)
{
	(void)arg;
	return is(s, "flock") || is(s, "fcntl") ? GO : GO_RETURN;
}

static void line(struct recorder *r, const struct stop *s, const char *op, uint64_t ino, uint64_t a,
	uint64_t b, const char *path, const char *path2)
{
	fprintf(r->log, "%s\t%llu\t%llu\t%llu\t%llu\t%llu\t%s\t%s\n", op,
		(unsigned long long)s->began, (unsigned long long)s->ended, (unsigned long long)ino,
		(unsigned long long)a, (unsigned long long)b, path, path2);
}

/* The bytes as they are now, which is what was just written. */
static void bytes(struct recorder *r, const struct stop *s, int fd, uint64_t from, uint64_t n)
{
	char name[64], chunk[65536];
	struct stat st;
	uint64_t start = r->at;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)s->pid, fd);
	int in = open(name, O_RDONLY | O_CLOEXEC);

	if (in < 0 || fstat(in, &st))
		abort();
	for (uint64_t done = 0; done < n;) {
		size_t want = n - done < sizeof(chunk) ? (size_t)(n - done) : sizeof(chunk);
		ssize_t k = pread(in, chunk, want, (off_t)(from + done));

		if (k <= 0 || fwrite(chunk, 1, (size_t)k, r->data) != (size_t)k)
			abort();
		done += (uint64_t)k;
		r->at += (uint64_t)k;
	}
	close(in);
	char at[32];

	snprintf(at, sizeof(at), "%llu", (unsigned long long)start);
	line(r, s, "write", st.st_ino, from, n, at, "");
}

/* Where a descriptor stands after a write without a place of its own. */
static uint64_t position(pid_t pid, int fd)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	FILE *f = fopen(path, "re");

	if (!f || !fgets(text, sizeof(text), f) || strncmp(text, "pos:", 4))
		abort();
	fclose(f);
	return strtoull(text + 4, NULL, 10);
}

static void wrote(struct recorder *r, const struct stop *s)
{
	int fd = (int)s->args[s->call->fd];
	uint64_t n = (uint64_t)s->result;
	char path[PATH_SIZE];

	trace_fd(path, sizeof(path), s->pid, fd);
	if (!below(r, path))
		return;
	if (is(s, "ioctl"))
		abort(); /* a clone: say "cp" to a file system that cannot */
	bool placed = is(s, "pwrite64") || is(s, "pwritev") || is(s, "pwritev2");
	bool placed_copy = is(s, "copy_file_range") && s->args[3];
	uint64_t behind = placed        ? s->args[3] + n
	                  : placed_copy ? trace_number(s, 3)
	                                : position(s->pid, fd);

	bytes(r, s, fd, behind - n, n);
}

static void by_fd(struct recorder *r, const struct stop *s, const char *op)
{
	int fd = (int)s->args[s->call->fd];
	char path[PATH_SIZE], name[64];
	struct stat st;

	trace_fd(path, sizeof(path), s->pid, fd);
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)s->pid, fd);
	if (!below(r, path) || stat(name, &st))
		return;
	if (!strcmp(op, "sync"))
		line(r, s, s->call->name, st.st_ino, 0, 0, path, "");
	else if (!strcmp(op, "size"))
		line(r, s, op, st.st_ino, (uint64_t)st.st_size, 0, path, "");
	else if (!strcmp(op, "meta"))
		line(r, s, op, st.st_ino, st.st_mode & 07777, (uint64_t)st.st_mtime, path, "");
}

static void opened(struct recorder *r, const struct stop *s)
{
	char path[PATH_SIZE], name[64];
	int flag_arg = s->call->path + 1;
	int flags = (int)(is(s, "openat2") ? trace_number(s, flag_arg) : s->args[flag_arg]);
	struct stat st;

	trace_fd(path, sizeof(path), s->pid, (int)s->result);
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)s->pid, (int)s->result);
	bool nameless = (flags & O_TMPFILE) == O_TMPFILE;

	if (!(nameless || flags & (O_CREAT | O_TRUNC)) || !below(r, path) || stat(name, &st))
		return;
	if (nameless)
		line(r, s, "tmpfile", st.st_ino, st.st_mode & 07777, 0, path, "");
	else
		line(r, s, "create", st.st_ino, st.st_mode & 07777, (flags & O_TRUNC) != 0, path,
			"");
}

/* Calls that name one or two paths; those are as they were given, which is whole here. */
static void by_path(struct recorder *r, const struct stop *s, const char *op)
{
	const struct call *c = s->call;
	char path[PATH_SIZE], path2[PATH_SIZE];
	struct stat st = {0};

	if (!strcmp(op, "symlink")) /* a text that need not be a path from here */
		trace_text(path, sizeof(path), s, c->path);
	else
		trace_path(path, sizeof(path), s, c->dir, c->path);
	trace_path(path2, sizeof(path2), s, c->dir2, c->path2);
	if (!below(r, path) && !below(r, path2))
		return;
	(void)lstat(path2[0] ? path2 : path, &st);
	line(r, s, op, st.st_ino, st.st_mode & 07777, (uint64_t)st.st_mtime, path, path2);
}

static void meta(struct recorder *r, const struct stop *s)
{
	/* futimens is utimensat without a path */
	if (is(s, "utimensat") && !s->args[1]) {
		static const struct call by_descriptor = {
			.name = "futimens", .fd = 0, .dir = -1, .path = -1};
		struct stop t = *s;

		t.call = &by_descriptor;
		by_fd(r, &t, "meta");
	} else if (s->call->path >= 0) {
		by_path(r, s, "meta");
	} else {
		by_fd(r, s, "meta");
	}
}

static void after(struct stop *s, void *arg)
{
	struct recorder *r = arg;

	if (s->result < 0)
		return;
	switch ((int)s->call->kind) {
	case K_OPEN: opened(r, s); break;
	case K_WRITE:
	case K_COPY: wrote(r, s); break;
	case K_SYNC:
		if (!is(s, "sync_file_range")) /* promises nothing */
			by_fd(r, s, "sync");
		break;
	case K_SIZE: by_fd(r, s, "size"); break;
	case K_RENAME: by_path(r, s, "rename"); break;
	case K_LINK:
		by_path(r, s, is(s, "symlink") || is(s, "symlinkat") ? "symlink" : "link");
		break;
	case K_MKDIR: by_path(r, s, "mkdir"); break;
	case K_UNLINK: by_path(r, s, "unlink"); break;
	case K_META: meta(r, s); break;
	default: break;
	}
}

int record(const char *root, const char *log, const char *data, char **argv)
{
	struct recorder r = {.root = root, .log = fopen(log, "we"), .data = fopen(data, "we")};
	struct tracer t = {.before = before, .after = after, .arg = &r, .seconds = SECONDS};
	static const enum kind kinds[] = {K_OPEN, K_WRITE, K_COPY, K_SYNC, K_SIZE, K_RENAME, K_LINK,
		K_MKDIR, K_UNLINK, K_META};
	struct end end;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		t.want[kinds[i]] = true;
	int rc = r.log && r.data ? trace_run(&end, &t, argv) : -1;

	if (rc)
		perror("faults");
	rc |= r.log && fclose(r.log);
	rc |= r.data && fclose(r.data);
	if (rc || end.hung)
		return 125;
	return WIFSIGNALED(end.status) ? 128 + WTERMSIG(end.status) : WEXITSTATUS(end.status);
}
