#include "base/digest.h"

#include <string.h>

void wb_hex(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int nibble(char c, bool any_case)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (any_case && c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool wb_unhex(uint8_t *out, const char *hex, size_t n, bool any_case)
{
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(hex[2 * i], any_case);
		int lo = hi < 0 ? -1 : nibble(hex[2 * i + 1], any_case);

		if (lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

struct wb_digest_text wb_digest_text(const struct wb_digest *d)
{
	struct wb_digest_text t;

	memcpy(t.s, "sha256:", 7);
	wb_hex(t.s + 7, d->bytes, sizeof(d->bytes));
	return t;
}

struct wb_digest_text wb_digest_hex(const struct wb_digest *d)
{
	struct wb_digest_text t;

	wb_hex(t.s, d->bytes, sizeof(d->bytes));
	return t;
}

bool wb_digest_parse_hex(struct wb_digest *out, const char *hex, size_t n)
{
	struct wb_digest d;

	if (n != WB_DIGEST_HEX || !wb_unhex(d.bytes, hex, sizeof(d.bytes), false))
		return false;
	*out = d;
	return true;
}

int wb_digest_parse(struct wb_digest *out, const char *text, struct wb_err *err)
{
	if (strncmp(text, "sha256:", 7) || !wb_digest_parse_hex(out, text + 7, strlen(text + 7)))
		return wb_err_set(err, WB_ERR_FORMAT,
			"\"%.80s\" is not a digest (expected sha256: and 64 lower-case hex digits)",
			text);
	return 0;
}
