#include "base/sha256.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/sha256_kernel.h"

#define BLOCK 64

const uint32_t wb_sha256_k[64] = {
	0x428a2f98,
	0x71374491,
	0xb5c0fbcf,
	0xe9b5dba5,
	0x3956c25b,
	0x59f111f1,
	0x923f82a4,
	0xab1c5ed5,
	0xd807aa98,
	0x12835b01,
	0x243185be,
	0x550c7dc3,
	0x72be5d74,
	0x80deb1fe,
	0x9bdc06a7,
	0xc19bf174,
	0xe49b69c1,
	0xefbe4786,
	0x0fc19dc6,
	0x240ca1cc,
	0x2de92c6f,
	0x4a7484aa,
	0x5cb0a9dc,
	0x76f988da,
	0x983e5152,
	0xa831c66d,
	0xb00327c8,
	0xbf597fc7,
	0xc6e00bf3,
	0xd5a79147,
	0x06ca6351,
	0x14292967,
	0x27b70a85,
	0x2e1b2138,
	0x4d2c6dfc,
	0x53380d13,
	0x650a7354,
	0x766a0abb,
	0x81c2c92e,
	0x92722c85,
	0xa2bfe8a1,
	0xa81a664b,
	0xc24b8b70,
	0xc76c51a3,
	0xd192e819,
	0xd6990624,
	0xf40e3585,
	0x106aa070,
	0x19a4c116,
	0x1e376c08,
	0x2748774c,
	0x34b0bcb5,
	0x391c0cb3,
	0x4ed8aa4a,
	0x5b9cca4f,
	0x682e6ff3,
	0x748f82ee,
	0x78a5636f,
	0x84c87814,
	0x8cc70208,
	0x90befffa,
	0xa4506ceb,
	0xbef9a3f7,
	0xc67178f2,
};

static inline uint32_t rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One step of FIPS 180-4, 6.2.2. Instead of moving a..h down one place, their places turn with i;
 * x is the schedule word. */
static inline __attribute__((always_inline)) void round_step(uint32_t s[8], unsigned i, uint32_t x)
{
	uint32_t a = s[-i & 7], b = s[(1 - i) & 7], c = s[(2 - i) & 7];
	uint32_t e = s[(4 - i) & 7], f = s[(5 - i) & 7], g = s[(6 - i) & 7];
	uint32_t t =
		s[(7 - i) & 7] + x + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g)));

	s[(3 - i) & 7] += t;
	s[(7 - i) & 7] = t + (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b)));
}

static inline uint32_t schedule_sum(const uint32_t w[16], unsigned i)
{
	uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];

	return (rotr(x, 7) ^ rotr(x, 18) ^ x >> 3) + w[(i + 9) & 15] +
	       (rotr(y, 17) ^ rotr(y, 19) ^ y >> 10);
}

static void portable_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[16], s[8];

	memcpy(s, h, sizeof(s));
	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (const uint32_t *k = wb_sha256_k; k < wb_sha256_k + 64; k += 16) {
		WB_SHA256_UNROLL
		for (unsigned i = 0; i < 16; i++) {
			if (k > wb_sha256_k)
				w[i] += schedule_sum(w, i);
			round_step(s, i, w[i] + k[i]);
		}
	}
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
}

static void portable_blocks(uint32_t h[8], const uint8_t *p, size_t nblocks)
{
	for (; nblocks; nblocks--, p += BLOCK)
		portable_block(h, p);
}

/* Set before any thread starts (header); read by all of them. */
static wb_sha256_blocks_fn *fallback_blocks = portable_blocks;
static _Atomic(const struct wb_sha256_kernel *) chosen;

static void run_with(wb_sha256_blocks_fn *blocks, uint32_t *const *same, size_t nsame,
	const uint8_t *p, uint32_t *other, const uint8_t *q, size_t nblocks)
{
	for (size_t i = 0; i < nsame; i++)
		blocks(same[i], p, nblocks);
	if (other)
		blocks(other, q, nblocks);
}

static void run_portable(uint32_t *const *same, size_t nsame, const uint8_t *p, uint32_t *other,
	const uint8_t *q, size_t nblocks)
{
	run_with(portable_blocks, same, nsame, p, other, q, nblocks);
}

static void run_fallback(uint32_t *const *same, size_t nsame, const uint8_t *p, uint32_t *other,
	const uint8_t *q, size_t nblocks)
{
	run_with(fallback_blocks, same, nsame, p, other, q, nblocks);
}

