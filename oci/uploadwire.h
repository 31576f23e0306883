/* The headers of an upload: where it goes on and how much has arrived (distribution-spec,
 * "Pushing blobs"; RFC 9110, 14.4). All of it is from outside. Pure; any thread. */
#ifndef WB_OCI_UPLOADWIRE_H
#define WB_OCI_UPLOADWIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

#define WB_LOCATION_MAX (16u << 10)

/* `Range: 0-END`, with or without "bytes=" or "bytes ", as the number of bytes that arrived. "0-0"
 * is what registries write for none (no chunk is one byte long). false: not such a value. */
bool wb_upload_range_parse(uint64_t *received, const char *value);

/* `Content-Range: bytes START-END/TOTAL` (TOTAL may be "*", then UINT64_MAX). */
bool wb_content_range_parse(uint64_t *start, uint64_t *end, uint64_t *total, const char *value);

/* A Location, absolute or relative, as the address to go on with; the caller frees. The registry's
 * own address in plain http (a proxy that ends TLS makes such) is put back to https. NULL:
 * WB_ERR_FORMAT. */
char *wb_upload_location(const char *request_url, const char *location, struct wb_err *err);

/* location with the digest added to its query; the caller frees. */
char *wb_upload_close_url(const char *location, const struct wb_digest *digest);

#endif
