/* A compressed layer as its tar: gzip (also of several members) and zstd (also of several frames,
 * skippable ones passed over). For what has to write layers plain, or look into them. */
#ifndef WB_OCI_INFLATE_H
#define WB_OCI_INFLATE_H

#include "oci/mediatype.h"
#include "oci/transport.h"

/* Takes r, whose end is always read, so that a verifying r judges all of it. name is for messages.
 * WB_CODING_NONE gives r itself. Not bounded: the caller counts what comes out. */
struct wb_reader *wb_reader_inflate(
	struct wb_reader *r, enum wb_media_coding coding, const char *name, struct wb_err *err);
/* By the first bytes of a blob. */
enum wb_media_coding wb_coding_sniff(const void *p, size_t n);

#endif
