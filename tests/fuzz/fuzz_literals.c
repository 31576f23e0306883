/* A zstd frame without matches of any bytes, and of many times the same bytes: libzstd must give
 * them back, and a frame must not be larger than raw blocks are. */
#include <zstd.h>

#include "fuzz.h"
#include "layers/literals.h"

static void comes_back(const uint8_t *p, size_t n)
{
	size_t room = wb_raw_frame_size(n);
	wb_autofree uint8_t *out = wb_alloc(room), *back = wb_alloc(n + 1);
	size_t size = wb_literal_frame(out, p, n);

	MUST(size <= room);
	MUST(ZSTD_decompress(back, n + 1, out, size) == n);
	MUST(!n || !memcmp(back, p, n));
}

/* The first two bytes say how often the rest is repeated, and how it changes each time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	const uint8_t *p = data + 2;
	const size_t n = size - 2, times = 1 + data[0] * 4u;
	wb_autofree uint8_t *all = wb_alloc(times * n);

	for (size_t i = 0; i < times * n; i++)
		all[i] = (uint8_t)(p[i % n] + i / n * data[1]);
	comes_back(p, n);
	if (times * n <= 1u << 18)
		comes_back(all, times * n);
	return 0;
}
