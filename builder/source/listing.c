/* What every listing goes through, whichever kind it came from: filters, checks of names that
 * someone else chose, one order. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/config/glob.h"
#include "builder/source/kind.h"

static void file_release(struct wb_remote_file *f)
{
	free(f->path);
	free(f->etag);
	free(f->version);
	free(f->url);
	free(f->identity);
}

void wb_listing_release(struct wb_listing *l)
{
	wb_vec_foreach (f, &l->files)
		file_release(f);
	wb_vec_free(&l->files);
	free(l->revision);
	free(l->root);
	for (size_t i = 0; l->better && i < l->n_hits; i++)
		free(l->better[i]);
	free(l->better);
	free(l->hits);
	wb_vec_foreach (path, &l->filtered)
		free(*path);
	wb_vec_free(&l->filtered);
	*l = WB_LISTING_INIT;
}

struct wb_remote_file *wb_listing_add(
	struct wb_listing *l, const char *path, uint64_t size, struct wb_err *err)
{
	if (l->files.n >= WB_LISTING_FILES_MAX) {
		wb_err_set(err, WB_ERR_LIMIT, "more than %d files", WB_LISTING_FILES_MAX);
		return NULL;
	}
	size_t n = strlen(path);

	if (n >= PATH_MAX) {
		wb_err_set(err, WB_ERR_FORMAT, "the name \"%.80s...\" has %zu bytes", path, n);
		return NULL;
	}
	l->names += n;
	if (l->names > WB_LISTING_NAMES_MAX) {
		wb_err_set(err, WB_ERR_LIMIT, "more than %s of file names",
			wb_size_text(WB_LISTING_NAMES_MAX).s);
		return NULL;
	}
	struct wb_remote_file *f = wb_vec_push(&l->files);

	f->path = wb_strdup(path);
	f->size = size;
	f->etag = wb_strdup("");
	f->version = wb_strdup("");
	return f;
}

int wb_pages_turn(struct wb_pages *p, const char *next, size_t files, struct wb_err *err)
{
	p->empty = files > p->files ? 0 : p->empty + 1;
	p->files = files;
	p->n++;
	if (p->n >= WB_LISTING_PAGES_MAX)
		return wb_err_set(
			err, WB_ERR_LIMIT, "more than %d pages of files", WB_LISTING_PAGES_MAX);
	if (p->empty > WB_LISTING_EMPTY_MAX || (p->earlier && !strcmp(p->earlier, next)))
		return wb_err_set(err, WB_ERR_FORMAT,
			"its listing goes in a circle: page %u leads back, or nowhere", p->n);
	/* A circle of any length comes by a page that is kept at the powers of two. */
	if (!(p->n & (p->n - 1))) {
		free(p->earlier);
		p->earlier = wb_strdup(next);
	}
	return 0;
}

void wb_pages_release(struct wb_pages *p)
{
	free(p->earlier);
	*p = (struct wb_pages){0};
}

static int list_pages(struct wb_listing *out, struct wb_remote *r, const struct wb_prefix *p,
	const struct wb_lister *how, struct wb_err *err)
{
	WB_AUTO(wb_pages_release) struct wb_pages pages = {0};
	wb_autofree char *token = NULL;

	do {
		WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
		struct wb_list_call call = {.prefix = p, .token = token};
		struct wb_page page = {.l = out, .prefix = p, .scope = how->scope};

		if (wb_remote_get(&res, r, how->make, &call, WB_PAGE_MAX, err))
			return -1;
		int rc = how->parse(&page, res.response.body.data, res.response.body.len, err);

		free(token);
		token = page.next;
		if (rc || (token && wb_pages_turn(&pages, token, out->files.n, err)))
			return -1;
	} while (token && !p->exact);
	return 0;
}

int wb_list_prefix(struct wb_listing *out, struct wb_remote *r, const char *path,
	const struct wb_lister *how, struct wb_err *err)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	wb_autofree char *plain = wb_strndup(path, n);
	wb_autofree char *folder = wb_asprintf("%s%s", plain, n ? "/" : "");
	struct wb_prefix p = {.prefix = folder, .skip = strlen(folder)};

	if (list_pages(out, r, &p, how, err))
		return -1;
	out->root = wb_strdup(folder);
	if (out->files.n || !n || path[n] == '/')
		return 0;
	const char *slash = strrchr(plain, '/');

	p.prefix = plain;
	p.skip = slash ? (size_t)(slash - plain) + 1 : 0;
	p.exact = true;
	out->root[p.skip] = '\0';
	return list_pages(out, r, &p, how, err);
}

