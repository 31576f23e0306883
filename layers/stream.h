/* A planned layer as a tar stream, cut into pieces.
 *
 * The cuts depend on the files alone: headers and files of up to WB_STREAM_SMALL bytes gather in a
 * piece until the next would not fit; a larger file's content begins a piece of its own and is cut
 * every WB_PIECE_MAX bytes. So a large file's pieces are the same wherever it lies, and its bytes
 * stay 64-byte aligned in the stream, which lets one pass feed several digests.
 *
 * Directories: every ancestor of a layer's files is written in that layer, with the attributes that
 * wb_dir_attrs gives it, because some runtimes unpack each layer by itself and invent the mode of a
 * parent that they miss. One thread at a time. */
#ifndef WB_LAYERS_STREAM_H
#define WB_LAYERS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "layers/codec.h"
#include "layers/guard.h"
#include "layers/plan.h"
#include "layers/tar.h"

#define WB_STREAM_SMALL (256u << 10)

/* Attributes of directories that are the base image's, so that our entries repeat them and change
 * nothing. Others are 0755, owned by 0:0. */
struct wb_dir_attr {
	char *path; /* no leading slash */
	unsigned mode, uid, gid;
	bool omit; /* not known: leave the directory to the base */
	UT_hash_handle hh;
};
struct wb_dir_attrs {
	struct wb_dir_attr *by_path;
};
#define WB_DIR_ATTRS_INIT ((struct wb_dir_attrs){0})
void wb_dir_attrs_set(struct wb_dir_attrs *a, const char *path, unsigned mode, unsigned uid,
	unsigned gid, bool omit);
const struct wb_dir_attr *wb_dir_attrs_get(const struct wb_dir_attrs *a, const char *path);
void wb_dir_attrs_release(struct wb_dir_attrs *a);

struct wb_stream_opts {
	uint64_t mtime;                  /* of every entry, seconds */
	const struct wb_dir_attrs *dirs; /* or NULL */
	const struct wb_guard *guard;    /* or NULL */
};

struct wb_piece {
	size_t n;             /* bytes; 0 at the end of the stream */
	struct wb_node *file; /* when all of the piece is content of this large file */
	uint64_t offset;      /* in that file */
	bool last;            /* the file ends with this piece */
};

/* A file that is read while it comes; borrowed. */
struct wb_stream_along {
	struct wb_growing *growing;
	unsigned round; /* that is read */
};

struct wb_stream {
	const struct wb_planned_layer *layer;
	struct wb_stream_opts opts;
	size_t node;          /* the next one */
	size_t dir_len;       /* how much of its path was written as directories */
	const char *before;   /* the path written before it, or NULL */
	struct wb_node *file; /* the open large file */
	int fd;
	uint64_t offset;
	size_t padding;
	bool ended;
	struct wb_guard_tail seen;            /* of the open large file */
	WB_VEC(struct wb_stream_along) along; /* files that were not all there, the open one last */
	struct wb_growing *lost; /* the one of them of which what was read is void: the layer has to
	                          * begin anew; or NULL */
};

void wb_stream_init(struct wb_stream *s, const struct wb_planned_layer *layer,
	const struct wb_stream_opts *opts);
/* The next piece, into buf (WB_PIECE_MAX bytes, page-aligned). Digests of small files are computed
 * on the way where they are not known. Fails where the guard does. Waits for the bytes of a file
 * that still comes; when it turns out that they are void, sets lost and makes an empty piece. */
int wb_stream_next(struct wb_piece *out, struct wb_stream *s, uint8_t *buf, struct wb_err *err);
/* Would wb_stream_next() not have to wait? */
bool wb_stream_ready(const struct wb_stream *s);
/* At the end: waits until each file that came meanwhile was found good, or one is lost. */
void wb_stream_settle(struct wb_stream *s);
void wb_stream_release(struct wb_stream *s);

/* The entries that a layer's stream has, in its order; node is NULL for an ancestor directory. */
typedef void wb_stream_entry(void *arg, const struct wb_tar_entry *e, const struct wb_node *node);
void wb_stream_entries(const struct wb_planned_layer *layer, const struct wb_stream_opts *opts,
	wb_stream_entry *fn, void *arg);

#endif
