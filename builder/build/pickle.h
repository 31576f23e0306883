/* What a pickle would import when it is loaded, by its opcodes (Python's pickletools documents
 * them); nothing is executed. Knows plain pickles, several in a row (torch's old format) and zips
 * that hold some (torch's new format, .npz). Bounded: at most WB_PICKLE_BYTES_MAX of opcodes. */
#ifndef WB_BUILDER_BUILD_PICKLE_H
#define WB_BUILDER_BUILD_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/alloc.h"
#include "base/err.h"

#define WB_PICKLE_BYTES_MAX (64u << 20)
#define WB_PICKLE_IMPORTS_MAX 64

enum wb_import_kind {
	WB_IMPORT_PLAIN,   /* what weights are made of: torch, numpy, collections */
	WB_IMPORT_UNKNOWN, /* may do anything */
	WB_IMPORT_UNSAFE,  /* starts programs, evaluates code, opens files or sockets */
};

struct wb_pickle_import {
	char *name; /* "torch._utils._rebuild_tensor_v2" */
	enum wb_import_kind kind;
};

struct wb_pickle {
	bool found;                              /* there is a pickle */
	bool complete;                           /* it was read to its end */
	uint64_t bytes;                          /* looked at so far, of WB_PICKLE_BYTES_MAX */
	WB_VEC(struct wb_pickle_import) imports; /* each once */
};

#define WB_PICKLE_INIT ((struct wb_pickle){0})
void wb_pickle_release(struct wb_pickle *p);
/* The worst of its imports; PLAIN when there is none. */
enum wb_import_kind wb_pickle_worst(const struct wb_pickle *p);
enum wb_import_kind wb_pickle_import_kind(const char *module, const char *name);

/* Bytes of one pickle stream: read as read(2); skip (may be NULL) passes over n bytes. */
struct wb_pickle_input {
	ssize_t (*read)(void *arg, void *p, size_t n);
	int (*skip)(void *arg, uint64_t n);
	void *arg;
};
/* Adds to out. A stream that is none leaves it as it was. */
void wb_pickle_scan(struct wb_pickle *out, const struct wb_pickle_input *in);
/* A file, whatever its name. -1 only when it cannot be read. */
int wb_pickle_scan_file(struct wb_pickle *out, const char *path, struct wb_err *err);
/* The members of a zip (builder/build/pickle_zip.c); one that is damaged ends early. */
void wb_pickle_scan_zip(struct wb_pickle *out, int fd);

#endif
