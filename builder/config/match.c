#include "builder/config/match.h"

#include <string.h>

struct wb_match_element *wb_match_add(struct wb_match *m, enum wb_match_kind kind)
{
	struct wb_match_element *e = wb_vec_push(&m->list);

	e->kind = kind;
	return e;
}

void wb_match_add_char(struct wb_match *m, char c)
{
	wb_match_add(m, WB_MATCH_CHAR)->c = (unsigned char)c;
}

void wb_match_release(struct wb_match *m)
{
	wb_vec_free(&m->list);
}

void wb_match_set_finish(struct wb_match_element *e, bool negate, bool no_slash)
{
	for (size_t i = 0; negate && i < 8; i++)
		e->set[i] = ~e->set[i];
	if (no_slash)
		e->set['/' / 32] &= ~(1u << '/' % 32);
}

const char *wb_match_add_stars(struct wb_match *m, const char *pattern, const char *s)
{
	size_t n = strspn(s, "*");
	bool whole = n >= 2 && (s == pattern || s[-1] == '/');

	if (whole && s[n] == '/') {
		wb_match_add(m, WB_MATCH_FOLDERS);
		return s + n + 1;
	}
	wb_match_add(m, whole && !s[n] ? WB_MATCH_STAR : WB_MATCH_STAR_NAME);
	return s + n;
}

static bool eats(const struct wb_match_element *e, unsigned char c)
{
	switch (e->kind) {
	case WB_MATCH_CHAR: return e->c == c;
	case WB_MATCH_SET: return e->set[c / 32] >> c % 32 & 1;
	case WB_MATCH_TAIL: return (c & 0xc0) == 0x80;
	case WB_MATCH_STAR:
	case WB_MATCH_FOLDERS: return true;
	case WB_MATCH_STAR_NAME: return c != '/';
	case WB_MATCH_NEVER: return false;
	}
	return false;
}

/* May be passed over, and stays where it is when it eats a byte. */
static bool repeats(enum wb_match_kind k)
{
	return k == WB_MATCH_STAR || k == WB_MATCH_STAR_NAME || k == WB_MATCH_TAIL;
}

/* Places 0..n: on[i] says that the elements before i are done with. */
static void pass_over(const struct wb_match *m, bool *on)
{
	for (size_t i = 0; i < m->list.n; i++)
		if (on[i] && (repeats(m->list.items[i].kind) ||
				     m->list.items[i].kind == WB_MATCH_FOLDERS))
			on[i + 1] = true;
}

bool wb_match_run(const struct wb_match *m, const char *path)
{
	size_t n = m->list.n;
	wb_autofree bool *now = wb_calloc(n + 1, sizeof(*now));
	wb_autofree bool *next = wb_calloc(n + 1, sizeof(*next));
	/* FOLDERS once entered eats all bytes, and is done with after each slash */
	wb_autofree bool *within = wb_calloc(n + 1, sizeof(*within));

	now[0] = true;
	pass_over(m, now);
	for (const char *s = path; *s; s++) {
		unsigned char c = (unsigned char)*s;

		memset(next, 0, n + 1);
		for (size_t i = 0; i < n; i++) {
			const struct wb_match_element *e = &m->list.items[i];

			if (e->kind == WB_MATCH_FOLDERS) {
				within[i] = within[i] || now[i];
				next[i] = next[i] || (within[i] && c == '/');
			} else if (now[i] && eats(e, c)) {
				next[repeats(e->kind) ? i : i + 1] = true;
			}
		}
		bool *spare = now;

		now = next;
		next = spare;
		pass_over(m, now);
	}
	return now[n];
}
