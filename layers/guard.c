#include "layers/guard.h"

#include <fnmatch.h>
#include <string.h>

#define HINT                                                     \
	"take it out and, if it was ever published, revoke it; " \
	"--allow-secret \"%s\" packs it all the same"

static bool let_through(const struct wb_guard *g, const char *path, bool form)
{
	return g->allowed && g->allowed(g->arg, path, form);
}

/* p begins at the file's offset `at`. */
static int look(const struct wb_guard *g, const char *path, const char *p, size_t n, uint64_t at,
	struct wb_err *err)
{
	struct wb_secret_form form;
	const char *name;
	size_t where;

	if (wb_finder_scan(&where, &name, g->values, p, n) && !let_through(g, path, false)) {
		wb_err_set(err, WB_ERR_CONFIG,
			"\"/%s\" holds the value of the secret \"%s\", %llu bytes from its start",
			path, name, (unsigned long long)(at + where));
		return wb_err_hint(err, HINT, path);
	}
	if (!memchr(p, '\0', n) && wb_secret_form_sure(&form, p, n) &&
		!let_through(g, path, true)) {
		wb_err_set(err, WB_ERR_CONFIG, "\"/%s\" holds %s, %llu bytes from its start", path,
			form.what, (unsigned long long)(at + form.at));
		return wb_err_hint(err, HINT, path);
	}
	return 0;
}

/* The end of what came before, with the beginning of what comes now. */
static int look_at_border(const struct wb_guard *g, const struct wb_guard_tail *t, const char *path,
	const char *p, size_t n, struct wb_err *err)
{
	char both[2 * sizeof(t->bytes)];
	size_t more = n < sizeof(t->bytes) ? n : sizeof(t->bytes);

	memcpy(both, t->bytes, t->n);
	memcpy(both + t->n, p, more);
	return look(g, path, both, t->n + more, t->offset - t->n, err);
}

static void keep_tail(struct wb_guard_tail *t, const char *p, size_t n)
{
	const size_t room = sizeof(t->bytes);
	size_t keep = n < room ? n : room;
	size_t old = t->n < room - keep ? t->n : room - keep;

	memmove(t->bytes, t->bytes + t->n - old, old);
	memcpy(t->bytes + old, p + n - keep, keep);
	t->n = old + keep;
	t->offset += n;
}

int wb_guard_bytes(const struct wb_guard *g, struct wb_guard_tail *t, const char *path,
	const void *p, size_t n, struct wb_err *err)
{
	if (!g || !n)
		return 0;
	if ((t && t->n && look_at_border(g, t, path, p, n, err)) ||
		look(g, path, p, n, t ? t->offset : 0, err))
		return -1;
	if (t)
		keep_tail(t, p, n);
	return 0;
}

bool wb_guard_listed(const char *list, const char *path)
{
	wb_autofree char *copy = wb_strdup(list);
	bool found = false;

	for (char *rest = copy, *pattern; !found && (pattern = strsep(&rest, ","));)
		found = *pattern && !fnmatch(pattern + (*pattern == '/'), path, 0);
	return found;
}

int wb_guard_names(
	const struct wb_guard *g, const char *path, const char *target, struct wb_err *err)
{
	const char *const texts[] = {path, target ? target : ""};
	const char *name;
	size_t where;

	for (size_t i = 0; g && i < WB_ARRAY_LEN(texts); i++) {
		if (!wb_finder_scan(&where, &name, g->values, texts[i], strlen(texts[i])) ||
			let_through(g, path, false))
			continue;
		wb_err_set(err, WB_ERR_CONFIG,
			"the %s of \"/%s\" holds the value of the secret \"%s\"",
			i ? "link" : "name", path, name);
		return wb_err_hint(err, HINT, path);
	}
	return 0;
}
