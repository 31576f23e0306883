/* OpenSSL's only calls that show a chaining value are deprecated. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "wbtest.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/digest.h"
#include "base/sha256.h"
#include "base/sha256_openssl.h"

static const char *const kernels[] = {NULL, "portable", "fallback"};

static struct wb_digest reference(const void *p, size_t n)
{
	struct wb_digest d;
	unsigned len = 0;

	assert_int_equal(EVP_Digest(p, n, d.bytes, &len, EVP_sha256(), NULL), 1);
	assert_int_equal(len, 32);
	return d;
}

static void assert_digest(const struct wb_sha256 *s, const void *p, size_t n)
{
	struct wb_digest got, want = reference(p, n);

	wb_sha256_final(s, &got);
	assert_string_equal(wb_digest_hex(&got).s, wb_digest_hex(&want).s);
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

static void for_each_kernel(void (*test)(void))
{
	wb_sha256_use_openssl();
	for (size_t i = 0; i < WB_ARRAY_LEN(kernels); i++) {
		wb_sha256_force_kernel(kernels[i]);
		if (kernels[i])
			assert_string_equal(wb_sha256_kernel(), kernels[i]);
		test();
	}
	wb_sha256_force_kernel(NULL);
	wb_sha256_set_fallback(NULL);
}

/* FIPS 180-4 examples, as NIST publishes them. */
static void check_vectors(void)
{
	static const struct {
		const char *text, *hex;
	} vectors[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
		 "klmnopqrlmnopqrsmnopqrstnopqrstu",
			"cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	};
	struct wb_digest d;

	for (size_t i = 0; i < WB_ARRAY_LEN(vectors); i++) {
		wb_sha256_once(&d, vectors[i].text, strlen(vectors[i].text));
		assert_string_equal(wb_digest_hex(&d).s, vectors[i].hex);
	}
	char *million = wb_alloc(1000000);
	memset(million, 'a', 1000000);
	wb_sha256_once(&d, million, 1000000);
	free(million);
	assert_string_equal(wb_digest_hex(&d).s,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Every length around the padding's edges, in one piece and byte by byte. */
static void check_lengths(void)
{
	wb_autofree uint8_t *p = random_bytes(300, 1);

	for (size_t n = 0; n <= 300; n++) {
		struct wb_sha256 whole, bytes;

		wb_sha256_init(&whole);
		wb_sha256_init(&bytes);
		wb_sha256_update(&whole, p, n);
		for (size_t i = 0; i < n; i++)
			wb_sha256_update(&bytes, p + i, 1);
		assert_digest(&whole, p, n);
		assert_digest(&bytes, p, n);
	}
}

/* Streams of a joint call: nsame over one text (each with a start of its own, so that states and
 * phases differ), and one over another text, cut at random places. */
struct streams {
	struct wb_sha256 state[WB_SHA256_SAME_MAX + 1];
	size_t start[WB_SHA256_SAME_MAX]; /* bytes of the text a same-stream takes twice */
	struct wb_sha256 *same[WB_SHA256_SAME_MAX];
	size_t nsame;
	struct wb_sha256 *other;
};

static void streams_init(
	struct streams *s, size_t nsame, bool other, const uint8_t *p, bool aligned, uint64_t *seed)
{
	*s = (struct streams){.nsame = nsame, .other = other ? &s->state[nsame] : NULL};
	for (size_t i = 0; i < nsame; i++) {
		s->same[i] = &s->state[i];
		s->start[i] = next_random(seed) % 600;
		if (aligned)
			s->start[i] -= s->start[i] % 64;
		wb_sha256_init(s->same[i]);
		wb_sha256_update(s->same[i], p, s->start[i]);
	}
	if (other)
		wb_sha256_init(s->other);
}

static void streams_check(
	const struct streams *s, const uint8_t *p, size_t n, const uint8_t *q, size_t m)
{
	for (size_t i = 0; i < s->nsame; i++) {
		wb_autofree uint8_t *text = wb_alloc(s->start[i] + n);

		memcpy(text, p, s->start[i]);
		memcpy(text + s->start[i], p, n);
		assert_digest(s->same[i], text, s->start[i] + n);
	}
	if (s->other)
		assert_digest(s->other, q, m);
}

static void check_joint(void)
{
	enum { SIZE = 20000 };
	wb_autofree uint8_t *p = random_bytes(SIZE, 2), *q = random_bytes(SIZE, 3);
	uint64_t seed = 4;

	for (unsigned round = 0; round < 400; round++) {
		struct streams s;
		size_t n = 0, m = 0;
		unsigned most = round % 3 ? 3000 : 200;

		streams_init(
			&s, round % (WB_SHA256_SAME_MAX + 1), round / 4 % 2, p, round & 8, &seed);
		while (n < SIZE || m < SIZE) {
			size_t dn = next_random(&seed) % most, dm = next_random(&seed) % most;

			dn = n + dn > SIZE ? SIZE - n : dn;
			dm = m + dm > SIZE ? SIZE - m : dm;
			wb_sha256_joint(s.same, s.nsame, p + n, dn, s.other, q + m, dm);
			n += dn;
			m += dm;
		}
		streams_check(&s, p, n, q, m);
	}
}

/* The shapes that the packer and the verifier use: whole blocks, all combinations. */
static void check_blocks(void)
{
	enum { SIZE = 64 * 1024 };
	wb_autofree uint8_t *p = random_bytes(SIZE + 64, 5), *q = random_bytes(SIZE + 64, 6);
	uint64_t seed = 7;

	for (size_t nsame = 0; nsame <= WB_SHA256_SAME_MAX; nsame++)
		for (int other = 0; other < 2; other++)
			for (size_t shift = 0; shift < 3; shift++) {
				struct streams s;

				streams_init(&s, nsame, other, p + shift, true, &seed);
				wb_sha256_joint(s.same, nsame, p + shift, SIZE, s.other, q + shift,
					SIZE - 64 * shift);
				streams_check(&s, p + shift, SIZE, q + shift, SIZE - 64 * shift);
			}
}

static void check_pair(void)
{
	enum { SIZE = 9000 };
	wb_autofree uint8_t *p = random_bytes(SIZE, 8), *q = random_bytes(SIZE, 9);
	uint64_t seed = 10;

	for (unsigned round = 0; round < 200; round++) {
		size_t n = next_random(&seed) % SIZE, m = next_random(&seed) % SIZE;
		struct wb_sha256 a, b;

		wb_sha256_init(&a);
		wb_sha256_init(&b);
		wb_sha256_pair(&a, p, n, &b, q, m);
		assert_digest(&a, p, n);
		assert_digest(&b, q, m);
	}
}

/* Independent streams, cut at random places, so that they stand off block boundaries, end at
 * different times, and some have nothing in a call; and in whole blocks, as the verifier does it.
 */
static void check_apart(void)
{
	enum { SIZE = 20000 };
	wb_autofree uint8_t *p = random_bytes(WB_SHA256_APART_MAX * SIZE, 11);
	uint64_t seed = 12;

	assert_in_range(wb_sha256_apart_best(), 2, WB_SHA256_APART_MAX);
	for (unsigned round = 0; round < 300; round++) {
		struct wb_sha256 s[WB_SHA256_APART_MAX];
		size_t n = round % (WB_SHA256_APART_MAX + 1), at[WB_SHA256_APART_MAX] = {0};
		unsigned most = round % 2 ? 4000 : 200, calls = 1 + next_random(&seed) % 8;

		for (size_t i = 0; i < n; i++)
			wb_sha256_init(&s[i]);
		for (unsigned call = 0; call < calls; call++) {
			struct wb_sha256_part parts[WB_SHA256_APART_MAX];

			for (size_t i = 0; i < n; i++) {
				size_t len = next_random(&seed) % 5 ? next_random(&seed) % most : 0;

				len = round % 3 ? len : len / 64 * 64;
				len = at[i] + len > SIZE ? SIZE - at[i] : len;
				parts[i] =
					(struct wb_sha256_part){&s[i], p + i * SIZE + at[i], len};
				at[i] += len;
			}
			wb_sha256_apart(parts, n);
		}
		for (size_t i = 0; i < n; i++)
			assert_digest(&s[i], p + i * SIZE, at[i]);
	}
}

/* After each block: OpenSSL's value, and from there the rest leads to the whole's digest. */
static void check_chaining(void)
{
	enum { BLOCKS = 40, SIZE = BLOCKS * 64 + 37 };
	wb_autofree uint8_t *p = random_bytes(SIZE, 13);
	struct wb_digest chaining, whole = reference(p, SIZE);
	struct wb_sha256 s, rest;
	SHA256_CTX want;

	wb_sha256_init(&s);
	SHA256_Init(&want);
	for (size_t n = 0;; n += 64) {
		struct wb_digest d;

		wb_sha256_chaining(&s, &chaining);
		for (int i = 0; i < 8; i++)
			assert_int_equal((uint32_t)chaining.bytes[4 * i] << 24 |
						 chaining.bytes[4 * i + 1] << 16 |
						 chaining.bytes[4 * i + 2] << 8 |
						 chaining.bytes[4 * i + 3],
				want.h[i]);
		wb_sha256_resume(&rest, &chaining, n);
		wb_sha256_update(&rest, p + n, SIZE - n);
		wb_sha256_final(&rest, &d);
		assert_true(wb_digest_equal(&d, &whole));
		if (n == BLOCKS * 64)
			return;
		wb_sha256_update(&s, p + n, 64);
		SHA256_Update(&want, p + n, 64);
	}
}

static void test_chaining(void **state)
{
	for_each_kernel(check_chaining);
}

static void test_apart(void **state)
{
	for_each_kernel(check_apart);
}

static void test_vectors(void **state)
{
	for_each_kernel(check_vectors);
}

static void test_lengths(void **state)
{
	for_each_kernel(check_lengths);
}

static void test_joint(void **state)
{
	for_each_kernel(check_joint);
}

static void test_blocks(void **state)
{
	for_each_kernel(check_blocks);
}

static void test_pair(void **state)
{
	for_each_kernel(check_pair);
}

static void test_copy_forks_and_final_keeps(void **state)
{
	struct wb_sha256 a, b;

	wb_sha256_init(&a);
	wb_sha256_update(&a, "ab", 2);
	assert_digest(&a, "ab", 2);
	b = a;
	wb_sha256_update(&a, "c", 1);
	wb_sha256_update(&b, "d", 1);
	assert_digest(&a, "abc", 3);
	assert_digest(&b, "abd", 3);
}

/* The length in the padding is 64 bits of bits: a state put near 2^32 bytes must carry over. */
static void test_long_total(void **state)
{
	struct wb_sha256 s;
	struct wb_digest native, portable;

	wb_sha256_init(&s);
	s.total = UINT64_C(0x1fffffffc0);
	wb_sha256_update(&s, "0123456789", 10);
	wb_sha256_final(&s, &native);
	wb_sha256_force_kernel("portable");
	wb_sha256_final(&s, &portable);
	wb_sha256_force_kernel(NULL);
	assert_memory_equal(native.bytes, portable.bytes, 32);
	s.total &= UINT32_MAX;
	wb_sha256_final(&s, &portable);
	assert_memory_not_equal(native.bytes, portable.bytes, 32);
}

static void test_fallback_choice(void **state)
{
	assert_non_null(wb_sha256_kernel());
	wb_sha256_force_kernel("fallback");
	check_vectors(); /* nothing installed: portable code under this name */
	wb_sha256_force_kernel(NULL);
	if (!strcmp(wb_sha256_kernel(), "portable")) {
		wb_sha256_use_openssl();
		assert_string_equal(wb_sha256_kernel(), "fallback");
		wb_sha256_set_fallback(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_joint),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_chaining),
		cmocka_unit_test(test_copy_forks_and_final_keeps),
		cmocka_unit_test(test_long_total),
		cmocka_unit_test(test_fallback_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
