#include "base/hash.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "base/sha256.h"

struct wb_hash {
	enum wb_hash_kind kind;
	EVP_MD_CTX *evp;
	uint64_t crc;
	bool hardware;
	uint64_t table[8][256]; /* of a CRC: the effect of byte v, i bytes before the end */
};

static const struct {
	const char *name;
	size_t size;
	uint64_t polynomial; /* bit-reflected; 0 for the digests */
} kinds[WB_HASH_KINDS] = {
	[WB_HASH_MD5] = {"md5", 16, 0},
	[WB_HASH_SHA1] = {"sha1", 20, 0},
	[WB_HASH_CRC32] = {"crc32", 4, 0xedb88320},
	[WB_HASH_CRC32C] = {"crc32c", 4, 0x82f63b78},
	[WB_HASH_CRC64NVME] = {"crc64nvme", 8, 0x9a6c9329ac4bc9b5},
};

static void table_fill(struct wb_hash *h)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t r = v;

		for (int bit = 0; bit < 8; bit++)
			r = r & 1 ? r >> 1 ^ kinds[h->kind].polynomial : r >> 1;
		h->table[0][v] = r;
	}
	for (unsigned v = 0; v < 256; v++)
		for (int i = 1; i < 8; i++) {
			uint64_t r = h->table[i - 1][v];

			h->table[i][v] = h->table[0][r & 255] ^ r >> 8;
		}
}

static uint64_t crc_table(const struct wb_hash *h, uint64_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		word = le64toh(word) ^ crc;
		crc = 0;
		for (int i = 0; i < 8; i++, word >>= 8)
			crc ^= h->table[7 - i][word & 255];
	}
	for (; n; n--, p++)
		crc = h->table[0][(crc ^ *p) & 255] ^ crc >> 8;
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint64_t crc32c_sse(
	uint64_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (; n; n--, p++)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
	return crc;
}

static bool have_sse(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
static uint64_t crc32c_sse(uint64_t crc, const uint8_t *p, size_t n)
{
	return crc;
}

static bool have_sse(void)
{
	return false;
}
#endif

struct wb_hash *wb_hash_new(enum wb_hash_kind kind)
{
	struct wb_hash *h = wb_zalloc(sizeof(*h));

	h->kind = kind;
	if (kinds[kind].polynomial) {
		h->crc = kinds[kind].size == 8 ? UINT64_MAX : UINT32_MAX;
		h->hardware = kind == WB_HASH_CRC32C && have_sse();
		table_fill(h);
		return h;
	}
	h->evp = EVP_MD_CTX_new();
	int ok = h->evp &&
	         EVP_DigestInit_ex(h->evp, kind == WB_HASH_MD5 ? EVP_md5() : EVP_sha1(), NULL);

	assert(ok);
	(void)ok;
	return h;
}

void wb_hash_update(struct wb_hash *h, const void *p, size_t n)
{
	if (h->evp)
		EVP_DigestUpdate(h->evp, p, n);
	else if (h->hardware)
		h->crc = crc32c_sse(h->crc, p, n);
	else
		h->crc = crc_table(h, h->crc, p, n);
}

void wb_hash_final(struct wb_hash *h, uint8_t out[WB_HASH_SIZE_MAX])
{
	memset(out, 0, WB_HASH_SIZE_MAX);
	if (h->evp) {
		EVP_DigestFinal_ex(h->evp, out, NULL);
	} else if (kinds[h->kind].size == 8) {
		uint64_t v = htobe64(~h->crc);

		memcpy(out, &v, 8);
	} else {
		uint32_t v = htobe32(~(uint32_t)h->crc);

		memcpy(out, &v, 4);
	}
}

void wb_hash_free(struct wb_hash *h)
{
	if (h)
		EVP_MD_CTX_free(h->evp);
	free(h);
}

size_t wb_hash_size(enum wb_hash_kind kind)
{
	return kinds[kind].size;
}

const char *wb_hash_name(enum wb_hash_kind kind)
{
	return kinds[kind].name;
}

/* RFC 2104 over our own SHA-256. */
void wb_hmac_sha256(uint8_t out[32], const void *key, size_t key_len, const void *p, size_t n)
{
	uint8_t pad[64] = {0};
	struct wb_digest inner, outer;
	struct wb_sha256 s;

	if (key_len > sizeof(pad)) {
		struct wb_digest d;

		wb_sha256_once(&d, key, key_len);
		memcpy(pad, d.bytes, sizeof(d.bytes));
	} else if (key_len) {
		memcpy(pad, key, key_len);
	}
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	wb_sha256_init(&s);
	wb_sha256_update(&s, pad, sizeof(pad));
	wb_sha256_update(&s, p, n);
	wb_sha256_final(&s, &inner);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	wb_sha256_init(&s);
	wb_sha256_update(&s, pad, sizeof(pad));
	wb_sha256_update(&s, inner.bytes, sizeof(inner.bytes));
	wb_sha256_final(&s, &outer);
	memcpy(out, outer.bytes, sizeof(outer.bytes));
	wb_wipe(pad, sizeof(pad));
	wb_wipe(&s, sizeof(s));
}
