#include "oci/challenge.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("-._~+/", c));
}

static const char *skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static int malformed(const char *header, const char *why, struct wb_err *err)
{
	wb_autofree char *shown = wb_text_quote(header, 120);

	return wb_err_set(err, WB_ERR_FORMAT,
		"the server's WWW-Authenticate header cannot be read (%s): \"%s\"", why, shown);
}

/* The end of a token68 that starts at p and fills its list element, or NULL: "realm=x" is not one
 * because something follows the "=". */
static const char *token68_end(const char *p)
{
	const char *q = p;

	while (is_token68(*q))
		q++;
	if (q == p)
		return NULL;
	while (*q == '=')
		q++;
	const char *after = skip_space(q);

	return *after == ',' || !*after ? q : NULL;
}

/* The value after "=": a token or a quoted-string with its escapes undone. NULL: malformed. */
static char *read_value(const char **pp, const char **why)
{
	const char *p = *pp, *start = p;

	if (*p != '"') {
		while (is_token(*p) || is_token68(*p) || *p == ':')
			p++;
		*pp = p;
		return wb_strndup(start, (size_t)(p - start));
	}
	wb_autofree char *value = wb_alloc(strlen(p));
	size_t n = 0;

	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f) {
			*why = "a control character";
			return NULL;
		}
		value[n++] = *p;
	}
	if (*p != '"') {
		*why = "a quote is not closed";
		return NULL;
	}
	value[n] = '\0';
	*pp = p + 1;
	return wb_steal(value);
}

static void keep(struct wb_challenge *c, const char *name, size_t n, char *value)
{
	const struct {
		const char *name;
		char **to;
	} known[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope},
		{"error", &c->error}};

	for (size_t i = 0; i < WB_ARRAY_LEN(known); i++) {
		if (strlen(known[i].name) == n && !strncasecmp(known[i].name, name, n) &&
			!*known[i].to) {
			*known[i].to = value;
			return;
		}
	}
	free(value);
}

static enum wb_auth_scheme classify(const char *name)
{
	if (!strcasecmp(name, "basic"))
		return WB_AUTH_BASIC;
	if (!strcasecmp(name, "bearer"))
		return WB_AUTH_BEARER;
	return WB_AUTH_OTHER;
}

/* One list element: "scheme", "scheme token68", "scheme name=value" or "name=value". */
static const char *read_element(wb_challenges *out, size_t first, const char *p, const char **why)
{
	const char *start = p;

	while (is_token(*p))
		p++;
	size_t n = (size_t)(p - start);
	const char *after = skip_space(p);

	if (!n) {
		*why = "an unexpected character";
		return NULL;
	}
	if (*after != '=') { /* a scheme */
		if (out->n == WB_CHALLENGES_MAX) {
			*why = "too many challenges";
			return NULL;
		}
		struct wb_challenge *c = wb_vec_push(out);

		c->name = wb_strndup(start, n);
		c->scheme = classify(c->name);
		if (after == p || *after == ',' || !*after)
			return after;
		const char *end = token68_end(after);

		if (end)
			return end;
		start = p = after;
		while (is_token(*p))
			p++;
		n = (size_t)(p - start);
		after = skip_space(p);
	}
	if (!n || *after != '=' || out->n == first) {
		*why = "a parameter without a scheme or a value";
		return NULL;
	}
	p = skip_space(after + 1);
	char *value = read_value(&p, why);

	if (!value)
		return NULL;
	keep(&out->items[out->n - 1], start, n, value);
	return p;
}

static void release_from(wb_challenges *c, size_t first)
{
	for (size_t i = first; i < c->n; i++) {
		free(c->items[i].name);
		free(c->items[i].realm);
		free(c->items[i].service);
		free(c->items[i].scope);
		free(c->items[i].error);
	}
	c->n = first;
}

int wb_challenges_parse(wb_challenges *out, const char *header, struct wb_err *err)
{
	size_t first = out->n;
	const char *why = NULL;
	const char *p = header;

	if (strlen(header) > WB_CHALLENGE_HEADER_MAX)
		return wb_err_set(err, WB_ERR_LIMIT,
			"the server's WWW-Authenticate header is longer than %u bytes",
			WB_CHALLENGE_HEADER_MAX);
	for (;;) {
		while (*p == ',' || *p == ' ' || *p == '\t')
			p++;
		if (!*p)
			return 0;
		p = read_element(out, first, p, &why);
		if (p)
			p = skip_space(p);
		if (p && *p && *p != ',') {
			why = "an unexpected character";
			p = NULL;
		}
		if (!p) {
			release_from(out, first);
			return malformed(header, why, err);
		}
	}
}

void wb_challenges_release(wb_challenges *c)
{
	release_from(c, 0);
	wb_vec_free(c);
}

const struct wb_challenge *wb_challenges_find(const wb_challenges *c, enum wb_auth_scheme scheme)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].scheme == scheme)
			return &c->items[i];
	}
	return NULL;
}
