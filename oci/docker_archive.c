/* Reading what "docker save" wrote. Its manifest.json names a config and layers by member, not by
 * digest: a manifest is made for it, whose layers are the members as they are. An uncompressed
 * layer's digest is the diff_id that the config states (and reading verifies it); a compressed
 * one's is found by hashing it once. */
#include "oci/docker_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/sha256.h"
#include "oci/docker_manifest.h"
#include "oci/image.h"
#include "oci/inflate.h"
#include "oci/mediatype.h"
#include "oci/tarfile.h"

#define HASH_CHUNK (1u << 20)

struct blob {
	struct wb_digest digest;
	uint64_t offset, size;
};

struct docker_reader {
	struct wb_transport base;
	char *path, *ref;
	int fd;
	struct wb_tarfile_index tar;
	struct wb_docker_manifest manifest;
	WB_VEC(struct blob) blobs; /* of the images resolved so far */
	WB_VEC(struct wb_document) documents;
};

static const struct wb_tarfile_member *find(
	struct docker_reader *a, const char *name, struct wb_err *err)
{
	const struct wb_tarfile_member *m = wb_tarfile_find(&a->tar, name);

	if (!m)
		wb_err_set(
			err, WB_ERR_NOT_FOUND, "%s: \"%.200s\" is not in it", a->base.label, name);
	return m;
}

static char *read_small(struct docker_reader *a, const struct wb_tarfile_member *m, size_t limit,
	struct wb_err *err)
{
	wb_autofree char *p = m->size > limit ? wb_alloc_checked(m->size, limit, m->name, err)
	                                      : wb_alloc((size_t)m->size + 1);

	if (!p || wb_file_read_full(a->fd, p, (size_t)m->size, (int64_t)m->offset, a->path, err))
		return NULL;
	p[m->size] = '\0';
	return wb_steal(p);
}

static int hash_member(struct wb_digest *out, struct docker_reader *a,
	const struct wb_tarfile_member *m, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep)
	struct wb_reader *r = wb_reader_file(a->fd, false, m->offset, m->size, a->path);
	wb_autofree char *chunk = wb_alloc_pages(HASH_CHUNK);
	struct wb_sha256 sha;
	size_t got = 0;

	wb_sha256_init(&sha);
	do {
		if (wb_reader_read(r, chunk, HASH_CHUNK, &got, err))
			return -1;
		wb_sha256_update(&sha, chunk, got);
	} while (got);
	wb_sha256_final(&sha, out);
	return 0;
}

/* The i-th diff_id of a config that is not checked yet. */
static int stated_diff_id(
	struct wb_digest *out, const json_t *config, size_t i, const char *what, struct wb_err *err)
{
	const json_t *list = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	const char *text = json_string_value(json_array_get(list, i));

	if (!text)
		return wb_err_set(err, WB_ERR_FORMAT,
			"%s: its config states no diff_id for layer %zu", what, i + 1);
	return wb_digest_parse(out, text, err);
}

static void add_blob(
	struct docker_reader *a, const struct wb_digest *d, const struct wb_tarfile_member *m)
{
	*wb_vec_push(&a->blobs) = (struct blob){.digest = *d, .offset = m->offset, .size = m->size};
}

static const struct blob *find_offset(const struct docker_reader *a, uint64_t offset)
{
	wb_vec_foreach (b, &a->blobs)
		if (b->offset == offset)
			return b;
	return NULL;
}

static int add_layer(wb_descriptors *layers, struct docker_reader *a, const char *name,
	const json_t *config, struct wb_err *err)
{
	const struct wb_tarfile_member *m = find(a, name, err);
	unsigned char magic[4] = {0};
	struct wb_digest digest;

	if (!m)
		return -1;
	if (m->size >= sizeof(magic) &&
		wb_file_read_full(a->fd, magic, sizeof(magic), (int64_t)m->offset, a->path, err))
		return -1;
	enum wb_media_coding coding = wb_coding_sniff(magic, sizeof(magic));
	const struct blob *known = coding == WB_CODING_NONE ? NULL : find_offset(a, m->offset);

	/* A thousand layers may name one member: hashed once. */
	if (known)
		digest = known->digest;
	else if (coding == WB_CODING_NONE
			 ? stated_diff_id(&digest, config, layers->n, a->base.label, err)
			 : hash_member(&digest, a, m, err))
		return -1;
	wb_descriptor_set(wb_vec_push(layers), wb_media_layer(coding, false), &digest, m->size);
	add_blob(a, &digest, m);
	return 0;
}

