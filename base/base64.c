#include "base/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

char *wb_base64_encode(const void *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = p;
	char *out = wb_calloc(n / 3 + 2, 4), *o = out;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
		             (left > 2 ? in[i + 2] : 0);

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*o++ = left > 2 ? digits[v & 63] : '=';
	}
	*o = '\0';
	return out;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

uint8_t *wb_base64_decode(size_t *out_n, const char *text, size_t limit)
{
	size_t n = strlen(text), pad = 0, k = 0;

	while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
		pad++;
	if (n % 4 || n / 4 * 3 - pad > limit)
		return NULL;
	wb_autofree uint8_t *bytes = wb_alloc(n / 4 * 3 + 1);

	for (size_t i = 0; i < n; i += 4) {
		uint32_t group = 0;

		for (size_t j = 0; j < 4; j++) {
			int v = i + j >= n - pad ? 0 : base64_value(text[i + j]);

			if (v < 0)
				return NULL;
			group = group << 6 | (uint32_t)v;
		}
		bytes[k++] = (uint8_t)(group >> 16);
		bytes[k++] = (uint8_t)(group >> 8);
		bytes[k++] = (uint8_t)group;
	}
	for (size_t i = 0; i < pad; i++)
		if (bytes[--k]) /* padding bits that are not zero: not what an encoder writes */
			return NULL;
	*out_n = k;
	return wb_steal(bytes);
}
