#include "builder/config/convert.h"

#include <string.h>

#include "base/text.h"
#include "builder/config/glob.h"

#define INNER_STARS_MAX 2 /* each doubles the number of patterns */

void wb_words_release(struct wb_words *w)
{
	wb_vec_foreach (it, &w->list)
		free(*it);
	wb_vec_free(&w->list);
}

static void add_word(struct wb_words *w, char *word)
{
	wb_vec_foreach (it, &w->list) {
		if (!strcmp(*it, word)) {
			free(word);
			return;
		}
	}
	*wb_vec_push(&w->list) = word;
}

/* Runs of stars mean one in fnmatch, and "folder/" means "folder/" and a star. */
static char *plain_form(const char *pattern)
{
	char *out = wb_alloc(strlen(pattern) + 2), *end = out;

	for (const char *s = pattern; *s; s++)
		if (*s != '*' || s == pattern || s[-1] != '*')
			*end++ = *s;
	if (end > out && end[-1] == '/')
		*end++ = '*';
	*end = '\0';
	return out;
}

/* Length of the set "[…]" at s, or 0. */
static size_t set_len(const char *s)
{
	const char *q = s + 1 + (s[0] == '[' && s[1] == '!');
	const char *end = s[0] == '[' && *q ? strchr(q + 1, ']') : NULL;

	return end ? (size_t)(end - s) + 1 : 0;
}

static void append(struct wb_words *w, const char *s, size_t n)
{
	wb_vec_foreach (it, &w->list) {
		char *longer = wb_asprintf("%s%.*s", *it, (int)n, s);

		free(*it);
		*it = longer;
	}
}

/* A star inside a name may stop there or go on into folders: two forms of each word. */
static void fork_words(struct wb_words *w, const char *shorter, const char *longer)
{
	size_t n = w->list.n;

	for (size_t i = 0; i < n; i++) {
		char *word = wb_asprintf("%s%s", w->list.items[i], longer);

		*wb_vec_push(&w->list) = word;
	}
	for (size_t i = 0; i < n; i++) {
		char *word = wb_asprintf("%s%s", w->list.items[i], shorter);

		free(w->list.items[i]);
		w->list.items[i] = word;
	}
}

/* What an fnmatch star becomes depends on its neighbours: at the start of a component it spans
 * folders, before a slash it is at least one component. Returns how many bytes of s it used. */
static size_t convert_star(struct wb_words *w, const char *s, bool fresh, bool fork)
{
	if (s[1] == '/') {
		append(w, "*/**/", 5);
		return 2;
	}
	if (fresh)
		append(w, s[1] ? "**/*" : "**", s[1] ? 4 : 2);
	else if (fork)
		fork_words(w, "*", s[1] ? "*/**/*" : "*/**");
	else
		append(w, "*", 1);
	return 1;
}

static size_t count_inner_stars(const char *pattern)
{
	size_t count = 0;

	for (const char *s = pattern; *s; s += set_len(s) ? set_len(s) : 1)
		count += *s == '*' && s > pattern && s[-1] != '/' && s[1] != '/';
	return count;
}

/* "a / ** / ** / b" says no more than with one of them. */
static char *fold_stars(const char *word)
{
	char *out = wb_strdup(word), *twice;

	while ((twice = strstr(out, "**/**")))
		memmove(twice, twice + 3, strlen(twice + 3) + 1);
	return out;
}

bool wb_convert_pattern(struct wb_words *out, const char *fnmatch)
{
	wb_autofree char *pattern = plain_form(fnmatch);
	struct wb_words w = {0};
	bool fork = count_inner_stars(pattern) <= INNER_STARS_MAX;
	bool fresh = true, exact = fork;

	*wb_vec_push(&w.list) = wb_strdup("");
	for (const char *s = pattern; *s;) {
		size_t set = set_len(s), n = set ? set : 1;

		exact &= !set && *s != '?';
		if (*s == '*')
			n = convert_star(&w, s, fresh, fork);
		else
			append(&w, s, n);
		fresh = s[n - 1] == '/';
		s += n;
	}
	wb_vec_foreach (it, &w.list)
		add_word(out, fold_stars(*it));
	wb_words_release(&w);
	return exact;
}

/* Bytes that the element at s takes in the pattern. */
static size_t element_len(const char *s)
{
	size_t set = set_len(s);

	return set ? set : 1;
}

/* Does the element at s (no star) match the byte c? */
static bool element_matches(const char *s, char c)
{
	wb_autofree char *element = wb_strndup(s, element_len(s));
	char text[2] = {c, '\0'};

	return wb_glob_match(WB_GLOB_FNMATCH, element, text) || (*s == c && !set_len(s));
}

/* One byte of the prefix goes by: on[i] says that the pattern may continue at i. */
static void step(const char *pattern, bool *on, bool *next, char c)
{
	size_t n = strlen(pattern);

	memset(next, 0, n + 1);
	for (size_t i = 0; i < n; i++) {
		if (!on[i])
			continue;
		if (pattern[i] == '*')
			next[i] = true;
		else if (element_matches(pattern + i, c))
			next[i + element_len(pattern + i)] = true;
	}
	for (size_t i = 0; i < n; i++)
		if (next[i] && pattern[i] == '*')
			next[i + 1] = true;
}

void wb_convert_strip(struct wb_words *out, const char *fnmatch, const char *prefix)
{
	wb_autofree char *pattern = plain_form(fnmatch);
	size_t n = strlen(pattern);
	wb_autofree bool *on = wb_calloc(n + 1, sizeof(*on));
	wb_autofree bool *next = wb_calloc(n + 1, sizeof(*next));

	on[0] = true;
	if (*pattern == '*')
		on[1] = true;
	for (const char *p = prefix; *p; p++) {
		step(pattern, on, next, *p);
		bool *spare = on;

		on = next;
		next = spare;
	}
	/* what follows a star is within what the star with it matches */
	for (size_t i = 0; i < n; i++)
		if (on[i] && !(i > 0 && on[i - 1] && pattern[i - 1] == '*'))
			add_word(out, wb_strdup(pattern + i));
}
