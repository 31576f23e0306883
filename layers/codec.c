#include "layers/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "layers/literals.h"
#include "layers/probe.h"
#include "oci/mediatype.h"

enum {
	STORED_BLOCK = 65535, /* RFC 1951, 3.2.4 */
	TEXT_LEVEL = 3,
	NUMBERS_LEVEL = 1, /* a higher one gains nothing on weights, at several times the cost */
	GZIP_TEXT_LEVEL = 6,
};

struct wb_encoder {
	struct wb_codec codec;
	ZSTD_CCtx *zstd;
	z_stream deflate;
	int deflate_level, deflate_strategy;
	/* for wb_encoder_confirms, made when it is first needed */
	ZSTD_DCtx *unzstd;
	z_stream inflate;
	uint8_t *decoded; /* WB_PIECE_MAX and one more */
};

int wb_codec_parse(struct wb_codec *out, const char *name, int level, struct wb_err *err)
{
	static const struct {
		const char *name;
		enum wb_compression compression;
		int level_max;
	} known[] = {
		{"auto", WB_COMPRESS_ZSTD, 19},
		{"zstd", WB_COMPRESS_ZSTD, 19},
		{"gzip", WB_COMPRESS_GZIP, 9},
		{"none", WB_COMPRESS_NONE, 0},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(known); i++) {
		if (strcmp(name, known[i].name))
			continue;
		if (level < 0 || level > known[i].level_max)
			return wb_err_set(err, WB_ERR_USAGE,
				"compression level %d is out of range for %s (0 to %d; 0 chooses "
				"by content)",
				level, name, known[i].level_max);
		*out = (struct wb_codec){known[i].compression, level};
		return 0;
	}
	return wb_err_set(err, WB_ERR_USAGE,
		"unknown compression \"%.40s\" (auto, zstd, gzip or none)", name);
}

const char *wb_codec_media_type(const struct wb_codec *c)
{
	switch (c->compression) {
	case WB_COMPRESS_ZSTD: return WB_MT_OCI_LAYER_ZSTD;
	case WB_COMPRESS_GZIP: return WB_MT_OCI_LAYER_GZIP;
	case WB_COMPRESS_NONE: return WB_MT_OCI_LAYER;
	}
	return NULL;
}

void wb_codec_describe(char *out, size_t size, const struct wb_codec *c)
{
	switch (c->compression) {
	case WB_COMPRESS_ZSTD:
		snprintf(
			out, size, "zstd:%d literals:1 libzstd:%s", c->level, ZSTD_versionString());
		break;
	case WB_COMPRESS_GZIP:
		snprintf(out, size, "gzip:%d zlib:%s", c->level, zlibVersion());
		break;
	case WB_COMPRESS_NONE: snprintf(out, size, "none"); break;
	}
}

static size_t blocks(size_t n, size_t block)
{
	return n / block + 1;
}

size_t wb_codec_bound(const struct wb_codec *c, size_t n)
{
	switch (c->compression) {
	case WB_COMPRESS_ZSTD: {
		size_t raw = wb_raw_frame_size(n), bound = ZSTD_compressBound(n);

		return raw > bound ? raw : bound;
	}
	case WB_COMPRESS_GZIP: return compressBound(n) + 5 * blocks(n, STORED_BLOCK) + 64;
	case WB_COMPRESS_NONE: return n;
	}
	return n;
}

