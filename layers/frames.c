#include "layers/frames.h"

#include <stdio.h>

void wb_frames_release(struct wb_frames *f)
{
	wb_vec_free(&f->sizes);
}

static char *key_of(const struct wb_codec *codec, const struct wb_digest *file)
{
	char text[96];

	wb_codec_describe(text, sizeof(text), codec);
	return wb_asprintf("%s %s", text, wb_digest_hex(file).s);
}

static char *size_key(uint64_t size)
{
	return wb_asprintf("%llu", (unsigned long long)size);
}

static bool read_sizes(struct wb_frames *out, const json_t *list, size_t limit)
{
	json_t *v;
	size_t i;

	json_array_foreach (list, i, v) {
		json_int_t n = json_integer_value(v);

		if (n <= 0 || (uint64_t)n > limit)
			return false;
		*wb_vec_push(&out->sizes) = (uint32_t)n;
	}
	return true;
}

bool wb_frames_recall(struct wb_frames *out, struct wb_store *s, const struct wb_codec *codec,
	const struct wb_digest *file, uint64_t size)
{
	wb_autofree char *key = key_of(codec, file);
	wb_autojson json_t *record = wb_store_index_get(s, "frames", key);
	const char *blob = wb_json_str_opt(record, "blob");
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_frames f = WB_FRAMES_INIT;

	if (!blob || wb_digest_parse(&f.blob, blob, &ignored) ||
		!wb_store_has(s, &f.blob, wb_json_u64_opt(record, "blobSize", 0)))
		return false;
	f.offset = wb_json_u64_opt(record, "offset", 0);
	if (!read_sizes(
		    &f, json_object_get(record, "sizes"), wb_codec_bound(codec, WB_PIECE_MAX)) ||
		f.sizes.n != (size + WB_PIECE_MAX - 1) / WB_PIECE_MAX) {
		wb_frames_release(&f);
		return false;
	}
	*out = f;
	return true;
}

void wb_frames_remember(const struct wb_frames *f, struct wb_store *s, const struct wb_codec *codec,
	const struct wb_digest *file, uint64_t size)
{
	wb_autofree char *key = key_of(codec, file);
	wb_autofree char *by_size = size_key(size);
	wb_autojson json_t *record = json_object();
	wb_autojson json_t *yes = json_true();
	json_t *sizes = json_array();
	struct wb_err ignored = WB_ERR_INIT; /* a hint that is not written only costs time */
	uint64_t blob_size = 0;
	wb_autoclose int fd = wb_store_open_blob(s, &f->blob, &blob_size, &ignored);

	wb_vec_foreach (n, &f->sizes)
		wb_json_append(sizes, json_integer(*n));
	wb_json_set_str(record, "blob", wb_digest_text(&f->blob).s);
	wb_json_set_u64(record, "blobSize", blob_size);
	wb_json_set_u64(record, "offset", f->offset);
	wb_json_set(record, "sizes", sizes);
	if (!wb_store_index_put(s, "frames", key, record, &ignored))
		(void)wb_store_index_put(s, "frame-size", by_size, yes, &ignored);
}

bool wb_frames_likely(struct wb_store *s, uint64_t size)
{
	wb_autofree char *key = size_key(size);
	wb_autojson json_t *seen = wb_store_index_get(s, "frame-size", key);

	return seen != NULL;
}
