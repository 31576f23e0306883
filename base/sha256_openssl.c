/* The low-level calls are the only ones that take a bare chaining state, which is what carries a
 * stream here; they are deprecated in favour of EVP but stay in OpenSSL 3. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "base/sha256_openssl.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/sha256.h"

static void openssl_blocks(uint32_t h[8], const uint8_t *p, size_t nblocks)
{
	SHA256_CTX ctx = {.md_len = SHA256_DIGEST_LENGTH};

	memcpy(ctx.h, h, sizeof(ctx.h));
	SHA256_Update(&ctx, p, nblocks * 64);
	memcpy(h, ctx.h, sizeof(ctx.h));
}

void wb_sha256_use_openssl(void)
{
	wb_sha256_set_fallback(openssl_blocks);
}
