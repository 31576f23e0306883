/* Text helpers: sizes, rates, durations, quoting for messages and nearest-word suggestions. */
#ifndef WB_BASE_TEXT_H
#define WB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct wb_size_text {
	char s[24];
};
/* Decimal units, as docker and hf print them: "1.6 GB", "13.1 MB", "512 B". */
struct wb_size_text wb_size_text(uint64_t bytes);
/* "512", "10k", "10kB", "1.5GB" (decimal), "1GiB", "10MiB" (binary); a bare K, M, G, T is
 * decimal. Case-insensitive. */
int wb_size_parse(uint64_t *out, const char *text, struct wb_err *err);
struct wb_size_text wb_duration_text(double seconds); /* "0.4s", "2m 10s" */

/* Printable copy for a message: control bytes and invalid UTF-8 as \xNN, cut at max bytes. */
char *wb_text_quote(const char *s, size_t max);
bool wb_utf8_valid(const char *s, size_t n);

/* The candidate nearest to word by edit distance (at most 2, and less than half of the word), or
 * NULL. candidates ends with NULL. */
const char *wb_text_nearest(const char *word, const char *const *candidates);

bool wb_str_starts(const char *s, const char *prefix);
bool wb_str_ends(const char *s, const char *suffix);
/* Unsigned decimal, whole string, no sign or space. */
bool wb_parse_u64(uint64_t *out, const char *s);
/* Environment variable, NULL when unset or empty. */
const char *wb_env(const char *name);
/* "1", "true", "yes", "on" in any case, as the hf client reads its switches. */
bool wb_env_true(const char *name);

#endif
