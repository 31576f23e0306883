#include "base/alloc.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

_Noreturn void wb_out_of_memory(void)
{
	static const char line[] = "wbuild: error: out of memory\n";

	(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
	_exit(1);
}

void *wb_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		wb_out_of_memory();
	return p;
}

void *wb_zalloc(size_t size)
{
	return wb_calloc(1, size);
}

void *wb_calloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		wb_out_of_memory();
	return p;
}

void *wb_realloc(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n ? n : 1, size ? size : 1);

	if (!q)
		wb_out_of_memory();
	return q;
}

void *wb_alloc_pages(size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, size ? size : 1))
		wb_out_of_memory();
	return p;
}

char *wb_strdup(const char *s)
{
	return s ? wb_strndup(s, strlen(s)) : NULL;
}

char *wb_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = wb_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *wb_vasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		wb_out_of_memory();
	return s;
}

char *wb_asprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = wb_vasprintf(fmt, ap);
	va_end(ap);
	return s;
}

void *wb_wiped_alloc(size_t size)
{
	return wb_alloc(size);
}

void *wb_wiped_calloc(size_t n, size_t size)
{
	return wb_calloc(n, size);
}

void wb_wiped_free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* What stays behind of a block that moves would be out of reach. */
void *wb_wiped_realloc(void *p, size_t size)
{
	size_t had = p ? malloc_usable_size(p) : 0;

	if (had >= size && had / 2 <= size)
		return p;
	void *grown = wb_alloc(size);

	memcpy(grown, p ? p : "", had < size ? had : size);
	wb_wiped_free(p);
	return grown;
}

char *wb_wiped_strdup(const char *s)
{
	return wb_strdup(s);
}

void *wb_alloc_checked(uint64_t size, uint64_t limit, const char *what, struct wb_err *err)
{
	if (size > limit || size > SIZE_MAX) {
		wb_err_set(err, WB_ERR_LIMIT, "%s is %llu bytes, more than the limit of %llu", what,
			(unsigned long long)size, (unsigned long long)limit);
		return NULL;
	}
	return wb_alloc((size_t)size);
}

void *wb_vec_grow_(void *items, size_t *cap, size_t n, size_t size)
{
	if (n == *cap) {
		*cap = n ? n * 2 : 8;
		items = wb_realloc(items, *cap, size);
	}
	memset((char *)items + n * size, 0, size);
	return items;
}

void wb_copy(void *to, const void *from, size_t n)
{
	/* Below where any C library begins to use string instructions; not a constant to the
	 * compiler, which would use one itself. */
	volatile size_t length = 2048;
	size_t run = length;

	for (size_t at = 0; at < n; at += run)
		memcpy((char *)to + at, (const char *)from + at, n - at < run ? n - at : run);
}
