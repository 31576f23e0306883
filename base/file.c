#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/path.h"

/* Write-back of a streamed file is started in steps of this many bytes. */
#define FLUSH_STEP (8u << 20)
#define LOCK_POLL_NS (20 * 1000 * 1000)
#define COPY_STEP (64u << 20) /* of a copy in the kernel: whether to stop is asked between */
#define TEMP_PREFIX ".wbtmp."
#define TEMP_PATTERN "XXXXXX"
#define TEMP_RANDOM ((int)sizeof(TEMP_PATTERN) - 1)
#define TEMP_TRIES 100

void wb_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* For names; arc4random() ends the program where getrandom() is forbidden. */
static uint64_t any_number(void)
{
	struct timespec now;
	uint64_t n;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == (ssize_t)sizeof(n))
		return n;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)getpid() << 40) ^ ((uint64_t)now.tv_sec << 30) ^ (uint64_t)now.tv_nsec;
}

/* A new name where XXXXXX is at the end of temp, and locked, which says that its writer lives. Who
 * tidies up holds the lock of what it removes: a file that lost its name before it was locked was
 * taken for one of a writer that was killed, and is made anew. */
static int open_named(int dir, char *temp)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char *end = temp + strlen(temp) - TEMP_RANDOM;

	for (int tries = 0; tries < TEMP_TRIES; tries++) {
		uint64_t n = any_number();
		struct stat st;

		for (int i = 0; i < TEMP_RANDOM; i++, n /= sizeof(letters) - 1)
			end[i] = letters[n % (sizeof(letters) - 1)];
		int fd = openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0 && errno != EEXIST)
			return -1;
		if (fd >= 0 && (flock(fd, LOCK_EX) || fstat(fd, &st) || st.st_nlink))
			return fd;
		wb_closep(&fd);
	}
	errno = EEXIST;
	return -1;
}

int wb_file_create(
	struct wb_file *f, const char *path, mode_t mode, unsigned flags, struct wb_err *err)
{
	struct wb_file new = {.flags = flags, .mode = mode, .dir = AT_FDCWD, .temp_dir = AT_FDCWD};

	new.name = new.path = wb_strdup(path);
	wb_autofree char *dir = wb_path_dirname(path);

	new.temp = wb_asprintf("%s/" TEMP_PREFIX TEMP_PATTERN, dir);
	new.fd = open_named(AT_FDCWD, new.temp);
	if (new.fd < 0) {
		wb_err_sys(err, errno, "cannot create a file in \"%s\"", dir);
		free(new.path);
		free(new.temp);
		return -1;
	}
	*f = new;
	return 0;
}

int wb_file_create_at(struct wb_file *f, int dir, int temp_dir, const char *path, mode_t mode,
	unsigned flags, struct wb_err *err)
{
	struct wb_file new = {.flags = flags, .mode = mode, .dir = dir, .temp_dir = temp_dir};

	new.path = wb_strdup(path);
	new.name = wb_path_basename(new.path);
	new.temp = wb_strdup(TEMP_PREFIX TEMP_PATTERN);
	new.fd = open_named(temp_dir, new.temp);
	if (new.fd < 0) {
		wb_err_sys(err, errno, "cannot create \"%s\"", path);
		free(new.path);
		free(new.temp);
		return -1;
	}
	*f = new;
	return 0;
}

/* Nobody writes to it; locked from here on. */
static bool is_abandoned(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && !flock(fd, LOCK_EX | LOCK_NB);
}

static void tidy(DIR *d)
{
	for (const struct dirent *e; (e = readdir(d));) {
		if (strncmp(e->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)))
			continue;
		wb_autoclose int fd =
			openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0 && is_abandoned(fd))
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
}

void wb_file_tidy(const char *dir)
{
	DIR *d = opendir(dir);

	if (d)
		tidy(d);
}

void wb_file_tidy_at(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d)
		tidy(d);
	else
		wb_closep(&fd);
}

void wb_file_reserve(struct wb_file *f, uint64_t size)
{
	/* Also makes the rename over an old name cheap on ext4 (no forced flush). */
	if (f->fd >= 0 && size)
		(void)fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
}

static void start_writeback(struct wb_file *f)
{
	if (!(f->flags & WB_FILE_STREAM) || f->size - f->flushed < FLUSH_STEP)
		return;
	sync_file_range(
		f->fd, (off_t)f->flushed, (off_t)(f->size - f->flushed), SYNC_FILE_RANGE_WRITE);
	f->flushed = f->size;
}

void wb_file_write(struct wb_file *f, const void *p, size_t n)
{
	if (f->error.code)
		return;
	if (wb_file_write_full(f->fd, p, n, f->path, &f->error))
		return;
	f->size += n;
	start_writeback(f);
}

