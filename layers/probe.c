#include "layers/probe.h"

#include <endian.h>
#include <string.h>

enum {
	SAMPLES = 8,
	SAMPLE_SIZE = 4096,
	TOO_SMALL = 64 << 10, /* a compressor settles these faster than samples would */
	FRACTION = 16,        /* bits after the point of the fixed-point logarithms */
	NEAR_SPAN = 8 << 10,  /* bytes of which each is looked at for a recurring string */
	FAR_STRIDE = 256,     /* most rows of weights begin at multiples of it */
	TABLE_LOG = 12,
	REPEATS_SHARE = 32, /* one in so many places must recur */
};

/* log2(x) * 2^FRACTION for x >= 1, by repeated squaring. */
static uint32_t log2_fixed(uint32_t x)
{
	uint32_t whole = 31u - (uint32_t)__builtin_clz(x), result = whole << FRACTION;
	uint64_t m = (uint64_t)x << (31 - whole); /* in [2^31, 2^32) */

	for (int bit = FRACTION - 1; bit >= 0; bit--) {
		m = m * m >> 31;
		if (m >> 32) {
			m >>= 1;
			result |= 1u << bit;
		}
	}
	return result;
}

static void count_sample(uint32_t counts[4][256], const uint8_t *p)
{
	/* four tables: a run of one byte does not wait for its own counter */
	for (size_t i = 0; i < SAMPLE_SIZE; i += 4) {
		counts[0][p[i]]++;
		counts[1][p[i + 1]]++;
		counts[2][p[i + 2]]++;
		counts[3][p[i + 3]]++;
	}
}

enum wb_probe wb_probe(const uint8_t *p, size_t n)
{
	const uint64_t total = SAMPLES * SAMPLE_SIZE;
	uint32_t counts[4][256];
	uint64_t sum = 0; /* of count * log2(count) */

	if (n < TOO_SMALL)
		return WB_PROBE_TEXT;
	memset(counts, 0, sizeof(counts));
	for (size_t i = 0; i < SAMPLES; i++)
		count_sample(counts, p + i * (n - SAMPLE_SIZE) / (SAMPLES - 1));
	for (size_t i = 0; i < 256; i++) {
		uint32_t c = counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];

		if (c)
			sum += (uint64_t)c * log2_fixed(c);
	}
	/* entropy = log2(total) - sum / total, in bits * 2^FRACTION */
	uint64_t entropy = ((uint64_t)log2_fixed((uint32_t)total) * total - sum) / total;

	if (entropy * 100 >= 793ull << FRACTION)
		return WB_PROBE_NOISE;
	return entropy * 10 >= 55ull << FRACTION ? WB_PROBE_NUMBERS : WB_PROBE_TEXT;
}

/* The words met so far, each in the place that it hashes to, where a later one may overwrite it. */
struct met {
	uint32_t tags[1 << TABLE_LOG];
};

static bool meet(struct met *m, uint64_t word)
{
	uint64_t hash = (word + 1) * 0x9e3779b97f4a7c15u;
	uint32_t *place = &m->tags[hash >> (64 - TABLE_LOG)], tag = (uint32_t)(hash >> 16) | 1;
	bool again = *place == tag;

	*place = tag;
	return again;
}

static bool repeats_near(const uint8_t *p, size_t n)
{
	struct met m = {0};
	size_t again = 0;
	uint32_t word;

	for (size_t i = 0; i + sizeof(word) <= n; i++) {
		memcpy(&word, p + i, sizeof(word));
		again += meet(&m, le32toh(word));
	}
	return again > n / REPEATS_SHARE;
}

static bool repeats_far(const uint8_t *p, size_t n)
{
	struct met m = {0};
	size_t again = 0;
	uint64_t word;

	for (size_t i = 0; i + sizeof(word) <= n; i += FAR_STRIDE) {
		memcpy(&word, p + i, sizeof(word));
		again += meet(&m, le64toh(word));
	}
	return again > n / FAR_STRIDE / REPEATS_SHARE;
}

bool wb_probe_repeats(const uint8_t *p, size_t n)
{
	size_t near = n < NEAR_SPAN ? n : NEAR_SPAN;

	return repeats_near(p + (n - near) / 2, near) || repeats_far(p, n);
}
