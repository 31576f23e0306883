/* Secrets have their own type: there is no way to print one, and release wipes it.
 *
 * wb_secret_new() also registers the value with the process-wide redactor: wb_redact() replaces
 * every registered value of 6 bytes or more (and its base64 and percent-encoded forms) in a text
 * by "***". The log and progress modules pass every line through it. The registry only grows; it
 * is the one mutable file-scope state outside cli/, guarded by a lock, because a redactor that
 * someone forgot to pass along is a leak. Thread safe. */
#ifndef WB_BASE_SECRET_H
#define WB_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"

struct wb_secret; /* opaque, reference counted */

/* Copies n bytes; name is for messages ("hf_access_token"). Trailing white space is cut when
 * trim. */
struct wb_secret *wb_secret_new(const char *name, const char *value, size_t n, bool trim);
/* One that is made for a single request out of others (a signature) and worth nothing after: the
 * redactor, which only grows, is not told. */
struct wb_secret *wb_secret_new_brief(const char *name, const char *value, size_t n);
struct wb_secret *wb_secret_ref(struct wb_secret *s);
void wb_secret_unref(struct wb_secret *s); /* NULL is fine; the last reference wipes */
const char *wb_secret_name(const struct wb_secret *s);
/* The value, NUL-terminated; for the line that uses it (a header, a signature) and nothing else. */
const char *wb_secret_reveal(const struct wb_secret *s);
size_t wb_secret_len(const struct wb_secret *s);

/* A copy of text with every known secret replaced; the caller frees. */
char *wb_redact(const char *text);
/* Any registered value inside these bytes? Its name, or NULL (the guard on finished layers). */
const char *wb_secret_find(const void *p, size_t n);
void wb_wipe(void *p, size_t n);

static inline void wb_secret_unrefp(struct wb_secret **s)
{
	wb_secret_unref(*s);
}

#endif
