#include "base/sha256_kernel.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
/* What is in memory may have changed there, so it is not kept in a register as well. clang decides
 * better alone. */
#if defined(__clang__)
#define TO_MEMORY(x) ((void)(x))
#else
#define TO_MEMORY(x) __asm__("" : "+m"(x))
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET

/* One chain's state in the order the instructions want: a holds A, B, E, F, b holds C, D, G, H. */
struct chain {
	__m128i a, b;
};

INLINE struct chain chain_load(const uint32_t h[8])
{
	__m128i lo = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0xb1);
	__m128i hi = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(h + 4)), 0x1b);

	return (struct chain){_mm_alignr_epi8(lo, hi, 8), _mm_blend_epi16(hi, lo, 0xf0)};
}

INLINE void chain_store(uint32_t h[8], struct chain s)
{
	__m128i lo = _mm_shuffle_epi32(s.a, 0x1b);
	__m128i hi = _mm_shuffle_epi32(s.b, 0xb1);

	_mm_storeu_si128((__m128i *)h, _mm_blend_epi16(lo, hi, 0xf0));
	_mm_storeu_si128((__m128i *)(h + 4), _mm_alignr_epi8(hi, lo, 8));
}

/* The last sixteen words of a message schedule. */
struct words {
	__m128i w[4];
	__m128i last;
};

/* Words 4i..4i+3, with their constants added. */
INLINE __m128i schedule(struct words *m, const bool in_memory, const uint8_t *p, int i)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i next;

	if (i < 4) {
		next = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
	} else {
		next = _mm_sha256msg1_epu32(m->w[i & 3], m->w[(i + 1) & 3]);
		next = _mm_add_epi32(next, _mm_alignr_epi8(m->last, m->w[(i + 2) & 3], 4));
		next = _mm_sha256msg2_epu32(next, m->last);
	}
	m->last = m->w[i & 3] = next;
	if (in_memory)
		TO_MEMORY(m->w[i & 3]);
	return _mm_add_epi32(next, _mm_load_si128((const __m128i *)(wb_sha256_k + 4 * i)));
}

/* Four rounds of n chains over the same words. The instruction takes its words from one fixed
 * register, so all chains use them before the next words go there. */
INLINE void rounds(struct chain *s, const int n, __m128i wk)
{
	WB_SHA256_UNROLL
	for (int c = 0; c < n; c++)
		s[c].b = _mm_sha256rnds2_epu32(s[c].b, s[c].a, wk);
	wk = _mm_shuffle_epi32(wk, 0x0e);
	WB_SHA256_UNROLL
	for (int c = 0; c < n; c++)
		s[c].a = _mm_sha256rnds2_epu32(s[c].a, s[c].b, wk);
}

/* One block each: nsame chains over p, nother over q (the last of s).
 *
 * Everything waits for the chains, so they must stay in the sixteen registers. Three chains and
 * two schedules only fit when the schedules keep all but their last words in memory, which gcc
 * has to be told. */
INLINE void compress(
	struct chain *s, const int nsame, const uint8_t *p, const int nother, const uint8_t *q)
{
	const bool crowded = nsame == 2 && nother;
	struct words w, v;

	WB_SHA256_UNROLL
	for (int i = 0; i < 16; i++) {
		if (nother)
			rounds(s + nsame, 1, schedule(&v, crowded, q, i));
		if (nsame)
			rounds(s, nsame, schedule(&w, crowded, p, i));
	}
}

INLINE void template(uint32_t *const *same, const int nsame, const uint8_t *p, uint32_t *other,
	const int nother, const uint8_t *q, size_t nblocks)
{
	const int n = nsame + nother;
	struct chain s[WB_SHA256_SAME_MAX + 1], before[WB_SHA256_SAME_MAX + 1];

	WB_SHA256_UNROLL
	for (int c = 0; c < n; c++)
		s[c] = chain_load(c < nsame ? same[c] : other);
	for (; nblocks; nblocks--) {
		WB_SHA256_UNROLL
		for (int c = 0; c < n; c++)
			before[c] = s[c];
		compress(s, nsame, p, nother, q);
		WB_SHA256_UNROLL
		for (int c = 0; c < n; c++) {
			s[c].a = _mm_add_epi32(s[c].a, before[c].a);
			s[c].b = _mm_add_epi32(s[c].b, before[c].b);
		}
		if (nsame)
			p += 64;
		if (nother)
			q += 64;
	}
	WB_SHA256_UNROLL
	for (int c = 0; c < n; c++)
		chain_store(c < nsame ? same[c] : other, s[c]);
}

TARGET static void run(uint32_t *const *same, size_t nsame, const uint8_t *p, uint32_t *other,
	const uint8_t *q, size_t nblocks)
{
#define RUN(n, o) template(same, n, p, other, o, q, nblocks)
	WB_SHA256_DISPATCH(RUN, nsame, other)
#undef RUN
}

/* Bytes that are asked for ahead: the processor's own prefetching ends with each page, and here
 * all of three streams come from pages that nobody has touched yet. */
#define AHEAD 1024

/* Three chains with nothing in common. Two leave gaps wherever one of them waits for memory;
 * a fourth gains nothing for want of registers. */
TARGET static void run_three(uint32_t *const h[3], const uint8_t *const data[3], size_t nblocks)
{
	struct chain s[3], before[3];
	const uint8_t *p[3];
	struct words w[3];

	WB_SHA256_UNROLL
	for (int c = 0; c < 3; c++) {
		s[c] = chain_load(h[c]);
		p[c] = data[c];
	}
	for (; nblocks; nblocks--) {
		WB_SHA256_UNROLL
		for (int c = 0; c < 3; c++) {
			before[c] = s[c];
			_mm_prefetch((const char *)p[c] + AHEAD, _MM_HINT_T0);
		}
		WB_SHA256_UNROLL
		for (int i = 0; i < 16; i++) {
			WB_SHA256_UNROLL
			for (int c = 0; c < 3; c++)
				rounds(&s[c], 1, schedule(&w[c], false, p[c], i));
		}
		WB_SHA256_UNROLL
		for (int c = 0; c < 3; c++) {
			s[c].a = _mm_add_epi32(s[c].a, before[c].a);
			s[c].b = _mm_add_epi32(s[c].b, before[c].b);
			p[c] += 64;
		}
	}
	WB_SHA256_UNROLL
	for (int c = 0; c < 3; c++)
		chain_store(h[c], s[c]);
}

/* gcc 12's __builtin_cpu_supports() does not know "sha". */
static bool has_sha(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_SHA))
		return false;
	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
}

const struct wb_sha256_kernel *wb_sha256_native_kernel(void)
{
	static const struct wb_sha256_kernel kernel = {"sha-ni", run, run_three};

	return has_sha() ? &kernel : NULL;
}

#elif !defined(__aarch64__)

const struct wb_sha256_kernel *wb_sha256_native_kernel(void)
{
	return NULL;
}

#endif
