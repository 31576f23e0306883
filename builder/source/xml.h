/* The XML that object stores answer with: listings, errors and tokens. Read as a stream of
 * elements, each known by its path from the root ("ListBucketResult/Contents/Key"), without
 * attributes. Bounded: WB_XML_BYTES_MAX, WB_XML_DEPTH_MAX, WB_XML_TEXT_MAX per element. A document
 * type is refused, so nothing expands. */
#ifndef WB_BUILDER_SOURCE_XML_H
#define WB_BUILDER_SOURCE_XML_H

#include <stddef.h>

#include "base/err.h"

#define WB_XML_BYTES_MAX (64u << 20)
#define WB_XML_DEPTH_MAX 16
#define WB_XML_TEXT_MAX 8192

/* Called at every end tag with the element's own text (without its children's). Namespaces'
 * prefixes are cut off. -1 with err set ends the reading. */
typedef int wb_xml_end(const char *path, const char *text, void *arg, struct wb_err *err);

int wb_xml_parse(
	const char *p, size_t n, const char *what, wb_xml_end *end, void *arg, struct wb_err *err);

#endif
