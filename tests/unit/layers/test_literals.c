/* Frames without matches, decoded by libzstd; codes held to what Huffman's own algorithm costs. */
#include "wbtest.h"

#include <math.h>
#include <zstd.h>

#include "base/sha256.h"
#include "layers/huffman.h"
#include "layers/literals.h"

#define BLOCK ((size_t)128 << 10)

/* splitmix64: the low bits of simpler ones recur, and libzstd finds that. */
static uint32_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(z >> 32);
}

/* One of `kinds` bytes, each half as likely as the one before, or, `flat`, equally likely. */
static void fill(uint8_t *p, size_t n, unsigned kinds, bool flat, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t r = next_random(&seed);
		unsigned k = flat ? r % kinds : (unsigned)__builtin_ctz(r | 1u << 23);

		p[i] = (uint8_t)((k < kinds ? k : kinds - 1) * 37);
	}
}

static void fill_bf16(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t r = next_random(&seed);

		p[i] = i % 2 ? (uint8_t)(0x3c - __builtin_ctz(r | 1u << 23) / 2)
		             : (uint8_t)(r >> 24);
	}
}

/* -> the frame's size */
static size_t comes_back(const uint8_t *p, size_t n)
{
	wb_autofree uint8_t *out = wb_alloc(wb_raw_frame_size(n) + 1), *back = wb_alloc(n + 1);

	out[wb_raw_frame_size(n)] = 0x5a;
	size_t size = wb_literal_frame(out, p, n);

	assert_true(size <= wb_raw_frame_size(n));
	assert_int_equal(out[wb_raw_frame_size(n)], 0x5a);
	assert_int_equal(ZSTD_getFrameContentSize(out, size), n);
	size_t got = ZSTD_decompress(back, n + 1, out, size);

	if (ZSTD_isError(got))
		fail_msg("%zu bytes: %s", n, ZSTD_getErrorName(got));
	assert_int_equal(got, n);
	assert_memory_equal(back, p, n);
	return size;
}

static const size_t sizes[] = {0, 1, 6, 1023, 1024, 1025, 4099, 16384, BLOCK - 1, BLOCK, BLOCK + 1,
	BLOCK + 1023, BLOCK + 1024, 3 * BLOCK + 5000, 8 * BLOCK};

static void every_alphabet_comes_back(void **state)
{
	static const unsigned kinds[] = {1, 2, 3, 4, 5, 13, 24, 100, 128, 129, 130, 200, 255, 256};
	wb_autofree uint8_t *p = wb_alloc(8 * BLOCK);

	for (size_t k = 0; k < 2 * WB_ARRAY_LEN(kinds); k++)
		for (size_t i = 0; i < WB_ARRAY_LEN(sizes); i++) {
			fill(p, sizes[i], kinds[k / 2], k % 2, (uint32_t)(k * 100 + i));
			comes_back(p, sizes[i]);
		}
}

/* The first block's code lacks bytes of the later ones, and samples do not show them. */
static void bytes_that_come_late_come_back(void **state)
{
	wb_autofree uint8_t *p = wb_alloc(8 * BLOCK);

	for (size_t at = BLOCK; at < 8 * BLOCK; at += 7777) {
		fill(p, 8 * BLOCK, 20, false, 5);
		p[at] = 255;
		comes_back(p, 8 * BLOCK);
	}
}

/* Blocks of different kinds in one frame: coded, raw, of one byte, and what follows each. */
static void mixed_frames_come_back(void **state)
{
	wb_autofree uint8_t *p = wb_alloc(8 * BLOCK);
	uint64_t seed = 1;

	for (int round = 0; round < 60; round++) {
		for (size_t at = 0; at < 8 * BLOCK;) {
			size_t n = next_random(&seed) % (2 * BLOCK);

			n = n < 8 * BLOCK - at ? n : 8 * BLOCK - at;
			switch (next_random(&seed) % 4) {
			case 0: memset(p + at, (int)(seed >> 24), n); break;
			case 1: fill(p + at, n, 256, true, seed); break;
			case 2: fill(p + at, n, 2 + next_random(&seed) % 250, false, seed); break;
			case 3: fill_bf16(p + at, n, seed); break;
			}
			at += n;
		}
		comes_back(p, 8 * BLOCK - next_random(&seed) % 5000);
	}
}

