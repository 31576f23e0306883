/* Base64 with the standard alphabet and padding (RFC 4648, section 4). Pure; any thread. */
#ifndef WB_BASE_BASE64_H
#define WB_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

char *wb_base64_encode(const void *p, size_t n); /* the caller frees */
/* Strict: padded, nothing before, between or after, padding bits zero, at most limit bytes. NULL
 * when text is something else; the caller frees. */
uint8_t *wb_base64_decode(size_t *out_n, const char *text, size_t limit);

#endif
