/* SHA-256 digests as values, and their text form "sha256:<64 lower-case hex>" (OCI image-spec,
 * descriptor.md "Digests"). Plain values: copy freely, any thread. */
#ifndef WB_BASE_DIGEST_H
#define WB_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define WB_DIGEST_HEX 64
#define WB_DIGEST_TEXT (7 + WB_DIGEST_HEX)

struct wb_digest {
	uint8_t bytes[32];
};

struct wb_digest_text { /* returned by value, so that no call shares storage */
	char s[WB_DIGEST_TEXT + 1];
};

struct wb_digest_text wb_digest_text(const struct wb_digest *d); /* "sha256:…" */
struct wb_digest_text wb_digest_hex(const struct wb_digest *d);  /* hex alone */
/* Strict: lower case, exact length, nothing after. -1: WB_ERR_FORMAT. */
int wb_digest_parse(struct wb_digest *out, const char *text, struct wb_err *err);
bool wb_digest_parse_hex(struct wb_digest *out, const char *hex, size_t n);

static inline bool wb_digest_equal(const struct wb_digest *a, const struct wb_digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static inline bool wb_digest_is_zero(const struct wb_digest *d)
{
	static const struct wb_digest zero;

	return wb_digest_equal(d, &zero);
}

/* Lower-case hex of any bytes; out holds 2 * n + 1. */
void wb_hex(char *out, const uint8_t *p, size_t n);
/* Decodes exactly 2 * n hex digits (either case when `any_case`). */
bool wb_unhex(uint8_t *out, const char *hex, size_t n, bool any_case);

#endif
