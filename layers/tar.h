/* Tar headers, deterministic: GNU format (magic "ustar  "), mtime given, no user or group names.
 * GNU and not PAX because readers exist that misread PAX-only sizes: members over 8 GiB carry
 * their size in base 256, and names over 100 bytes travel in an 'L' (or 'K') member before theirs
 * (GNU tar manual, "Basic Tar Format"). Pure functions. */
#ifndef WB_LAYERS_TAR_H
#define WB_LAYERS_TAR_H

#include <stddef.h>
#include <stdint.h>

#define WB_TAR_BLOCK 512u
/* The most bytes wb_tar_header() writes: the header and, for a name and for a link of up to 4096
 * bytes, a header and its data. */
#define WB_TAR_HEADER_MAX (WB_TAR_BLOCK * (1 + 2 * (1 + 9)))

enum wb_tar_type {
	WB_TAR_FILE = '0',
	WB_TAR_HARDLINK = '1',
	WB_TAR_SYMLINK = '2',
	WB_TAR_DIR = '5',
};

struct wb_tar_entry {
	enum wb_tar_type type;
	const char *name; /* without leading slash; directories without trailing slash */
	const char *link; /* target of a link; a hard link's is a name of the same layer */
	unsigned mode, uid, gid;
	uint64_t size;
	uint64_t mtime; /* seconds */
};

/* Writes the header blocks to out (WB_TAR_HEADER_MAX bytes) and returns how many bytes. */
size_t wb_tar_header(uint8_t *out, const struct wb_tar_entry *e);

static inline size_t wb_tar_padding(uint64_t size)
{
	return (size_t)(-size & (WB_TAR_BLOCK - 1));
}

#endif
