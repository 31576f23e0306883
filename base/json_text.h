/* JSON without a tree: a strict pull reader and what a writer needs, for texts of any length and
 *for the runtime stub, which links no library.
 *
 * The reader takes RFC 8259 texts as I-JSON (RFC 7493) restricts them: UTF-8, no NUL in strings, no
 * lone surrogates, at most WB_JSON_TEXT_DEPTH levels. Each call below consumes one value, whatever
 * it is, and says whether it was what was asked for; a syntax error makes every later call say no
 * and is told by wb_jread_end(). Duplicate names are the caller's to refuse.
 *
 *	if (wb_jread_object(&j))
 *		while ((key = wb_jread_member(&j)))
 *			if (!strcmp(key, "size"))
 *				has_size = wb_jread_u64(&j, &size);
 *			else
 *				wb_jread_skip(&j);
 *
 * Strings and keys are valid until the next call. Not thread safe. */
#ifndef WB_BASE_JSON_TEXT_H
#define WB_BASE_JSON_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define WB_JSON_TEXT_DEPTH 64

struct wb_jread {
	const char *start, *p, *end;
	const char *wrong; /* what is wrong at p, or NULL */
	unsigned depth;
	uint64_t begun; /* bit depth - 1: the object or array there has had a member */
	struct wb_buf text;
};

/* The bytes stay the caller's, and stay there until release. */
void wb_jread_init(struct wb_jread *j, const char *text, size_t n);
void wb_jread_release(struct wb_jread *j);

bool wb_jread_object(struct wb_jread *j);
/* The next member's name, its value to be read; NULL at the object's end. */
const char *wb_jread_member(struct wb_jread *j);
bool wb_jread_array(struct wb_jread *j);
bool wb_jread_element(struct wb_jread *j);            /* is there one more, to be read? */
const char *wb_jread_string(struct wb_jread *j);      /* NULL: it was something else */
bool wb_jread_u64(struct wb_jread *j, uint64_t *out); /* a whole number, 0 to INT64_MAX */
bool wb_jread_true(struct wb_jread *j);
void wb_jread_skip(struct wb_jread *j);
/* After the outermost value: nothing but white space may follow. what names the text in the
 * error, WB_ERR_FORMAT, which says line and column. */
int wb_jread_end(struct wb_jread *j, const char *what, struct wb_err *err);

/* Appends s, which is UTF-8, as a JSON string with its quotes. */
void wb_json_text_quote(struct wb_buf *b, const char *s);

#endif