void wb_file_rename(struct wb_file *f, const char *path)
{
	free(f->path);
	f->path = wb_strdup(path);
	f->name = f->dir == AT_FDCWD ? f->path : wb_path_basename(f->path);
}

static int make_durable(struct wb_file *f, struct wb_err *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = f->mtime}};

	if (f->mtime && futimens(f->fd, times))
		return wb_err_sys(err, errno, "cannot set the time of \"%s\"", f->path);
	if (fchmod(f->fd, f->mode))
		return wb_err_sys(err, errno, "cannot set the mode of \"%s\"", f->path);
	if (!(f->flags & WB_FILE_NOSYNC) && fsync(f->fd))
		return wb_err_sys(err, errno, "cannot write \"%s\"", f->path);
	return 0;
}

/* Without what would do it in one step. Of two who come at the same time both may get through,
 * which is of no consequence where a name says what the bytes are. */
static int look_and_rename(struct wb_file *f, bool *existed, struct wb_err *err)
{
	struct stat st;

	*existed = !fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW);
	if (*existed)
		unlinkat(f->temp_dir, f->temp, 0);
	else if (renameat(f->temp_dir, f->temp, f->dir, f->name))
		return wb_err_sys(err, errno, "cannot rename to \"%s\"", f->path);
	return 0;
}

/* rename, or link when an existing target must stay. */
static int give_name(struct wb_file *f, bool *existed, struct wb_err *err)
{
	if (f->flags & WB_FILE_REPLACE) {
		if (renameat(f->temp_dir, f->temp, f->dir, f->name))
			return wb_err_sys(err, errno, "cannot rename to \"%s\"", f->path);
		return 0;
	}
	if (!renameat2(f->temp_dir, f->temp, f->dir, f->name, RENAME_NOREPLACE))
		return 0;
	/* a file system without RENAME_NOREPLACE (NFS, some FUSE ones), */
	bool linked = errno == EINVAL && !linkat(f->temp_dir, f->temp, f->dir, f->name, 0);

	/* and without hard links (FUSE ones before a bucket) */
	if (!linked && (errno == EPERM || errno == ENOSYS || errno == EOPNOTSUPP))
		return look_and_rename(f, existed, err);
	if (!linked && errno != EEXIST)
		return wb_err_sys(err, errno, "cannot rename to \"%s\"", f->path);
	unlinkat(f->temp_dir, f->temp, 0);
	*existed = !linked;
	return 0;
}

/* What was reserved and not used goes. A file system that cannot is fine where nothing is to go. */
static int cut_to_size(struct wb_file *f, struct wb_err *err)
{
	struct stat st;

	if (!ftruncate(f->fd, (off_t)f->size))
		return 0;
	int errnum = errno;

	if (errnum != ENOSPC && !fstat(f->fd, &st) && (uint64_t)st.st_size == f->size)
		return 0;
	return wb_err_sys(err, errnum, "cannot set the size of \"%s\"", f->path);
}

static int sync_open_dir(int fd, const char *path, struct wb_err *err)
{
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		return wb_err_sys(err, errno, "cannot sync the folder \"%s\"", path);
	return 0;
}

int wb_file_commit(struct wb_file *f, bool *existed, struct wb_err *err)
{
	bool there = false;

	if (f->error.code) {
		*err = f->error;
		return -1;
	}
	if (cut_to_size(f, err) || make_durable(f, err) || give_name(f, &there, err))
		return -1;
	wb_autofree char *temp = wb_steal(f->temp);
	wb_autofree char *dir = wb_path_dirname(f->path);
	bool sync = !there && !(f->flags & WB_FILE_NOSYNC);
	int dir_fd = f->dir;

	if (existed)
		*existed = there;
	wb_file_release(f);
	if (!sync)
		return 0;
	return dir_fd == AT_FDCWD ? wb_fsync_dir(dir, err) : sync_open_dir(dir_fd, dir, err);
}

void wb_file_release(struct wb_file *f)
{
	wb_closep(&f->fd);
	if (f->temp)
		unlinkat(f->temp_dir, f->temp, 0);
	free(f->temp);
	free(f->path);
	*f = WB_FILE_INIT;
}

int wb_fsync_dir(const char *path, struct wb_err *err)
{
	wb_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot sync the folder \"%s\"", path);
	return sync_open_dir(fd, path, err);
}

int wb_sync_all(const char *dir, struct wb_err *err)
{
	wb_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd))
		return wb_err_sys(err, errno, "cannot sync what is in \"%s\"", dir);
	return 0;
}