static const struct wb_sha256_kernel portable_kernel = {"portable", run_portable, NULL};
static const struct wb_sha256_kernel fallback_kernel = {"fallback", run_fallback, NULL};

static const struct wb_sha256_kernel *best_kernel(void)
{
	const struct wb_sha256_kernel *native = wb_sha256_native_kernel();

	if (native)
		return native;
	return fallback_blocks == portable_blocks ? &portable_kernel : &fallback_kernel;
}

/* Two threads may both choose; they choose the same. */
static const struct wb_sha256_kernel *kernel(void)
{
	const struct wb_sha256_kernel *k = atomic_load_explicit(&chosen, memory_order_acquire);

	if (!k) {
		k = best_kernel();
		atomic_store_explicit(&chosen, k, memory_order_release);
	}
	return k;
}

const char *wb_sha256_kernel(void)
{
	return kernel()->name;
}

void wb_sha256_set_fallback(wb_sha256_blocks_fn *blocks)
{
	fallback_blocks = blocks ? blocks : portable_blocks;
	atomic_store(&chosen, NULL);
}

void wb_sha256_force_kernel(const char *name)
{
	const struct wb_sha256_kernel *k = NULL;

	if (name)
		k = strcmp(name, "portable") ? &fallback_kernel : &portable_kernel;
	atomic_store(&chosen, k);
}

void wb_sha256_init(struct wb_sha256 *s)
{
	/* FIPS 180-4, 5.3.3. The tail's bytes are zeroed too: states are copied whole. */
	*s = (struct wb_sha256){
		.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
			0x1f83d9ab, 0x5be0cd19},
	};
}

static void blocks_one(struct wb_sha256 *s, const uint8_t *p, size_t nblocks)
{
	uint32_t *h = s->h;

	kernel()->run(&h, 1, p, NULL, NULL, nblocks);
}

/* Takes bytes until s stands on a block boundary or they run out; how many it took. */
static size_t fill_tail(struct wb_sha256 *s, const uint8_t *p, size_t n)
{
	size_t have = s->total % BLOCK;
	size_t take = BLOCK - have < n ? BLOCK - have : n;

	if (!have)
		return 0;
	memcpy(s->tail + have, p, take);
	s->total += take;
	if (have + take == BLOCK)
		blocks_one(s, s->tail, 1);
	return take;
}

/* The rest after the whole blocks, less than one block; s stands on a boundary. */
static void keep_tail(struct wb_sha256 *s, const uint8_t *p, size_t n)
{
	if (n)
		memcpy(s->tail, p, n);
	s->total += n;
}

void wb_sha256_update(struct wb_sha256 *s, const void *data, size_t n)
{
	wb_sha256_joint(&s, 1, data, n, NULL, NULL, 0);
}

static bool same_phase(struct wb_sha256 *const *same, size_t nsame)
{
	for (size_t i = 1; i < nsame; i++)
		if (same[i]->total % BLOCK != same[0]->total % BLOCK)
			return false;
	return true;
}

/* All states of one call, and how many blocks each of the two inputs still has. */
struct joint {
	uint32_t *same[WB_SHA256_SAME_MAX], *other;
	size_t nsame;
	const uint8_t *p, *q;
	size_t pblocks, qblocks;
};

static void run_blocks(struct joint *j)
{
	const struct wb_sha256_kernel *k = kernel();
	size_t both = j->pblocks < j->qblocks ? j->pblocks : j->qblocks;

	if (both)
		k->run(j->same, j->nsame, j->p, j->other, j->q, both);
	if (j->pblocks > both)
		k->run(j->same, j->nsame, j->p + both * BLOCK, NULL, NULL, j->pblocks - both);
	if (j->qblocks > both)
		k->run(NULL, 0, NULL, j->other, j->q + both * BLOCK, j->qblocks - both);
}

void wb_sha256_joint(struct wb_sha256 *const *same, size_t nsame, const void *p, size_t n,
	struct wb_sha256 *other, const void *q, size_t m)
{
	struct joint j = {.nsame = nsame, .p = p, .q = q};
	size_t skip = 0;