static void put_le32(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

size_t wb_codec_head(const struct wb_codec *c, uint8_t *out)
{
	/* no name, no time, unknown system: RFC 1952, 2.3.1 */
	static const uint8_t gzip[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

	if (c->compression != WB_COMPRESS_GZIP)
		return 0;
	memcpy(out, gzip, sizeof(gzip));
	return sizeof(gzip);
}

size_t wb_codec_tail(const struct wb_codec *c, uint8_t *out, uint32_t crc, uint64_t total)
{
	if (c->compression != WB_COMPRESS_GZIP)
		return 0;
	out[0] = 3; /* an empty final block with fixed codes */
	out[1] = 0;
	put_le32(out + 2, crc);
	put_le32(out + 6, (uint32_t)total);
	return 10;
}

uint32_t wb_codec_crc(const struct wb_codec *c, const uint8_t *p, size_t n)
{
	return c->compression == WB_COMPRESS_GZIP ? (uint32_t)crc32(0, p, (uInt)n) : 0;
}

uint32_t wb_codec_crc_join(const struct wb_codec *c, uint32_t a, uint32_t b, uint64_t b_len)
{
	if (c->compression != WB_COMPRESS_GZIP)
		return 0;
	return (uint32_t)crc32_combine(a, b, (z_off_t)b_len);
}

struct wb_encoder *wb_encoder_new(const struct wb_codec *c)
{
	struct wb_encoder *e = wb_zalloc(sizeof(*e));

	e->codec = *c;
	if (c->compression == WB_COMPRESS_ZSTD && !(e->zstd = ZSTD_createCCtx()))
		abort();
	if (c->compression == WB_COMPRESS_GZIP) {
		e->deflate_level = GZIP_TEXT_LEVEL;
		if (deflateInit2(&e->deflate, e->deflate_level, Z_DEFLATED, -15, 8,
			    Z_DEFAULT_STRATEGY) != Z_OK)
			abort();
	}
	return e;
}

void wb_encoder_free(struct wb_encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->zstd);
	ZSTD_freeDCtx(e->unzstd);
	if (e->codec.compression == WB_COMPRESS_GZIP) {
		deflateEnd(&e->deflate);
		inflateEnd(&e->inflate);
	}
	free(e->decoded);
	free(e);
}

static size_t zstd_piece(struct wb_encoder *e, uint8_t *out, const uint8_t *p, size_t n)
{
	enum wb_probe kind = wb_probe(p, n);
	int level = e->codec.level          ? e->codec.level
	            : kind == WB_PROBE_TEXT ? TEXT_LEVEL
	                                    : NUMBERS_LEVEL;

	if (kind == WB_PROBE_NOISE)
		return wb_raw_frame(out, p, n);
	if (kind == WB_PROBE_NUMBERS && !e->codec.level && !wb_probe_repeats(p, n))
		return wb_literal_frame(out, p, n);
	/* Never nbWorkers: a frame is one job, and its bytes must not depend on the cores. */
	size_t size = ZSTD_compressCCtx(e->zstd, out, wb_codec_bound(&e->codec, n), p, n, level);

	return ZSTD_isError(size) || size >= n + n / 512 ? wb_raw_frame(out, p, n) : size;
}

static size_t gzip_stored(uint8_t *out, const uint8_t *p, size_t n)
{
	uint8_t *start = out;

	while (n) {
		size_t k = n < STORED_BLOCK ? n : STORED_BLOCK;

		out[0] = 0;
		out[1] = (uint8_t)k;
		out[2] = (uint8_t)(k >> 8);
		out[3] = (uint8_t)~k;
		out[4] = (uint8_t)(~k >> 8);
		wb_copy(out + 5, p, k);
		out += 5 + k;
		p += k;
		n -= k;
	}
	return (size_t)(out - start);
}

static size_t gzip_piece(struct wb_encoder *e, uint8_t *out, const uint8_t *p, size_t n)
{
	enum wb_probe kind = wb_probe(p, n);
	int level = e->codec.level ? e->codec.level : GZIP_TEXT_LEVEL;
	/* Weights have no matches worth looking for: Huffman codes alone, several times as fast. */
	int strategy =
		kind == WB_PROBE_NUMBERS && !e->codec.level ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY;

	if (kind == WB_PROBE_NOISE)
		return gzip_stored(out, p, n);
	deflateReset(&e->deflate);
	if (level != e->deflate_level || strategy != e->deflate_strategy) {
		deflateParams(&e->deflate, level, strategy);
		e->deflate_level = level;
		e->deflate_strategy = strategy;
	}
	size_t bound = wb_codec_bound(&e->codec, n);

	e->deflate.next_in = (Bytef *)p;
	e->deflate.avail_in = (uInt)n;
	e->deflate.next_out = out;
	e->deflate.avail_out = (uInt)bound;
	deflate(&e->deflate, Z_SYNC_FLUSH);
	size_t size = bound - e->deflate.avail_out;

	/* all of it, and flushed to a byte boundary: else there would be no room left */
	bool whole = !e->deflate.avail_in && e->deflate.avail_out;

	return !whole || size >= n + n / 512 + 16 ? gzip_stored(out, p, n) : size;
}

size_t wb_encode(struct wb_encoder *e, uint8_t *out, const uint8_t *p, size_t n, uint32_t *crc)
{
	*crc = wb_codec_crc(&e->codec, p, n);
	switch (e->codec.compression) {
	case WB_COMPRESS_ZSTD: return zstd_piece(e, out, p, n);
	case WB_COMPRESS_GZIP: return gzip_piece(e, out, p, n);
	case WB_COMPRESS_NONE: memcpy(out, p, n); return n;
	}
	return 0;
}

/* --- checking a piece --------------------------------------------------------------------- */

static size_t unzstd_piece(struct wb_encoder *e, const uint8_t *piece, size_t piece_n)
{
	if (!e->unzstd && !(e->unzstd = ZSTD_createDCtx()))
		abort();
	size_t n = ZSTD_decompressDCtx(e->unzstd, e->decoded, WB_PIECE_MAX + 1, piece, piece_n);

	return ZSTD_isError(n) ? SIZE_MAX : n;
}

static size_t inflate_piece(struct wb_encoder *e, const uint8_t *piece, size_t piece_n)
{
	z_stream *z = &e->inflate;

	if ((z->state ? inflateReset(z) : inflateInit2(z, -15)) != Z_OK)
		abort();
	z->next_in = (Bytef *)piece;
	z->avail_in = (uInt)piece_n;
	z->next_out = e->decoded;
	z->avail_out = WB_PIECE_MAX + 1;
	/* A piece does not end the stream, nothing of it is left over, and (data_type, see zlib.h)
	 * it ends between two blocks and between two bytes. */
	if (inflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in || z->data_type != 128)
		return SIZE_MAX;
	return WB_PIECE_MAX + 1 - z->avail_out;
}

bool wb_encoder_confirms(
	struct wb_encoder *e, const uint8_t *piece, size_t piece_n, const uint8_t *p, size_t n)
{
	const uint8_t *decoded = piece;
	size_t got = piece_n;

	if (e->codec.compression != WB_COMPRESS_NONE) {
		if (!e->decoded)
			e->decoded = wb_alloc_pages(WB_PIECE_MAX + 1);
		decoded = e->decoded;
		got = e->codec.compression == WB_COMPRESS_ZSTD ? unzstd_piece(e, piece, piece_n)
		                                               : inflate_piece(e, piece, piece_n);
	}
	return got == n && !memcmp(decoded, p, n);
}
