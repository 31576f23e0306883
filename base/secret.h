/* Secrets have their own type: there is no way to print one, and release wipes it. Values lie in
 * memory that no core dump shows (base/sealed.h).
 *
 * wb_secret_new() also registers the value with the process-wide registry, which only grows:
 *  - wb_redact() replaces every registered value of 6 bytes or more by "***" in a text. The log and
 *    progress modules pass every line through it.
 *  - wb_secret_finder() and wb_secret_find() look for values in what is about to be written. Values
 *    below 8 bytes are not sought there, nor are those below 16 that are letters alone or digits
 *    alone: such words are in files by themselves.
 * Both know a value's other forms: base64 at any place in an encoded text (plain and URL-safe),
 * percent-encoded, and escaped as in JSON.
 *
 * The registry is, with the log and the sealed memory, the mutable file-scope state outside cli/,
 * guarded by a lock, because a redactor that someone forgot to pass along is a leak. Thread safe.
 */
#ifndef WB_BASE_SECRET_H
#define WB_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/finder.h"

struct wb_secret; /* opaque, reference counted */

/* Copies n bytes; name is for messages ("hf_access_token"). Trailing white space is cut when
 * trim. */
struct wb_secret *wb_secret_new(const char *name, const char *value, size_t n, bool trim);
/* One that a server handed out during this run, or that is made of another: registered, but what
 * was packed before the run cannot hold it, so it has no mark. The first who registers a value
 * decides. */
struct wb_secret *wb_secret_new_session(const char *name, const char *value, size_t n, bool trim);
/* One that is made for a single request out of others (a signature) and worth nothing after: the
 * registry, which only grows, is not told. */
struct wb_secret *wb_secret_new_brief(const char *name, const char *value, size_t n);
/* What the environment holds under names that are known to be secrets' (wb_sealed_names_secret). */
void wb_secret_learn_environment(void);
struct wb_secret *wb_secret_ref(struct wb_secret *s);
void wb_secret_unref(struct wb_secret *s); /* NULL is fine; the last reference wipes */
const char *wb_secret_name(const struct wb_secret *s);
/* The value, NUL-terminated; for the line that uses it (a header, a signature) and nothing else. */
const char *wb_secret_reveal(const struct wb_secret *s);
size_t wb_secret_len(const struct wb_secret *s);

/* A copy of text with every known secret replaced; the caller frees. */
char *wb_redact(const char *text);
/* Any registered value inside these bytes? Its name, or NULL. For documents. */
const char *wb_secret_find(const void *p, size_t n);
/* WB_ERR_CONFIG, naming what and the secret, when there is one in it. */
int wb_secret_guard(const char *what, const void *p, size_t n, struct wb_err *err);
/* The same as a finder for much data: of the values that are registered now. */
struct wb_finder *wb_secret_finder(void);

/* Marks of the registered values (those of a session have none), to remember which of them some
 * data was searched for: 32 bits of a digest that is slow to compute, keyed with salt. They say too
 * little to find even a weak value by. */
struct wb_secret_marks {
	WB_VEC(uint32_t) list;
};
void wb_secret_marks(struct wb_secret_marks *out, const char *salt);
void wb_wipe(void *p, size_t n);

static inline void wb_secret_unrefp(struct wb_secret **s)
{
	wb_secret_unref(*s);
}

#endif
