/* GB/s of data for each way of carrying SHA-256 chains, beside OpenSSL on the same core: medians
 * of nine runs over 32 MiB, taken in turn so that a noisy neighbour meets all of them. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/sha256.h"
#include "base/sha256_openssl.h"
#include "bench.h"

#define SIZE ((size_t)32 << 20)
#define STEP ((size_t)256 << 10)
#define RUNS 9

enum mode { EVP, ONE, SAME2, PAIR, SAME1_OTHER, SAME2_OTHER, APART3, PORTABLE, MODES };

static const struct {
	const char *name;
	unsigned same, other;
	double data; /* bytes of distinct input for each byte of SIZE */
} modes[MODES] = {
	[EVP] = {"OpenSSL EVP, 1 chain", 0, 0, 1},
	[ONE] = {"1 chain", 1, 0, 1},
	[SAME2] = {"2 chains, same data", 2, 0, 1},
	[PAIR] = {"2 chains, independent (both counted)", 1, 1, 2},
	[SAME1_OTHER] = {"1 + 1 independent (first counted)", 1, 1, 1},
	[SAME2_OTHER] = {"2 same + 1 independent", 2, 1, 1},
	[APART3] = {"3 chains, independent (all counted)", 0, 0, 3},
	[PORTABLE] = {"portable C, 1 chain", 1, 0, 1},
};

static double run(enum mode mode, const uint8_t *p, const uint8_t *q, const uint8_t *r)
{
	struct wb_sha256 s[3], *same[2] = {&s[0], &s[1]};
	double start = bench_now();

	if (mode == EVP) {
		uint8_t md[32];
		unsigned n;

		EVP_Digest(p, SIZE, md, &n, EVP_sha256(), NULL);
		return bench_now() - start;
	}
	wb_sha256_force_kernel(mode == PORTABLE ? "portable" : NULL);
	for (int i = 0; i < 3; i++)
		wb_sha256_init(&s[i]);
	start = bench_now();
	for (size_t at = 0; at < SIZE; at += STEP) {
		if (mode == APART3)
			wb_sha256_apart((const struct wb_sha256_part[]){{&s[0], p + at, STEP},
						{&s[1], q + at, STEP}, {&s[2], r + at, STEP}},
				3);
		else
			wb_sha256_joint(same, modes[mode].same, p + at, STEP,
				modes[mode].other ? &s[2] : NULL, q + at, STEP);
	}
	return bench_now() - start;
}

int main(void)
{
	uint8_t *p = wb_alloc_pages(SIZE), *q = wb_alloc_pages(SIZE), *third = wb_alloc_pages(SIZE);
	static double seconds[MODES][RUNS];

	for (size_t i = 0; i < SIZE; i++) {
		p[i] = (uint8_t)(i * 2654435761u >> 13);
		q[i] = (uint8_t)(i * 40503u >> 7);
		third[i] = (uint8_t)(i * 69069u >> 5);
	}
	printf("kernel: %s\n", wb_sha256_kernel());
	for (int r = 0; r < RUNS; r++)
		for (enum mode m = EVP; m < MODES; m++)
			seconds[m][r] = run(m, p, q, third);
	for (enum mode m = EVP; m < MODES; m++) {
		printf("%-40s %.2f GB/s\n", modes[m].name,
			modes[m].data * (double)SIZE / 1e9 / bench_median(seconds[m], RUNS));
	}
	free(p);
	free(q);
	free(third);
	return 0;
}
