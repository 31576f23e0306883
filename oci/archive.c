/* The oci-archive transport: an OCI layout in one uncompressed tar. Read at any place through an
 * index of its members; written in the order that was announced, whatever the order in which
 * the blobs arrive, so that the same image gives the same file. */
#include "oci/layout_base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "oci/blobio.h"
#include "oci/tarfile.h"
#include "oci/tarwriter.h"

#define BLOB_DIR "blobs/sha256/"
#define LAYOUT_FILE_MAX 4096

struct blob_member {
	char s[sizeof(BLOB_DIR) + WB_DIGEST_HEX];
};

static struct blob_member blob_member(const struct wb_digest *d)
{
	struct blob_member name;

	snprintf(name.s, sizeof(name.s), BLOB_DIR "%.64s", wb_digest_hex(d).s);
	return name;
}

/* Reading */

struct reader {
	struct wb_layout_base l;
	int fd;
	struct wb_tarfile_index tar;
};

static int locate(struct wb_located *out, struct wb_layout_base *l, const struct wb_digest *d,
	struct wb_err *err)
{
	struct reader *a = (struct reader *)l;
	const struct wb_tarfile_member *m = wb_tarfile_find(&a->tar, blob_member(d).s);

	if (!m)
		return 1;
	*out = (struct wb_located){.fd = a->fd, .offset = m->offset, .size = m->size};
	return 0;
}

static char *blob_path(struct wb_transport *t, const struct wb_descriptor *d, uint64_t *offset)
{
	struct reader *a = (struct reader *)t;
	const struct wb_tarfile_member *m = wb_tarfile_find(&a->tar, blob_member(&d->digest).s);

	if (!m || m->size != d->size)
		return NULL;
	*offset = m->offset;
	return wb_strdup(a->l.path);
}

static void free_reader(struct wb_transport *t)
{
	struct reader *a = (struct reader *)t;

	wb_closep(&a->fd);
	wb_tarfile_index_release(&a->tar);
	wb_layout_base_release(&a->l);
	free(a);
}

static const struct wb_transport_ops reader_ops = {
	.name = "oci-archive",
	.resolve = wb_layout_base_resolve,
	.get_manifest = wb_layout_base_get_manifest,
	.open_blob = wb_layout_base_open_blob,
	.blob_path = blob_path,
	.has_blob = wb_layout_base_has_blob,
	.free = free_reader,
};

/* A small member, whole; the caller frees. */
static char *read_member(
	struct reader *a, const char *name, size_t limit, size_t *n, struct wb_err *err)
{
	const struct wb_tarfile_member *m = wb_tarfile_find(&a->tar, name);

	if (!m) {
		wb_err_set(err, WB_ERR_NOT_FOUND, "%s: \"%s\" is not in it", a->l.base.label, name);
		wb_err_hint(err, "it is not an OCI archive; docker-archive:FILE reads what "
				 "\"docker save\" wrote");
		return NULL;
	}
	wb_autofree char *p = m->size > limit ? wb_alloc_checked(m->size, limit, name, err)
	                                      : wb_alloc((size_t)m->size + 1);

	if (!p || wb_file_read_full(a->fd, p, (size_t)m->size, (int64_t)m->offset, name, err))
		return NULL;
	p[m->size] = '\0';
	*n = (size_t)m->size;
	return wb_steal(p);
}

