#include "layers/literals.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "layers/huffman.h"

enum {
	BLOCK_MAX = 128 << 10, /* 3.1.1.2.4: Block_Maximum_Size */
	FRAME_HEAD = 9,
	BLOCK_HEAD = 3,
	CODED_MIN = 1024, /* a shorter block is not worth its table */
	STREAMS = 4,
	JUMP_TABLE = 2 * (STREAMS - 1),
	SIZES_HEAD = 5,    /* Literals_Section_Header with sizes of 18 bits */
	SPAN = 512,        /* a block is sampled by as many bytes ... */
	SPAN_EVERY = 8192, /* ... of each so many */
	NO_CODE = 0x80,    /* the length of a pair of which one byte has none */
	SLACK = 32,        /* the ends of streams, which are stored by eight bytes, and the heads */
};

enum block_type { RAW, RLE, COMPRESSED };   /* 3.1.1.2.2 */
enum literals_type { CODED = 2, TREELESS }; /* 3.1.1.3.1.1 */

/* What goes from block to block of a frame. */
struct frame {
	struct wb_huffman code;
	bool has_code;         /* and the decoder has it too */
	uint64_t bits_per_64k; /* what 2^16 bytes became in the block that it was made for */
	uint32_t pairs[1 << 16];
};

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* 3.1.1.1: single segment, 4 bytes of content size */
static size_t put_frame_head(uint8_t *out, size_t n)
{
	put_le(out, 0xfd2fb528u, 4);
	out[4] = 0xa0;
	put_le(out + 5, n, 4);
	return FRAME_HEAD;
}

static void put_block_head(uint8_t *out, enum block_type type, size_t n, bool last)
{
	put_le(out, n << 3 | (uint64_t)type << 1 | last, BLOCK_HEAD);
}

static size_t put_raw_block(uint8_t *out, const uint8_t *p, size_t n, bool last)
{
	put_block_head(out, RAW, n, last);
	wb_copy(out + BLOCK_HEAD, p, n);
	return BLOCK_HEAD + n;
}

/* --- counting ----------------------------------------------------------------------------- */

/* How often each byte occurs; in four tables, for an addition waits for the one before that went to
 * the same counter. */
struct tally {
	uint32_t parts[4][256];
};

/* n: a multiple of 8 */
static void tally(struct tally *t, const uint8_t *p, size_t n)
{
	uint64_t v;

	for (size_t i = 0; i < n; i += sizeof(v)) {
		memcpy(&v, p + i, sizeof(v));
		for (unsigned k = 0; k < 8; k++)
			t->parts[k % 4][v >> (8 * k) & 255]++;
	}
}

static void sum_up(uint32_t counts[256], const struct tally *t)
{
	for (size_t i = 0; i < 256; i++)
		counts[i] = t->parts[0][i] + t->parts[1][i] + t->parts[2][i] + t->parts[3][i];
}

static void count(uint32_t counts[256], const uint8_t *p, size_t n)
{
	struct tally t = {0};

	tally(&t, p, n / 8 * 8);
	for (size_t i = n / 8 * 8; i < n; i++)
		t.parts[0][p[i]]++;
	sum_up(counts, &t);
}

/* Of a few spans. -> bytes counted */
static size_t count_sample(uint32_t counts[256], const uint8_t *p, size_t n)
{
	struct tally t = {0};
	size_t total = 0;

	for (size_t at = 0; at + SPAN <= n; at += SPAN_EVERY, total += SPAN)
		tally(&t, p + at, SPAN);
	sum_up(counts, &t);
	return total;
}

/* --- coding ------------------------------------------------------------------------------- */

/* The codes of all pairs of bytes, by the two as a number of 16 bits: the second's, which a stream
 * has first, then the first's; the bits from the ninth on, below them how many. Those of weights
 * that occur lie in few lines of the cache, and one look-up for two bytes is what counts. */
static void make_pairs(uint32_t pairs[1 << 16], const struct wb_huffman_code codes[256])
{
	for (size_t second = 0; second < 256; second++) {
		const struct wb_huffman_code *s = &codes[second];
		uint32_t *row = pairs + (second << 8);

		if (s->len == WB_HUFFMAN_MISSING) {
			for (size_t first = 0; first < 256; first++)
				row[first] = NO_CODE;
			continue;
		}
		for (size_t first = 0; first < 256; first++) {
			const struct wb_huffman_code *f = &codes[first];

			row[first] =
				f->len == WB_HUFFMAN_MISSING
					? NO_CODE
					: (s->bits | f->bits << s->len) << 8 | (s->len + f->len);
		}
	}
}

/* Bits that are to be stored, the oldest lowest: fewer than 8 after store(), and two pairs more at
 * most before the next. */
struct stream {
	uint64_t acc;
	uint32_t pos;
	uint8_t *out;
};

static inline void put(struct stream *s, uint32_t code)
{
	s->acc |= (uint64_t)(code >> 8) << (s->pos & 63);
	s->pos += code & 255;
}

static inline bool store(struct stream *s)
{
	uint64_t le = htole64(s->acc);

	if (s->pos >= NO_CODE)
		return false;
	memcpy(s->out, &le, sizeof(le));
	s->out += s->pos / 8;
	s->acc >>= s->pos & 56;
	s->pos &= 7;
	return true;
}

static inline uint32_t pair_at(const uint8_t *p)
{
	uint16_t le;

	memcpy(&le, p, sizeof(le));
	return le16toh(le);
}

