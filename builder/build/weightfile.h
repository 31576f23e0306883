/* Is a weights file whole? By its header alone, without reading the weights.
 *
 * safetensors: https://github.com/huggingface/safetensors#format; GGUF:
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. A Git LFS pointer:
 * https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md. */
#ifndef WB_BUILDER_BUILD_WEIGHTFILE_H
#define WB_BUILDER_BUILD_WEIGHTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WB_WEIGHT_HEADER_MAX (100u << 20) /* as the safetensors library takes them */

enum wb_weight_state {
	WB_WEIGHT_OTHER, /* no weights file that is known here */
	WB_WEIGHT_WHOLE,
	WB_WEIGHT_TRUNCATED, /* the header tells of more bytes than there are */
	WB_WEIGHT_DAMAGED,   /* the header does not parse */
	WB_WEIGHT_POINTER,   /* a Git LFS pointer: the weights were never fetched */
};

struct wb_weight_file {
	enum wb_weight_state state;
	const char *format; /* a literal, or NULL */
	uint64_t expected;  /* bytes that the header, or the pointer, tells of */
	char why[160];      /* DAMAGED */
};

/* path is opened; name is what the file is called (NULL: that too), for its format, and size the
 * whole file's. -1 only when it cannot be read. */
int wb_weight_file_check(struct wb_weight_file *out, const char *path, const char *name,
	uint64_t size, struct wb_err *err);

/* Each format's own (name decides between them); fd is at no particular offset. */
int wb_safetensors_check(struct wb_weight_file *out, int fd, uint64_t size, struct wb_err *err);
int wb_gguf_check(struct wb_weight_file *out, int fd, uint64_t size, struct wb_err *err);

#endif
