#include "base/crc64.h"

#include <endian.h>
#include <string.h>

#include "base/crc64_kernel.h"

/* Polynomials are bits in reversed order: the highest is x^0. So a shift to the right multiplies by
 * x, and what falls out at the end comes back as x^64 = x^4 + x^3 + x + 1. */
#define POLY UINT64_C(0xd800000000000000)
#define ONE (UINT64_C(1) << 63)

enum { LANES = 8, BLOCK = 8 * LANES };

static uint64_t times_x(uint64_t a)
{
	return a >> 1 ^ (a & 1 ? POLY : 0);
}

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t sum = 0;

	for (; b; b <<= 1, a = times_x(a))
		sum ^= b & ONE ? a : 0;
	return sum;
}

static uint64_t by_bytes(uint64_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = times_x(crc);
	}
	return crc;
}

/* x^512 = x^32 + x^24 + x^8 + 1, for the square of a sum is the sum of the squares. What the three
 * shifts push out, at most x^95, comes back as above and needs no second turn. */
static inline uint64_t times_x512(uint64_t a)
{
	uint64_t over = a << 32 ^ a << 40 ^ a << 56;

	return a ^ a >> 8 ^ a >> 24 ^ a >> 32 ^ over ^ over >> 1 ^ over >> 3 ^ over >> 4;
}

/* Eight remainders at once, each of every eighth word: no tables, and the compiler makes vectors of
 * them. n is a multiple of BLOCK. */
static uint64_t by_blocks(uint64_t crc, const uint8_t *p, size_t n)
{
	uint64_t lanes[LANES] = {crc}, words[LANES];

	for (; n > BLOCK; n -= BLOCK, p += BLOCK) {
		memcpy(words, p, BLOCK);
		for (size_t i = 0; i < LANES; i++)
			lanes[i] = times_x512(lanes[i] ^ le64toh(words[i]));
	}
	memcpy(words, p, BLOCK);
	for (size_t i = 0; i < LANES; i++)
		words[i] ^= htole64(lanes[i]);
	return by_bytes(0, (const uint8_t *)words, BLOCK);
}

uint64_t wb_crc64_portable(uint64_t crc, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	size_t whole = n - n % BLOCK;

	crc = ~crc;
	if (whole)
		crc = by_blocks(crc, p, whole);
	return ~by_bytes(crc, p + whole, n - whole);
}

uint64_t wb_crc64(uint64_t crc, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	size_t whole = n & ~(size_t)15;
	uint8_t folded[16];

	if (n < WB_CRC64_FOLD_MIN || !wb_crc64_can_fold())
		return wb_crc64_portable(crc, p, n);
	wb_crc64_fold(folded, ~crc, p, whole);
	return ~by_bytes(by_bytes(0, folded, sizeof(folded)), p + whole, n - whole);
}

uint64_t wb_crc64_join(uint64_t a, uint64_t b, uint64_t b_len)
{
	/* a times x^(8 b_len), by squaring; the ones before and after cancel out */
	uint64_t power = ONE >> 8;

	for (; b_len; b_len >>= 1, power = times(power, power))
		if (b_len & 1)
			a = times(a, power);
	return a ^ b;
}
