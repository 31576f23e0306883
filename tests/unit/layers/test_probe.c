#include "wbtest.h"

#include "layers/probe.h"

static uint8_t *noise(size_t n)
{
	uint8_t *p = wb_alloc(n);
	uint64_t x = 88172645463325252u;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)(x >> 32);
	}
	return p;
}

/* Roughly normal, as weights are: the sum of twelve bytes. */
static float normal(const uint8_t *p)
{
	int sum = -12 * 255 / 2;

	for (int i = 0; i < 12; i++)
		sum += p[i];
	return (float)sum / 255 * 0.02f;
}

static uint8_t *weights(size_t n, size_t width)
{
	uint8_t *random = noise(n / width * 12 + 12), *p = wb_alloc(n);

	for (size_t i = 0; i + width <= n; i += width) {
		float f = normal(random + i / width * 12);
		uint8_t bytes[4];

		memcpy(bytes, &f, 4);
		/* bf16 is the upper half of an fp32 */
		memcpy(p + i, bytes + 4 - width, width);
	}
	free(random);
	return p;
}

enum { SIZE = 1 << 20 };

static void check(uint8_t *p, size_t n, enum wb_probe want)
{
	assert_int_equal(wb_probe(p, n), want);
	free(p);
}

static void weights_are_numbers(void **state)
{
	check(weights(SIZE, 2), SIZE, WB_PROBE_NUMBERS);
	check(weights(SIZE, 4), SIZE, WB_PROBE_NUMBERS);
}

static void packed_and_quantised_bytes_are_noise(void **state)
{
	check(noise(SIZE), SIZE, WB_PROBE_NOISE);
	check(noise(64 << 10), 64 << 10, WB_PROBE_NOISE);
	/* int4: two codes of sixteen in a byte, drawn alike */
	uint8_t *p = noise(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		p[i] = (uint8_t)((p[i] & 15) << 4 | (p[(i * 7 + 1) % SIZE] & 15));
	check(p, SIZE, WB_PROBE_NOISE);
}

static void what_repeats_is_text(void **state)
{
	uint8_t *p = wb_alloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		p[i] = (uint8_t) "the quick brown fox jumps over the lazy dog\n"[i % 44];
	check(p, SIZE, WB_PROBE_TEXT);
	check(wb_zalloc(SIZE), SIZE, WB_PROBE_TEXT);
	/* a header of text does not hide noise, nor the other way round */
	p = noise(SIZE);
	memset(p, ' ', 4096);
	assert_int_equal(wb_probe(p, SIZE), WB_PROBE_NUMBERS);
	free(p);
}

/* A compressor settles these faster, and the samples would overlap or leave the buffer. */
static void short_inputs_are_not_sampled(void **state)
{
	for (size_t n = 0; n < 64 << 10; n = n * 2 + 1) {
		uint8_t *p = noise(n);

		assert_int_equal(wb_probe(p, n), WB_PROBE_TEXT);
		free(p);
	}
}

/* Samples reach from the first byte to the last and not beyond (the sanitizers watch). */
static void all_of_it_is_in_reach(void **state)
{
	static const size_t sizes[] = {64 << 10, (64 << 10) + 1, 100001, SIZE - 1, SIZE};

	for (size_t i = 0; i < WB_ARRAY_LEN(sizes); i++)
		check(noise(sizes[i]), sizes[i], WB_PROBE_NOISE);
}

/* Numbers as such do not; with rows or short strings that recur, they do. */
static void recurring_strings_are_seen(void **state)
{
	uint8_t *p = noise(SIZE);

	assert_false(wb_probe_repeats(p, SIZE));
	assert_false(wb_probe_repeats(p, 0));
	assert_false(wb_probe_repeats(p, 7));
	for (size_t i = 0; i < SIZE; i += 2) /* an exponent beside a mantissa */
		p[i] = (uint8_t)(0x3b + (p[i] & 3));
	assert_false(wb_probe_repeats(p, SIZE));
	for (size_t at = SIZE / 2; at + 4096 <= SIZE; at += 8192)
		memcpy(p + at, p, 4096); /* every other row */
	assert_true(wb_probe_repeats(p, SIZE));
	free(p);
	p = noise(SIZE);
	for (size_t i = 3000; i < SIZE; i += 100) /* a tenth of each hundred bytes */
		memcpy(p + i, "0123456789", 10);
	assert_true(wb_probe_repeats(p, SIZE));
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_are_numbers),
		cmocka_unit_test(packed_and_quantised_bytes_are_noise),
		cmocka_unit_test(what_repeats_is_text),
		cmocka_unit_test(short_inputs_are_not_sampled),
		cmocka_unit_test(all_of_it_is_in_reach),
		cmocka_unit_test(recurring_strings_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
