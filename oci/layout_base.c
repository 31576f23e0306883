#include "oci/layout_base.h"

#include <string.h>

#include "base/file.h"

void wb_layout_base_init(struct wb_layout_base *l, const struct wb_place *p)
{
	l->path = wb_strdup(p->path);
	l->tag = wb_strdup(p->tag);
	l->has_digest = p->has_digest;
	l->digest = p->digest;
	l->base.label = wb_place_text(p);
}

void wb_layout_base_release(struct wb_layout_base *l)
{
	free(l->path);
	free(l->tag);
	wb_layout_index_release(&l->index);
}

static void close_located(struct wb_located *at)
{
	if (at->own_fd)
		wb_closep(&at->fd);
}

static int missing(const struct wb_layout_base *l, const struct wb_digest *d, struct wb_err *err)
{
	return wb_err_set(err, WB_ERR_NOT_FOUND, "%s: the blob %s is not there", l->base.label,
		wb_digest_text(d).s);
}

/* The whole of a small blob; the caller compares its digest. known (may be NULL) is what an index
 * says of it. */
static int read_document(struct wb_document *out, struct wb_layout_base *l,
	const struct wb_digest *d, const struct wb_descriptor *known, struct wb_err *err)
{
	WB_AUTO(close_located) struct wb_located at = {.fd = -1};
	int rc = l->locate(&at, l, d, err);

	if (rc)
		return rc < 0 ? -1 : missing(l, d, err);
	if (known && known->size != at.size)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: the manifest %s has %llu bytes, its descriptor says %llu",
			l->base.label, wb_digest_text(d).s, (unsigned long long)at.size,
			(unsigned long long)known->size);
	wb_autofree char *bytes =
		at.size > WB_OCI_MANIFEST_MAX
			? wb_alloc_checked(at.size, WB_OCI_MANIFEST_MAX, "the manifest", err)
			: wb_alloc((size_t)at.size + 1);

	if (!bytes || wb_file_read_full(at.fd, bytes, (size_t)at.size, (int64_t)at.offset,
			      l->base.label, err))
		return -1;
	bytes[at.size] = '\0';
	out->desc.media_type = known ? wb_strdup(known->media_type) : NULL;
	out->desc.digest = *d;
	out->desc.size = at.size;
	out->bytes = wb_steal(bytes);
	return 0;
}

int wb_layout_base_get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err)
{
	return read_document(out, (struct wb_layout_base *)t, &d->digest, d, err);
}

static int resolve_digest(struct wb_document *out, struct wb_layout_base *l,
	const struct wb_digest *digest, struct wb_err *err)
{
	return read_document(out, l, digest, wb_layout_index_find_digest(&l->index, digest), err);
}

int wb_layout_base_resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err)
{
	struct wb_layout_base *l = (struct wb_layout_base *)t;
	struct wb_digest digest = l->digest;
	struct wb_err ignored = WB_ERR_INIT;

	if (ref ? !wb_digest_parse(&digest, ref, &ignored) : l->has_digest)
		return resolve_digest(out, l, &digest, err);
	const struct wb_descriptor *d =
		wb_layout_index_find(&l->index, ref ? ref : l->tag, t->label, err);

	return d ? read_document(out, l, &d->digest, d, err) : -1;
}

int wb_layout_base_open_blob(struct wb_reader **out, struct wb_transport *t,
	const struct wb_descriptor *d, uint64_t offset, struct wb_err *err)
{
	struct wb_layout_base *l = (struct wb_layout_base *)t;
	struct wb_located at = {.fd = -1};
	int rc = l->locate(&at, l, &d->digest, err);

	if (rc)
		return rc < 0 ? -1 : missing(l, &d->digest, err);
	if (at.size != d->size || offset > at.size) {
		close_located(&at);
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: blob %s has %llu bytes, its descriptor says %llu", t->label,
			wb_digest_text(&d->digest).s, (unsigned long long)at.size,
			(unsigned long long)d->size);
	}
	*out = wb_reader_file(at.fd, at.own_fd, at.offset + offset, at.size - offset, t->label);
	return 0;
}

int wb_layout_base_has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	struct wb_layout_base *l = (struct wb_layout_base *)t;
	WB_AUTO(close_located) struct wb_located at = {.fd = -1};
	int rc = l->locate(&at, l, &d->digest, err);

	if (rc < 0)
		return -1;
	*out = rc == 0 && at.size == d->size;
	return 0;
}
