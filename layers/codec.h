/* Compression of a layer, one independent piece at a time.
 *
 * A layer's tar stream is cut into pieces of at most WB_PIECE_MAX bytes at places that depend on
 * the files alone (pack.h). Each piece is encoded by itself, by one single-threaded compressor, so
 * any number of cores may work on one layer and the bytes do not depend on how many did.
 *
 *  - zstd (RFC 8878): a frame per piece. What does not shrink becomes a frame of raw blocks,
 *    written without running the compressor.
 *  - gzip (RFC 1952): one member; each piece is deflate blocks that end on a byte boundary (a sync
 *    flush) and refer to nothing before them; stored blocks for what does not shrink.
 *  - none: the bytes themselves.
 *
 * An encoder belongs to one thread at a time. */
#ifndef WB_LAYERS_CODEC_H
#define WB_LAYERS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WB_PIECE_MAX (1u << 20)

enum wb_compression { WB_COMPRESS_ZSTD, WB_COMPRESS_GZIP, WB_COMPRESS_NONE };

struct wb_codec {
	enum wb_compression compression;
	int level; /* 0: chosen by content */
};

/* "auto" and "zstd" are zstd. */
int wb_codec_parse(struct wb_codec *out, const char *name, int level, struct wb_err *err);
const char *wb_codec_media_type(const struct wb_codec *c); /* OCI layer media type */
/* Names everything that may change the bytes: the codec, its level, the library and its version. */
void wb_codec_describe(char *out, size_t size, const struct wb_codec *c);
size_t wb_codec_bound(const struct wb_codec *c, size_t n); /* most bytes a piece of n becomes */

/* What precedes the first piece and follows the last; each at most WB_CODEC_TRIM bytes. crc is
 * CRC-32 of the whole content and total its length (gzip's trailer). */
#define WB_CODEC_TRIM 16
size_t wb_codec_head(const struct wb_codec *c, uint8_t *out);
size_t wb_codec_tail(const struct wb_codec *c, uint8_t *out, uint32_t crc, uint64_t total);
/* CRC-32 of a piece (gzip; else 0). */
uint32_t wb_codec_crc(const struct wb_codec *c, const uint8_t *p, size_t n);
/* CRC-32 of a followed by b, from theirs (gzip; else 0). */
uint32_t wb_codec_crc_join(const struct wb_codec *c, uint32_t a, uint32_t b, uint64_t b_len);

struct wb_encoder;
struct wb_encoder *wb_encoder_new(const struct wb_codec *c);
void wb_encoder_free(struct wb_encoder *e);
/* Encodes a piece into out (wb_codec_bound bytes); *crc is set for gzip. -> bytes written. */
size_t wb_encode(struct wb_encoder *e, uint8_t *out, const uint8_t *p, size_t n, uint32_t *crc);
/* Is `piece` an encoded piece that decodes to p[0..n), n at most WB_PIECE_MAX? */
bool wb_encoder_confirms(
	struct wb_encoder *e, const uint8_t *piece, size_t piece_n, const uint8_t *p, size_t n);

#endif
