#include "oci/transport.h"

#include <assert.h>
#include <string.h>

#include "base/sha256.h"
#include "oci/mediatype.h"

void wb_document_release(struct wb_document *d)
{
	wb_descriptor_release(&d->desc);
	free(d->bytes);
	*d = WB_DOCUMENT_INIT;
}

void wb_document_set(struct wb_document *out, const char *media_type, char *bytes, size_t n)
{
	wb_descriptor_of(&out->desc, media_type, bytes, n);
	out->bytes = bytes;
}

/* Says the document's own mediaType, or what its members make it when it has none (docker's and
 * OCI's schemas both allow that). */
static int own_type(
	char **out, const struct wb_document *doc, const char *label, struct wb_err *err)
{
	wb_autojson json_t *j = wb_json_parse(doc->bytes, doc->desc.size, label, err);

	if (!j)
		return -1;
	const char *type = wb_json_str_opt(j, "mediaType");
	bool index = json_object_get(j, "manifests");
	bool manifest = json_object_get(j, "layers") || json_object_get(j, "config");

	if (index && manifest)
		return wb_err_set(err, WB_ERR_FORMAT,
			"%s: the document %s is a manifest and an index at once", label,
			wb_digest_text(&doc->desc.digest).s);
	if (json_object_get(j, "fsLayers"))
		type = "application/vnd.docker.distribution.manifest.v1+json";
	if (!type && (index || manifest))
		type = index ? WB_MT_OCI_INDEX : WB_MT_OCI_MANIFEST;
	*out = wb_strdup(type);
	return 0;
}

/* The type that came with the bytes (a header, a descriptor) must be the one that they state: two
 * readers must not take one document for different things. */
static int settle_type(struct wb_document *doc, const char *label, struct wb_err *err)
{
	wb_autofree char *own = NULL;

	if (own_type(&own, doc, label, err))
		return -1;
	if (!doc->desc.media_type)
		doc->desc.media_type = wb_strdup(own ? own : "application/octet-stream");
	if (own && !wb_media_same(own, doc->desc.media_type))
		return wb_err_set(err, WB_ERR_FORMAT,
			"%s: the document %s states the type \"%.100s\" but came as \"%.100s\"",
			label, wb_digest_text(&doc->desc.digest).s, own, doc->desc.media_type);
	enum wb_media_kind kind = wb_media_classify(doc->desc.media_type).kind;

	if (kind != WB_MEDIA_INDEX && kind != WB_MEDIA_MANIFEST)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s: \"%.100s\" is neither an image manifest nor an image index", label,
			doc->desc.media_type);
	return 0;
}

/* The digest is computed here and compared with the one asked for, or with the one that the place
 * said the document has. */
static int check_document(struct wb_document *doc, const struct wb_digest *want, const char *label,
	struct wb_err *err)
{
	struct wb_digest got;

	if (doc->desc.size > WB_OCI_MANIFEST_MAX)
		return wb_err_set(err, WB_ERR_LIMIT,
			"%s: a manifest of %llu bytes is larger than the limit of %u", label,
			(unsigned long long)doc->desc.size, WB_OCI_MANIFEST_MAX);
	if (!want && !wb_digest_is_zero(&doc->desc.digest))
		want = &doc->desc.digest;
	wb_sha256_once(&got, doc->bytes, doc->desc.size);
	if (want && !wb_digest_equal(&got, want))
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: the manifest %s is damaged: its bytes have the digest %s", label,
			wb_digest_text(want).s, wb_digest_text(&got).s);
	doc->desc.digest = got;
	return settle_type(doc, label, err);
}

static void keep(struct wb_document *out, struct wb_document *doc)
{
	*out = *doc;
	*doc = WB_DOCUMENT_INIT;
}

static int check_readable(const struct wb_transport *t, struct wb_err *err)
{
	if (t->ops->resolve)
		return 0;
	return wb_err_set(
		err, WB_ERR_UNSUPPORTED, "%s is being written and cannot be read yet", t->label);
}

static int check_writable(const struct wb_transport *t, struct wb_err *err)
{
	if (t->ops->put_blob)
		return 0;
	return wb_err_set(err, WB_ERR_UNSUPPORTED, "%s is open for reading only", t->label);
}

int wb_transport_resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	struct wb_digest want;
	bool pinned = ref && strchr(ref, ':') && !strncmp(ref, "sha256:", 7);

	if (pinned && wb_digest_parse(&want, ref, err))
		return -1;
	if (check_readable(t, err) || t->ops->resolve(&doc, t, ref, err) ||
		check_document(&doc, pinned ? &want : NULL, t->label, err))
		return -1;
	keep(out, &doc);
	return 0;
}

