/* Several texts sought at once in much data: the guard on finished layers.
 *
 * Every occurrence of a text of n bytes covers a multiple of n - 3 and the three bytes behind it.
 * So only such places are looked at, four bytes each, in a table of bits that texts of about the
 * same length share; what it lets through is compared. Texts of 35 bytes and more cost one look per
 * 32 bytes of data. Not sought: texts below WB_FINDER_MIN bytes.
 *
 * Filling is for one thread; a finder that is no longer added to may be used by several. */
#ifndef WB_BASE_FINDER_H
#define WB_BASE_FINDER_H

#include <stdbool.h>
#include <stddef.h>

#define WB_FINDER_MIN 8
#define WB_FINDER_MAX 256 /* of a longer text so many bytes from its middle are sought */

struct wb_finder;

struct wb_finder *wb_finder_new(void);
void wb_finder_free(struct wb_finder *f);
/* Borrows both for as long as the finder lives. */
void wb_finder_add(struct wb_finder *f, const char *text, size_t n, const char *name);
/* Is one of the texts in p[0..n)? *at is the offset of what was sought of it. */
bool wb_finder_scan(
	size_t *at, const char **name, const struct wb_finder *f, const void *p, size_t n);

static inline void wb_finder_freep(struct wb_finder **f)
{
	wb_finder_free(*f);
}

#endif
