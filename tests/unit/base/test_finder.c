#include "wbtest.h"

#include "base/finder.h"

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Every length, at every place of the data, ends and beginnings included. */
static void a_text_is_found_wherever_it_lies(void **state)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	for (size_t len = WB_FINDER_MIN; len <= 60; len++) {
		WB_AUTO(wb_finder_freep) struct wb_finder *f = wb_finder_new();
		char data[200];

		wb_finder_add(f, letters, len, "it");
		for (size_t place = 0; place + len <= sizeof(data); place++) {
			const char *name = NULL;
			size_t at = SIZE_MAX;

			memset(data, 'x', sizeof(data));
			memcpy(data + place, letters, len);
			assert_true(wb_finder_scan(&at, &name, f, data, sizeof(data)));
			assert_int_equal(at, place);
			assert_string_equal(name, "it");
			/* not what is behind the end, nor what lacks its first byte */
			assert_false(wb_finder_scan(&at, &name, f, data, place + len - 1));
			assert_false(wb_finder_scan(
				&at, &name, f, data + place + 1, sizeof(data) - place - 1));
		}
	}
}

static void texts_of_all_lengths_are_sought_together(void **state)
{
	WB_AUTO(wb_finder_freep) struct wb_finder *f = wb_finder_new();
	static const char *const texts[] = {"12345678-", "short-one", "a-bit-longer-one",
		"one-of-twenty-letters-or-more",
		"one that has a good deal more than 35 bytes in it", "and-another-short"};
	char data[256];
	const char *name;
	size_t at;

	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++)
		wb_finder_add(f, texts[i], strlen(texts[i]), texts[i]);
	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++) {
		memset(data, '-', sizeof(data));
		memcpy(data + 101, texts[i], strlen(texts[i]));
		assert_true(wb_finder_scan(&at, &name, f, data, sizeof(data)));
		assert_ptr_equal(name, texts[i]);
		assert_int_equal(at, 101);
	}
}

static void what_is_too_short_or_too_long(void **state)
{
	WB_AUTO(wb_finder_freep) struct wb_finder *f = wb_finder_new();
	char text[1000], data[1200];
	const char *name;
	uint32_t seed = 1;
	size_t at;

	wb_finder_add(f, "1234567", 7, "short");
	assert_false(wb_finder_scan(&at, &name, f, "1234567", 7));
	assert_false(wb_finder_scan(&at, &name, f, "", 0));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + next_random(&seed) % 26);
	wb_finder_add(f, text, sizeof(text), "long");
	memset(data, '.', sizeof(data));
	assert_false(wb_finder_scan(&at, &name, f, data, sizeof(data)));
	memcpy(data + 100, text, sizeof(text));
	assert_true(wb_finder_scan(&at, &name, f, data, sizeof(data)));
	assert_int_equal(at, 100 + (sizeof(text) - WB_FINDER_MAX) / 2);
}

/* The same answer as memmem, with texts of few different letters, which collide all the time. */
static void it_agrees_with_memmem(void **state)
{
	uint32_t seed = 7;
	unsigned found = 0, not_found = 0;

	for (unsigned round = 0; round < 3000; round++) {
		WB_AUTO(wb_finder_freep) struct wb_finder *f = wb_finder_new();
		char texts[4][48], data[300];
		bool want = false;
		const char *name;
		size_t at, n[4];

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (char)('a' + next_random(&seed) % 2);
		for (size_t i = 0; i < 4; i++) {
			n[i] = 8 + next_random(&seed) % 40;
			for (size_t k = 0; k < n[i]; k++)
				texts[i][k] = (char)('a' + next_random(&seed) % 2);
			if (next_random(&seed) % 8 == 0)
				memcpy(data + next_random(&seed) % (sizeof(data) - n[i]), texts[i],
					n[i]);
			wb_finder_add(f, texts[i], n[i], texts[i]);
		}
		for (size_t i = 0; i < 4; i++)
			want |= memmem(data, sizeof(data), texts[i], n[i]) != NULL;
		bool got = wb_finder_scan(&at, &name, f, data, sizeof(data));

		assert_int_equal(got, want);
		for (size_t i = 0; got && i < 4; i++)
			if (name == texts[i])
				assert_memory_equal(data + at, texts[i], n[i]);
		found += want;
		not_found += !want;
	}
	assert_true(found > 300 && not_found > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_found_wherever_it_lies),
		cmocka_unit_test(texts_of_all_lengths_are_sought_together),
		cmocka_unit_test(what_is_too_short_or_too_long),
		cmocka_unit_test(it_agrees_with_memmem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
