#include "base/crc64.h"

#include <string.h>

/* Polynomials are bits in reversed order: the highest is x^0. So a shift to the right multiplies by
 * x, and what falls out at the end comes back as x^64 = x^4 + x^3 + x + 1. Words of the stream are
 * such polynomials as little-endian numbers. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read as they are");

#define POLY UINT64_C(0xd800000000000000)
#define ONE (UINT64_C(1) << 63)

enum {
	LANES = 8,
	BLOCK = 8 * LANES,
	HALF = 16 << 10, /* two of these are worked on side by side */
};
#define BY_HALF UINT64_C(0xa785d880c2b55800) /* x^(8 HALF) */

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

/* a times x^(64 n), n a power of two up to 8, a number or a vector of them. The square of a sum is
 * the sum of the squares, so x^(64 n) = x^4n + x^3n + x^n + 1 = (1 + x^n)(1 + x^3n): two shifts.
 * What they push out, over, is no more than x^95: it comes back by n = 1 and needs no second turn.
 */
#define TIMES_X64(a, n)                                     \
	({                                                  \
		__typeof__(a) lost = (a) << (64 - (n));     \
		__typeof__(a) sum = (a) ^ (a) >> (n);       \
		__typeof__(a) over = sum << (64 - 3 * (n)); \
                                                            \
		over ^= lost ^ lost >> (3 * (n));           \
		over ^= over >> 1;                          \
		sum ^ sum >> (3 * (n)) ^ over ^ over >> 3;  \
	})

static uint64_t by_bytes(uint64_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = times_x(crc);
	}
	return crc;
}

static uint64_t by_words(uint64_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		crc ^= word;
		crc = TIMES_X64(crc, 1);
	}
	return by_bytes(crc, p, n);
}

/* Defines a function that works on vectors of `width` bytes: eight remainders at once, each of
 * every eighth word, and that of two stretches of n bytes side by side, because a step waits for
 * the one before. n is a multiple of BLOCK and not 0; the remainders replace crc[0] and crc[1]. A
 * macro, for gcc takes vectors apart in a function that is not compiled for them, also where it is
 * inlined. */
#define BY_BLOCKS(name, width, ...)                                                 \
	__VA_ARGS__ static void name(                                               \
		uint64_t crc[2], const uint8_t *p, const uint8_t *q, size_t n)      \
	{                                                                           \
		typedef uint64_t vec __attribute__((vector_size(width)));           \
		typedef uint64_t unaligned                                          \
			__attribute__((vector_size(width), aligned(1), may_alias)); \
		enum { N = BLOCK / (width) };                                       \
		vec a[N] = {{crc[0]}}, b[N] = {{crc[1]}};                           \
                                                                                    \
		for (; n > BLOCK; n -= BLOCK, p += BLOCK, q += BLOCK) {             \
			_Pragma("GCC unroll 4") for (int i = 0; i < N; i++)         \
			{                                                           \
				a[i] ^= *(const unaligned *)(p + (width)*i);        \
				b[i] ^= *(const unaligned *)(q + (width)*i);        \
				a[i] = TIMES_X64(a[i], LANES);                      \
				b[i] = TIMES_X64(b[i], LANES);                      \
			}                                                           \
		}                                                                   \
		for (int i = 0; i < N; i++) {                                       \
			a[i] ^= *(const unaligned *)(p + (width)*i);                \
			b[i] ^= *(const unaligned *)(q + (width)*i);                \
		}                                                                   \
		crc[0] = by_words(0, (const uint8_t *)a, BLOCK);                    \
		crc[1] = by_words(0, (const uint8_t *)b, BLOCK);                    \
	}

typedef void by_blocks(uint64_t crc[2], const uint8_t *p, const uint8_t *q, size_t n);

BY_BLOCKS(by_16, 16, )

#if defined(__x86_64__)
BY_BLOCKS(by_32, 32, __attribute__((target("avx2"))))
#endif

static by_blocks *best(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return by_32;
#endif
	return by_16;
}

static uint64_t run(uint64_t crc, const uint8_t *p, size_t n, by_blocks *fn)
{
	crc = ~crc;
	for (; n >= 2 * HALF; n -= 2 * HALF, p += 2 * HALF) {
		uint64_t both[2] = {crc, 0};

		fn(both, p, p + HALF, HALF);
		crc = times(both[0], BY_HALF) ^ both[1];
	}
	return ~by_words(crc, p, n);
}

uint64_t wb_crc64(uint64_t crc, const void *p, size_t n)
{
	return run(crc, p, n, best());
}

uint64_t wb_crc64_portable(uint64_t crc, const void *p, size_t n)
{
	return run(crc, p, n, by_16);
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
