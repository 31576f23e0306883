/* verify IMAGE: every blob by its digest, every layer's tar by its diff_id, and what the layers
 * hold against the bundle manifest. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/build/expect.h"
#include "builder/build/loaded.h"
#include "oci/inflate.h"
#include "oci/layer_scan.h"
#include "oci/mediatype.h"

#define EXPANSION_FREE (UINT64_C(1) << 30)

struct check {
	struct wb_loaded *loaded;
	const struct wb_loaded_image *image;
	struct wb_expect *expect;
	uint64_t bundle_bytes;
	pthread_mutex_t lock; /* of the counts and the callback */
	struct wb_loaded_check *out;
	size_t problems;
	void (*problem)(void *arg, const char *line);
	void *arg;
};

static void tell(void *arg, const char *line)
{
	struct check *c = arg;

	pthread_mutex_lock(&c->lock);
	c->problems++;
	c->problem(c->arg, line);
	pthread_mutex_unlock(&c->lock);
}

/* --- the tar of a layer, hashed on its way ------------------------------------------------ */

struct tar_reader {
	struct wb_reader base;
	struct wb_reader *inner;
	struct wb_sha256 sha;
	uint64_t count, limit;
};

static int tar_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct tar_reader *t = (struct tar_reader *)r;

	if (wb_reader_read(t->inner, p, n, got, err))
		return -1;
	wb_sha256_update(&t->sha, p, *got);
	t->count += *got;
	if (t->count > t->limit)
		return wb_err_set(
			err, WB_ERR_LIMIT, "it expands to more than %s", wb_size_text(t->limit).s);
	return 0;
}

/* On the caller's stack: only what is inside is closed. */
static void tar_close(struct wb_reader *r)
{
	struct tar_reader *t = (struct tar_reader *)r;

	wb_reader_close(wb_steal(t->inner));
}

static void tar_release(struct tar_reader *t)
{
	tar_close(&t->base);
}

static int tar_open(struct tar_reader *t, const struct check *c, const struct wb_descriptor *d,
	const char *what, struct wb_err *err)
{
	struct wb_reader *blob;

	*t = (struct tar_reader){.base = {tar_read, tar_close},
		.limit = wb_layer_expansion(d->size, EXPANSION_FREE + 2 * c->bundle_bytes)};
	wb_sha256_init(&t->sha);
	if (wb_transport_open_blob(&blob, c->loaded->transport, d, err))
		return -1;
	t->inner = wb_reader_inflate(blob, wb_media_classify(d->media_type).coding, what, err);
	return t->inner ? 0 : -1;
}

/* --- one layer ---------------------------------------------------------------------------- */

/* A layer being read, by one thread. */
struct layer_check {
	struct check *c;
	size_t index;
	struct wb_expected *file; /* the one whose bytes are passing by, or NULL */
	struct wb_sha256 sha;
	uint64_t size;
};

static void finish_file(struct layer_check *l)
{
	struct wb_digest d;

	if (!l->file)
		return;
	wb_sha256_final(&l->sha, &d);
	wb_expect_file(l->c->expect, l->file, l->index, l->size, &d);
	l->file = NULL;
}

static int on_entry(void *arg, const struct wb_layer_entry *entry, struct wb_err *err)
{
	struct layer_check *l = arg;

	finish_file(l);
	l->file = wb_expect_entry(l->c->expect, l->index, entry);
	l->size = 0;
	if (l->file)
		wb_sha256_init(&l->sha);
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

static int read_layer(struct check *c, size_t index, const char *what, struct wb_err *err)
{
	const struct wb_image *image = &c->image->image;
	const struct wb_digest *want = &image->diff_ids.items[index];
	struct layer_check l = {.c = c, .index = index};
	const struct wb_layer_visitor v = {.entry = on_entry, .data = on_data, .arg = &l};
	WB_AUTO(tar_release) struct tar_reader tar;
	struct wb_digest have;

	if (tar_open(&tar, c, &image->layers.items[index], what, err) ||
		wb_layer_scan(&tar.base, what, tar.limit, &v, err))
		return -1;
	finish_file(&l);
	wb_sha256_final(&tar.sha, &have);
	if (wb_digest_equal(&have, want))
		return 0;
	return wb_err_set(err, WB_ERR_INTEGRITY,
		"%s: its content has the diff_id %s, the config says %s", what,
		wb_digest_text(&have).s, wb_digest_text(want).s);
}

/* Faults of the image are problems, and the other layers are still looked at; faults of the way to
 * it end the check. */
static bool is_finding(const struct wb_err *why)
{
	return why->code == WB_ERR_INTEGRITY || why->code == WB_ERR_FORMAT ||
	       why->code == WB_ERR_NOT_FOUND || why->code == WB_ERR_LIMIT;
}

static int check_layer(void *arg, size_t index, struct wb_err *err)
{
	struct check *c = arg;
	const struct wb_descriptor *d = &c->image->image.layers.items[index];
	wb_autofree char *what = wb_asprintf("layer %s", wb_digest_text(&d->digest).s);
	struct wb_err why = WB_ERR_INIT;

	if (wb_media_classify(d->media_type).foreign)
		return 0; /* not in the place; fetched by who runs the image */
	if (read_layer(c, index, what, &why)) {
		if (!is_finding(&why)) {
			*err = why;
			return -1;
		}
		tell(c, why.text);
	}
	pthread_mutex_lock(&c->lock);
	c->out->blobs++;
	c->out->bytes += d->size;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static int check_image(struct check *c, unsigned jobs, struct wb_err *err)
{
	const struct wb_bundle_manifest *m = &c->image->bundle;
	size_t files;

	c->bundle_bytes = 0;
	wb_vec_foreach (e, &m->entries)
		c->bundle_bytes += e->size < UINT64_MAX / 16 - c->bundle_bytes ? e->size : 0;
	c->expect = wb_expect_new(m);
	int rc = wb_pool_run(jobs, c->image->image.layers.n, check_layer, c, err);

	if (!rc) {
		wb_expect_judge(&files, c->expect, tell, c);
		c->out->files += files;
	}
	wb_expect_free(c->expect);
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
		if (check_image(&c, jobs, err))
			return -1;
	}
	if (!c.problems)
		return 0;
	return wb_err_set(err, WB_ERR_INTEGRITY, "%zu %s found", c.problems,
		c.problems == 1 ? "problem was" : "problems were");
}
