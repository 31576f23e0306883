#include "base/json.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

/* What jansson's values take, about: lists and objects have a table from the start. */
#define OBJECT_BYTES 320
#define ARRAY_BYTES 144
#define VALUE_BYTES 64 /* after a comma: the place in the table, and the value */
/* A document with more brackets than text may take this much and no more. */
#define BRACKETS_BYTES_MAX (64u << 20)
#define DENSITY_MAX                                                                  \
	24 /* bytes for each byte of text: seldom more than 8 where people have data \
	    */

enum shape { FINE, DEEP, DENSE };

/* Nesting outside of strings, so that jansson's recursion is bounded by us and not by its own
 * compile-time limit, and the memory that the values will take. */
static enum shape look_over(const char *p, size_t n)
{
	size_t depth = 0, bytes = 0;
	bool in_string = false;

	for (size_t i = 0; i < n; i++) {
		if (in_string) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				in_string = false;
			continue;
		}
		if (p[i] == '"')
			in_string = true;
		else if (p[i] == '{' || p[i] == '[')
			depth++;
		else if ((p[i] == '}' || p[i] == ']') && depth)
			depth--;
		bytes += p[i] == '{'   ? OBJECT_BYTES
		         : p[i] == '[' ? ARRAY_BYTES
		         : p[i] == ',' ? VALUE_BYTES
		                       : 0;
		if (depth > WB_JSON_DEPTH_MAX)
			return DEEP;
	}
	return bytes > BRACKETS_BYTES_MAX && bytes / DENSITY_MAX > n ? DENSE : FINE;
}

/* Secrets come as JSON, and as answers of token servers: nothing of a tree stays in free memory. */
__attribute__((constructor)) static void wipe_what_is_freed(void)
{
	json_set_alloc_funcs(wb_wiped_alloc, wb_wiped_free);
}

json_t *wb_json_parse(const char *p, size_t n, const char *what, struct wb_err *err)
{
	json_error_t e;

	switch (look_over(p, n)) {
	case FINE: break;
	case DEEP:
		wb_err_set(err, WB_ERR_FORMAT, "%s: JSON nested deeper than %d levels", what,
			WB_JSON_DEPTH_MAX);
		return NULL;
	case DENSE:
		wb_err_set(err, WB_ERR_LIMIT,
			"%s: %zu bytes of JSON that are nothing but brackets and commas", what, n);
		return NULL;
	}
	json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &e);

	if (j)
		return j;
	/* jansson ends with "near '…'" and text of the document, which may be a token's. */
	const char *near = strstr(e.text, " near ");
	int n_text = (int)(near ? near - e.text : (ptrdiff_t)strlen(e.text));

	wb_err_set(err, WB_ERR_FORMAT, "%s: not valid JSON: line %d, column %d: %.*s", what, e.line,
		e.column, n_text, e.text);
	return NULL;
}

static char *dump(const json_t *j, size_t flags)
{
	char *s = json_dumps(j, flags | JSON_ENCODE_ANY);

	if (!s)
		abort();
	return s;
}

char *wb_json_dump(const json_t *j)
{
	return dump(j, JSON_COMPACT);
}

char *wb_json_dump_indent(const json_t *j)
{
	wb_autofree char *s = dump(j, JSON_INDENT(2));

	return wb_asprintf("%s\n", s);
}

int wb_json_str(
	const char **out, const json_t *o, const char *key, const char *what, struct wb_err *err)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is %s", what, key,
			v ? "not a string" : "missing");
	*out = json_string_value(v);
	return 0;
}

int wb_json_u64(
	uint64_t *out, const json_t *o, const char *key, const char *what, struct wb_err *err)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is %s", what, key,
			v ? "not a non-negative integer" : "missing");
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

const char *wb_json_str_opt(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

uint64_t wb_json_u64_opt(const json_t *o, const char *key, uint64_t dflt)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? (uint64_t)json_integer_value(v)
	                                                        : dflt;
}

void wb_json_set(json_t *o, const char *key, json_t *steal)
{
	if (!steal || json_object_set_new(o, key, steal))
		abort();
}

void wb_json_set_str(json_t *o, const char *key, const char *value)
{
	wb_json_set(o, key, json_string(value));
}

void wb_json_set_u64(json_t *o, const char *key, uint64_t value)
{
	wb_json_set(o, key, json_integer((json_int_t)value));
}

void wb_json_append(json_t *a, json_t *steal)
{
	if (!steal || json_array_append_new(a, steal))
		abort();
}

json_t *wb_json_text(const char *text)
{
	size_t n = strlen(text);

	if (wb_utf8_valid(text, n))
		return json_stringn_nocheck(text, n);
	wb_autofree char *quoted = wb_text_quote(text, 4 * n);

	return json_string(quoted);
}

void wb_json_set_text(json_t *o, const char *key, const char *text)
{
	wb_json_set(o, key, wb_json_text(text));
}
