#include "base/json_text.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

void wb_jread_init(struct wb_jread *j, const char *text, size_t n)
{
	*j = (struct wb_jread){.start = text, .p = text, .end = text + n};
	wb_buf_init(&j->text, SIZE_MAX / 2, "JSON string"); /* no longer than the text is */
}

void wb_jread_release(struct wb_jread *j)
{
	wb_buf_release(&j->text);
}

static bool fail(struct wb_jread *j, const char *wrong)
{
	if (!j->wrong)
		j->wrong = wrong;
	return false;
}

/* The next byte that is no white space, or NUL at the end or after an error. */
static char peek(struct wb_jread *j)
{
	if (j->wrong)
		return '\0';
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
	return j->p < j->end ? *j->p : '\0';
}

/* ---- strings ---- */

static void keep(struct wb_jread *j, const char *p, size_t n)
{
	struct wb_err err;

	if (wb_buf_add(&j->text, p, n, &err))
		fail(j, "string too long");
}

static bool hex4(struct wb_jread *j, unsigned *out)
{
	unsigned v = 0;

	if (j->end - j->p < 4)
		return fail(j, "string not closed");
	for (int i = 0; i < 4; i++, j->p++) {
		char c = *j->p;

		if (c >= '0' && c <= '9')
			v = v * 16 + (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (unsigned)((c | 32) - 'a' + 10);
		else
			return fail(j, "not a hex digit");
	}
	*out = v;
	return true;
}

static void keep_utf8(struct wb_jread *j, unsigned c)
{
	char b[4];

	if (c < 0x80) {
		keep(j, (char[]){(char)c}, 1);
	} else if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 63));
		keep(j, b, 2);
	} else if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 63));
		b[2] = (char)(0x80 | (c & 63));
		keep(j, b, 3);
	} else {
		b[0] = (char)(0xf0 | c >> 18);
		b[1] = (char)(0x80 | (c >> 12 & 63));
		b[2] = (char)(0x80 | (c >> 6 & 63));
		b[3] = (char)(0x80 | (c & 63));
		keep(j, b, 4);
	}
}

static bool unicode_escape(struct wb_jread *j)
{
	unsigned c, low;

	if (!hex4(j, &c))
		return false;
	if (c == 0)
		return fail(j, "NUL in a string");
	if (c >= 0xdc00 && c < 0xe000)
		return fail(j, "second half of a surrogate pair without the first");
	if (c >= 0xd800 && c < 0xdc00) {
		if (j->end - j->p < 2 || j->p[0] != '\\' || j->p[1] != 'u')
			return fail(j, "half of a surrogate pair");
		j->p += 2;
		if (!hex4(j, &low))
			return false;
		if (low < 0xdc00 || low >= 0xe000)
			return fail(j, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	keep_utf8(j, c);
	return true;
}

static bool escape(struct wb_jread *j)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (++j->p == j->end)
		return fail(j, "string not closed");
	char c = *j->p;

	if (c == 'u') {
		j->p++;
		return unicode_escape(j);
	}
	found = c ? strchr(names, c) : NULL;
	if (!found)
		return fail(j, "unknown escape");
	keep(j, &values[found - names], 1);
	j->p++;
	return true;
}

/* At the opening quote; leaves the text in j->text. */
static bool string(struct wb_jread *j)
{
	wb_buf_clear(&j->text);
	j->p++;
	for (;;) {
		const char *run = j->p;

		while (j->p < j->end && *j->p != '"' && *j->p != '\\' &&
			(unsigned char)*j->p >= 0x20)
			j->p++;
		keep(j, run, (size_t)(j->p - run));
		if (j->p == j->end)
			return fail(j, "string not closed");
		if ((unsigned char)*j->p < 0x20)
			return fail(j, "control byte in a string");
		if (*j->p == '"')
			break;
		if (!escape(j))
			return false;
	}
	if (!wb_utf8_valid(j->text.data, j->text.len))
		return fail(j, "string that is not UTF-8");
	j->p++;
	return true;
}

/* ---- numbers and words ---- */

static bool digits(struct wb_jread *j)
{
	const char *start = j->p;

	while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
		j->p++;
	return j->p > start || fail(j, "number without digits");
}

/* Consumes a number; whole tells whether it has neither fraction nor exponent. */
static bool number(struct wb_jread *j, bool *whole)
{
	*whole = true;
	if (*j->p == '-')
		j->p++;
	if (j->p < j->end && *j->p == '0')
		j->p++;
	else if (!digits(j))
		return false;
	if (j->p < j->end && *j->p == '.') {
		*whole = false;
		j->p++;
		if (!digits(j))
			return false;
	}
	if (j->p < j->end && (*j->p | 32) == 'e') {
		*whole = false;
		j->p++;
		if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
			j->p++;
		if (!digits(j))
			return false;
	}
	return true;
}

static bool word(struct wb_jread *j, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(j->end - j->p) < n || memcmp(j->p, text, n))
		return fail(j, "not a JSON value");
	j->p += n;
	return true;
}

