/* The other digests and checksums that places of files know their content by (S3 and GCS MD5 and
 * CRC-32C, git's SHA-1, the CRCs of the S3 SDKs), and HMAC-SHA-256 for request signatures. They
 * check transport and name content that a source vouches for; nothing of ours is named by them.
 * A wb_hash is owned by one thread at a time. */
#ifndef WB_BASE_HASH_H
#define WB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum wb_hash_kind {
	WB_HASH_MD5,
	WB_HASH_SHA1,
	WB_HASH_CRC32,     /* zlib's */
	WB_HASH_CRC32C,    /* Castagnoli, RFC 3720 */
	WB_HASH_CRC64NVME, /* NVM Express, "Rocksoft" */
	WB_HASH_KINDS,
};

#define WB_HASH_SIZE_MAX 20

struct wb_hash;

struct wb_hash *wb_hash_new(enum wb_hash_kind kind);
void wb_hash_update(struct wb_hash *h, const void *p, size_t n);
/* CRCs come out big-endian, as the object stores write them. h can only be freed after. */
void wb_hash_final(struct wb_hash *h, uint8_t out[WB_HASH_SIZE_MAX]);
void wb_hash_free(struct wb_hash *h);
size_t wb_hash_size(enum wb_hash_kind kind);
const char *wb_hash_name(enum wb_hash_kind kind); /* "md5", "sha1", "crc32c", … */

void wb_hmac_sha256(uint8_t out[32], const void *key, size_t key_len, const void *p, size_t n);

static inline void wb_hash_freep(struct wb_hash **h)
{
	wb_hash_free(*h);
}

#endif