int wb_transport_get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	if (d->size > WB_OCI_MANIFEST_MAX)
		return wb_err_set(err, WB_ERR_LIMIT,
			"%s: a manifest of %llu bytes is larger than the limit of %u", t->label,
			(unsigned long long)d->size, WB_OCI_MANIFEST_MAX);
	if (check_readable(t, err) || t->ops->get_manifest(&doc, t, d, err) ||
		check_document(&doc, &d->digest, t->label, err))
		return -1;
	if (doc.desc.size != d->size)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: the manifest %s has %llu bytes, its descriptor says %llu", t->label,
			wb_digest_text(&d->digest).s, (unsigned long long)doc.desc.size,
			(unsigned long long)d->size);
	keep(out, &doc);
	return 0;
}

int wb_transport_open_blob(struct wb_reader **out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err)
{
	struct wb_reader *r = NULL;

	if (check_readable(t, err) || t->ops->open_blob(&r, t, d, 0, err))
		return -1;
	*out = wb_reader_verify(r, d, t->label);
	return 0;
}

int wb_transport_read_blob(char **out, struct wb_transport *t, const struct wb_descriptor *d,
	size_t limit, const char *what, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;

	/* Refused before it is fetched. */
	if (d->size > limit) {
		wb_alloc_checked(d->size, limit, what, err);
		return -1;
	}
	if (wb_transport_open_blob(&r, t, d, err))
		return -1;
	return wb_reader_all(out, r, d->size, limit, what, err);
}

int wb_transport_has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	return t->ops->has_blob(out, t, d, err);
}

int wb_transport_has_manifest(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	if (t->ops->has_manifest)
		return t->ops->has_manifest(out, t, d, err);
	*out = false;
	return 0;
}

int wb_transport_announce(
	struct wb_transport *t, const struct wb_descriptor *blobs, size_t n, struct wb_err *err)
{
	return t->ops->announce ? t->ops->announce(t, blobs, n, err) : 0;
}

int wb_transport_check_image(
	struct wb_transport *t, const struct wb_descriptor *layers, size_t n, struct wb_err *err)
{
	return t->ops->check_image ? t->ops->check_image(t, layers, n, err) : 0;
}

int wb_transport_put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	static const struct wb_put_opts plain;
	struct wb_put_result result = {0};

	assert(src->path || src->open);
	if (check_writable(t, err) ||
		t->ops->put_blob(&result, t, d, src, opts ? opts : &plain, err))
		return -1;
	if (out)
		*out = result;
	return 0;
}

struct memory_reader {
	struct wb_reader base;
	const char *p;
	uint64_t left;
};

static int memory_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct memory_reader *m = (struct memory_reader *)r;

	if (n > m->left)
		n = (size_t)m->left;
	memcpy(p, m->p, n);
	m->p += n;
	m->left -= n;
	*got = n;
	return 0;
}

static void memory_close(struct wb_reader *r)
{
	free(r);
}

struct memory {
	const char *bytes;
	uint64_t size;
};

static int memory_open(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err)
{
	const struct memory *memory = arg;
	struct memory_reader *m = wb_zalloc(sizeof(*m));

	assert(offset <= memory->size);
	*m = (struct memory_reader){
		.base = {.read = memory_read, .close = memory_close},
		.p = memory->bytes + offset,
		.left = memory->size - offset,
	};
	*out = &m->base;
	return 0;
}

int wb_transport_put_bytes(struct wb_transport *t, const struct wb_descriptor *d, const char *bytes,
	struct wb_err *err)
{
	struct memory memory = {.bytes = bytes, .size = d->size};
	const struct wb_blob_source src = {.open = memory_open, .arg = &memory};

	return wb_transport_put_blob(NULL, t, d, &src, NULL, err);
}

int wb_transport_put_manifest(struct wb_transport *t, const struct wb_document *m,
	const struct wb_manifest_put *how, struct wb_err *err)
{
	if (m->desc.size > WB_OCI_MANIFEST_MAX)
		return wb_err_set(err, WB_ERR_LIMIT,
			"%s: a manifest of %llu bytes is larger than the limit of %u that "
			"registries "
			"take",
			t->label, (unsigned long long)m->desc.size, WB_OCI_MANIFEST_MAX);
	return check_writable(t, err) ? -1 : t->ops->put_manifest(t, m, how, err);
}

int wb_transport_commit(struct wb_transport *t, struct wb_err *err)
{
	return t->ops->commit ? t->ops->commit(t, err) : 0;
}

void wb_transport_free(struct wb_transport *t)
{
	if (!t)
		return;
	free(t->label);
	t->ops->free(t);
}
