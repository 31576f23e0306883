#include "builder/runtime/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/text.h"

struct copy {
	const struct wb_bundle_manifest *m;
	const char *from, *to, *ours; /* ours: to/.wbuild */
	int to_fd, ours_fd;
	const struct wb_verify_report *wanted; /* its problems are what there is to do */
};

static int by_path(const void *key, const void *element)
{
	return wb_path_cmp(key, ((const struct wb_bundle_entry *)element)->path);
}

/* Temporaries lie beside the manifest: in the bundle's own directories another pod that checks
 * them just then would call them extra files. From there they come to their name in the folder that
 * is open, whatever has become of its path by then. */
static int copy_file(const struct copy *c, int in, const char *from, int dir, const char *to,
	unsigned mode, struct wb_err *err)
{
	WB_AUTO(wb_file_release) struct wb_file out = WB_FILE_INIT;

	if (in < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", from);
	if (wb_file_create_at(
		    &out, dir, c->ours_fd, to, mode, WB_FILE_REPLACE | WB_FILE_NOSYNC, err) ||
		wb_file_fill(&out, in, from, err))
		return -1;
	return wb_file_commit(&out, NULL, err);
}

static int place_file(
	const struct copy *c, const struct wb_bundle_entry *e, int dir, struct wb_err *err)
{
	wb_autofree char *from = wb_path_join(c->from, e->path);
	wb_autofree char *to = wb_path_join(c->to, e->path);
	wb_autoclose int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return copy_file(c, in, from, dir, to, e->mode, err);
}

static int copy_entry(const struct copy *c, const struct wb_bundle_entry *e, struct wb_err *err)
{
	const char *name = wb_path_basename(e->path);
	size_t n = e->type == WB_BUNDLE_DIR ? strlen(e->path) : (size_t)(name - e->path);
	wb_autoclose int dir = wb_open_below(c->to_fd, c->to, e->path, n, err);

	if (dir < 0)
		return -1;
	switch (e->type) {
	case WB_BUNDLE_DIR: return 0;
	case WB_BUNDLE_FILE: return place_file(c, e, dir, err);
	case WB_BUNDLE_SYMLINK: break;
	}
	(void)unlinkat(dir, name, 0);
	/* another pod that shares the directory may have been quicker */
	if (symlinkat(e->target, dir, name) && errno != EEXIST)
		return wb_err_sys(err, errno, "cannot make the link \"%s/%s\"", c->to, e->path);
	return 0;
}

static int copy_job(void *arg, size_t index, struct wb_err *err)
{
	const struct copy *c = arg;
	const struct wb_problem *p = &c->wanted->problems.items[index];
	const struct wb_bundle_entry *e;

	if (p->kind == WB_PROBLEM_EXTRA)
		return 0;
	e = bsearch(p->path, c->m->entries.items, c->m->entries.n, sizeof(*e), by_path);
	return e ? copy_entry(c, e, err) : 0;
}

/* Last, so that a directory with a manifest has had everything else. */
static int copy_ours(const struct copy *c, const struct wb_buf *text, struct wb_err *err)
{
	wb_autofree char *init = wb_path_join(c->ours, "init");
	wb_autofree char *manifest = wb_path_join(c->ours, "manifest.json");
	wb_autoclose int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (self < 0 && errno != ENOENT) /* a container may have no /proc */
		return wb_err_sys(err, errno, "cannot open \"/proc/self/exe\"");
	if (self >= 0 && copy_file(c, self, "/proc/self/exe", c->ours_fd, init, 0755, err))
		return -1;
	/* The manifest says that the rest is complete, also to who looks at sizes alone: after a
	 * power loss it must not be there when the rest is not. */
	if (wb_sync_all(c->to, err))
		return -1;
	return wb_file_put_at(
		c->ours_fd, manifest, text->data, text->len, 0644, WB_FILE_REPLACE, err);
}

static bool has_manifest(const struct copy *c, const struct wb_buf *text)
{
	wb_autofree char *path = wb_path_join(c->ours, "manifest.json");
	WB_AUTO(wb_buf_release) struct wb_buf there;
	struct wb_err err;

	wb_buf_init(&there, text->len, "bundle manifest");
	return !wb_file_read(&there, path, &err) && there.len == text->len &&
	       !memcmp(there.data, text->data, text->len);
}

/* One copies, the others wait and then find everything there. Not a blocking lock: SIGTERM and the
 * deadline must get through. */
static int wait_for_turn(
	struct wb_lock *lock, const struct copy *c, double deadline, struct wb_err *err)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000000L};
	wb_autofree char *path = wb_path_join(c->ours, "lock");
	double waited = 0;

	while (!wb_lock_try_at(lock, c->ours_fd, path, true)) {
		if (errno != EWOULDBLOCK)
			return wb_err_sys(err, errno, "cannot lock \"%s\"", path);
		if (wb_cancel_check(err))
			return -1;
		if (deadline > 0 && waited > deadline)
			return wb_err_set(err, WB_ERR_LIMIT,
				"another copy into \"%s\" did not end within %g s", c->to,
				deadline);
		nanosleep(&pause, NULL);
		waited += 0.05;
	}
	return 0;
}

static int look(struct wb_verify_report *report, const struct wb_stub_options *o,
	const struct copy *c, bool unfinished, struct wb_err *err)
{
	struct wb_verify_options options = o->verify;

	/* without a look there would be nothing to do */
	if (options.mode == WB_VERIFY_OFF)
		options.mode = WB_VERIFY_SIZE;
	/* what a copy wrote that a power loss cut short may have its size alone */
	if (unfinished) {
		options.mode = WB_VERIFY_FULL;
		options.modes = true;
	}
	wb_verify_report_release(report);
	return wb_verify_root(report, c->to, c->m, &options, err);
}

int wb_stub_copy(struct wb_verify_report *report, const struct wb_stub_options *o,
	const struct wb_bundle_manifest *m, const char *from, const struct wb_buf *text,
	struct wb_err *err)
{
	WB_AUTO(wb_lock_release) struct wb_lock lock = WB_LOCK_INIT;
	wb_autofree char *ours = wb_path_join(o->copy_to, ".wbuild");
	struct copy c = {.m = m, .from = from, .to = o->copy_to, .ours = ours, .wanted = report};

	if (wb_mkdirs(c.to, 0755, err))
		return -1;
	wb_autoclose int to_fd = open(c.to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	c.to_fd = to_fd;
	if (to_fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", c.to);
	wb_autoclose int ours_fd = wb_open_below(to_fd, c.to, ".wbuild", strlen(".wbuild"), err);

	c.ours_fd = ours_fd;
	if (ours_fd < 0 || look(report, o, &c, false, err))
		return -1;
	if (!report->problems.n && has_manifest(&c, text))
		return 0;
	wb_verify_report_release(report); /* what is still to be copied is no news */
	if (wait_for_turn(&lock, &c, o->verify.deadline, err) ||
		look(report, o, &c, !has_manifest(&c, text), err))
		return -1;
	wb_file_tidy_at(ours_fd); /* of a copy that was killed: nobody else writes here now */
	size_t todo = report->problems.n;

	if (wb_pool_run(o->verify.threads, todo, copy_job, &c, err) || copy_ours(&c, text, err)) {
		wb_verify_report_release(report); /* nor what was */
		return -1;
	}
	return todo ? look(report, o, &c, false, err) : 0;
}