static int read_to_end(struct wb_buf *out, int fd, const char *path, struct wb_err *err)
{
	char chunk[65536];
	size_t used = 0;
	int rc = 0;

	while (!rc) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = wb_err_sys(err, errno, "cannot read \"%s\"", path);
			break;
		}
		used = (size_t)n > used ? (size_t)n : used;
		if (wb_buf_add(out, chunk, (size_t)n, err))
			rc = wb_err_wrap(err, "\"%s\"", path);
	}
	explicit_bzero(chunk, used); /* it may have been a file of credentials */
	return rc;
}

int wb_file_read(struct wb_buf *out, const char *path, struct wb_err *err)
{
	wb_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", path);
	return read_to_end(out, fd, path, err);
}

int wb_file_read_regular(struct wb_buf *out, const char *path, struct wb_err *err)
{
	wb_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return wb_err_sys(err, errno, "cannot open \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return wb_err_set(err, WB_ERR_FORMAT, "\"%s\" is not a regular file", path);
	return read_to_end(out, fd, path, err);
}

int wb_file_put(
	const char *path, const void *p, size_t n, mode_t mode, unsigned flags, struct wb_err *err)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;

	if (wb_file_create(&f, path, mode, flags, err))
		return -1;
	wb_file_write(&f, p, n);
	return wb_file_commit(&f, NULL, err);
}

int wb_file_put_at(int dir, const char *path, const void *p, size_t n, mode_t mode, unsigned flags,
	struct wb_err *err)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;

	if (wb_file_create_at(&f, dir, dir, path, mode, flags, err))
		return -1;
	wb_file_write(&f, p, n);
	return wb_file_commit(&f, NULL, err);
}

int wb_file_read_full(
	int fd, void *p, size_t n, int64_t offset, const char *name, struct wb_err *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = offset < 0
		                    ? read(fd, (char *)p + done, n - done)
		                    : pread(fd, (char *)p + done, n - done, offset + (off_t)done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return wb_err_sys(err, errno, "cannot read \"%s\"", name);
		if (k == 0)
			return wb_err_set(err, WB_ERR_IO, "\"%s\" ended early", name);
		done += (size_t)k;
	}
	return 0;
}

int wb_file_write_full(int fd, const void *p, size_t n, const char *name, struct wb_err *err)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return wb_err_sys(err, errno, "cannot write \"%s\"", name);
		p = (const char *)p + k;
		n -= (size_t)k;
	}
	return 0;
}

/* The name of a folder that was just made, in the one above it. */
static int sync_name(const char *path, struct wb_err *err)
{
	wb_autofree char *parent = wb_path_dirname(path);

	return wb_fsync_dir(parent, err);
}

static int make_dirs(const char *path, mode_t mode, bool durable, struct wb_err *err)
{
	wb_autofree char *copy = wb_strdup(path);

	for (char *p = copy + 1; *copy; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		bool made = !mkdir(copy, mode);

		if (!made && errno != EEXIST)
			return wb_err_sys(err, errno, "cannot make the folder \"%s\"", copy);
		if (made && durable && sync_name(copy, err))
			return -1;
		*p = c;
		if (!c)
			break;
	}
	struct stat st;

	if (stat(path, &st))
		return wb_err_sys(err, errno, "cannot look at the folder \"%s\"", path);
	if (!S_ISDIR(st.st_mode))
		return wb_err_sys(err, ENOTDIR, "cannot make the folder \"%s\"", path);
	return 0;
}

int wb_mkdirs(const char *path, mode_t mode, struct wb_err *err)
{
	return make_dirs(path, mode, false, err);
}

int wb_mkdirs_durable(const char *path, mode_t mode, struct wb_err *err)
{
	return make_dirs(path, mode, true, err);
}

static int not_a_folder(const char *top, const char *rel, int n, int errnum, struct wb_err *err)
{
	wb_err_sys(err, errnum, "\"%s/%.*s\" is not a folder that can be written to", top, n, rel);
	return errnum == ENOTDIR || errnum == ELOOP
	               ? wb_err_hint(err, "a link in its place is not followed: remove it")
	               : -1;
}

int wb_open_below(int at, const char *top, const char *rel, size_t n, struct wb_err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int dir = fcntl(at, F_DUPFD_CLOEXEC, 0);

	for (size_t start = 0; dir >= 0 && start < n;) {
		size_t len = strcspn(rel + start, "/");
		wb_autofree char *name = wb_strndup(rel + start, len);
		int next = openat(dir, name, flags);

		if (next < 0 && errno == ENOENT && (!mkdirat(dir, name, 0755) || errno == EEXIST))
			next = openat(dir, name, flags);
		int errnum = errno;

		close(dir);
		dir = next;
		start += len + 1;
		if (dir < 0)
			return not_a_folder(top, rel, (int)(start - 1), errnum, err);
	}
	return dir >= 0 ? dir : wb_err_sys(err, errno, "\"%s\"", top);
}