const char *wb_prefix_path(const struct wb_prefix *p, const char *key, uint64_t size)
{
	size_t n = strlen(key);

	if (p->exact)
		return strcmp(key, p->prefix) ? NULL : key + p->skip;
	if (strncmp(key, p->prefix, p->skip) != 0)
		return NULL;
	/* What some tools leave in place of an empty folder. */
	if (n == p->skip || (key[n - 1] == '/' && size == 0))
		return NULL;
	return key + p->skip;
}

/* What the patterns see: model_cache of a baked bucket is filtered by whole keys. */
static char *subject(const struct wb_listing *l, const struct wb_remote *r, const char *path)
{
	bool whole = r->src->layout == WB_LAYOUT_BUCKET && l->root;

	return whole ? wb_asprintf("%s%s", l->root, path) : wb_strdup(path);
}

static void leave_out(struct wb_listing *l, struct wb_remote_file *f)
{
	if (l->filtered.n < WB_LISTING_FILTERED_MAX)
		*wb_vec_push(&l->filtered) = wb_strdup(f->path);
	file_release(f);
}

static void filter(struct wb_listing *l, const struct wb_remote *r)
{
	const struct wb_source *src = r->src;
	size_t kept = 0;

	l->seen = l->files.n;
	l->n_hits = src->allow.list.n + src->ignore.list.n;
	l->hits = wb_calloc(l->n_hits, sizeof(*l->hits));
	for (size_t i = 0; i < l->files.n; i++) {
		struct wb_remote_file *f = &l->files.items[i];
		wb_autofree char *s = subject(l, r, f->path);

		if (wb_glob_keeps(src->dialect, &src->allow, &src->ignore, s, l->hits))
			l->files.items[kept++] = *f;
		else
			leave_out(l, f);
	}
	l->files.n = kept;
}

/* How many of the listed paths a pattern would take in a dialect. */
static size_t would_match(const struct wb_listing *l, const struct wb_remote *r,
	char *const *subjects, enum wb_glob_dialect dialect, const char *pattern)
{
	size_t n = 0;

	for (size_t i = 0; i < l->seen; i++)
		n += wb_glob_match(dialect, pattern, subjects[i]);
	return n;
}

static char *joined(const char *a, const char *b)
{
	return wb_asprintf("%s%s", a, b);
}

/* A spelling in the source's own dialect that does match: what people mean who write the other one,
 * a folder's bare name, or a leading "./". NULL when none does. */
static char *suggestion(const struct wb_listing *l, const struct wb_remote *r,
	char *const *subjects, const char *pattern)
{
	enum wb_glob_dialect d = r->src->dialect;
	const char *plain = wb_str_starts(pattern, "./") ? pattern + 2
	                    : pattern[0] == '/'          ? pattern + 1
	                                                 : pattern;
	size_t n = strlen(plain);
	char *tries[5] = {wb_strdup(plain), NULL};
	size_t count = 1;

	if (d == WB_GLOB_WEIGHTS) {
		tries[count++] = joined("**/", plain);
		tries[count++] = joined(plain, n && plain[n - 1] == '/' ? "**" : "/**");
	} else {
		if (wb_str_starts(plain, "**/"))
			tries[count++] = wb_strdup(plain + 3);
		tries[count++] = joined(plain, n && plain[n - 1] == '/' ? "*" : "/*");
		if (l->root && *l->root && r->src->layout == WB_LAYOUT_BUCKET)
			tries[count++] = joined(l->root, plain);
	}
	char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!found && strcmp(tries[i], pattern) != 0 &&
			would_match(l, r, subjects, d, tries[i]))
			found = wb_steal(tries[i]);
		free(tries[i]);
	}
	return found;
}

static void warn_pattern(const struct wb_listing *l, const struct wb_remote *r, const char *better,
	const char *key, const struct wb_pattern *p)
{
	wb_autofree char *shown = wb_text_quote(p->text, 200);
	struct wb_err w = WB_ERR_INIT;

	wb_err_set(&w, WB_ERR_NOT_FOUND, "%s of %s: \"%s\" matches none of its %zu files", key,
		r->src->uri.text, shown, l->seen);
	if (better)
		wb_err_hint(&w, "\"%s\" would match", better);
	if (r->config_file && p->pos.line) {
		snprintf(w.file, sizeof(w.file), "%s", r->config_file);
		w.line = p->pos.line;
		w.column = p->pos.column;
	}
	wb_log_err_as(WB_LOG_WARNING, &w);
}

