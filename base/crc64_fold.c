#include "base/crc64_kernel.h"

#include <string.h>

#if defined(__x86_64__) || defined(__aarch64__)

/* 16 bytes of the stream: reversed bits, so the first word has the higher powers. */
typedef uint64_t pair __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline)) TARGET

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("pclmul")))

bool wb_crc64_can_fold(void)
{
	return __builtin_cpu_supports("pclmul");
}

INLINE pair multiply(pair a, pair k)
{
	return (pair)_mm_clmulepi64_si128((__m128i)a, (__m128i)k, 0x00) ^
	       (pair)_mm_clmulepi64_si128((__m128i)a, (__m128i)k, 0x11);
}

#else

/* Compiled with -march=armv8-a+crypto (cmake/WbuildFlags.cmake), like sha256_arm.c. */
#include <arm_neon.h>
#include <sys/auxv.h>

#ifndef HWCAP_PMULL
#define HWCAP_PMULL (1 << 4)
#endif
#define TARGET

bool wb_crc64_can_fold(void)
{
	return getauxval(AT_HWCAP) & HWCAP_PMULL;
}

INLINE pair multiply(pair a, pair k)
{
	return (pair)vmull_p64((poly64_t)a[0], (poly64_t)k[0]) ^
	       (pair)vmull_p64((poly64_t)a[1], (poly64_t)k[1]);
}

#endif

/* A product of two words reversed is one place short of 128, which is a factor of x too many: what
 * moves a pair by n bits is x^(n + 63) for its first word and x^(n - 1) for its second. */
static const pair by_512 = {0x01b001b1b0000001, 0xb100010100000001};
static const pair by_128 = {0x6b70000000000001, 0xf500000000000001};

INLINE pair load(const uint8_t *p)
{
	pair v;

	memcpy(&v, p, sizeof(v));
	return v;
}

TARGET void wb_crc64_fold(uint8_t out[16], uint64_t crc, const uint8_t *p, size_t n)
{
	pair a = load(p) ^ (pair) { crc, 0 }, b = load(p + 16), c = load(p + 32), d = load(p + 48);

	for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
		a = multiply(a, by_512) ^ load(p);
		b = multiply(b, by_512) ^ load(p + 16);
		c = multiply(c, by_512) ^ load(p + 32);
		d = multiply(d, by_512) ^ load(p + 48);
	}
	a = multiply(a, by_128) ^ b;
	a = multiply(a, by_128) ^ c;
	a = multiply(a, by_128) ^ d;
	for (; n; p += 16, n -= 16)
		a = multiply(a, by_128) ^ load(p);
	memcpy(out, &a, sizeof(a));
}

#else

bool wb_crc64_can_fold(void)
{
	return false;
}

void wb_crc64_fold(uint8_t out[16], uint64_t crc, const uint8_t *p, size_t n)
{
	(void)crc, (void)p, (void)n;
	memset(out, 0, 16);
}

#endif