/* Noise first leaves little room for a block that a code of samples would make larger. */
static void nothing_grows(void **state)
{
	wb_autofree uint8_t *p = wb_alloc(8 * BLOCK);

	fill(p, BLOCK, 20, false, 3);
	fill(p + BLOCK, 7 * BLOCK, 256, true, 4);
	/* what is sampled looks like the first block */
	for (size_t at = BLOCK; at < 8 * BLOCK; at += 8192)
		memcpy(p + at, p, 512);
	comes_back(p, 8 * BLOCK);
	for (size_t at = BLOCK; at < 8 * BLOCK; at++)
		if (at % 8192 >= 512)
			p[at] = (uint8_t)(19 * 37); /* has the longest code */
	comes_back(p, 8 * BLOCK);
}

static void weights_shrink_as_by_libzstd(void **state)
{
	wb_autofree uint8_t *p = wb_alloc(8 * BLOCK);
	size_t room = ZSTD_compressBound(8 * BLOCK);
	wb_autofree uint8_t *out = wb_alloc(room);

	fill_bf16(p, 8 * BLOCK, 9);
	size_t ours = comes_back(p, 8 * BLOCK);
	size_t theirs = ZSTD_compress(out, room, p, 8 * BLOCK, 1);

	assert_in_range(ours, theirs * 9 / 10, theirs + theirs / 500);
}

/* A change here is one of format, which every layer of weights shows: to be said in the commit. */
static void frames_are_the_same_everywhere(void **state)
{
	wb_autofree uint8_t *p = wb_alloc(2 * BLOCK), *out = wb_alloc(wb_raw_frame_size(2 * BLOCK));
	struct wb_digest d;

	fill_bf16(p, BLOCK + 5000, 11);
	fill(p + BLOCK + 5000, BLOCK - 5000, 24, false, 12);
	wb_sha256_once(&d, out, wb_literal_frame(out, p, 2 * BLOCK));
	assert_string_equal(wb_digest_hex(&d).s,
		"6c144fdaffacfbe2fe14c99ee90292bd5658f7c40761393e16e6f870928d589f");
}

static double entropy_bits(const uint32_t counts[256])
{
	double total = 0, bits = 0;

	for (size_t i = 0; i < 256; i++)
		total += counts[i];
	for (size_t i = 0; i < 256; i++)
		if (counts[i])
			bits += counts[i] * log2(total / counts[i]);
	return bits;
}

/* A Huffman code costs less than a bit a byte more than the entropy, a limited one hardly more; it
 * is complete, and no code is the beginning of another. */
static void codes_are_good(void **state)
{
	uint64_t seed = 7;

	for (int round = 0; round < 500; round++) {
		uint32_t counts[256] = {0}, total = 0;
		unsigned kinds = 2 + next_random(&seed) % 255;
		struct wb_huffman h;
		uint32_t kraft = 0;

		for (unsigned i = 0; i < kinds; i++) {
			uint32_t *c = &counts[next_random(&seed) % 256];

			*c += 1 + next_random(&seed) % (round % 2 ? 50 : 1u << (i % 17));
		}
		for (size_t i = 0; i < 256; i++)
			total += counts[i];
		if (!wb_huffman_build(&h, counts))
			continue;
		for (size_t i = 0; i < 256; i++) {
			assert_int_equal(h.codes[i].len == WB_HUFFMAN_MISSING, !counts[i]);
			if (!counts[i])
				continue;
			assert_in_range(h.codes[i].len, 1, WB_HUFFMAN_BITS_MAX);
			assert_true(h.codes[i].bits < 1u << h.codes[i].len);
			kraft += 1u << (WB_HUFFMAN_BITS_MAX - h.codes[i].len);
		}
		assert_int_equal(kraft, 1u << WB_HUFFMAN_BITS_MAX);
		assert_true((double)wb_huffman_cost(&h, counts) < entropy_bits(counts) + total);
		assert_in_range(h.head_n, 2, WB_HUFFMAN_HEAD_MAX);
	}
}

static void one_byte_has_no_code(void **state)
{
	uint32_t counts[256] = {[7] = 1000};
	struct wb_huffman h;

	assert_false(wb_huffman_build(&h, counts));
	counts[9] = 1;
	assert_true(wb_huffman_build(&h, counts));
	assert_int_equal(wb_huffman_cost(&h, counts), 1001);
	counts[3] = 2;
	assert_true(wb_huffman_cost(&h, counts) > 2 * 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_alphabet_comes_back),
		cmocka_unit_test(bytes_that_come_late_come_back),
		cmocka_unit_test(mixed_frames_come_back),
		cmocka_unit_test(nothing_grows),
		cmocka_unit_test(weights_shrink_as_by_libzstd),
		cmocka_unit_test(frames_are_the_same_everywhere),
		cmocka_unit_test(codes_are_good),
		cmocka_unit_test(one_byte_has_no_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
