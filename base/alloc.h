/* Memory and ownership.
 *
 * The allocators here never return NULL: out of memory ends the process with one line on stderr
 * (STYLE: "out of memory aborts"). A size that comes from outside is not passed to them directly
 * but to wb_alloc_checked(), which takes a named limit.
 *
 * Cleanup attributes: a pointer declared with wb_autofree is freed when it leaves scope;
 * wb_steal() hands it on and leaves NULL behind, so that success is the only line where
 * ownership leaves a function. All functions are thread safe. */
#ifndef WB_BASE_ALLOC_H
#define WB_BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct wb_err;

#define WB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WB_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* One line on stderr, exit status 1. */
_Noreturn void wb_out_of_memory(void);
void *wb_alloc(size_t size);            /* uninitialised */
void *wb_zalloc(size_t size);           /* zeroed */
void *wb_calloc(size_t n, size_t size); /* zeroed; n * size checked */
void *wb_realloc(void *p, size_t n, size_t size);
/* Page-aligned (4096): read(2) into other alignments is up to seven times slower. */
void *wb_alloc_pages(size_t size);
char *wb_strdup(const char *s); /* NULL gives NULL */
char *wb_strndup(const char *s, size_t n);
char *wb_asprintf(const char *fmt, ...) WB_PRINTF(1, 2);
char *wb_vasprintf(const char *fmt, va_list ap);

/* For libraries that take allocators (libcurl, jansson) and put secrets into what they get: as the
 * C library's, but memory is wiped before it is given back. */
void *wb_wiped_alloc(size_t size);
void *wb_wiped_calloc(size_t n, size_t size);
void *wb_wiped_realloc(void *p, size_t size);
char *wb_wiped_strdup(const char *s);
void wb_wiped_free(void *p);

/* A size from outside: NULL and err (WB_ERR_LIMIT, naming what) when size > limit. */
void *wb_alloc_checked(uint64_t size, uint64_t limit, const char *what, struct wb_err *err);

static inline void wb_freep(void *pp)
{
	free(*(void **)pp);
}

#define wb_autofree __attribute__((cleanup(wb_freep), unused))
/* The type name's own release function, called on the address: WB_AUTO(wb_buf_release). */
#define WB_AUTO(fn) __attribute__((cleanup(fn), unused))

#define wb_steal(p)                            \
	({                                     \
		__typeof__(p) wb_stolen = (p); \
		(p) = NULL;                    \
		wb_stolen;                     \
	})

/* Growable arrays: struct { T *items; size_t n, cap; }. wb_vec_push returns the new, zeroed
 * element's address, valid until the next push. */
#define WB_VEC(T)              \
	struct {               \
		T *items;      \
		size_t n, cap; \
	}
#define wb_vec_push(v)                                                                         \
	({                                                                                     \
		(v)->items = wb_vec_grow_((v)->items, &(v)->cap, (v)->n, sizeof(*(v)->items)); \
		&(v)->items[(v)->n++];                                                         \
	})
#define wb_vec_foreach(it, v) \
	for (__typeof__(*(v)->items) *it = (v)->items; it && it < (v)->items + (v)->n; it++)
#define wb_vec_free(v)                 \
	do {                           \
		free((v)->items);      \
		(v)->items = NULL;     \
		(v)->n = (v)->cap = 0; \
	} while (0)
void *wb_vec_grow_(void *items, size_t *cap, size_t n, size_t size);

/* memcpy for much data at addresses of any alignment. The C library copies long runs by one string
 * instruction, which some processors (Zen 3) run ten times slower when the target is not aligned;
 * short runs go through registers. */
void wb_copy(void *to, const void *from, size_t n);

/* Arithmetic on numbers from outside: false on overflow, *out untouched then. */
static inline int wb_add_u64(uint64_t *out, uint64_t a, uint64_t b)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return 0;
	*out = r;
	return 1;
}

static inline int wb_mul_u64(uint64_t *out, uint64_t a, uint64_t b)
{
	uint64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return 0;
	*out = r;
	return 1;
}

#endif
