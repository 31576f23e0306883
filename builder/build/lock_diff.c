#include "builder/build/lock_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

typedef WB_VEC(const struct wb_remote_file *) file_list;

static int by_path(const void *a, const void *b)
{
	return wb_path_cmp((*(const struct wb_remote_file *const *)a)->path,
		(*(const struct wb_remote_file *const *)b)->path);
}

/* In the lockfile's order. */
static void sort_files(file_list *out, const struct wb_listing *l)
{
	wb_vec_foreach (f, &l->files)
		*wb_vec_push(out) = f;
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_path);
}

static bool is_same(const struct wb_lock_file *then, const struct wb_remote_file *now)
{
	if (now->size != WB_SIZE_UNKNOWN && now->size != then->size)
		return false;
	if (now->known.has_sha256)
		return wb_digest_equal(&then->sha256, &now->known.sha256);
	return !strcmp(then->etag, now->etag) && !strcmp(then->version, now->version);
}

static json_t *state(uint64_t size, const struct wb_digest *sha256)
{
	json_t *j = json_object();

	if (size != WB_SIZE_UNKNOWN)
		wb_json_set_u64(j, "size", size);
	if (sha256)
		wb_json_set_str(j, "sha256", wb_digest_hex(sha256).s);
	return j;
}

static void add_file(
	json_t *files, const struct wb_lock_file *then, const struct wb_remote_file *now)
{
	json_t *j = json_object();

	wb_json_set_text(j, "path", then ? then->path : now->path);
	wb_json_set_str(j, "change", !then ? "added" : !now ? "removed" : "changed");
	if (then)
		wb_json_set(j, "from", state(then->size, &then->sha256));
	if (now)
		wb_json_set(j, "to",
			state(now->size, now->known.has_sha256 ? &now->known.sha256 : NULL));
	wb_json_append(files, j);
}

static json_t *diff_files(const struct wb_lock_source *then, const struct wb_listing *listing)
{
	json_t *out = json_array();
	file_list now = {0};
	size_t n = then ? then->files.n : 0;

	if (listing)
		sort_files(&now, listing);
	for (size_t i = 0, k = 0; i < n || k < now.n;) {
		const struct wb_lock_file *x = i < n ? &then->files.items[i] : NULL;
		const struct wb_remote_file *y = k < now.n ? now.items[k] : NULL;
		int order = !x ? 1 : !y ? -1 : wb_path_cmp(x->path, y->path);

		if (order || !is_same(x, y))
			add_file(out, order <= 0 ? x : NULL, order >= 0 ? y : NULL);
		i += order <= 0;
		k += order >= 0;
	}
	wb_vec_free(&now);
	return out;
}

static json_t *diff_source(const char *name, const struct wb_lock_source *then,
	const struct wb_listing *now, const char *change)
{
	json_t *out = json_object(), *files = diff_files(then, now), *revision = json_object();
	const char *from = then ? then->revision : "",
		   *to = now && now->revision ? now->revision : "";
	bool same = !json_array_size(files) && !strcmp(from, to);

	wb_json_set_text(out, "source", name);
	wb_json_set_str(out, "change", change ? change : same ? "same" : "changed");
	if (*from)
		wb_json_set_text(revision, "from", from);
	if (*to)
		wb_json_set_text(revision, "to", to);
	wb_json_set(out, "revision", revision);
	wb_json_set(out, "files", files);
	return out;
}

/* The pinned source of this address; when its patterns changed, it has another key. */
static const struct wb_lock_source *find_pinned(
	const struct wb_lockfile *lock, const struct wb_source *src)
{
	const struct wb_lock_source *s = wb_lockfile_find(lock, src);

	for (size_t i = 0; !s && i < lock->sources.n; i++)
		if (!strcmp(lock->sources.items[i].source, src->uri.text))
			return &lock->sources.items[i];
	return s;
}

static bool is_taken(const struct wb_remotes *r, const struct wb_lock_source *s)
{
	wb_vec_foreach (it, &r->sources)
		if (find_pinned(&r->lock, (*it)->config) == s)
			return true;
	return false;
}

json_t *wb_lock_diff(const struct wb_remotes *r)
{
	json_t *out = json_object(), *sources = json_array(), *one;
	bool changed = false;
	size_t i;

	wb_vec_foreach (it, &r->sources) {
		const struct wb_remote_source *s = *it;
		const struct wb_lock_source *then = find_pinned(&r->lock, s->config);

		wb_json_append(sources,
			diff_source(s->config->uri.text, then, &s->listing, then ? NULL : "added"));
	}
	wb_vec_foreach (s, &r->lock.sources)
		if (!is_taken(r, s))
			wb_json_append(sources, diff_source(s->source, s, NULL, "removed"));
	json_array_foreach (sources, i, one)
		changed |= strcmp(wb_json_str_opt(one, "change"), "same") != 0;
	wb_json_set_text(out, "lockfile", r->lock_path ? r->lock_path : WB_LOCK_NAME);
	wb_json_set(out, "found", json_boolean(r->lock_found));
	wb_json_set(out, "changed", json_boolean(changed));
	wb_json_set(out, "sources", sources);
	return out;
}

/* --- text --------------------------------------------------------------------------------- */

static char *size_of(const json_t *state)
{
	return json_object_get(state, "size")
	               ? wb_strdup(wb_size_text(wb_json_u64_opt(state, "size", 0)).s)
	               : wb_strdup("size not known");
}

static void put_file(FILE *out, const json_t *f)
{
	const json_t *from = json_object_get(f, "from"), *to = json_object_get(f, "to");
	wb_autofree char *before = from ? size_of(from) : NULL, *after = to ? size_of(to) : NULL;
	const char *path = wb_json_str_opt(f, "path");

	if (!from)
		fprintf(out, "  + %s  %s\n", path, after);
	else if (!to)
		fprintf(out, "  - %s  %s\n", path, before);
	else if (strcmp(before, after))
		fprintf(out, "  ~ %s  %s -> %s\n", path, before, after);
	else
		fprintf(out, "  ~ %s  %s, other content\n", path, after);
}

static void put_revision(FILE *out, const json_t *revision)
{
	const char *from = wb_json_str_opt(revision, "from"), *to = wb_json_str_opt(revision, "to");

	if (from && to && strcmp(from, to))
		fprintf(out, "  revision %.12s -> %.12s\n", from, to);
}

void wb_lock_diff_text(FILE *out, const json_t *diff)
{
	const json_t *sources = json_object_get(diff, "sources"), *s, *f;
	size_t i, k;

	if (!json_is_true(json_object_get(diff, "found")))
		fprintf(out, "There is no %s: everything would be new.\n", WB_LOCK_NAME);
	else if (!json_is_true(json_object_get(diff, "changed")))
		fprintf(out, "%s says the same as the sources.\n", WB_LOCK_NAME);
	json_array_foreach (sources, i, s) {
		const char *change = wb_json_str_opt(s, "change");

		if (!strcmp(change, "same"))
			continue;
		fprintf(out, "%s: %s\n", wb_json_str_opt(s, "source"),
			!strcmp(change, "added")     ? "not in the lockfile"
			: !strcmp(change, "removed") ? "in the lockfile, and not in the config"
						     : "changed");
		put_revision(out, json_object_get(s, "revision"));
		json_array_foreach (json_object_get(s, "files"), k, f)
			put_file(out, f);
	}
}