/* ---- objects and arrays ---- */

static bool enter(struct wb_jread *j)
{
	if (j->depth == WB_JSON_TEXT_DEPTH)
		return fail(j, "nested too deep");
	j->begun &= ~(UINT64_C(1) << j->depth);
	j->depth++;
	j->p++;
	return true;
}

/* Before a member or element: takes the comma, or the closing bracket (false). */
static bool more(struct wb_jread *j, char close)
{
	uint64_t bit;
	char c = peek(j);

	if (j->wrong)
		return false;
	assert(j->depth);
	bit = UINT64_C(1) << (j->depth - 1);
	if (c == close) {
		j->p++;
		j->depth--;
		return false;
	}
	if (j->begun & bit) {
		if (c != ',')
			return fail(j, close == '}' ? "\",\" or \"}\" expected"
						    : "\",\" or \"]\" expected");
		j->p++;
	}
	j->begun |= bit;
	return true;
}

bool wb_jread_object(struct wb_jread *j)
{
	if (peek(j) == '{')
		return enter(j);
	wb_jread_skip(j);
	return false;
}

const char *wb_jread_member(struct wb_jread *j)
{
	if (!more(j, '}'))
		return NULL;
	if (peek(j) != '"') {
		fail(j, "a name in quotes expected");
		return NULL;
	}
	if (!string(j))
		return NULL;
	if (peek(j) != ':') {
		fail(j, "\":\" expected");
		return NULL;
	}
	j->p++;
	return j->text.data;
}

bool wb_jread_array(struct wb_jread *j)
{
	if (peek(j) == '[')
		return enter(j);
	wb_jread_skip(j);
	return false;
}

bool wb_jread_element(struct wb_jread *j)
{
	return more(j, ']');
}

/* ---- values ---- */

const char *wb_jread_string(struct wb_jread *j)
{
	if (peek(j) == '"')
		return string(j) ? j->text.data : NULL;
	wb_jread_skip(j);
	return NULL;
}

bool wb_jread_u64(struct wb_jread *j, uint64_t *out)
{
	char c = peek(j);
	const char *start = j->p;
	uint64_t v = 0;
	bool whole;

	if (c != '-' && (c < '0' || c > '9')) {
		wb_jread_skip(j);
		return false;
	}
	if (!number(j, &whole) || !whole || c == '-')
		return false;
	for (const char *p = start; p < j->p; p++)
		if (!wb_mul_u64(&v, v, 10) || !wb_add_u64(&v, v, (uint64_t)(*p - '0')))
			return false;
	if (v > INT64_MAX)
		return false;
	*out = v;
	return true;
}

bool wb_jread_true(struct wb_jread *j)
{
	bool yes = peek(j) == 't';

	wb_jread_skip(j);
	return yes && !j->wrong;
}

void wb_jread_skip(struct wb_jread *j)
{
	bool whole;
	char c = peek(j);

	switch (c) {
	case '{':
		if (enter(j))
			while (wb_jread_member(j))
				wb_jread_skip(j);
		return;
	case '[':
		if (enter(j))
			while (wb_jread_element(j))
				wb_jread_skip(j);
		return;
	case '"': string(j); return;
	case 't': word(j, "true"); return;
	case 'f': word(j, "false"); return;
	case 'n': word(j, "null"); return;
	case '\0': fail(j, "the text ends early"); return;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		number(j, &whole);
	else
		fail(j, "not a JSON value");
}

int wb_jread_end(struct wb_jread *j, const char *what, struct wb_err *err)
{
	size_t line = 1, column = 1;

	if (!j->wrong) {
		peek(j);
		if (j->p == j->end)
			return 0;
		fail(j, "something follows the value");
	}
	for (const char *p = j->start; p < j->p; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return wb_err_set(err, WB_ERR_FORMAT, "%s: not valid JSON: line %zu, column %zu: %s", what,
		line, column, j->wrong);
}

void wb_json_text_quote(struct wb_buf *b, const char *s)
{
	const char *start = s;
	struct wb_err err;
	int bad = wb_buf_add(b, "\"", 1, &err);

	for (; *s && !bad; s++) {
		if ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
			continue;
		bad = wb_buf_add(b, start, (size_t)(s - start), &err);
		start = s + 1;
		if (*s == '"' || *s == '\\')
			wb_buf_must(b, "\\%c", *s);
		else
			wb_buf_must(b, "\\u%04x", *s);
	}
	if (bad || wb_buf_add(b, start, (size_t)(s - start), &err) || wb_buf_add(b, "\"", 1, &err))
		abort(); /* as wb_buf_must() */
}
