/* Unified diff of two texts, by Myers' greedy algorithm over the lines between the common start
 * and end. */
#include "builder/config/migrate.h"

#include <string.h>

#define CONTEXT 3
/* Beyond this many differing lines the middle is shown as replaced: the trace of the search grows
 * with its square. */
#define DISTANCE_MAX 1000

struct line {
	const char *s;
	size_t n; /* with its newline */
};

struct lines {
	WB_VEC(struct line) list;
};

struct diff {
	struct lines a, b;
	bool *a_gone, *b_new; /* lines that only one of them has */
};

static void split(struct lines *out, const char *text, size_t n)
{
	for (size_t at = 0; at < n;) {
		const char *nl = memchr(text + at, '\n', n - at);
		size_t len = nl ? (size_t)(nl - text) + 1 - at : n - at;

		*wb_vec_push(&out->list) = (struct line){text + at, len};
		at += len;
	}
}

static bool same(const struct diff *d, size_t i, size_t j)
{
	const struct line *x = &d->a.list.items[i], *y = &d->b.list.items[j];

	return x->n == y->n && !memcmp(x->s, y->s, x->n);
}

struct window {
	size_t a, b, n, m; /* n lines of a from line a, m lines of b from line b */
};

/* Forward search; trace[k] keeps the furthest x on each diagonal after k steps. Returns the
 * distance, or -1 when it is beyond the limit. */
static long search(const struct diff *d, const struct window *w, long **trace, long max)
{
	wb_autofree long *v = wb_calloc(2 * (size_t)max + 3, sizeof(*v));
	long n = (long)w->n, m = (long)w->m;

	for (long k = 0; k <= max; k++) {
		for (long diag = -k; diag <= k; diag += 2) {
			long *at = v + max + 1 + diag;
			long x = diag == -k || (diag != k && at[-1] < at[1]) ? at[1] : at[-1] + 1;

			while (x < n && x - diag < m && x - diag >= 0 &&
				same(d, w->a + (size_t)x, w->b + (size_t)(x - diag)))
				x++;
			*at = x;
			if (x >= n && x - diag >= m)
				return k;
		}
		trace[k] = wb_calloc(2 * (size_t)k + 1, sizeof(long));
		for (long diag = -k; diag <= k; diag++)
			trace[k][diag + k] = v[max + 1 + diag];
	}
	return -1;
}

static void walk_back(struct diff *d, const struct window *w, long **trace, long distance)
{
	long x = (long)w->n, y = (long)w->m;

	for (long k = distance; k > 0; k--) {
		const long *v = trace[k - 1] + (k - 1);
		long diag = x - y;
		bool down = diag == -k || (diag != k && v[diag - 1] < v[diag + 1]);
		long from = down ? v[diag + 1] : v[diag - 1];

		if (down) {
			y = from - (diag + 1);
			d->b_new[w->b + (size_t)y] = true;
		} else {
			d->a_gone[w->a + (size_t)from] = true;
			y = from - (diag - 1);
		}
		x = from;
	}
}

static void compare(struct diff *d)
{
	struct window w = {0, 0, d->a.list.n, d->b.list.n};

	while (w.n && w.m && same(d, w.a, w.b)) {
		w.a++;
		w.b++;
		w.n--;
		w.m--;
	}
	while (w.n && w.m && same(d, w.a + w.n - 1, w.b + w.m - 1)) {
		w.n--;
		w.m--;
	}
	long max = w.n + w.m < DISTANCE_MAX ? (long)(w.n + w.m) : DISTANCE_MAX;
	wb_autofree long **trace = wb_calloc((size_t)max + 1, sizeof(*trace));
	long distance = search(d, &w, trace, max);

	if (distance >= 0) {
		walk_back(d, &w, trace, distance);
	} else {
		memset(d->a_gone + w.a, 1, w.n);
		memset(d->b_new + w.b, 1, w.m);
	}
	for (long k = 0; k <= max; k++)
		free(trace[k]);
}

