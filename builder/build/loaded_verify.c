/* verify IMAGE: every blob by its digest, and what the layers hold against the bundle manifest. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/pool.h"
#include "base/sha256.h"
#include "builder/build/loaded.h"
#include "oci/layer_scan.h"

/* A path of the bundle and whether the layers brought it. */
struct expected {
	const struct wb_bundle_entry *entry;
	bool seen;
	UT_hash_handle hh;
};

struct check {
	struct wb_loaded *loaded;
	const struct wb_loaded_image *image;
	WB_VEC(const struct wb_descriptor *) layers; /* each blob once */
	struct expected *by_path;
	struct expected *slots;
	pthread_mutex_t lock; /* of by_path's seen flags, the counts and the callback */
	struct wb_loaded_check *out;
	size_t problems;
	void (*problem)(void *arg, const char *line);
	void *arg;
};

/* One layer being read, by one thread. */
struct layer_check {
	struct check *c;
	struct expected *file; /* the one whose bytes are passing by, or NULL */
	struct wb_sha256 sha;
	uint64_t size;
};

static void report(struct check *c, const char *fmt, ...) WB_PRINTF(2, 3);
static void report(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	wb_autofree char *line = wb_vasprintf(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&c->lock);
	c->problems++;
	c->problem(c->arg, line);
	pthread_mutex_unlock(&c->lock);
}

static struct expected *mark_seen(struct check *c, const char *path, bool *twice)
{
	struct expected *e;

	pthread_mutex_lock(&c->lock);
	HASH_FIND_STR(c->by_path, path, e);
	*twice = e && e->seen;
	if (e)
		e->seen = true;
	pthread_mutex_unlock(&c->lock);
	return e;
}

static void finish_file(struct layer_check *l)
{
	struct expected *e = l->file;
	struct wb_digest d;

	if (!e)
		return;
	l->file = NULL;
	wb_sha256_final(&l->sha, &d);
	if (l->size != e->entry->size)
		report(l->c, "/%s: has %llu bytes instead of %llu", e->entry->path,
			(unsigned long long)l->size, (unsigned long long)e->entry->size);
	else if (!wb_digest_equal(&d, &e->entry->digest))
		report(l->c, "/%s: its bytes have the digest %s instead of %s", e->entry->path,
			wb_digest_text(&d).s, wb_digest_text(&e->entry->digest).s);
	pthread_mutex_lock(&l->c->lock);
	l->c->out->files++;
	pthread_mutex_unlock(&l->c->lock);
}

/* A hard link's bytes are those of its target, an entry of the same layer that is checked itself.
 */
static void check_hard_link(struct layer_check *l, const struct expected *e, const char *target)
{
	struct expected *holder;

	HASH_FIND_STR(l->c->by_path, target, holder);
	if (!holder || !wb_digest_equal(&holder->entry->digest, &e->entry->digest))
		report(l->c, "/%s: is a link to /%s, which is another file", e->entry->path,
			target);
}

static int on_entry(void *arg, const struct wb_layer_entry *entry, struct wb_err *err)
{
	struct layer_check *l = arg;
	bool twice;

	finish_file(l);
	if (entry->type == WB_LAYER_ENTRY_DIR)
		return 0;
	struct expected *e = mark_seen(l->c, entry->path, &twice);

	if (!e)
		return 0;
	if (twice)
		report(l->c, "/%s: is in two layers", entry->path);
	switch (e->entry->type) {
	case WB_BUNDLE_FILE:
		if (entry->type == WB_LAYER_ENTRY_HARDLINK) {
			check_hard_link(l, e, entry->link);
			break;
		}
		l->file = e;
		l->size = 0;
		wb_sha256_init(&l->sha);
		break;
	case WB_BUNDLE_SYMLINK:
		if (!entry->link || strcmp(entry->link, e->entry->target))
			report(l->c, "/%s: does not point to \"%s\"", e->entry->path,
				e->entry->target);
		break;
	case WB_BUNDLE_DIR: break;
	}
	return 0;
}

static int on_data(void *arg, const void *p, size_t n, struct wb_err *err)
{
	struct layer_check *l = arg;

	if (l->file) {
		wb_sha256_update(&l->sha, p, n);
		l->size += n;
	}
	return 0;
}

static int check_layer(void *arg, size_t index, struct wb_err *err)
{
	struct check *c = arg;
	const struct wb_descriptor *d = c->layers.items[index];
	struct layer_check l = {.c = c};
	const struct wb_layer_visitor v = {on_entry, on_data, &l};
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	wb_autofree char *what = wb_asprintf("layer %s", wb_digest_text(&d->digest).s);
	struct wb_err why = WB_ERR_INIT;

	if (wb_transport_open_blob(&r, c->loaded->transport, d, &why) ||
		wb_layer_scan(r, what, &v, &why)) {
		if (why.code != WB_ERR_INTEGRITY && why.code != WB_ERR_FORMAT &&
			why.code != WB_ERR_NOT_FOUND) {
			*err = why;
			return -1;
		}
		report(c, "%s", why.text);
	} else {
		finish_file(&l);
	}
	pthread_mutex_lock(&c->lock);
	c->out->blobs++;
	c->out->bytes += d->size;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static void expect_all(struct check *c)
{
	const struct wb_bundle_manifest *m = &c->image->bundle;

	c->slots = wb_calloc(m->entries.n, sizeof(*c->slots));
	for (size_t i = 0; i < m->entries.n; i++) {
		struct expected *e = &c->slots[i];

		e->entry = &m->entries.items[i];
		if (e->entry->type != WB_BUNDLE_DIR)
			HASH_ADD_KEYPTR(hh, c->by_path, e->entry->path, strlen(e->entry->path), e);
	}
}

static int check_image(struct check *c, unsigned jobs, struct wb_err *err)
{
	expect_all(c);
	int rc = wb_pool_run(jobs, c->layers.n, check_layer, c, err);
	struct expected *e, *next;

	HASH_ITER (hh, c->by_path, e, next) {
		if (!rc && !e->seen)
			report(c, "/%s: is in no layer", e->entry->path);
		HASH_DELETE(hh, c->by_path, e);
	}
	free(c->slots);
	c->slots = NULL;
	return rc;
}

int wb_loaded_verify(struct wb_loaded_check *out, struct wb_loaded *l, unsigned jobs,
	void (*problem)(void *arg, const char *line), void *arg, struct wb_err *err)
{
	struct check c = {.loaded = l,
		.out = out,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.problem = problem,
		.arg = arg};

	*out = (struct wb_loaded_check){0};
	wb_vec_foreach (image, &l->images) {
		c.image = image;
		c.layers.n = 0;
		wb_vec_foreach (d, &image->image.layers) {
			bool again = false;

			wb_vec_foreach (seen, &c.layers)
				again |= wb_digest_equal(&(*seen)->digest, &d->digest);
			if (!again)
				*wb_vec_push(&c.layers) = d;
		}
		if (check_image(&c, jobs, err))
			break;
	}
	wb_vec_free(&c.layers);
	if (err->code)
		return -1;
	if (!c.problems)
		return 0;
	return wb_err_set(err, WB_ERR_INTEGRITY, "%zu %s found", c.problems,
		c.problems == 1 ? "problem was" : "problems were");
}