static int make_document(struct wb_document *out, struct docker_reader *a,
	const struct wb_docker_item *item, struct wb_err *err)
{
	WB_AUTO(wb_descriptors_release) wb_descriptors layers = {0};
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	const struct wb_tarfile_member *m = find(a, item->config, err);
	wb_autofree char *text = m ? read_small(a, m, WB_OCI_CONFIG_MAX, err) : NULL;

	if (!text)
		return -1;
	wb_autojson json_t *config = wb_json_parse(text, (size_t)m->size, a->base.label, err);

	if (!config)
		return -1;
	wb_vec_foreach (name, &item->layers)
		if (add_layer(&layers, a, *name, config, err))
			return -1;
	wb_descriptor_of(&d, WB_MT_OCI_CONFIG, text, (size_t)m->size);
	add_blob(a, &d.digest, m);
	return wb_manifest_build(out, &d, layers.items, layers.n, NULL, false, err);
}

static void copy_document(struct wb_document *out, const struct wb_document *doc)
{
	wb_descriptor_copy(&out->desc, &doc->desc);
	out->bytes = wb_strndup(doc->bytes, (size_t)doc->desc.size);
}

static int resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err)
{
	struct docker_reader *a = (struct docker_reader *)t;
	const struct wb_docker_item *item =
		wb_docker_manifest_find(&a->manifest, ref ? ref : a->ref, t->label, err);
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	if (!item || make_document(&doc, a, item, err))
		return -1;
	copy_document(out, &doc);
	*wb_vec_push(&a->documents) = doc;
	doc = WB_DOCUMENT_INIT;
	return 0;
}

static int get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err)
{
	struct docker_reader *a = (struct docker_reader *)t;

	wb_vec_foreach (doc, &a->documents) {
		if (!wb_digest_equal(&doc->desc.digest, &d->digest))
			continue;
		copy_document(out, doc);
		return 0;
	}
	return wb_err_set(err, WB_ERR_NOT_FOUND, "%s: the manifest %s is not there", t->label,
		wb_digest_text(&d->digest).s);
}

static const struct blob *find_blob(struct docker_reader *a, const struct wb_descriptor *d)
{
	wb_vec_foreach (b, &a->blobs)
		if (wb_digest_equal(&b->digest, &d->digest) && b->size == d->size)
			return b;
	return NULL;
}

static int open_blob(struct wb_reader **out, struct wb_transport *t, const struct wb_descriptor *d,
	uint64_t offset, struct wb_err *err)
{
	struct docker_reader *a = (struct docker_reader *)t;
	const struct blob *b = find_blob(a, d);

	if (!b || offset > b->size)
		return wb_err_set(err, WB_ERR_NOT_FOUND, "%s: the blob %s is not there", t->label,
			wb_digest_text(&d->digest).s);
	*out = wb_reader_file(a->fd, false, b->offset + offset, b->size - offset, t->label);
	return 0;
}

static char *blob_path(struct wb_transport *t, const struct wb_descriptor *d, uint64_t *offset)
{
	struct docker_reader *a = (struct docker_reader *)t;
	const struct blob *b = find_blob(a, d);

	if (!b)
		return NULL;
	*offset = b->offset;
	return wb_strdup(a->path);
}

static int has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	*out = find_blob((struct docker_reader *)t, d) != NULL;
	return 0;
}

static void free_reader(struct wb_transport *t)
{
	struct docker_reader *a = (struct docker_reader *)t;

	wb_closep(&a->fd);
	wb_tarfile_index_release(&a->tar);
	wb_docker_manifest_release(&a->manifest);
	wb_vec_foreach (doc, &a->documents)
		wb_document_release(doc);
	wb_vec_free(&a->documents);
	wb_vec_free(&a->blobs);
	free(a->path);
	free(a->ref);
	free(a);
}

static const struct wb_transport_ops reader_ops = {
	.name = "docker-archive",
	.resolve = resolve,
	.get_manifest = get_manifest,
	.open_blob = open_blob,
	.blob_path = blob_path,
	.has_blob = has_blob,
	.free = free_reader,
};

static int load(struct docker_reader *a, struct wb_err *err)
{
	a->fd = open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (a->fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", a->path);
	if (wb_tarfile_index_read(&a->tar, a->fd, a->path, err))
		return -1;
	const struct wb_tarfile_member *m = find(a, "manifest.json", err);

	if (!m)
		return wb_err_hint(err, "it is not a docker archive; oci-archive:FILE reads an OCI "
					"layout in a tar file");
	wb_autofree char *text = read_small(a, m, WB_OCI_MANIFEST_MAX, err);

	return text ? wb_docker_manifest_parse(
			      &a->manifest, text, (size_t)m->size, a->base.label, err)
	            : -1;
}

struct wb_transport *wb_docker_archive_open(
	const struct wb_place *p, enum wb_transport_mode mode, struct wb_err *err)
{
	if (mode == WB_TRANSPORT_WRITE)
		return wb_docker_archive_create(p, err);
	struct docker_reader *a = wb_zalloc(sizeof(*a));

	a->base.ops = &reader_ops;
	a->base.label = wb_place_text(p);
	a->path = wb_strdup(p->path);
	a->ref = p->has_reference ? wb_reference_text(&p->reference) : NULL;
	a->fd = -1;
	if (load(a, err)) {
		wb_transport_free(&a->base);
		return NULL;
	}
	return &a->base;
}