/* The result grows by doubling; both texts are bounded, so it is. */
struct out {
	char *s;
	size_t n, cap;
};

static void put(struct out *o, const char *s, size_t n)
{
	if (o->n + n + 1 > o->cap) {
		o->cap = 2 * (o->n + n + 1);
		o->s = wb_realloc(o->s, o->cap, 1);
	}
	memcpy(o->s + o->n, s, n);
	o->n += n;
	o->s[o->n] = '\0';
}

static void put_line(struct out *o, char mark, const struct line *l)
{
	static const char no_newline[] = "\n\\ No newline at end of file\n";

	put(o, &mark, 1);
	put(o, l->s, l->n);
	if (l->s[l->n - 1] != '\n')
		put(o, no_newline, sizeof(no_newline) - 1);
}

/* diff(1) gives an empty range the number of the line before it. */
static void put_range(struct out *o, char mark, size_t start, size_t n)
{
	wb_autofree char *s = n == 1 ? wb_asprintf("%c%zu", mark, start + 1)
	                             : wb_asprintf("%c%zu,%zu", mark, n ? start + 1 : start, n);

	put(o, s, strlen(s));
}

static void put_hunk(struct out *o, const struct diff *d, const struct window *h)
{
	size_t i = h->a, j = h->b;

	put(o, "@@ ", 3);
	put_range(o, '-', h->a, h->n);
	put(o, " ", 1);
	put_range(o, '+', h->b, h->m);
	put(o, " @@\n", 4);
	while (i < h->a + h->n || j < h->b + h->m) {
		if (i < h->a + h->n && d->a_gone[i])
			put_line(o, '-', &d->a.list.items[i++]);
		else if (j < h->b + h->m && d->b_new[j])
			put_line(o, '+', &d->b.list.items[j++]);
		else {
			put_line(o, ' ', &d->a.list.items[i++]);
			j++;
		}
	}
}

/* Hunks are runs of changes with at most 2 * CONTEXT equal lines between them. */
static void put_hunks(struct out *o, const struct diff *d)
{
	size_t n = d->a.list.n, m = d->b.list.n, i = 0, j = 0;

	while (i < n || j < m) {
		if (!(i < n && d->a_gone[i]) && !(j < m && d->b_new[j])) {
			i++;
			j++;
			continue;
		}
		size_t lead = i < CONTEXT ? i : CONTEXT, equal = 0;
		struct window h = {.a = i - lead, .b = j - lead};

		while ((i < n || j < m) && equal <= 2 * CONTEXT) {
			if (i < n && d->a_gone[i]) {
				i++;
				equal = 0;
			} else if (j < m && d->b_new[j]) {
				j++;
				equal = 0;
			} else {
				i++;
				j++;
				equal++;
			}
		}
		size_t extra = equal > CONTEXT ? equal - CONTEXT : 0;

		h.n = i - extra - h.a;
		h.m = j - extra - h.b;
		put_hunk(o, d, &h);
	}
}

char *wb_diff_unified(const char *old_name, const char *old_text, size_t old_n,
	const char *new_name, const char *new_text, size_t new_n)
{
	struct diff d = {0};
	struct out o = {0};

	put(&o, "", 0);
	if (old_n == new_n && !memcmp(old_text, new_text, old_n))
		return o.s;
	split(&d.a, old_text, old_n);
	split(&d.b, new_text, new_n);
	d.a_gone = wb_calloc(d.a.list.n + 1, sizeof(bool));
	d.b_new = wb_calloc(d.b.list.n + 1, sizeof(bool));
	compare(&d);
	wb_autofree char *head = wb_asprintf("--- %s\n+++ %s\n", old_name, new_name);

	put(&o, head, strlen(head));
	put_hunks(&o, &d);
	free(d.a_gone);
	free(d.b_new);
	wb_vec_free(&d.a.list);
	wb_vec_free(&d.b.list);
	return o.s;
}
