#include "builder/source/gcp_token.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"

char *wb_base64url(const void *p, size_t n)
{
	char *s = wb_base64_encode(p, n);

	for (char *c = s; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	s[strcspn(s, "=")] = '\0';
	return s;
}

static EVP_PKEY *read_key(const struct wb_secret *pem)
{
	BIO *bio = BIO_new_mem_buf(wb_secret_reveal(pem), (int)wb_secret_len(pem));
	/* An empty passphrase, so that an encrypted key fails instead of asking on the terminal. */
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;

	BIO_free(bio);
	if (key && EVP_PKEY_base_id(key) != EVP_PKEY_RSA) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

char *wb_rs256_sign(const struct wb_secret *pem, const char *text, struct wb_err *err)
{
	EVP_PKEY *key = read_key(pem);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t n = sizeof(signature);
	bool ok =
		key && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!ok) {
		wb_err_set(err, WB_ERR_AUTH, "private_key is not a usable RSA key in PEM form");
		return NULL;
	}
	return wb_base64url(signature, n);
}