	assert(nsame <= WB_SHA256_SAME_MAX);
	if (!same_phase(same, nsame)) {
		/* No common block boundary: one of them goes ahead alone, the rest try again. */
		wb_sha256_update(same[nsame - 1], p, n);
		wb_sha256_joint(same, nsame - 1, p, n, other, q, m);
		return;
	}
	for (size_t i = 0; i < nsame; i++) {
		j.same[i] = same[i]->h;
		skip = fill_tail(same[i], p, n);
	}
	if (nsame) {
		j.p += skip;
		n -= skip;
		j.pblocks = n / BLOCK;
	}
	if (other) {
		j.other = other->h;
		skip = fill_tail(other, q, m);
		j.q += skip;
		m -= skip;
		j.qblocks = m / BLOCK;
	}
	run_blocks(&j);
	for (size_t i = 0; i < nsame; i++) {
		same[i]->total += j.pblocks * BLOCK;
		keep_tail(same[i], j.p + j.pblocks * BLOCK, n % BLOCK);
	}
	if (other) {
		other->total += j.qblocks * BLOCK;
		keep_tail(other, j.q + j.qblocks * BLOCK, m % BLOCK);
	}
}

void wb_sha256_pair(
	struct wb_sha256 *a, const void *p, size_t n, struct wb_sha256 *b, const void *q, size_t m)
{
	wb_sha256_joint(&a, 1, p, n, b, q, m);
}

/* Streams on block boundaries that still have whole blocks. */
struct apart {
	uint32_t *h[WB_SHA256_APART_MAX];
	const uint8_t *p[WB_SHA256_APART_MAX];
	size_t blocks[WB_SHA256_APART_MAX];
	size_t n;
};

static void apart_add(struct apart *a, const struct wb_sha256_part *part)
{
	struct wb_sha256 *s = part->state;
	size_t skip = fill_tail(s, part->p, part->n);
	const uint8_t *p = (const uint8_t *)part->p + skip;
	size_t n = part->n - skip, blocks = n / BLOCK;

	s->total += blocks * BLOCK;
	keep_tail(s, p + blocks * BLOCK, n % BLOCK);
	if (!blocks)
		return;
	a->h[a->n] = s->h;
	a->p[a->n] = p;
	a->blocks[a->n++] = blocks;
}

/* All of them go on until the shortest one ends. */
static void apart_run(struct apart *a)
{
	const struct wb_sha256_kernel *k = kernel();
	size_t n = a->blocks[0], left = 0;

	for (size_t i = 1; i < a->n; i++)
		n = a->blocks[i] < n ? a->blocks[i] : n;
	if (a->n == 3 && k->run_three)
		k->run_three(a->h, a->p, n);
	else
		k->run(a->h, 1, a->p[0], a->n > 1 ? a->h[1] : NULL, a->p[1], n);
	if (a->n == 3 && !k->run_three)
		k->run(&a->h[2], 1, a->p[2], NULL, NULL, n);
	for (size_t i = 0; i < a->n; i++) {
		if (a->blocks[i] == n)
			continue;
		a->h[left] = a->h[i];
		a->p[left] = a->p[i] + n * BLOCK;
		a->blocks[left++] = a->blocks[i] - n;
	}
	a->n = left;
}

void wb_sha256_apart(const struct wb_sha256_part *parts, size_t nparts)
{
	struct apart a = {.n = 0};

	assert(nparts <= WB_SHA256_APART_MAX);
	for (size_t i = 0; i < nparts; i++)
		apart_add(&a, &parts[i]);
	while (a.n)
		apart_run(&a);
}

size_t wb_sha256_apart_best(void)
{
	return kernel()->run_three ? 3 : 2;
}

void wb_sha256_final(const struct wb_sha256 *state, struct wb_digest *out)
{
	struct wb_sha256 s = *state;
	uint8_t pad[2 * BLOCK] = {0x80};
	size_t have = s.total % BLOCK;
	size_t n = (have < BLOCK - 8 ? BLOCK : 2 * BLOCK) - have;
	uint64_t bits = s.total * 8;

	for (int i = 0; i < 8; i++)
		pad[n - 1 - i] = (uint8_t)(bits >> (8 * i));
	wb_sha256_update(&s, pad, n);
	wb_sha256_chaining(&s, out);
}

void wb_sha256_chaining(const struct wb_sha256 *s, struct wb_digest *out)
{
	assert(s->total % BLOCK == 0);
	for (int i = 0; i < 32; i++)
		out->bytes[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void wb_sha256_resume(struct wb_sha256 *s, const struct wb_digest *chaining, uint64_t total)
{
	assert(total % BLOCK == 0);
	*s = (struct wb_sha256){.total = total};
	for (int i = 0; i < 8; i++)
		s->h[i] = load_be32(chaining->bytes + 4 * i);
}

void wb_sha256_once(struct wb_digest *out, const void *p, size_t n)
{
	struct wb_sha256 s;

	wb_sha256_init(&s);
	wb_sha256_update(&s, p, n);
	wb_sha256_final(&s, out);
}
