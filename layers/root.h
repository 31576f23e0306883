/* A directory taken as the root of a file system (an unpacked image, a mounted volume, or "/"):
 * paths below it are opened so that no symbolic link leads out of it.
 *
 * Links in the directories of a path are followed inside the root, as a container would (openat2,
 * RESOLVE_IN_ROOT); the last component is never followed. Where the kernel or a seccomp filter has
 * no openat2, "/" is read with plain openat, which is the same thing there, and any other root
 * without following links at all. A wb_root may be shared by threads, a wb_root_dir not. */
#ifndef WB_LAYERS_ROOT_H
#define WB_LAYERS_ROOT_H

#include <stdbool.h>

#include "base/err.h"

struct wb_root {
	int fd;     /* -1 when not open */
	bool whole; /* it is the process's own "/" */
};

#define WB_ROOT_INIT ((struct wb_root){.fd = -1})

int wb_root_init(struct wb_root *r, const char *path, struct wb_err *err);
void wb_root_release(struct wb_root *r);
/* Opens a directory by its path relative to the root ("" is the root itself); links in it are
 * followed. The descriptor, or -1 with errno. */
int wb_root_open_dir(const struct wb_root *r, const char *path);

/* The directory opened last: paths that come sorted are looked up by one component each. */
struct wb_root_dir {
	int fd; /* -1 when none */
	int error;
	char *path;
};

#define WB_ROOT_DIR_INIT ((struct wb_root_dir){.fd = -1})

/* The directory of path, and in *name its last component, for fstatat(), openat() or readlinkat()
 * without following. The descriptor stays d's; -1 with errno. */
int wb_root_parent(
	struct wb_root_dir *d, const struct wb_root *r, const char *path, const char **name);
void wb_root_dir_release(struct wb_root_dir *d);

#endif
