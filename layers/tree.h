/* The file tree of an image's bundle: every path that the layers will hold, resolved. A tree only
 * takes content that is on disk (a committed blob of the store, or a local file by its stat) or
 * whose SHA-256 is known, so that a layer that exists already is found without fetching it; the
 * packer has such files supplied before it reads them (pack.h).
 *
 * Paths are relative to the image's root, no leading slash, safe (wb_path_unsafe). Adding is not
 * thread safe; a finished tree (wb_tree_finish) is read-only. */
#ifndef WB_LAYERS_TREE_H
#define WB_LAYERS_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/growing.h"

enum wb_node_type { WB_NODE_FILE, WB_NODE_DIR, WB_NODE_SYMLINK };

/* Where a file's bytes are. */
struct wb_content {
	char *path;     /* on disk; NULL: not yet, and then the digest is known */
	bool immutable; /* in the store: not checked for change while it is read */
	bool digest_known;
	struct wb_digest digest; /* SHA-256 of the bytes, when known */
	uint64_t size;
	struct timespec mtime, ctime; /* of a local file: packing fails when they change */
	dev_t dev;
	ino_t ino;
};

struct wb_node {
	char *path;
	enum wb_node_type type;
	unsigned mode; /* permission bits, normalised: 0644 or 0755 for files, 0755 directories */
	char *target;  /* symlink text */
	struct wb_content content;
	struct wb_digest *states; /* a large file's chaining values (states.h), NULL until known */
	unsigned group;           /* which source it came from: bundles never mix groups */
	size_t order;             /* set by finish: its index in nodes */
	size_t layer; /* set by wb_pack() while its bytes are brought: which layer waits */
	struct wb_growing *growing; /* likewise: they are read from here while they come */
	struct wb_node *same; /* set by finish: this file's bytes are those of `same` (hard link) */
	UT_hash_handle hh;
};

struct wb_tree_group {
	char *label; /* for history and inspect: "data", "hf://owner/repo@<sha>" */
	char *mount; /* absolute mount point */
};

struct wb_tree {
	struct wb_node *by_path;        /* uthash */
	WB_VEC(struct wb_node *) nodes; /* after finish: sorted by wb_path_cmp */
	WB_VEC(struct wb_tree_group) groups;
	uint64_t bytes; /* of files, duplicates once */
};

#define WB_TREE_INIT ((struct wb_tree){0})

unsigned wb_tree_group(struct wb_tree *t, const char *label, const char *mount);
/* Errors (WB_ERR_CONFIG): unsafe path, two sources that write one path (both named), a file that is
 * also a directory. Fine twice: the same directory, and the same path with the same thing (digest
 * known, or link text). content is copied. */
int wb_tree_add_file(struct wb_tree *t, unsigned group, const char *path, unsigned mode,
	const struct wb_content *content, struct wb_err *err);
int wb_tree_add_symlink(struct wb_tree *t, unsigned group, const char *path, const char *target,
	struct wb_err *err);
int wb_tree_add_dir(struct wb_tree *t, unsigned group, const char *path, struct wb_err *err);
/* Sorts, and finds files with equal bytes and mode (by digest, else by size and comparison). */
int wb_tree_finish(struct wb_tree *t, unsigned jobs, struct wb_err *err);
void wb_tree_release(struct wb_tree *t);

#endif