static int load(struct reader *a, struct wb_err *err)
{
	size_t n;

	a->fd = open(a->l.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (a->fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", a->l.path);
	if (wb_tarfile_index_read(&a->tar, a->fd, a->l.path, err))
		return -1;
	wb_autofree char *mark = read_member(a, "oci-layout", LAYOUT_FILE_MAX, &n, err);

	if (!mark || wb_layout_file_check(mark, n, a->l.base.label, err))
		return -1;
	wb_autofree char *index = read_member(a, "index.json", WB_OCI_MANIFEST_MAX, &n, err);

	return index ? wb_layout_index_parse(&a->l.index, index, n, a->l.base.label, err) : -1;
}

static struct wb_transport *open_reader(const struct wb_place *p, struct wb_err *err)
{
	struct reader *a = wb_zalloc(sizeof(*a));

	a->fd = -1;
	a->l.base.ops = &reader_ops;
	a->l.locate = locate;
	wb_layout_base_init(&a->l, p);
	if (load(a, err)) {
		wb_transport_free(&a->l.base);
		return NULL;
	}
	return &a->l.base;
}

/* Writing */

struct region {
	struct wb_digest digest;
	uint64_t size, offset;
	bool written;
};

struct writer {
	struct wb_transport base;
	char *tag;
	struct wb_tarfile_writer tar;
	struct wb_layout_index index;
	pthread_mutex_t lock; /* regions */
	WB_VEC(struct region) regions;
};

static struct region *find_region(struct writer *w, const struct wb_digest *d)
{
	wb_vec_foreach (r, &w->regions)
		if (wb_digest_equal(&r->digest, d))
			return r;
	return NULL;
}

/* The place of a blob, made at the end of the tar when it was not announced; NULL and err. Called
 * locked, and valid until the next call. */
static struct region *reserve(struct writer *w, const struct wb_descriptor *d, struct wb_err *err)
{
	struct region *r = find_region(w, &d->digest);
	uint64_t offset;

	if (r && r->size == d->size)
		return r;
	if (r) {
		wb_err_set(err, WB_ERR_INTEGRITY, "%s: blob %s comes with two sizes", w->base.label,
			wb_digest_text(&d->digest).s);
		return NULL;
	}
	if (wb_tarfile_reserve(&offset, &w->tar, blob_member(&d->digest).s, d->size, err))
		return NULL;
	r = wb_vec_push(&w->regions);
	*r = (struct region){.digest = d->digest, .size = d->size, .offset = offset};
	return r;
}

static int announce(
	struct wb_transport *t, const struct wb_descriptor *blobs, size_t n, struct wb_err *err)
{
	struct writer *w = (struct writer *)t;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; !rc && i < n; i++)
		rc = reserve(w, &blobs[i], err) ? 0 : -1;
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* Looks a region up, or with mark says that its bytes are in place. */
static int region_state(struct region *out, struct writer *w, const struct wb_descriptor *d,
	bool mark, struct wb_err *err)
{
	pthread_mutex_lock(&w->lock);
	struct region *r = reserve(w, d, err);

	if (r) {
		r->written |= mark;
		*out = *r;
	}
	pthread_mutex_unlock(&w->lock);
	return r ? 0 : -1;
}

static int put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	struct writer *w = (struct writer *)t;
	struct region r;

	if (region_state(&r, w, d, false, err))
		return -1;
	*out = (struct wb_put_result){.how = WB_PUT_PRESENT};
	if (r.written)
		return 0;
	if (wb_blob_write(w->tar.file.fd, r.offset, w->tar.file.path, d, src, opts, err))
		return -1;
	*out = (struct wb_put_result){.how = WB_PUT_SENT, .sent = d->size};
	return region_state(&r, w, d, true, err);
}

static int has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	struct writer *w = (struct writer *)t;

	pthread_mutex_lock(&w->lock);
	struct region *r = find_region(w, &d->digest);

	*out = r && r->written;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static int put_manifest(struct wb_transport *t, const struct wb_document *m,
	const struct wb_manifest_put *how, struct wb_err *err)
{
	struct writer *w = (struct writer *)t;

	if (wb_transport_put_bytes(t, &m->desc, m->bytes, err))
		return -1;
	if (how->root)
		wb_layout_index_put(&w->index, &m->desc, how->tag ? how->tag : w->tag, how->name);
	return 0;
}

static int commit(struct wb_transport *t, struct wb_err *err)
{
	struct writer *w = (struct writer *)t;

	wb_vec_foreach (r, &w->regions) {
		if (!r->written)
			return wb_err_set(err, WB_ERR_IO, "%s: blob %s was not written",
				w->base.label, wb_digest_text(&r->digest).s);
	}
	wb_autofree char *index = wb_layout_index_dump(&w->index);

	if (wb_tarfile_add_bytes(&w->tar, "index.json", index, strlen(index), err))
		return -1;
	return wb_tarfile_commit(&w->tar, err);
}

static void free_writer(struct wb_transport *t)
{
	struct writer *w = (struct writer *)t;

	wb_tarfile_writer_release(&w->tar);
	wb_layout_index_release(&w->index);
	pthread_mutex_destroy(&w->lock);
	wb_vec_free(&w->regions);
	free(w->tag);
	free(w);
}

static const struct wb_transport_ops writer_ops = {
	.name = "oci-archive",
	.has_blob = has_blob,
	.has_manifest = has_blob,
	.announce = announce,
	.put_blob = put_blob,
	.put_manifest = put_manifest,
	.commit = commit,
	.free = free_writer,
};

static struct wb_transport *open_writer(const struct wb_place *p, struct wb_err *err)
{
	struct writer *w = wb_zalloc(sizeof(*w));

	w->base.ops = &writer_ops;
	w->base.label = wb_place_text(p);
	w->tag = wb_strdup(p->tag);
	w->tar.file = WB_FILE_INIT;
	pthread_mutex_init(&w->lock, NULL);
	wb_layout_index_empty(&w->index);
	if (wb_tarfile_writer_init(&w->tar, p->path, err) ||
		wb_tarfile_add_bytes(
			&w->tar, "oci-layout", WB_LAYOUT_FILE, strlen(WB_LAYOUT_FILE), err) ||
		wb_tarfile_add_dir(&w->tar, "blobs/", err) ||
		wb_tarfile_add_dir(&w->tar, BLOB_DIR, err)) {
		wb_transport_free(&w->base);
		return NULL;
	}
	return &w->base;
}

struct wb_transport *wb_archive_open(
	const struct wb_place *p, enum wb_transport_mode mode, struct wb_err *err)
{
	return mode == WB_TRANSPORT_WRITE ? open_writer(p, err) : open_reader(p, err);
}
