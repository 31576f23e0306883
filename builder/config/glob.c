#include "builder/config/glob.h"

#include <string.h>

#include "builder/config/match.h"

/* One character: the first byte of any, and what belongs to it. */
static void add_any(struct wb_match *m, bool no_slash)
{
	struct wb_match_element *e = wb_match_add(m, WB_MATCH_SET);

	wb_match_set_range(e, 0x80, 0xbf);
	wb_match_set_finish(e, true, no_slash);
	wb_match_add(m, WB_MATCH_TAIL);
}

/* "[…]" as fnmatch reads it: "!" negates, a "]" in the first place is a member. Returns the rest
 * after it, or NULL when there is no closing bracket ("[" is literal then). */
static const char *add_set(struct wb_match *m, const char *s, bool no_slash)
{
	const char *q = s + 1;
	bool negate = *q == '!';

	q += negate;
	const char *end = *q ? strchr(q + 1, ']') : NULL;

	if (!end)
		return NULL;
	struct wb_match_element *e = wb_match_add(m, WB_MATCH_SET);

	while (q < end) {
		bool range = q + 2 < end && q[1] == '-';

		wb_match_set_range(e, (unsigned char)q[0], (unsigned char)q[range ? 2 : 0]);
		q += range ? 3 : 1;
	}
	if (negate)
		wb_match_set_range(e, 0x80, 0xbf);
	wb_match_set_finish(e, negate, no_slash);
	if (negate)
		wb_match_add(m, WB_MATCH_TAIL);
	return end + 1;
}

static void compile(struct wb_match *m, enum wb_glob_dialect dialect, const char *pattern)
{
	bool names = dialect == WB_GLOB_WEIGHTS;
	const char *s = pattern, *rest;

	while (*s) {
		if (*s == '*' && names) {
			s = wb_match_add_stars(m, pattern, s);
		} else if (*s == '*') {
			wb_match_add(m, WB_MATCH_STAR);
			s += strspn(s, "*");
		} else if (*s == '?') {
			add_any(m, names);
			s++;
		} else if (*s == '[' && (rest = add_set(m, s, names))) {
			s = rest;
		} else {
			wb_match_add_char(m, *s++);
		}
	}
	/* "folder/" means all that is in it */
	if (s > pattern && s[-1] == '/')
		wb_match_add(m, WB_MATCH_STAR);
}

bool wb_glob_match(enum wb_glob_dialect dialect, const char *pattern, const char *path)
{
	struct wb_match m = {0};

	compile(&m, dialect, pattern);
	bool match = wb_match_run(&m, path);

	wb_match_release(&m);
	return match;
}

static bool any(enum wb_glob_dialect dialect, const struct wb_patterns *patterns, const char *path,
	size_t *hits)
{
	bool found = false;

	for (size_t i = 0; i < patterns->list.n; i++) {
		if (!wb_glob_match(dialect, patterns->list.items[i].text, path))
			continue;
		found = true;
		if (!hits)
			break;
		hits[i]++;
	}
	return found;
}

bool wb_glob_keeps(enum wb_glob_dialect dialect, const struct wb_patterns *allow,
	const struct wb_patterns *ignore, const char *path, size_t *hits)
{
	bool kept = !allow->set || any(dialect, allow, path, hits);

	/* with hits, ignore is counted also where allow has decided: a report is complete then */
	if (!kept && !hits)
		return false;
	bool dropped = any(dialect, ignore, path, hits ? hits + allow->list.n : NULL);

	return kept && !dropped;
}
