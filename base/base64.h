/* Base64 with the standard alphabet and padding (RFC 4648, section 4). Pure; any thread. */
#ifndef WB_BASE_BASE64_H
#define WB_BASE_BASE64_H

#include <stddef.h>

char *wb_base64_encode(const void *p, size_t n); /* the caller frees */

#endif
