#include "layers/probe.h"

#include <stdbool.h>
#include <string.h>

enum {
	SAMPLES = 8,
	SAMPLE_SIZE = 4096,
	TOO_SMALL = 64 << 10, /* a compressor settles these faster than samples would */
	FRACTION = 16,        /* bits after the point of the fixed-point logarithms */
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
