#include "wbtest.h"

#include <string.h>

#include "base/crc64.h"

/* The definition, a bit at a time. */
static uint64_t reference(const uint8_t *p, size_t n)
{
	uint64_t crc = UINT64_MAX;

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? UINT64_C(0xd800000000000000) : 0);
	}
	return ~crc;
}

/* A small generator, so that a failure repeats. */
static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static uint8_t *random_bytes(size_t n, uint64_t seed)
{
	uint8_t *p = wb_alloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)next_random(&seed);
	return p;
}

/* The check value of the catalogues, and two that Go's hash/crc64 gives. */
static void known_values(void **state)
{
	(void)state;
	assert_true(wb_crc64(0, "123456789", 9) == UINT64_C(0xb90956c775a41001));
	assert_true(wb_crc64(0, "", 0) == 0);
	assert_true(wb_crc64(0, "a", 1) == UINT64_C(0x3420000000000000));
	assert_true(wb_crc64(0, "abcdefghij", 10) == UINT64_C(0x7f5b6e21b002d367));
}

static void every_length_and_offset(void **state)
{
	wb_autofree uint8_t *p = random_bytes(1100, 1);

	(void)state;
	for (size_t n = 0; n <= 1024; n++) {
		const uint8_t *at = p + n % 33;
		uint64_t want = reference(at, n);

		assert_true(wb_crc64(0, at, n) == want);
		assert_true(wb_crc64_portable(0, at, n) == want);
	}
}

/* Around the lengths at which it works in another way. */
static void long_lengths(void **state)
{
	enum { STEP = 32 << 10 };
	wb_autofree uint8_t *p = random_bytes(4 * STEP, 6);

	(void)state;
	for (size_t n = STEP; n <= 3 * STEP; n += STEP) {
		for (size_t k = n - 9; k <= n + 9; k++) {
			uint64_t want = reference(p + k % 7, k);

			assert_true(wb_crc64(0, p + k % 7, k) == want);
			assert_true(wb_crc64_portable(0, p + k % 7, k) == want);
		}
	}
}

static void splits_agree(void **state)
{
	enum { N = 100000 };
	wb_autofree uint8_t *p = random_bytes(N, 2);
	uint64_t want = reference(p, N), seed = 3;

	(void)state;
	for (size_t round = 0; round < 60; round++) {
		size_t most = (size_t)1 << (1 + round % 16);
		uint64_t one = 0, portable = 0, joined = 0;

		for (size_t at = 0, n; at < N; at += n) {
			n = next_random(&seed) % most + (round & 1);
			n = n < N - at ? n : N - at;
			one = wb_crc64(one, p + at, n);
			portable = wb_crc64_portable(portable, p + at, n);
			joined = wb_crc64_join(joined, wb_crc64(0, p + at, n), n);
		}
		assert_true(one == want);
		assert_true(portable == want);
		assert_true(joined == want);
	}
}

/* Lengths that no buffer has: joined in another order, a sum of zeros comes to the same. */
static void joins_of_long_streams(void **state)
{
	static const uint8_t zeros[1 << 16];
	uint64_t whole = wb_crc64(0, zeros, sizeof(zeros)), left = 0, right = 0, n = sizeof(zeros);

	(void)state;
	for (int i = 0; i < 24; i++, n *= 2)
		whole = wb_crc64_join(whole, whole, n);
	left = wb_crc64_join(wb_crc64(0, "begin", 5), whole, n);
	left = wb_crc64_join(left, wb_crc64(0, "end", 3), 3);
	right = wb_crc64_join(whole, wb_crc64(0, "end", 3), 3);
	right = wb_crc64_join(wb_crc64(0, "begin", 5), right, n + 3);
	assert_true(left == right);
	assert_true(wb_crc64_join(left, 0, 0) == left);
	assert_true(wb_crc64_join(0, left, n + 8) == left);
}

/* One wrong bit, wherever it is, shows. */
static void a_bit_matters(void **state)
{
	enum { N = 70000 + 7 };
	wb_autofree uint8_t *p = random_bytes(N, 4);
	uint64_t want = wb_crc64(0, p, N), seed = 5;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		size_t bit = next_random(&seed) % (8 * N);

		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(wb_crc64(0, p, N) != want);
		assert_true(wb_crc64(0, p, N) == wb_crc64_portable(0, p, N));
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(every_length_and_offset),
		cmocka_unit_test(long_lengths),
		cmocka_unit_test(splits_agree),
		cmocka_unit_test(joins_of_long_streams),
		cmocka_unit_test(a_bit_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
