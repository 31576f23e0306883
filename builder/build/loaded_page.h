/* The report of an image (builder/build/loaded_report.h) as one page of HTML that needs nothing
 * else: no network, no script. A treemap of the files, the layers, the sources, every file; light
 * and dark as the reader's system is, and usable by keyboard. */
#ifndef WB_BUILDER_BUILD_LOADED_PAGE_H
#define WB_BUILDER_BUILD_LOADED_PAGE_H

#include "base/json.h"

/* name is the image as the user called it. The caller frees. */
char *wb_loaded_page(const json_t *report, const char *name);

/* Of its images, the treemap alone: files (of the report's image number image) by source and size.
 * Adds to out. */
struct wb_buf;
void wb_loaded_page_treemap(struct wb_buf *out, const json_t *report_image, size_t image);

/* What both need. -> text with &, <, > and quotes as entities; the caller frees. */
char *wb_html_text(const char *text);
/* A class name for a kind of file ("training state"), a literal. */
const char *wb_loaded_page_kind(const char *kind);
extern const char wb_loaded_page_style[];

#endif
