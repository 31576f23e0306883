#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void wb_buf_init(struct wb_buf *b, size_t limit, const char *what)
{
	*b = (struct wb_buf){.limit = limit, .what = what};
	b->data = wb_zalloc(1);
	b->cap = 1;
}

void wb_buf_release(struct wb_buf *b)
{
	/* it may have been the answer of a token server, or a file of logins */
	if (b->data)
		explicit_bzero(b->data, b->len);
	free(b->data);
	*b = WB_BUF_INIT;
}

void wb_buf_clear(struct wb_buf *b)
{
	b->len = 0;
	b->data[0] = '\0';
}

int wb_buf_add(struct wb_buf *b, const void *p, size_t n, struct wb_err *err)
{
	assert(b->data);
	if (n > b->limit - b->len)
		return wb_err_set(err, WB_ERR_LIMIT, "%s is larger than the limit of %zu bytes",
			b->what, b->limit);
	if (b->len + n + 1 > b->cap) {
		size_t cap = b->cap * 2 > b->len + n + 1 ? b->cap * 2 : b->len + n + 1;

		b->data = wb_wiped_realloc(b->data, cap);
		b->cap = cap;
	}
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
	return 0;
}

int wb_buf_puts(struct wb_buf *b, const char *s, struct wb_err *err)
{
	return wb_buf_add(b, s, strlen(s), err);
}

int wb_buf_printf(struct wb_buf *b, struct wb_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	wb_autofree char *s = wb_vasprintf(fmt, ap);
	va_end(ap);
	return wb_buf_puts(b, s, err);
}

void wb_buf_must(struct wb_buf *b, const char *fmt, ...)
{
	struct wb_err err = WB_ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	wb_autofree char *s = wb_vasprintf(fmt, ap);
	va_end(ap);
	if (wb_buf_puts(b, s, &err))
		abort();
}

char *wb_buf_steal(struct wb_buf *b)
{
	char *p = wb_steal(b->data);

	wb_buf_init(b, b->limit, b->what);
	return p;
}
