#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "builder/build/weightfile.h"

#define BUFFER 65536
#define TENSORS_MAX 1000000
#define DIMENSIONS_MAX 8

/* Bytes that a block of elements takes, by ggml_type; 0 elements: not known here. */
static const struct {
	uint16_t elements, bytes;
} types[] = {
	[0] = {1, 4}, /* F32 */
	[1] = {1, 2}, /* F16 */
	[2] = {32, 18},
	[3] = {32, 20},
	[6] = {32, 22},
	[7] = {32, 24}, /* Q4_0 … Q5_1 */
	[8] = {32, 34},
	[9] = {32, 36}, /* Q8_0, Q8_1 */
	[10] = {256, 84},
	[11] = {256, 110},
	[12] = {256, 144},
	[13] = {256, 176},
	[14] = {256, 210},
	[15] = {256, 292}, /* Q2_K … Q8_K */
	[16] = {256, 66},
	[17] = {256, 74},
	[18] = {256, 98},
	[19] = {256, 50},
	[20] = {32, 18},
	[21] = {256, 110},
	[22] = {256, 82},
	[23] = {256, 136},
	[29] = {256, 56}, /* IQ… */
	[24] = {1, 1},
	[25] = {1, 2},
	[26] = {1, 4},
	[27] = {1, 8},
	[28] = {1, 8}, /* I8 … F64 */
	[30] = {1, 2}, /* BF16 */
	[34] = {256, 54},
	[35] = {256, 66}, /* TQ1_0, TQ2_0 */
	[39] = {32, 17},  /* MXFP4 */
};

struct input {
	int fd, errnum;
	uint64_t at, size;
	uint64_t from; /* file offset of buf */
	size_t n;
	bool ended; /* it wanted more bytes than there are */
	unsigned char buf[BUFFER];
};

static bool byte(unsigned char *out, struct input *in)
{
	if (in->at >= in->size) {
		in->ended = true;
		return false;
	}
	if (in->at < in->from || in->at >= in->from + in->n) {
		ssize_t k = pread(in->fd, in->buf, BUFFER, (off_t)in->at);

		if (k <= 0) {
			in->errnum = k < 0 ? errno : 0;
			in->ended = true;
			return false;
		}
		in->from = in->at;
		in->n = (size_t)k;
	}
	*out = in->buf[in->at++ - in->from];
	return true;
}

static bool number(uint64_t *out, struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++) {
		unsigned char c;

		if (!byte(&c, in))
			return false;
		v |= (uint64_t)c << (8 * i);
	}
	*out = v;
	return true;
}

static bool pass(struct input *in, uint64_t n)
{
	if (n > in->size - in->at) {
		in->ended = true;
		return false;
	}
	in->at += n;
	return true;
}

enum { TYPE_STRING = 8, TYPE_ARRAY = 9 };

/* Bytes of a value type of fixed size, 0 for others. */
static unsigned value_bytes(uint64_t type)
{
	static const unsigned char bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

	return type < sizeof(bytes) ? bytes[type] : 0;
}

static bool pass_string(struct input *in)
{
	uint64_t n;

	return number(&n, in, 8) && pass(in, n);
}

static bool pass_array(struct input *in)
{
	uint64_t type, n;

	if (!number(&type, in, 4) || !number(&n, in, 8))
		return false;
	if (value_bytes(type))
		return n <= in->size && pass(in, n * value_bytes(type));
	if (type != TYPE_STRING)
		return false;
	while (n--)
		if (!pass_string(in))
			return false;
	return true;
}

/* One key with its value; the one that says how tensors are aligned is read. */
static bool metadata(struct input *in, uint64_t *alignment)
{
	static const char wanted[] = "general.alignment";
	uint64_t n, type;
	char key[sizeof(wanted)] = {0};

	if (!number(&n, in, 8))
		return false;
	if (n == sizeof(wanted) - 1) {
		for (uint64_t i = 0; i < n; i++)
			if (!byte((unsigned char *)&key[i], in))
				return false;
	} else if (!pass(in, n)) {
		return false;
	}
	if (!number(&type, in, 4))
		return false;
	if (type == 4 && !strcmp(key, wanted))
		return number(alignment, in, 4);
	if (type == TYPE_STRING)
		return pass_string(in);
	if (type == TYPE_ARRAY)
		return pass_array(in);
	return value_bytes(type) && pass(in, value_bytes(type));
}

/* Where the tensor's bytes end, relative to the data's start. */
static bool tensor(struct input *in, uint64_t *end)
{
	uint64_t dimensions, elements = 1, n, type, offset, bytes = 0;

	if (!pass_string(in) || !number(&dimensions, in, 4) || dimensions > DIMENSIONS_MAX)
		return false;
	while (dimensions--)
		if (!number(&n, in, 8) || !wb_mul_u64(&elements, elements, n))
			return false;
	if (!number(&type, in, 4) || !number(&offset, in, 8))
		return false;
	if (type < WB_ARRAY_LEN(types) && types[type].elements &&
		!wb_mul_u64(&bytes, elements / types[type].elements, types[type].bytes))
		return false;
	return wb_add_u64(end, offset, bytes);
}

static bool walk(struct wb_weight_file *out, struct input *in)
{
	uint64_t magic_and_version, tensors, keys, alignment = 32, end, last = 0;

	if (!number(&magic_and_version, in, 8) || !number(&tensors, in, 8) ||
		!number(&keys, in, 8) || tensors > TENSORS_MAX)
		return false;
	while (keys--)
		if (!metadata(in, &alignment))
			return false;
	for (uint64_t i = 0; i < tensors; i++) {
		if (!tensor(in, &end))
			return false;
		last = end > last ? end : last;
	}
	if (!alignment || alignment > BUFFER)
		return false;
	uint64_t start = (in->at + alignment - 1) / alignment * alignment;

	return wb_add_u64(&out->expected, start, last);
}

int wb_gguf_check(struct wb_weight_file *out, int fd, uint64_t size, struct wb_err *err)
{
	wb_autofree struct input *in = wb_zalloc(sizeof(*in));
	unsigned char version = 0;

	in->fd = fd;
	in->size = size;
	out->format = "GGUF";
	if (size > 4 && pread(fd, &version, 1, 4) == 1 && (version < 2 || version > 3)) {
		out->state =
			WB_WEIGHT_OTHER; /* version 1 counts in 32 bits; later ones are not known */
		return 0;
	}
	if (walk(out, in)) {
		out->state = size < out->expected ? WB_WEIGHT_TRUNCATED : WB_WEIGHT_WHOLE;
		return 0;
	}
	if (in->errnum)
		return wb_err_sys(err, in->errnum, "cannot read the header");
	out->state = in->ended ? WB_WEIGHT_TRUNCATED : WB_WEIGHT_DAMAGED;
	out->expected = 0;
	snprintf(out->why, sizeof(out->why), "its header does not parse");
	return 0;
}