/* 4.2.2: a stream is read from its end, so the last byte comes first. NULL: a byte has no code */
static uint8_t *put_stream(uint8_t *out, const uint8_t *p, size_t n, const struct frame *f)
{
	struct stream s = {.out = out};

	for (; n % 4; n--) {
		const struct wb_huffman_code *c = &f->code.codes[p[n - 1]];

		put(&s, c->len == WB_HUFFMAN_MISSING ? NO_CODE : c->bits << 8 | c->len);
	}
	if (!store(&s))
		return NULL;
	for (; n; n -= 4) {
		put(&s, f->pairs[pair_at(p + n - 2)]);
		put(&s, f->pairs[pair_at(p + n - 4)]);
		if (!store(&s))
			return NULL;
	}
	*s.out = (uint8_t)(s.acc | 1u << s.pos);
	return s.out + 1;
}

/* The four streams behind their jump table (4.2.2). -> size, 0: a byte has no code */
static size_t put_streams(uint8_t *out, const uint8_t *p, size_t n, const struct frame *f)
{
	uint8_t *at = out + JUMP_TABLE;
	size_t each = (n + STREAMS - 1) / STREAMS;

	for (size_t i = 0; i < STREAMS; i++) {
		size_t from = i * each;
		uint8_t *end = put_stream(at, p + from, n - from < each ? n - from : each, f);

		if (!end)
			return 0;
		if (i < STREAMS - 1)
			put_le(out + 2 * i, (uint64_t)(end - at), 2);
		at = end;
	}
	return (size_t)(at - out);
}

/* A block of literals in the frame's code, then no sequences. -> size, 0: a byte has no code */
static size_t put_coded_block(
	uint8_t *out, const struct frame *f, bool with_code, const uint8_t *p, size_t n, bool last)
{
	uint8_t *literals = out + BLOCK_HEAD, *at = literals + SIZES_HEAD;
	const size_t head = with_code ? f->code.head_n : 0;

	wb_copy(at, f->code.head, head);
	size_t streams = put_streams(at + head, p, n, f);

	if (!streams)
		return 0;
	at += head + streams;
	/* 3.1.1.3.1.1: type, size format 3, regenerated size, compressed size */
	put_le(literals,
		(uint64_t)(with_code ? CODED : TREELESS) | 3 << 2 | (uint64_t)n << 4 |
			(uint64_t)(head + streams) << 22,
		SIZES_HEAD);
	*at++ = 0; /* 3.1.1.3.2.1: Number_of_Sequences */
	put_block_head(out, COMPRESSED, (size_t)(at - literals), last);
	return (size_t)(at - out);
}

/* Does the code that the decoder has serve a block as well as the one it was made for? */
static bool code_serves(const struct frame *f, const uint8_t *p, size_t n)
{
	uint32_t counts[256];

	if (!f->has_code)
		return false;
	size_t total = count_sample(counts, p, n);
	uint64_t bits = wb_huffman_cost(&f->code, counts) * 65536 / total;
	uint64_t gap = bits > f->bits_per_64k ? bits - f->bits_per_64k : f->bits_per_64k - bits;

	return gap <= f->bits_per_64k / 64;
}

/* A block in a code of its own, or raw where that gains less than one in a hundred. */
static size_t put_new_block(uint8_t *out, struct frame *f, const uint8_t *p, size_t n, bool last)
{
	uint32_t counts[256];

	count(counts, p, n);
	f->has_code = false;
	if (counts[p[0]] == n) {
		put_block_head(out, RLE, n, last);
		out[BLOCK_HEAD] = p[0];
		return BLOCK_HEAD + 1;
	}
	if (!wb_huffman_build(&f->code, counts))
		return put_raw_block(out, p, n, last);
	uint64_t bits = wb_huffman_cost(&f->code, counts);

	if (f->code.head_n + JUMP_TABLE + bits / 8 + SLACK >= n - n / 100)
		return put_raw_block(out, p, n, last);
	make_pairs(f->pairs, f->code.codes);
	f->has_code = true;
	f->bits_per_64k = bits * 65536 / n;
	return put_coded_block(out, f, true, p, n, last);
}

static size_t put_block(
	uint8_t *out, size_t room, struct frame *f, const uint8_t *p, size_t n, bool last)
{
	/* What samples promise may not hold: as long as each byte could get the longest code. */
	const size_t most = n * WB_HUFFMAN_BITS_MAX / 8 + SLACK;
	size_t size = 0;

	if (n < CODED_MIN)
		return put_raw_block(out, p, n, last);
	if (room >= most && code_serves(f, p, n))
		size = put_coded_block(out, f, false, p, n, last);
	return size && size < n ? size : put_new_block(out, f, p, n, last);
}

size_t wb_literal_frame(uint8_t *out, const uint8_t *p, size_t n)
{
	struct frame f; /* large: only what says so is valid */
	const uint8_t *end = out + wb_raw_frame_size(n);
	uint8_t *at = out + put_frame_head(out, n);

	f.has_code = false;
	do {
		size_t k = n < BLOCK_MAX ? n : BLOCK_MAX;

		at += put_block(at, (size_t)(end - at), &f, p, k, k == n);
		p += k;
		n -= k;
	} while (n);
	return (size_t)(at - out);
}

size_t wb_raw_frame(uint8_t *out, const uint8_t *p, size_t n)
{
	uint8_t *at = out + put_frame_head(out, n);

	do {
		size_t k = n < BLOCK_MAX ? n : BLOCK_MAX;

		at += put_raw_block(at, p, k, k == n);
		p += k;
		n -= k;
	} while (n);
	return (size_t)(at - out);
}

size_t wb_raw_frame_size(size_t n)
{
	size_t blocks = n ? (n + BLOCK_MAX - 1) / BLOCK_MAX : 1;

	return FRAME_HEAD + BLOCK_HEAD * blocks + n;
}
