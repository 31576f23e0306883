#include "builder/build/expect.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/path.h"
#include "base/text.h"

#define EXTRAS_MAX 10000 /* remembered; more than that are counted only */

struct wb_expected {
	const struct wb_bundle_entry *entry;
	bool seen, good;
	size_t layer;  /* the uppermost that has it */
	char *problem; /* with what that layer has */
	UT_hash_handle hh;
};

/* A path that the manifest does not name, or one that a layer takes away. */
struct mark {
	char *path;
	size_t layer;
	bool below; /* what lies below it, not itself (an opaque folder) */
};

typedef WB_VEC(struct mark) marks;

struct wb_expect {
	const struct wb_bundle_manifest *m;
	struct wb_expected *by_path, *slots;
	pthread_mutex_t lock; /* of everything below, and of what slots say was seen */
	marks gone, extras;
	WB_VEC(char *) snapshots; /* of the hub cache: "…/snapshots/<revision>" */
};

/* "…/snapshots/<revision>" of a path below it, or 0: its length. */
static size_t snapshot_length(const char *path)
{
	static const char word[] = "/snapshots/";
	const char *at = strstr(path, word), *end = at ? strchr(at + strlen(word), '/') : NULL;

	return end ? (size_t)(end - path) : 0;
}

static void note_snapshot(struct wb_expect *x, const char *path)
{
	size_t n = snapshot_length(path);
	const char *last = x->snapshots.n ? x->snapshots.items[x->snapshots.n - 1] : "";

	/* entries are sorted: those of one snapshot follow each other */
	if (n && (strlen(last) != n || strncmp(last, path, n) != 0))
		*wb_vec_push(&x->snapshots) = wb_strndup(path, n);
}

struct wb_expect *wb_expect_new(const struct wb_bundle_manifest *m)
{
	struct wb_expect *x = wb_zalloc(sizeof(*x));

	x->m = m;
	x->slots = wb_calloc(m->entries.n, sizeof(*x->slots));
	pthread_mutex_init(&x->lock, NULL);
	for (size_t i = 0; i < m->entries.n; i++) {
		struct wb_expected *e = &x->slots[i];

		e->entry = &m->entries.items[i];
		if (e->entry->type != WB_BUNDLE_DIR)
			HASH_ADD_KEYPTR(hh, x->by_path, e->entry->path, strlen(e->entry->path), e);
		if (m->hf_cache && wb_path_within(e->entry->path, m->hf_cache + 1))
			note_snapshot(x, e->entry->path);
	}
	return x;
}

static void marks_release(marks *list)
{
	wb_vec_foreach (mark, list)
		free(mark->path);
	wb_vec_free(list);
}

