/* JSON from outside and JSON of ours, over jansson. Readers are strict (I-JSON, RFC 7493: UTF-8,
 * no duplicate names, depth limited, not all brackets); the writer is canonical enough to be
 * hashed: two-space or compact, keys in the order given (insertion order), no floats. */
#ifndef WB_BASE_JSON_H
#define WB_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WB_JSON_DEPTH_MAX 64

/* what names the document in errors ("manifest of …"), which say where and quote nothing: it may
 * hold a secret. -> new reference. */
json_t *wb_json_parse(const char *p, size_t n, const char *what, struct wb_err *err);
char *wb_json_dump(const json_t *j);        /* compact; the caller frees */
char *wb_json_dump_indent(const json_t *j); /* indent 2, newline at the end */

/* Members of an object, checked for presence and type; what as above. *out is borrowed. */
int wb_json_str(
	const char **out, const json_t *o, const char *key, const char *what, struct wb_err *err);
int wb_json_u64(uint64_t *out, const json_t *o, const char *key, const char *what,
	struct wb_err *err); /* refuses negatives */
/* Optional ones: NULL (or dflt) when absent or of another type. */
const char *wb_json_str_opt(const json_t *o, const char *key);
uint64_t wb_json_u64_opt(const json_t *o, const char *key, uint64_t dflt);

/* Adds to an object, aborting when jansson cannot (out of memory, text that is not UTF-8 must
 * be checked before). */
void wb_json_set(json_t *o, const char *key, json_t *steal);
void wb_json_set_str(json_t *o, const char *key, const char *value);
void wb_json_set_u64(json_t *o, const char *key, uint64_t value);
void wb_json_append(json_t *a, json_t *steal);
/* For reports, where text may be made of file names: bytes that JSON cannot hold are shown as
 * wb_text_quote() shows them. -> new reference. */
json_t *wb_json_text(const char *text);
void wb_json_set_text(json_t *o, const char *key, const char *text);

static inline void wb_json_unrefp(json_t **j)
{
	json_decref(*j);
}
#define wb_autojson __attribute__((cleanup(wb_json_unrefp), unused))

#endif
