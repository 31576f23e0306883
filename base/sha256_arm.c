#include "base/sha256_kernel.h"

#if defined(__aarch64__)

/* Compiled with -march=armv8-a+crypto (cmake/WbuildFlags.cmake): compilers declare the intrinsics
 * only where the whole file may use them. What runs is decided at run time. */
#include <arm_neon.h>
#include <sys/auxv.h>

#ifndef HWCAP_SHA2
#define HWCAP_SHA2 (1 << 6)
#endif

#define INLINE static inline __attribute__((always_inline))

struct chain {
	uint32x4_t abcd, efgh;
};

/* Words 4i..4i+3 of the message schedule; w keeps the last sixteen. */
INLINE uint32x4_t schedule(uint32x4_t w[4], const uint8_t *p, int i)
{
	uint32x4_t next;

	if (i < 4)
		next = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p + 16 * i)));
	else
		next = vsha256su1q_u32(
			vsha256su0q_u32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
	w[i & 3] = next;
	return vaddq_u32(next, vld1q_u32(wb_sha256_k + 4 * i));
}

INLINE void rounds(struct chain *s, uint32x4_t wk)
{
	uint32x4_t abcd = s->abcd;

	s->abcd = vsha256hq_u32(abcd, s->efgh, wk);
	s->efgh = vsha256h2q_u32(s->efgh, abcd, wk);
}

INLINE void template(uint32_t *const *same, const int nsame, const uint8_t *p, uint32_t *other,
	const int nother, const uint8_t *q, size_t nblocks)
{
	const int n = nsame + nother;
	struct chain s[WB_SHA256_SAME_MAX + 1];

	WB_SHA256_UNROLL
	for (int c = 0; c < n; c++) {
		const uint32_t *h = c < nsame ? same[c] : other;

		s[c] = (struct chain){vld1q_u32(h), vld1q_u32(h + 4)};
	}
	for (; nblocks; nblocks--) {
		struct chain before[WB_SHA256_SAME_MAX + 1];
		uint32x4_t w[4], v[4], x = vdupq_n_u32(0), y = x;

		WB_SHA256_UNROLL
		for (int c = 0; c < n; c++)
			before[c] = s[c];
		WB_SHA256_UNROLL
		for (int i = 0; i < 16; i++) {
			if (nsame)
				x = schedule(w, p, i);
			if (nother)
				y = schedule(v, q, i);
			WB_SHA256_UNROLL
			for (int c = 0; c < n; c++)
				rounds(&s[c], c < nsame ? x : y);
		}
		WB_SHA256_UNROLL
		for (int c = 0; c < n; c++) {
			s[c].abcd = vaddq_u32(s[c].abcd, before[c].abcd);
			s[c].efgh = vaddq_u32(s[c].efgh, before[c].efgh);
		}
		if (nsame)
			p += 64;
		if (nother)
			q += 64;
	}
	WB_SHA256_UNROLL
	for (int c = 0; c < n; c++) {
		uint32_t *h = c < nsame ? same[c] : other;

		vst1q_u32(h, s[c].abcd);
		vst1q_u32(h + 4, s[c].efgh);
	}
}

static void run(uint32_t *const *same, size_t nsame, const uint8_t *p, uint32_t *other,
	const uint8_t *q, size_t nblocks)
{
#define RUN(n, o) template(same, n, p, other, o, q, nblocks)
	WB_SHA256_DISPATCH(RUN, nsame, other)
#undef RUN
}

const struct wb_sha256_kernel *wb_sha256_native_kernel(void)
{
	static const struct wb_sha256_kernel kernel = {"armv8", run, NULL};

	return getauxval(AT_HWCAP) & HWCAP_SHA2 ? &kernel : NULL;
}

#endif