void wb_expect_free(struct wb_expect *x)
{
	if (!x)
		return;
	HASH_CLEAR(hh, x->by_path);
	for (size_t i = 0; i < x->m->entries.n; i++)
		free(x->slots[i].problem);
	free(x->slots);
	marks_release(&x->gone);
	marks_release(&x->extras);
	wb_vec_foreach (path, &x->snapshots)
		free(*path);
	wb_vec_free(&x->snapshots);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

/* --- what layers have --------------------------------------------------------------------- */

static void add_mark(marks *list, char *path, size_t layer, bool below)
{
	*wb_vec_push(list) = (struct mark){path, layer, below};
}

static void note_whiteout(struct wb_expect *x, size_t layer, const char *path, const char *name)
{
	size_t dir = (size_t)(name - path);
	bool opaque = !strcmp(name, ".wh..wh..opq");

	if (opaque)
		add_mark(&x->gone, wb_strndup(path, dir ? dir - 1 : 0), layer, true);
	else
		add_mark(&x->gone, wb_asprintf("%.*s%s", (int)dir, path, name + 4), layer, false);
}

static bool in_snapshot(const struct wb_expect *x, const char *path)
{
	wb_vec_foreach (snapshot, &x->snapshots)
		if (wb_path_within(path, *snapshot))
			return true;
	return false;
}

/* May only packed files be at path? The innermost source decides (layers/verify_extra.c). */
static bool is_guarded(const struct wb_expect *x, const char *path)
{
	const struct wb_bundle_source *inner = NULL;

	wb_vec_foreach (s, &x->m->sources)
		if (wb_path_within(path, s->mount + 1) &&
			(!inner || strlen(s->mount) > strlen(inner->mount)))
			inner = s;
	if (!inner || !inner->mount[1])
		return false;
	if (x->m->hf_cache && wb_path_within(inner->mount, x->m->hf_cache))
		return in_snapshot(x, path);
	return !inner->shared;
}

/* Takes text; kept only while the layer it speaks of is the uppermost. Called locked. */
static void set_problem(struct wb_expected *e, size_t layer, char *text)
{
	if (e->layer == layer && !e->problem)
		e->problem = text;
	else
		free(text);
}

/* false: a higher layer has it too. Called locked. */
static bool claim(struct wb_expected *e, size_t layer)
{
	if (e->seen && e->layer > layer)
		return false;
	if (e->seen && e->layer == layer) {
		set_problem(e, layer, wb_strdup("is twice in one layer"));
		return false;
	}
	free(wb_steal(e->problem));
	e->seen = true;
	e->good = false;
	e->layer = layer;
	return true;
}

/* A hard link's bytes are those of its target, an entry of the same layer that is checked itself.
 */
static char *judge_hard_link(
	struct wb_expect *x, const struct wb_bundle_entry *want, const char *target)
{
	struct wb_expected *holder;

	HASH_FIND_STR(x->by_path, target + strspn(target, "./"), holder);
	if (holder && holder->entry->type == WB_BUNDLE_FILE &&
		wb_digest_equal(&holder->entry->digest, &want->digest))
		return NULL;
	wb_autofree char *shown = wb_text_quote(target, 200);

	return wb_asprintf("is a link to \"%s\", which is another file", shown);
}

/* NULL when the entry alone shows that it is right, or when its bytes will. */
static char *judge_entry(
	struct wb_expect *x, const struct wb_bundle_entry *want, const struct wb_layer_entry *have)
{
	bool file = have->type == WB_LAYER_ENTRY_FILE, hard = have->type == WB_LAYER_ENTRY_HARDLINK;

	if (want->type == WB_BUNDLE_FILE && hard)
		return judge_hard_link(x, want, have->link);
	if (want->type == WB_BUNDLE_FILE && !file)
		return wb_strdup("is not a regular file");
	if (want->type == WB_BUNDLE_SYMLINK && have->type != WB_LAYER_ENTRY_SYMLINK)
		return wb_strdup("is not a symbolic link");
	if (want->type == WB_BUNDLE_SYMLINK && strcmp(have->link, want->target) != 0)
		return wb_asprintf("does not point to \"%s\"", want->target);
	return NULL;
}

static struct wb_expected *look_at(
	struct wb_expect *x, size_t layer, const struct wb_layer_entry *entry)
{
	const char *name = wb_path_basename(entry->path);
	struct wb_expected *e;

	if (!strncmp(name, ".wh.", 4)) {
		note_whiteout(x, layer, entry->path, name);
		return NULL;
	}
	HASH_FIND_STR(x->by_path, entry->path, e);
	if (!e) {
		if (entry->type != WB_LAYER_ENTRY_DIR && x->extras.n < EXTRAS_MAX &&
			is_guarded(x, entry->path))
			add_mark(&x->extras, wb_strdup(entry->path), layer, false);
		return NULL;
	}
	if (!claim(e, layer))
		return NULL;
	char *problem = judge_entry(x, e->entry, entry);

	if (problem)
		set_problem(e, layer, problem);
	else if (entry->type == WB_LAYER_ENTRY_FILE)
		return e;
	e->good = !problem;
	return NULL;
}

struct wb_expected *wb_expect_entry(
	struct wb_expect *x, size_t layer, const struct wb_layer_entry *entry)
{
	pthread_mutex_lock(&x->lock);
	struct wb_expected *e = look_at(x, layer, entry);

	pthread_mutex_unlock(&x->lock);
	return e;
}

void wb_expect_file(struct wb_expect *x, struct wb_expected *e, size_t layer, uint64_t size,
	const struct wb_digest *digest)
{
	char *problem = NULL;

	if (size != e->entry->size)
		problem = wb_asprintf("has %llu bytes instead of %llu", (unsigned long long)size,
			(unsigned long long)e->entry->size);
	else if (!wb_digest_equal(digest, &e->entry->digest))
		problem = wb_asprintf("its bytes have the digest %s instead of %s",
			wb_digest_text(digest).s, wb_digest_text(&e->entry->digest).s);
	pthread_mutex_lock(&x->lock);
	if (problem)
		set_problem(e, layer, problem);
	else if (e->layer == layer)
		e->good = !e->problem;
	pthread_mutex_unlock(&x->lock);
}

/* --- the judgement ------------------------------------------------------------------------ */

static bool is_gone(const struct wb_expect *x, const char *path, size_t layer)
{
	wb_vec_foreach (mark, &x->gone)
		if (mark->layer > layer && wb_path_within(path, mark->path) &&
			(!mark->below || strcmp(path, mark->path) != 0))
			return true;
	return false;
}

/* NULL: as it should be. Borrowed. */
static const char *verdict(const struct wb_expect *x, const struct wb_expected *e)
{
	if (!e->seen)
		return "is in no layer";
	if (is_gone(x, e->entry->path, e->layer))
		return "is taken away by a later layer";
	if (!e->good && !e->problem)
		return "was not read to its end";
	return e->problem;
}

static int by_path(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : x->layer < y->layer ? -1 : x->layer > y->layer;
}

static size_t judge_extras(
	struct wb_expect *x, void (*problem)(void *arg, const char *line), void *arg)
{
	const char *last = NULL;
	size_t n = 0;

	if (x->extras.n)
		qsort(x->extras.items, x->extras.n, sizeof(x->extras.items[0]), by_path);
	wb_vec_foreach (extra, &x->extras) {
		if ((last && !strcmp(last, extra->path)) || is_gone(x, extra->path, extra->layer))
			continue;
		wb_autofree char *shown = wb_text_quote(extra->path, 500);
		wb_autofree char *line = wb_asprintf(
			"/%s: nobody packed it, and it lies among the bundle's files", shown);

		last = extra->path;
		problem(arg, line);
		n++;
	}
	return n;
}

size_t wb_expect_judge(
	size_t *files, struct wb_expect *x, void (*problem)(void *arg, const char *line), void *arg)
{
	size_t n = 0;

	*files = 0;
	for (size_t i = 0; i < x->m->entries.n; i++) {
		const struct wb_expected *e = &x->slots[i];
		const char *why = e->entry->type == WB_BUNDLE_DIR ? NULL : verdict(x, e);

		if (why) {
			wb_autofree char *line = wb_asprintf("/%s: %s", e->entry->path, why);

			problem(arg, line);
			n++;
		} else if (e->entry->type == WB_BUNDLE_FILE) {
			++*files;
		}
	}
	return n + judge_extras(x, problem, arg);
}
