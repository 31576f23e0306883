#include "calls.h"

#include <sys/syscall.h>

const char *const kind_names[KINDS] = {
	"open",
	"read",
	"write",
	"sync",
	"rename",
	"link",
	"mkdir",
	"size",
	"copy",
	"mmap",
	"list",
	"stat",
	"meta",
	"unlink",
	"connect",
	"send",
	"recv",
	"thread",
	"random",
	"wait",
	"pipe",
	"end",
};

/* clang-format off */
#define NONE -1, -1, -1, -1, -1, -1
#define FD(count) 0, -1, -1, -1, -1, count
#define PATH(path) -1, -1, path, -1, -1, -1
#define AT(dir, path) -1, dir, path, -1, -1, -1
#define C(name, kind, ...) {SYS_##name, #name, kind, __VA_ARGS__}

const struct call calls[] = {
	C(open, K_OPEN, PATH(0)), C(openat, K_OPEN, AT(0, 1)), C(openat2, K_OPEN, AT(0, 1)),
	C(creat, K_OPEN, PATH(0)),
	C(read, K_READ, FD(2)), C(pread64, K_READ, FD(2)), C(readv, K_READ, FD(2)),
	C(preadv, K_READ, FD(2)), C(preadv2, K_READ, FD(2)),
	C(write, K_WRITE, FD(2)), C(pwrite64, K_WRITE, FD(2)), C(writev, K_WRITE, FD(2)),
	C(pwritev, K_WRITE, FD(2)), C(pwritev2, K_WRITE, FD(2)),
	C(fsync, K_SYNC, FD(-1)), C(fdatasync, K_SYNC, FD(-1)), C(syncfs, K_SYNC, FD(-1)),
	C(sync_file_range, K_SYNC, FD(-1)),
	C(rename, K_RENAME, -1, -1, 0, -1, 1, -1),
	C(renameat, K_RENAME, -1, 0, 1, 2, 3, -1), C(renameat2, K_RENAME, -1, 0, 1, 2, 3, -1),
	C(link, K_LINK, -1, -1, 0, -1, 1, -1), C(linkat, K_LINK, -1, 0, 1, 2, 3, -1),
	C(symlink, K_LINK, -1, -1, 0, -1, 1, -1), C(symlinkat, K_LINK, -1, -1, 0, 1, 2, -1),
	C(mkdir, K_MKDIR, PATH(0)), C(mkdirat, K_MKDIR, AT(0, 1)),
	C(ftruncate, K_SIZE, FD(-1)), C(truncate, K_SIZE, PATH(0)), C(fallocate, K_SIZE, FD(-1)),
	C(copy_file_range, K_COPY, 2, -1, -1, -1, -1, 4), C(sendfile, K_COPY, FD(3)),
	C(ioctl, K_COPY, FD(-1)),
	C(mmap, K_MMAP, 4, -1, -1, -1, -1, -1), C(mremap, K_MMAP, NONE),
	C(getdents64, K_LIST, FD(-1)),
	C(stat, K_STAT, PATH(0)), C(lstat, K_STAT, PATH(0)), C(fstat, K_STAT, FD(-1)),
	C(newfstatat, K_STAT, AT(0, 1)), C(statx, K_STAT, AT(0, 1)), C(access, K_STAT, PATH(0)),
	C(faccessat, K_STAT, AT(0, 1)), C(faccessat2, K_STAT, AT(0, 1)),
	C(readlink, K_STAT, PATH(0)), C(readlinkat, K_STAT, AT(0, 1)), C(fstatfs, K_STAT, FD(-1)),
	C(statfs, K_STAT, PATH(0)), C(getcwd, K_STAT, NONE), C(lseek, K_STAT, FD(-1)),
	C(fchmod, K_META, FD(-1)), C(chmod, K_META, PATH(0)), C(fchmodat, K_META, AT(0, 1)),
	C(utimensat, K_META, AT(0, 1)), C(flock, K_META, FD(-1)), C(fchown, K_META, FD(-1)),
	C(unlink, K_UNLINK, PATH(0)), C(unlinkat, K_UNLINK, AT(0, 1)), C(rmdir, K_UNLINK, PATH(0)),
	C(socket, K_CONNECT, NONE), C(connect, K_CONNECT, FD(-1)),
	C(setsockopt, K_CONNECT, FD(-1)), C(getsockopt, K_CONNECT, FD(-1)),
	C(getsockname, K_CONNECT, FD(-1)), C(getpeername, K_CONNECT, FD(-1)),
	C(sendto, K_SEND, FD(2)), C(sendmsg, K_SEND, FD(-1)), C(sendmmsg, K_SEND, FD(-1)),
	C(recvfrom, K_RECV, FD(2)), C(recvmsg, K_RECV, FD(-1)), C(recvmmsg, K_RECV, FD(-1)),
	C(clone, K_THREAD, NONE), C(clone3, K_THREAD, NONE), C(fork, K_THREAD, NONE),
	C(vfork, K_THREAD, NONE),
	C(getrandom, K_RANDOM, -1, -1, -1, -1, -1, 1),
	C(poll, K_WAIT, NONE), C(ppoll, K_WAIT, NONE), C(select, K_WAIT, NONE),
	C(epoll_wait, K_WAIT, NONE), C(epoll_pwait, K_WAIT, NONE),
	C(pipe, K_PIPE, NONE), C(pipe2, K_PIPE, NONE), C(eventfd2, K_PIPE, NONE),
	C(socketpair, K_PIPE, NONE), C(dup, K_PIPE, FD(-1)), C(dup2, K_PIPE, FD(-1)),
	C(dup3, K_PIPE, FD(-1)), C(epoll_create1, K_PIPE, NONE), C(fcntl, K_PIPE, FD(-1)),
	C(exit_group, K_END, NONE),
};
/* clang-format on */

const size_t n_calls = sizeof(calls) / sizeof(calls[0]);

const struct call *call_find(long nr)
{
	for (size_t i = 0; i < n_calls; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}
