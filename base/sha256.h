/* SHA-256 (FIPS 180-4) as a plain value, with several chains carried at once.
 *
 * SHA-256 instructions are bound by latency, so one core can carry two or three chains for little
 * more than the price of one. wb_sha256_apart() advances up to WB_SHA256_APART_MAX states, each
 * over bytes of its own. wb_sha256_joint() advances up to WB_SHA256_SAME_MAX states over the same
 * bytes (file digest and diff_id share one message schedule) together with one state over other
 * bytes (the blob digest). Results equal separate wb_sha256_update() calls, whatever the
 * lengths and splits; it is fastest when every state of a call has a multiple of 64 bytes behind
 * it.
 *
 * The kernel is chosen once at run time: SHA-NI on x86-64, the ARMv8 crypto extension on aarch64,
 * else portable C (or what wb_sha256_set_fallback() installed; the builder installs OpenSSL).
 * A state is owned by one thread at a time; copying a state forks the stream. */
#ifndef WB_BASE_SHA256_H
#define WB_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

#define WB_SHA256_SAME_MAX 2

struct wb_sha256 {
	uint32_t h[8];
	uint64_t total;   /* bytes so far */
	uint8_t tail[64]; /* the total % 64 bytes not yet compressed */
};

void wb_sha256_init(struct wb_sha256 *s);
void wb_sha256_update(struct wb_sha256 *s, const void *p, size_t n);
/* same[0..nsame) all take p[0..n); other (may be NULL) takes q[0..m). n and m may differ or be 0;
 * nsame may be 0. No state may appear twice. */
void wb_sha256_joint(struct wb_sha256 *const *same, size_t nsame, const void *p, size_t n,
	struct wb_sha256 *other, const void *q, size_t m);
/* Two independent streams at once. */
void wb_sha256_pair(
	struct wb_sha256 *a, const void *p, size_t n, struct wb_sha256 *b, const void *q, size_t m);

#define WB_SHA256_APART_MAX 3

struct wb_sha256_part {
	struct wb_sha256 *state;
	const void *p;
	size_t n;
};

/* Up to WB_SHA256_APART_MAX independent streams at once; their lengths may differ or be 0. No
 * state may appear twice. */
void wb_sha256_apart(const struct wb_sha256_part *parts, size_t nparts);
/* How many independent streams the kernel gains from, 2 or 3. */
size_t wb_sha256_apart_best(void);
void wb_sha256_final(const struct wb_sha256 *s, struct wb_digest *out); /* s stays usable */
void wb_sha256_once(struct wb_digest *out, const void *p, size_t n);

/* The chaining value H(i) of FIPS 180-4, 6.2.2, after the bytes so far, which must be a multiple of
 * 64: its eight words, big-endian, as a digest has them. It is no digest of them, for it lacks the
 * padding and the length. */
void wb_sha256_chaining(const struct wb_sha256 *s, struct wb_digest *out);
/* The state that had this chaining value after total bytes, a multiple of 64. */
void wb_sha256_resume(struct wb_sha256 *s, const struct wb_digest *chaining, uint64_t total);

/* Which kernel runs: "sha-ni", "armv8", "fallback", "portable". */
const char *wb_sha256_kernel(void);

/* Replaces the portable block function (not the instruction kernels). Call before any thread. */
typedef void wb_sha256_blocks_fn(uint32_t h[8], const uint8_t *p, size_t nblocks);
void wb_sha256_set_fallback(wb_sha256_blocks_fn *blocks);
/* For tests: "portable" or "fallback" forces that kernel, NULL goes back to the best. */
void wb_sha256_force_kernel(const char *name);

#endif
