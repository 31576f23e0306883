/* Bounded byte buffers. The limit is an argument of init and overflow is an error that names it;
 * bodies that may be large are never buffered, they stream. Data is always followed by a NUL
 * that len does not count, so data can be read as a string. Not thread safe. */
#ifndef WB_BASE_BUF_H
#define WB_BASE_BUF_H

#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"

struct wb_buf {
	char *data; /* never NULL after init */
	size_t len, cap, limit;
	const char *what; /* names the buffer in the limit error; a literal */
};

void wb_buf_init(struct wb_buf *b, size_t limit, const char *what);
void wb_buf_release(struct wb_buf *b);
void wb_buf_clear(struct wb_buf *b); /* keeps the memory */
int wb_buf_add(struct wb_buf *b, const void *p, size_t n, struct wb_err *err);
int wb_buf_puts(struct wb_buf *b, const char *s, struct wb_err *err);
int wb_buf_printf(struct wb_buf *b, struct wb_err *err, const char *fmt, ...) WB_PRINTF(3, 4);
char *wb_buf_steal(struct wb_buf *b); /* the caller frees; the buffer is empty after */

/* For text whose size the program itself bounds (messages, reports): past the limit aborts. */
void wb_buf_must(struct wb_buf *b, const char *fmt, ...) WB_PRINTF(2, 3);

#define WB_BUF_INIT ((struct wb_buf){0})

#endif
