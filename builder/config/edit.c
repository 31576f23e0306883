#include "builder/config/edit.h"

#include <ctype.h>
#include <string.h>

void wb_edits_init(struct wb_edits *e, const char *src, size_t n)
{
	const char *lf = memchr(src, '\n', n);

	*e = (struct wb_edits){.src = src, .n = n};
	e->newline = lf && lf > src && lf[-1] == '\r' ? "\r\n" : "\n";
}

void wb_edits_release(struct wb_edits *e)
{
	wb_vec_foreach (it, &e->list)
		free(it->text);
	wb_vec_free(&e->list);
}

static char *with_newlines(const char *text, const char *newline)
{
	size_t lines = 0;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	char *out = wb_alloc(strlen(text) + lines * strlen(newline) + 1), *end = out;

	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			end = mempcpy(end, newline, strlen(newline));
		else
			*end++ = *p;
	}
	*end = '\0';
	return out;
}

void wb_edit_replace(struct wb_edits *e, size_t start, size_t end, const char *text)
{
	size_t order = e->list.n;

	*wb_vec_push(&e->list) = (struct wb_edit){.start = start,
		.end = end,
		.order = order,
		.text = with_newlines(text, e->newline)};
}

static int by_place(const void *a, const void *b)
{
	const struct wb_edit *x = a, *y = b;
	bool x_inserts = x->start == x->end, y_inserts = y->start == y->end;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x_inserts != y_inserts)
		return x_inserts ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

char *wb_edits_apply(struct wb_edits *e, size_t *n)
{
	size_t total = e->n, at = 0;

	if (e->list.n)
		qsort(e->list.items, e->list.n, sizeof(*e->list.items), by_place);
	wb_vec_foreach (it, &e->list) {
		if (it->start < at || it->end > e->n)
			return NULL;
		at = it->end;
		total += strlen(it->text);
	}
	char *out = wb_alloc(total + 1), *end = out;

	at = 0;
	wb_vec_foreach (it, &e->list) {
		end = mempcpy(end, e->src + at, it->start - at);
		end = mempcpy(end, it->text, strlen(it->text));
		at = it->end;
	}
	end = mempcpy(end, e->src + at, e->n - at);
	*end = '\0';
	*n = (size_t)(end - out);
	return out;
}

static bool is_break(char c)
{
	return c == '\n' || c == '\r';
}

size_t wb_line_start(const struct wb_edits *e, size_t at)
{
	while (at > 0 && !is_break(e->src[at - 1]))
		at--;
	return at;
}

size_t wb_line_end(const struct wb_edits *e, size_t at)
{
	while (at < e->n && !is_break(e->src[at]))
		at++;
	return at;
}

void wb_edit_lines(struct wb_edits *e, size_t first, size_t last, const char *text)
{
	size_t start = wb_line_start(e, first), end = wb_line_end(e, last);

	if (start > 0) {
		/* with the newline before, so that the end stays a place to insert at */
		start -=
			start > 1 && e->src[start - 1] == '\n' && e->src[start - 2] == '\r' ? 2 : 1;
		wb_edit_replace(e, start, end, text);
		return;
	}
	if (!*text && end < e->n)
		end += end + 1 < e->n && e->src[end] == '\r' && e->src[end + 1] == '\n' ? 2 : 1;
	wb_edit_replace(e, 0, end, *text ? text + 1 : "");
}

size_t wb_node_end(const struct wb_edits *e, const struct wb_yaml_node *n)
{
	size_t items = n->kind == WB_YAML_MAPPING ? 2 * n->n : n->n, end = n->end;

	if (n->kind != WB_YAML_SCALAR && !n->flow && !n->alias)
		return items ? wb_node_end(e, n->items[items - 1]) : n->start;
	while (end > n->start && isspace((unsigned char)e->src[end - 1]))
		end--;
	return end;
}

/* May this stand without quotes, in block and flow context, and stay this string? */
static bool plain_safe(const char *s)
{
	struct wb_yaml_node n = {
		.kind = WB_YAML_SCALAR, .plain = true, .text = (char *)(uintptr_t)s};

	if (!isalnum((unsigned char)*s) && *s != '/' && *s != '.' && *s != '_')
		return false;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("/._-@*?+~=%", *p) &&
			!(*p == ':' && p[1] == '/'))
			return false;
	n.len = strlen(s);
	return wb_yaml_type(&n) == WB_YAML_STRING;
}

static char *double_quoted(const char *s)
{
	char *out = wb_alloc(4 * strlen(s) + 3), *end = out;

	*end++ = '"';
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f) {
			static const char hex[] = "0123456789abcdef";

			end = mempcpy(end, "\\x", 2);
			*end++ = hex[c >> 4];
			*end++ = hex[c & 15];
			continue;
		}
		if (c == '"' || c == '\\')
			*end++ = '\\';
		*end++ = (char)c;
	}
	*end++ = '"';
	*end = '\0';
	return out;
}

static bool has_controls(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static char *single_quoted(const char *s)
{
	char *out = wb_alloc(2 * strlen(s) + 3), *end = out;

	*end++ = '\'';
	for (; *s; s++) {
		if (*s == '\'')
			*end++ = '\'';
		*end++ = *s;
	}
	*end++ = '\'';
	*end = '\0';
	return out;
}

char *wb_edit_scalar(const struct wb_edits *e, const struct wb_yaml_node *node, const char *value)
{
	char quote = node && node->start < e->n ? e->src[node->start] : '"';

	if (quote == '\'' && !has_controls(value))
		return single_quoted(value);
	if (quote != '"' && plain_safe(value))
		return wb_strdup(value);
	return double_quoted(value);
}

void wb_edit_comments(const struct wb_edits *e, char **out, size_t from, size_t to, size_t indent)
{
	for (size_t i = from; i < to; i++) {
		if (e->src[i] != '#')
			continue;
		size_t end = wb_line_end(e, i);
		char *longer = wb_asprintf("%s\n%*s%.*s", *out ? *out : "", (int)indent, "",
			(int)(end - i), e->src + i);

		free(*out);
		*out = longer;
		i = end;
	}
}