struct dirent *wb_readdir(DIR *d)
{
	errno = 0;
	return readdir(d);
}

static int remove_at(int parent, const char *name, struct wb_err *err)
{
	if (!unlinkat(parent, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return wb_err_sys(err, errno, "cannot remove \"%s\"", name);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (!d) {
		wb_err_sys(err, errno, "cannot open the folder \"%s\"", name);
		wb_closep(&fd);
		return -1;
	}
	for (struct dirent *e; !rc && (e = wb_readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = remove_at(fd, e->d_name, err);
	if (!rc && errno)
		rc = wb_err_sys(err, errno, "cannot read the folder \"%s\"", name);
	closedir(d);
	if (!rc && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT)
		rc = wb_err_sys(err, errno, "cannot remove \"%s\"", name);
	return rc;
}

int wb_remove_tree(const char *path, struct wb_err *err)
{
	return remove_at(AT_FDCWD, path, err);
}

/* 1: what is left is to be read and written, for the kernel cannot copy between these two, or may
 * not, or says that there is nothing to copy, as some file systems do of any file. */
static int copy_in_kernel(int in, int out, const char *src, const char *dst, struct wb_err *err)
{
	bool any = false;

	for (;;) {
		if (wb_cancel_check(err))
			return -1;
		ssize_t n = copy_file_range(in, NULL, out, NULL, COPY_STEP, 0);

		if (n == 0)
			return any ? 0 : 1;
		any |= n > 0;
		if (n > 0 || errno == EINTR)
			continue;
		if (errno != ENOSPC && errno != EDQUOT && errno != EIO)
			return 1;
		return wb_err_sys(err, errno, "cannot copy \"%s\" to \"%s\"", src, dst);
	}
}

static int copy_bytes(int in, int out, const char *src, const char *dst, struct wb_err *err)
{
	int rc = copy_in_kernel(in, out, src, dst, err);

	if (rc <= 0)
		return rc;
	wb_autofree char *chunk = wb_alloc_pages(1u << 20);

	for (ssize_t n; (n = read(in, chunk, 1u << 20)) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wb_err_sys(err, errno, "cannot read \"%s\"", src);
		if (wb_cancel_check(err) || wb_file_write_full(out, chunk, (size_t)n, dst, err))
			return -1;
	}
	return 0;
}

int wb_file_fill(struct wb_file *f, int in, const char *src, struct wb_err *err)
{
	struct stat st;

	if (ioctl(f->fd, FICLONE, in) && copy_bytes(in, f->fd, src, f->path, err))
		return -1;
	if (fstat(f->fd, &st))
		return wb_err_sys(err, errno, "cannot look at the copy of \"%s\"", src);
	f->size = (uint64_t)st.st_size;
	return 0;
}

/* One that is there can be held by who may only read it. */
static int open_lock(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644);

	return fd < 0 && (errno == EACCES || errno == EROFS)
	               ? openat(dir, name, O_RDONLY | O_CLOEXEC | flags)
	               : fd;
}

int wb_lock_acquire(struct wb_lock *l, const char *path, bool exclusive, struct wb_err *err)
{
	int fd = open_lock(AT_FDCWD, path, 0);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot open the lock \"%s\"", path);
	/* Whoever holds it may do so for hours, and the signal that says to stop waiting may go to
	 * another thread: flock() would not notice. */
	while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)) {
		int errnum = errno;

		if (errnum == EINTR || (errnum == EWOULDBLOCK && !wb_cancel_check(err))) {
			nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_NS}, NULL);
			continue;
		}
		if (errnum != EWOULDBLOCK)
			wb_err_sys(err, errnum, "cannot lock \"%s\"", path);
		close(fd);
		return -1;
	}
	l->fd = fd;
	return 0;
}

/* Takes fd, which may be -1 with errno. */
static bool try_lock(struct wb_lock *l, int fd, bool exclusive)
{
	if (fd < 0)
		return false;
	if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)) {
		int errnum = errno;

		close(fd);
		errno = errnum;
		return false;
	}
	l->fd = fd;
	return true;
}

bool wb_lock_try(struct wb_lock *l, const char *path, bool exclusive)
{
	return try_lock(l, open_lock(AT_FDCWD, path, 0), exclusive);
}

bool wb_lock_try_at(struct wb_lock *l, int dir, const char *path, bool exclusive)
{
	return try_lock(
		l, open_lock(dir, wb_path_basename(path), O_NOFOLLOW | O_NONBLOCK), exclusive);
}

void wb_lock_release(struct wb_lock *l)
{
	wb_closep(&l->fd);
}
