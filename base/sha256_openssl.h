/* OpenSSL's block function as the fallback of base/sha256.h, for processors without SHA-256
 * instructions (its AVX2 code is twice as fast as portable C there). The builder calls this once
 * at start; the runtime stub does not link libcrypto and stays with portable C. */
#ifndef WB_BASE_SHA256_OPENSSL_H
#define WB_BASE_SHA256_OPENSSL_H

void wb_sha256_use_openssl(void);

#endif
