/* Tar files as containers of images: an index of the members of an uncompressed tar, for random
 * access, and the headers of the tars we write. Only what image archives need: no attributes, no
 * extraction. */
#ifndef WB_OCI_TARFILE_H
#define WB_OCI_TARFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

#define WB_TARFILE_BLOCK 512u
#define WB_TARFILE_MEMBERS_MAX 65536
#define WB_TARFILE_NAME_MAX 4096

enum wb_tarfile_type { WB_TARFILE_FILE, WB_TARFILE_DIR, WB_TARFILE_LINK, WB_TARFILE_OTHER };

struct wb_tarfile_member {
	char *name; /* without leading "./" or "/" and without trailing "/" */
	char *link; /* WB_TARFILE_LINK: target, from the root of the tar */
	enum wb_tarfile_type type;
	uint64_t offset, size; /* of the bytes in the tar */
};

struct wb_tarfile_index {
	WB_VEC(struct wb_tarfile_member) members; /* sorted by name */
};

#define WB_TARFILE_INDEX_INIT ((struct wb_tarfile_index){0})

/* Reads ustar, pax and GNU headers of a plain file; name is for messages. Everything is checked
 * against the file's size; sparse members, and two regular members of one name, are refused.
 * A compressed tar is WB_ERR_UNSUPPORTED and says so. */
int wb_tarfile_index_read(
	struct wb_tarfile_index *out, int fd, const char *name, struct wb_err *err);
void wb_tarfile_index_release(struct wb_tarfile_index *x);
/* The regular file of that name, links followed; NULL when there is none. */
const struct wb_tarfile_member *wb_tarfile_find(const struct wb_tarfile_index *x, const char *name);

/* One header block: time 0, owner 0:0. name fits 100 bytes. Sizes of 8 GiB or more are written in
 * GNU's base-256 form, which every reader knows, and not as PAX, which some do not. */
void wb_tarfile_header(uint8_t out[WB_TARFILE_BLOCK], const char *name, bool dir, uint64_t size);
/* Bytes to the next block. */
static inline uint64_t wb_tarfile_padding(uint64_t size)
{
	return (WB_TARFILE_BLOCK - size % WB_TARFILE_BLOCK) % WB_TARFILE_BLOCK;
}

#endif
