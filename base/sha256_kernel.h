/* Between base/sha256.c and its kernels; nothing else includes this. */
#ifndef WB_BASE_SHA256_KERNEL_H
#define WB_BASE_SHA256_KERNEL_H

#include <stdint.h>
#include <stddef.h>

#include "base/sha256.h"

/* FIPS 180-4, 4.2.2: the round constants. */
extern const uint32_t wb_sha256_k[64] __attribute__((aligned(16), visibility("hidden")));

struct wb_sha256_kernel {
	const char *name;
	/* Advances same[0..nsame) over nblocks blocks at p and, unless NULL, other over as many
	 * at q. nsame is at most WB_SHA256_SAME_MAX, nblocks at least 1. */
	void (*run)(uint32_t *const *same, size_t nsame, const uint8_t *p, uint32_t *other,
		const uint8_t *q, size_t nblocks);
	/* Three chains, each over blocks of its own; NULL where that is no faster than two. */
	void (*run_three)(uint32_t *const h[3], const uint8_t *const p[3], size_t nblocks);
};

/* The instruction kernel of this processor, or NULL when it has none. */
const struct wb_sha256_kernel *wb_sha256_native_kernel(void);

/* Trip counts are constants: with every loop unrolled, the states live in registers. */
#if defined(__clang__)
#define WB_SHA256_UNROLL _Pragma("unroll")
#else
#define WB_SHA256_UNROLL _Pragma("GCC unroll 16")
#endif

/* Each combination gets a body of its own out of one template, RUN(nsame, has_other). */
#define WB_SHA256_DISPATCH(RUN, nsame, other)    \
	switch ((nsame)*2 + ((other) != NULL)) { \
	case 1: RUN(0, 1); break;                \
	case 2: RUN(1, 0); break;                \
	case 3: RUN(1, 1); break;                \
	case 4: RUN(2, 0); break;                \
	case 5: RUN(2, 1); break;                \
	}

#endif
