/* SHA-256 with several chains, cut as the input says, against OpenSSL. The first bytes choose how
 * many chains there are and where the cuts lie; the rest is hashed. */
#include <openssl/evp.h>

#include "base/sha256.h"
#include "fuzz.h"

static void must_equal(const struct wb_sha256 *s, const uint8_t *p, size_t n)
{
	struct wb_digest got;
	uint8_t want[32];

	wb_sha256_final(s, &got);
	MUST(EVP_Digest(p, n, want, NULL, EVP_sha256(), NULL) == 1);
	MUST(!memcmp(got.bytes, want, sizeof(want)));
}

static void run(const uint8_t *cuts, size_t ncuts, size_t nsame, const uint8_t *p, size_t n)
{
	struct wb_sha256 s[WB_SHA256_SAME_MAX + 1], *same[WB_SHA256_SAME_MAX];
	struct wb_sha256 *other = &s[WB_SHA256_SAME_MAX];
	size_t at = 0, half = n / 2, at2 = half;

	for (size_t i = 0; i <= WB_SHA256_SAME_MAX; i++)
		wb_sha256_init(&s[i]);
	for (size_t i = 0; i < nsame; i++)
		same[i] = &s[i];
	/* the chains over the first half, the other one over the second */
	for (size_t i = 0; at < half || at2 < n; i++) {
		size_t step = i < ncuts ? (size_t)cuts[i] * 3 : n;
		size_t a = half - at < step ? half - at : step, b = n - at2;

		b = b < step + i ? b : step + i;
		wb_sha256_joint(same, nsame, p + at, a, other, p + at2, b);
		at += a;
		at2 += b;
	}
	for (size_t i = 0; i < nsame; i++)
		must_equal(&s[i], p, half);
	must_equal(other, p + half, n - half);
}

/* Thirds of the bytes, one stream each, cut at places of their own. */
static void run_apart(const uint8_t *cuts, size_t ncuts, const uint8_t *p, size_t n)
{
	struct wb_sha256 s[WB_SHA256_APART_MAX];
	struct wb_sha256_part parts[WB_SHA256_APART_MAX];
	size_t third = n / WB_SHA256_APART_MAX, at[WB_SHA256_APART_MAX] = {0};

	for (size_t k = 0; k < WB_SHA256_APART_MAX; k++)
		wb_sha256_init(&s[k]);
	for (size_t i = 0; i <= ncuts; i++) {
		for (size_t k = 0; k < WB_SHA256_APART_MAX; k++) {
			size_t left = third - at[k], step = i < ncuts ? cuts[i] * (k + 1) : left;

			step = step < left ? step : left;
			parts[k] = (struct wb_sha256_part){&s[k], p + k * third + at[k], step};
			at[k] += step;
		}
		wb_sha256_apart(parts, WB_SHA256_APART_MAX);
	}
	for (size_t k = 0; k < WB_SHA256_APART_MAX; k++)
		must_equal(&s[k], p + k * third, third);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const kernels[] = {NULL, "portable"};
	size_t ncuts = size > 1 ? data[1] % 16 : 0;

	if (size < 2 + ncuts)
		return 0;
	for (size_t i = 0; i < WB_ARRAY_LEN(kernels); i++) {
		wb_sha256_force_kernel(kernels[i]);
		run(data + 2, ncuts, data[0] % (WB_SHA256_SAME_MAX + 1), data + 2 + ncuts,
			size - 2 - ncuts);
		run_apart(data + 2, ncuts, data + 2 + ncuts, size - 2 - ncuts);
	}
	wb_sha256_force_kernel(NULL);
	return 0;
}
