#include "builder/build/weightfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define POINTER_MAX 1024 /* bytes of a Git LFS pointer, by its specification */

static void damaged(struct wb_weight_file *out, const char *why)
{
	out->state = WB_WEIGHT_DAMAGED;
	snprintf(out->why, sizeof(out->why), "%.150s", why);
}

/* --- Git LFS ------------------------------------------------------------------------------ */

static bool is_pointer(struct wb_weight_file *out, const char *text)
{
	const char *size = strstr(text, "\nsize ");

	if (!wb_str_starts(text, "version https://git-lfs.github.com/spec/") || !size)
		return false;
	wb_autofree char *digits = wb_strndup(size + 6, strcspn(size + 6, "\r\n"));

	out->state = WB_WEIGHT_POINTER;
	out->format = "Git LFS";
	if (!wb_parse_u64(&out->expected, digits))
		out->expected = 0;
	return true;
}

/* --- safetensors -------------------------------------------------------------------------- */

/* The end of the last tensor's bytes, relative to the header's end. */
static bool data_end(uint64_t *out, const json_t *header)
{
	const char *name;
	json_t *tensor;

	*out = 0;
	json_object_foreach ((json_t *)(uintptr_t)header, name, tensor) {
		const json_t *offsets = json_object_get(tensor, "data_offsets");
		json_int_t from = json_integer_value(json_array_get(offsets, 0));
		json_int_t to = json_integer_value(json_array_get(offsets, 1));

		if (!strcmp(name, "__metadata__"))
			continue;
		if (json_array_size(offsets) != 2 || from < 0 || to < from)
			return false;
		*out = (uint64_t)to > *out ? (uint64_t)to : *out;
	}
	return true;
}

int wb_safetensors_check(struct wb_weight_file *out, int fd, uint64_t size, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;
	unsigned char le[8];
	uint64_t n = 0, end;

	out->format = "safetensors";
	if (size < sizeof(le)) {
		damaged(out, "it is shorter than a header");
		return 0;
	}
	if (wb_file_read_full(fd, le, sizeof(le), 0, "header", err))
		return -1;
	for (unsigned i = 0; i < sizeof(le); i++)
		n |= (uint64_t)le[i] << (8 * i);
	if (n > WB_WEIGHT_HEADER_MAX) {
		damaged(out, "its header claims to be larger than any");
		return 0;
	}
	out->expected = sizeof(le) + n;
	if (out->expected > size) {
		out->state = WB_WEIGHT_TRUNCATED;
		return 0;
	}
	wb_autofree char *text = wb_zalloc((size_t)n + 1);

	if (wb_file_read_full(fd, text, (size_t)n, sizeof(le), "header", err))
		return -1;
	wb_autojson json_t *header = wb_json_parse(text, (size_t)n, "header", &why);

	if (!json_is_object(header) || !data_end(&end, header) ||
		!wb_add_u64(&out->expected, out->expected, end)) {
		damaged(out, header ? "its tensors have no sound offsets" : why.text);
		return 0;
	}
	out->state = size < out->expected ? WB_WEIGHT_TRUNCATED : WB_WEIGHT_WHOLE;
	return 0;
}

/* --- a file ------------------------------------------------------------------------------- */

int wb_weight_file_check(struct wb_weight_file *out, const char *path, const char *name,
	uint64_t size, struct wb_err *err)
{
	wb_autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char head[POINTER_MAX + 1] = {0};

	*out = (struct wb_weight_file){0};
	name = name ? name : path;
	ssize_t n = fd < 0 ? -1 : pread(fd, head, POINTER_MAX, 0);

	if (n < 0)
		return wb_err_sys(err, errno, "cannot read \"%s\"", path);
	if (size <= POINTER_MAX && is_pointer(out, head))
		return 0;
	if (wb_str_ends(name, ".safetensors"))
		return wb_safetensors_check(out, fd, size, err);
	if (n >= 4 && !memcmp(head, "GGUF", 4))
		return wb_gguf_check(out, fd, size, err);
	if (wb_str_ends(name, ".gguf")) {
		out->format = "GGUF";
		damaged(out, "it does not begin with \"GGUF\"");
	}
	return 0;
}
