/* Files that appear whole or not at all, and the few file operations that everything shares.
 *
 * wb_file_create() opens a temporary in the target's folder; errors are sticky, so a run of
 * writes needs one check, at commit. wb_file_commit() makes the data durable (fsync: also the mode
 * and the time, by which the store tells its blobs), gives it its name and syncs the folder;
 * without it wb_file_release() leaves no trace. Writing may hash on the way. One thread at a time.
 */
#ifndef WB_BASE_FILE_H
#define WB_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	WB_FILE_REPLACE = 1, /* commit may replace an existing file */
	WB_FILE_NOSYNC = 2,  /* not made durable: for files that are cheap to make again */
	WB_FILE_STREAM = 4,  /* start write-back while writing, for large files */
};

struct wb_file {
	int fd; /* -1 when not open */
	unsigned flags;
	mode_t mode;
	uint64_t size;       /* bytes written so far */
	int64_t mtime;       /* seconds, set at commit; 0 leaves the time of writing */
	uint64_t flushed;    /* bytes whose write-back was started (WB_FILE_STREAM) */
	char *path;          /* final name */
	int dir, temp_dir;   /* what the names are relative to: AT_FDCWD, or not owned */
	const char *name;    /* in path: what of it is looked up in dir */
	char *temp;          /* name of the temporary in temp_dir; NULL when it has none */
	struct wb_err error; /* sticky */
};

#define WB_FILE_INIT ((struct wb_file){.fd = -1})

int wb_file_create(
	struct wb_file *f, const char *path, mode_t mode, unsigned flags, struct wb_err *err);
/* The same in a folder that is open, so that it does not matter what becomes of its path: of path
 * only the last component is looked up, the rest is for messages. The temporary lies in temp_dir
 * until the commit. Both stay the caller's, and open. */
int wb_file_create_at(struct wb_file *f, int dir, int temp_dir, const char *path, mode_t mode,
	unsigned flags, struct wb_err *err);
/* All that can be read from in, as cheaply as the file systems can: reflink, else a copy in the
 * kernel, else by hand. Ends when the run is cancelled (base/cancel.h). src: its name in messages.
 */
int wb_file_fill(struct wb_file *f, int in, const char *src, struct wb_err *err);
/* Reserves space without changing the size; a file system that cannot is no error. */
void wb_file_reserve(struct wb_file *f, uint64_t size);
void wb_file_write(struct wb_file *f, const void *p, size_t n); /* sticky error */
/* On success the file is at its name. Without WB_FILE_REPLACE an existing target stays, the
 * temporary goes, and *existed (may be NULL) is true: the content-addressed case. */
int wb_file_commit(struct wb_file *f, bool *existed, struct wb_err *err);
/* The name is chosen last (content-addressed files): replaces f->path before commit. The new
 * path must be on the same file system. */
void wb_file_rename(struct wb_file *f, const char *path);
void wb_file_release(struct wb_file *f);
/* Removes the temporaries of writers that were killed from a folder of the user's, where no prune
 * will; those of living writers are locked, and stay. */
void wb_file_tidy(const char *dir);
void wb_file_tidy_at(int dir);

/* Whole small files. Reading more than limit is WB_ERR_LIMIT. */
int wb_file_read(struct wb_buf *out, const char *path, struct wb_err *err); /* out->limit rules */
/* The same for what somebody else put there: a pipe or a device is an error, and does not hang. */
int wb_file_read_regular(struct wb_buf *out, const char *path, struct wb_err *err);
int wb_file_put(
	const char *path, const void *p, size_t n, mode_t mode, unsigned flags, struct wb_err *err);
/* In the folder that is open as dir (wb_file_create_at). */
int wb_file_put_at(int dir, const char *path, const void *p, size_t n, mode_t mode, unsigned flags,
	struct wb_err *err);

/* Reads exactly n bytes at offset (or from the current position when offset is -1); fewer is
 * WB_ERR_IO "… ended early". */
int wb_file_read_full(
	int fd, void *p, size_t n, int64_t offset, const char *name, struct wb_err *err);
int wb_file_write_full(int fd, const void *p, size_t n, const char *name, struct wb_err *err);

/* mkdir -p; an existing directory is no error. */
int wb_mkdirs(const char *path, mode_t mode, struct wb_err *err);
/* The same, and the new directories' names are durable: for what must be there after a power loss,
 * which a synced file in a directory that is lost is not. */
int wb_mkdirs_durable(const char *path, mode_t mode, struct wb_err *err);
/* The folder of the first n bytes of rel below top, which is open as at; made where it is missing.
 * Others may write there as well: no symbolic link is followed, so nothing lands outside. A
 * descriptor of the caller's, or -1. */
int wb_open_below(int at, const char *top, const char *rel, size_t n, struct wb_err *err);
/* readdir(3) that can be told apart: at the end NULL and errno 0, else NULL and errno what failed.
 */
struct dirent *wb_readdir(DIR *d);
/* Removes a tree; does not follow links, stays on its file system's names below path. */
int wb_remove_tree(const char *path, struct wb_err *err);
int wb_fsync_dir(const char *path, struct wb_err *err);
/* All of the file system that the folder is on: one wait for many files. */
int wb_sync_all(const char *dir, struct wb_err *err);

/* An advisory lock file, held until release or exit. shared or exclusive; blocking. */
struct wb_lock {
	int fd;
};
#define WB_LOCK_INIT ((struct wb_lock){.fd = -1})
/* Waits until it can be had, or until the wait is cancelled (base/cancel.h). */
int wb_lock_acquire(struct wb_lock *l, const char *path, bool exclusive, struct wb_err *err);
/* Does not wait. False with errno EWOULDBLOCK: somebody holds it; any other errno: it cannot be
 * had at all, and waiting would not help. */
bool wb_lock_try(struct wb_lock *l, const char *path, bool exclusive);
/* The same in a folder that is open, in which others may write (wb_file_create_at): a link there is
 * not followed. */
bool wb_lock_try_at(struct wb_lock *l, int dir, const char *path, bool exclusive);
void wb_lock_release(struct wb_lock *l);

void wb_closep(int *fd); /* for cleanup: closes when >= 0 */
#define wb_autoclose __attribute__((cleanup(wb_closep), unused))

#endif
