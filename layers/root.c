#include "layers/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int wb_root_init(struct wb_root *r, const char *path, struct wb_err *err)
{
	struct stat root, slash;
	int fd = open(path, DIR_FLAGS);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot open the directory \"%s\"", path);
	*r = (struct wb_root){.fd = fd};
	if (!fstat(fd, &root) && !stat("/", &slash))
		r->whole = root.st_dev == slash.st_dev && root.st_ino == slash.st_ino;
	return 0;
}

void wb_root_release(struct wb_root *r)
{
	wb_closep(&r->fd);
	*r = WB_ROOT_INIT;
}

static int open_in_root(int root, const char *path)
{
	struct open_how how = {.flags = DIR_FLAGS, .resolve = RESOLVE_IN_ROOT};
	long fd = -1;

	/* EAGAIN: something was renamed meanwhile and the kernel cannot vouch for "..". */
	for (int tries = 0; tries < 16; tries++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return (int)fd;
}

static int open_without_links(int root, const char *path)
{
	int fd = fcntl(root, F_DUPFD_CLOEXEC, 0);

	while (fd >= 0 && *path) {
		size_t n = strcspn(path, "/");
		wb_autofree char *name = wb_strndup(path, n);
		int next = openat(fd, name, DIR_FLAGS | O_NOFOLLOW), saved = errno;

		close(fd);
		errno = saved;
		fd = next;
		path += n + (path[n] == '/');
	}
	return fd;
}

int wb_root_open_dir(const struct wb_root *r, const char *path)
{
	if (!*path)
		return fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	int fd = open_in_root(r->fd, path);

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	return r->whole ? openat(r->fd, path, DIR_FLAGS) : open_without_links(r->fd, path);
}

int wb_root_parent(
	struct wb_root_dir *d, const struct wb_root *r, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	*name = slash ? slash + 1 : path;
	if (!d->path || strncmp(d->path, path, n) || d->path[n]) {
		wb_root_dir_release(d);
		d->path = wb_strndup(path, n);
		d->fd = wb_root_open_dir(r, d->path);
		d->error = errno;
	}
	if (d->fd < 0)
		errno = d->error;
	return d->fd;
}

void wb_root_dir_release(struct wb_root_dir *d)
{
	wb_closep(&d->fd);
	free(d->path);
	*d = WB_ROOT_DIR_INIT;
}