static void judge_patterns(struct wb_listing *l, const struct wb_remote *r, char *const *subjects)
{
	const struct wb_source *src = r->src;

	l->better = wb_calloc(l->n_hits + 1, sizeof(*l->better));
	for (size_t i = 0; l->seen && i < l->n_hits; i++) {
		bool allow = i < src->allow.list.n;
		const struct wb_pattern *p = allow ? &src->allow.list.items[i]
		                                   : &src->ignore.list.items[i - src->allow.list.n];

		if (l->hits[i])
			continue;
		l->better[i] = suggestion(l, r, subjects, p->text);
		if (!r->o.quiet_patterns)
			warn_pattern(l, r, l->better[i],
				allow ? "allow_patterns" : "ignore_patterns", p);
	}
}

static int nothing_left(const struct wb_listing *l, const struct wb_remote *r, struct wb_err *err)
{
	if (l->seen == 0) {
		wb_err_set(err, WB_ERR_NOT_FOUND, "no files found for weights source '%s'",
			r->src->uri.text);
		return wb_err_hint(
			err, "check that the address points to an existing object or folder");
	}
	wb_err_set(err, WB_ERR_NOT_FOUND,
		"no files of '%s' are left by its patterns: %zu listed, %zu allow and %zu ignore "
		"patterns",
		r->src->uri.text, l->seen, r->src->allow.list.n, r->src->ignore.list.n);
	if (r->src->allow.set && r->src->allow.list.n == 0)
		return wb_err_hint(err, "an empty allow_patterns list allows nothing; take it out");
	return wb_err_hint(err, "see the warnings above, and \"wbuild plan\" for what each took");
}

static int bad_name(
	const struct wb_remote *r, const char *path, const char *why, struct wb_err *err)
{
	wb_autofree char *shown = wb_text_quote(path, 200);

	wb_err_set(err, WB_ERR_FORMAT, "%s has a file named \"%s\", which %s", r->src->uri.text,
		shown, why);
	return wb_err_hint(err, "leave it out with ignore_patterns");
}

static int by_path(const void *a, const void *b)
{
	return wb_path_cmp(
		((const struct wb_remote_file *)a)->path, ((const struct wb_remote_file *)b)->path);
}

/* Sorted by wb_path_cmp, a directory's content directly follows a file of the same name. */
static int check_names(const struct wb_listing *l, const struct wb_remote *r, struct wb_err *err)
{
	for (size_t i = 0; i < l->files.n; i++) {
		const char *path = l->files.items[i].path;
		const char *why = wb_path_unsafe(path, strlen(path));
		const char *next = i + 1 < l->files.n ? l->files.items[i + 1].path : "";
		size_t n = strlen(path);

		if (why)
			return bad_name(r, path, why, err);
		if (strcmp(path, next) == 0)
			return bad_name(r, path, "is listed twice", err);
		if (strncmp(path, next, n) == 0 && next[n] == '/')
			return bad_name(r, path, "is also a folder", err);
	}
	return 0;
}

struct folded {
	char *name;
	const char *path;
	UT_hash_handle hh;
};

/* Fine in an image, but one of the two is lost where it is unpacked on a file system that folds
 * case. ASCII is enough for a warning. */
static void warn_case(const struct wb_listing *l, const struct wb_remote *r)
{
	struct folded *table = NULL, *it, *next;
	bool warned = false;

	wb_vec_foreach (f, &l->files) {
		struct folded *n = wb_zalloc(sizeof(*n)), *same;

		n->name = wb_strdup(f->path);
		n->path = f->path;
		for (char *p = n->name; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		HASH_FIND_STR(table, n->name, same);
		if (same && !warned)
			wb_warn("%s: \"%s\" and \"%s\" differ in case only", r->src->uri.text,
				same->path, f->path);
		warned |= same != NULL;
		HASH_ADD_KEYPTR(hh, table, n->name, strlen(n->name), n);
	}
	HASH_ITER (hh, table, it, next) {
		HASH_DEL(table, it);
		free(it->name);
		free(it);
	}
}

int wb_listing_finish(struct wb_listing *l, struct wb_remote *r, struct wb_err *err)
{
	if (!l->revision)
		l->revision = wb_strdup("");
	if (!l->root)
		l->root = wb_strdup("");
	size_t n = l->files.n;
	char **subjects = wb_calloc(n, sizeof(*subjects));

	for (size_t i = 0; i < n; i++)
		subjects[i] = subject(l, r, l->files.items[i].path);
	filter(l, r);
	judge_patterns(l, r, subjects);
	for (size_t i = 0; i < n; i++)
		free(subjects[i]);
	free(subjects);
	if (l->files.n == 0)
		return nothing_left(l, r, err);
	qsort(l->files.items, l->files.n, sizeof(*l->files.items), by_path);
	if (check_names(l, r, err))
		return -1;
	warn_case(l, r);
	return 0;
}
