#include "builder/config/ignore.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/path.h"
#include "builder/config/match.h"

#define IGNORE_BYTES_MAX (1u << 20)
#define PATTERN_MAX 4096 /* no path is longer */

struct rule {
	struct wb_match match;
	bool negate, dir_only, anchored;
};

struct wb_ignore {
	WB_VEC(struct rule) rules;
};

static const struct {
	const char *name;
	int (*test)(int c);
} classes[] = {{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
	{"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
	{"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit}};

/* "[:alpha:]" inside a set, ASCII only. Returns the rest, or NULL for an unknown class. */
static const char *add_class(struct wb_match_element *e, const char *name, const char *end)
{
	size_t n = (size_t)(end - name);

	for (size_t i = 0; i < WB_ARRAY_LEN(classes); i++) {
		if (strlen(classes[i].name) != n || strncmp(classes[i].name, name, n) != 0)
			continue;
		for (unsigned c = 0; c < 128; c++)
			if (classes[i].test((int)c))
				wb_match_set_range(e, c, c);
		return end + 2;
	}
	return NULL;
}

/* One member of a set, a range or a class. Returns the rest, NULL when the set is malformed. */
static const char *add_member(struct wb_match_element *e, const char *s)
{
	if (s[0] == '[' && s[1] == ':') {
		const char *end = strstr(s + 2, ":]");
		const char *close = strchr(s + 2, ']');

		/* "[:" whose bracket closes otherwise is two plain members */
		if (end && close == end + 1)
			return add_class(e, s + 2, end);
	}
	s += *s == '\\';
	if (!*s)
		return NULL;
	unsigned char lo = (unsigned char)*s++, hi = lo;

	if (s[0] == '-' && s[1] && s[1] != ']') {
		s += s[1] == '\\' ? 2 : 1;
		if (!*s)
			return NULL;
		hi = (unsigned char)*s++;
	}
	wb_match_set_range(e, lo, hi);
	return s;
}

/* A set as gitignore has it: "!" or "^" negates, a "]" in the first place is a member, "\"
 * quotes. A set that does not close makes a pattern that matches nothing. */
static const char *add_set(struct wb_match *m, const char *s)
{
	struct wb_match_element *e = wb_match_add(m, WB_MATCH_SET);
	bool negate = *s == '!' || *s == '^';

	s += negate;
	do
		s = *s ? add_member(e, s) : NULL;
	while (s && *s != ']');
	if (!s) {
		e->kind = WB_MATCH_NEVER;
		return "";
	}
	wb_match_set_finish(e, negate, true);
	return s + 1;
}

static void compile(struct rule *r, const char *pattern)
{
	for (const char *s = pattern; *s;) {
		if (*s == '*') {
			s = wb_match_add_stars(&r->match, pattern, s);
		} else if (*s == '?') {
			wb_match_set_finish(wb_match_add(&r->match, WB_MATCH_SET), true, true);
			s++;
		} else if (*s == '[') {
			s = add_set(&r->match, s + 1);
		} else if (*s == '\\' && !s[1]) {
			wb_match_add(&r->match, WB_MATCH_NEVER);
			s++;
		} else {
			s += *s == '\\';
			wb_match_add_char(&r->match, *s++);
		}
	}
}

/* Spaces at the end do not count unless quoted with a backslash. */
static void trim(char *line)
{
	char *last = NULL;

	for (char *p = line; *p; p++) {
		if (*p != ' ') {
			p += *p == '\\' && p[1];
			last = NULL;
		} else if (!last) {
			last = p;
		}
	}
	if (last)
		*last = '\0';
}

static void add_line(struct wb_ignore *ig, char *line)
{
	trim(line);
	if (!*line || *line == '#')
		return;
	struct rule *r = wb_vec_push(&ig->rules);

	r->negate = *line == '!';
	line += r->negate;
	size_t n = strlen(line);

	if (n && line[n - 1] == '/') {
		r->dir_only = true;
		line[n - 1] = '\0';
	}
	r->anchored = strchr(line, '/');
	line += *line == '/';
	if (strlen(line) > PATTERN_MAX)
		wb_match_add(&r->match, WB_MATCH_NEVER);
	else
		compile(r, line);
}

struct wb_ignore *wb_ignore_parse(const char *text, size_t n)
{
	struct wb_ignore *ig = wb_zalloc(sizeof(*ig));
	const char *end = text + n;

	if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((nl ? nl : end) - text);
		size_t keep = nl && len && text[len - 1] == '\r' ? len - 1 : len;
		wb_autofree char *line = wb_strndup(text, keep);

		add_line(ig, line);
		text += len + (nl ? 1 : 0);
	}
	return ig;
}

struct wb_ignore *wb_ignore_load(const char *path, struct wb_err *err)
{
	struct wb_buf text WB_AUTO(wb_buf_release) = WB_BUF_INIT;

	wb_buf_init(&text, IGNORE_BYTES_MAX, "ignore file");
	if (wb_file_read(&text, path, err)) {
		if (err->code != WB_ERR_NOT_FOUND)
			return NULL;
		wb_err_clear(err);
		wb_buf_clear(&text);
	}
	return wb_ignore_parse(text.data, text.len);
}

void wb_ignore_free(struct wb_ignore *ig)
{
	if (!ig)
		return;
	wb_vec_foreach (it, &ig->rules)
		wb_match_release(&it->match);
	wb_vec_free(&ig->rules);
	free(ig);
}

bool wb_ignore_match(const struct wb_ignore *ig, const char *path, bool is_dir)
{
	const char *name = wb_path_basename(path);

	/* the last rule that matches decides */
	for (size_t i = ig->rules.n; i-- > 0;) {
		const struct rule *r = &ig->rules.items[i];

		if (r->dir_only && !is_dir)
			continue;
		if (wb_match_run(&r->match, r->anchored ? path : name))
			return !r->negate;
	}
	return false;
}
