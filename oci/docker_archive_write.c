#include "oci/docker_archive.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "oci/blobio.h"
#include "oci/docker_manifest.h"
#include "oci/image.h"
#include "oci/inflate.h"
#include "oci/layer_scan.h"
#include "oci/mediatype.h"
#include "oci/tarwriter.h"

#define CHUNK (1u << 20)
#define EXPANSION_FREE (UINT64_C(64) << 30) /* zeros that somebody put in a file */

/* A layer that is in the archive, or a config that waits for its manifest. */
struct entry {
	struct wb_digest digest;  /* of the blob as it came */
	struct wb_digest diff_id; /* layers */
	char *config;             /* configs: the bytes */
	uint64_t size;
};

struct docker_writer {
	struct wb_transport base;
	struct wb_tarfile_writer tar;
	char *reference; /* of the place, or NULL */
	pthread_mutex_t lock;
	WB_VEC(struct entry) entries;
	struct wb_docker_manifest manifest;
};

static struct entry *find(struct docker_writer *w, const struct wb_digest *d)
{
	wb_vec_foreach (e, &w->entries)
		if (wb_digest_equal(&e->digest, d))
			return e;
	return NULL;
}

static bool have_diff_id(const struct docker_writer *w, const struct wb_digest *d)
{
	wb_vec_foreach (e, &w->entries)
		if (!e->config && wb_digest_equal(&e->diff_id, d))
			return true;
	return false;
}

struct member_name {
	char s[WB_DIGEST_HEX + sizeof(".json")];
};

static struct member_name member_name(const struct wb_digest *d, const char *suffix)
{
	struct member_name name;

	snprintf(name.s, sizeof(name.s), "%.64s%s", wb_digest_hex(d).s, suffix);
	return name;
}

static int open_source(struct wb_reader **out, const struct docker_writer *w,
	const struct wb_descriptor *d, const struct wb_blob_source *src, struct wb_err *err)
{
	struct wb_reader *r = NULL;

	if (src->path ? wb_blob_open(&r, d, src, err) : src->open(&r, src->arg, 0, err))
		return -1;
	*out = wb_reader_verify(r, d, w->base.label);
	return 0;
}

/* Writes the plain tar of a layer behind the last member. */
static int write_plain(struct wb_digest *diff_id, uint64_t *size, struct docker_writer *w,
	struct wb_reader *r, const struct wb_descriptor *d, const struct wb_put_opts *opts,
	struct wb_err *err)
{
	wb_autofree char *chunk = wb_alloc_pages(CHUNK);
	uint64_t at = wb_tarfile_begin(&w->tar);
	struct wb_sha256 sha;
	size_t got = 0;

	wb_sha256_init(&sha);
	do {
		if (wb_reader_read(r, chunk, CHUNK, &got, err) ||
			wb_blob_pwrite(
				w->tar.file.fd, chunk, got, at + sha.total, w->tar.file.path, err))
			return -1;
		wb_sha256_update(&sha, chunk, got);
		if (sha.total > wb_layer_expansion(d->size, EXPANSION_FREE))
			return wb_err_set(err, WB_ERR_LIMIT,
				"%s: the layer %s expands to more than %s", w->base.label,
				wb_digest_text(&d->digest).s,
				wb_size_text(wb_layer_expansion(d->size, EXPANSION_FREE)).s);
		/* Of the blob's own bytes only the end is known from here. */
		if (opts->progress && sha.total < d->size)
			opts->progress(opts->progress_arg, sha.total);
	} while (got);
	wb_sha256_final(&sha, diff_id);
	*size = sha.total;
	return 0;
}

static int put_layer(struct wb_put_result *out, struct docker_writer *w,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	struct wb_reader *raw = NULL;
	struct wb_digest diff_id;
	uint64_t size = 0;

	if (open_source(&raw, w, d, src, err))
		return -1;
	WB_AUTO(wb_reader_closep)
	struct wb_reader *r =
		wb_reader_inflate(raw, wb_media_classify(d->media_type).coding, w->base.label, err);

	if (!r || write_plain(&diff_id, &size, w, r, d, opts, err)) {
		struct wb_err ignored = WB_ERR_INIT;

		wb_tarfile_drop(&w->tar, &ignored);
		return -1;
	}
	int rc = have_diff_id(w, &diff_id)
	                 ? wb_tarfile_drop(&w->tar, err)
	                 : wb_tarfile_finish(&w->tar, member_name(&diff_id, ".tar").s, size, err);

	if (rc)
		return -1;
	*wb_vec_push(&w->entries) = (struct entry){.digest = d->digest, .diff_id = diff_id};
	*out = (struct wb_put_result){.how = WB_PUT_SENT, .sent = size};
	return 0;
}

static int put_config(struct wb_put_result *out, struct docker_writer *w,
	const struct wb_descriptor *d, const struct wb_blob_source *src, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	char *bytes = NULL;

	if (open_source(&r, w, d, src, err) ||
		wb_reader_all(&bytes, r, d->size, WB_OCI_CONFIG_MAX, "the image config", err))
		return -1;
	*wb_vec_push(&w->entries) =
		(struct entry){.digest = d->digest, .config = bytes, .size = d->size};
	*out = (struct wb_put_result){.how = WB_PUT_SENT, .sent = d->size};
	return 0;
}

static int put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err)
{
	struct docker_writer *w = (struct docker_writer *)t;
	enum wb_media_kind kind = wb_media_classify(d->media_type).kind;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	if (find(w, &d->digest))
		*out = (struct wb_put_result){.how = WB_PUT_PRESENT};
	else if (kind == WB_MEDIA_LAYER)
		rc = put_layer(out, w, d, src, opts, err);
	else if (kind == WB_MEDIA_CONFIG)
		rc = put_config(out, w, d, src, err);
	else
		rc = wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s: a docker archive cannot hold \"%.100s\"", t->label, d->media_type);
	pthread_mutex_unlock(&w->lock);
	if (!rc && opts->progress)
		opts->progress(opts->progress_arg, d->size);
	return rc;
}

static int has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	struct docker_writer *w = (struct docker_writer *)t;

	pthread_mutex_lock(&w->lock);
	*out = find(w, &d->digest) != NULL;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static struct wb_docker_item *item_of(struct docker_writer *w, const char *config)
{
	wb_vec_foreach (item, &w->manifest.items)
		if (!strcmp(item->config, config))
			return item;
	return NULL;
}

/* The image's layers as members. What was written must be what the config says it is, or docker
 * refuses the archive after reading all of it. */
static int add_layers(struct wb_docker_item *item, struct docker_writer *w,
	const struct wb_image *img, struct wb_err *err)
{
	for (size_t i = 0; i < img->layers.n; i++) {
		const struct entry *e = find(w, &img->layers.items[i].digest);

		if (!e || e->config)
			return wb_err_set(err, WB_ERR_NOT_FOUND, "%s: layer %zu was not written",
				w->base.label, i + 1);
		if (!wb_digest_equal(&e->diff_id, &img->diff_ids.items[i]))
			return wb_err_set(err, WB_ERR_INTEGRITY,
				"%s: layer %zu unpacks to %s, but the config says %s",
				w->base.label, i + 1, wb_digest_text(&e->diff_id).s,
				wb_digest_text(&img->diff_ids.items[i]).s);
		*wb_vec_push(&item->layers) = wb_strdup(member_name(&e->diff_id, ".tar").s);
	}
	return 0;
}

static int add_image(struct docker_writer *w, const struct wb_manifest *m, struct wb_err *err)
{
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_docker_manifest_release) struct wb_docker_manifest one = {0};
	const struct entry *config = find(w, &m->config.digest);
	struct wb_docker_item *item = wb_vec_push(&one.items);
	struct member_name name = member_name(&m->config.digest, ".json");

	if (!config || !config->config)
		return wb_err_set(err, WB_ERR_NOT_FOUND, "%s: the image config was not written",
			w->base.label);
	item->config = wb_strdup(name.s);
	if (wb_image_parse(&img, m, config->config, (size_t)config->size, w->base.label, err) ||
		add_layers(item, w, &img, err) ||
		wb_tarfile_add_bytes(&w->tar, name.s, config->config, (size_t)config->size, err))
		return -1;
	*wb_vec_push(&w->manifest.items) = *item;
	one.items.n = 0; /* handed on */
	return 0;
}

/* RepoTags are written as docker shortens them, which every reader expands again. */
static void add_tag(struct wb_docker_item *item, const char *full)
{
	WB_AUTO(wb_reference_release) struct wb_reference r = WB_REFERENCE_INIT;
	struct wb_err ignored = WB_ERR_INIT;

	if (!full || wb_reference_parse(&r, full, &ignored))
		return;
	r.has_digest = false;
	wb_reference_default_tag(&r);
	*wb_vec_push(&item->tags) = wb_reference_familiar(&r);
}

static int put_manifest(struct wb_transport *t, const struct wb_document *doc,
	const struct wb_manifest_put *how, struct wb_err *err)
{
	struct docker_writer *w = (struct docker_writer *)t;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	if (wb_media_classify(doc->desc.media_type).kind != WB_MEDIA_MANIFEST)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s: a docker archive holds one platform", t->label);
	if (wb_manifest_parse(&m, doc, t->label, err))
		return -1;
	struct member_name name = member_name(&m.config.digest, ".json");

	if (!item_of(w, name.s) && add_image(w, &m, err))
		return -1;
	add_tag(item_of(w, name.s), how->name ? how->name : w->reference);
	return 0;
}

static int commit(struct wb_transport *t, struct wb_err *err)
{
	struct docker_writer *w = (struct docker_writer *)t;
	wb_autofree char *text = wb_docker_manifest_dump(&w->manifest);

	if (wb_tarfile_add_bytes(&w->tar, "manifest.json", text, strlen(text), err))
		return -1;
	return wb_tarfile_commit(&w->tar, err);
}

static void free_writer(struct wb_transport *t)
{
	struct docker_writer *w = (struct docker_writer *)t;

	wb_tarfile_writer_release(&w->tar);
	wb_docker_manifest_release(&w->manifest);
	wb_vec_foreach (e, &w->entries)
		free(e->config);
	wb_vec_free(&w->entries);
	pthread_mutex_destroy(&w->lock);
	free(w->reference);
	free(w);
}

static const struct wb_transport_ops writer_ops = {
	.name = "docker-archive",
	.has_blob = has_blob,
	.put_blob = put_blob,
	.put_manifest = put_manifest,
	.commit = commit,
	.free = free_writer,
};

struct wb_transport *wb_docker_archive_create(const struct wb_place *p, struct wb_err *err)
{
	struct docker_writer *w = wb_zalloc(sizeof(*w));

	w->base.ops = &writer_ops;
	w->base.label = wb_place_text(p);
	w->base.single = true;
	w->base.plain_layers = true;
	w->reference = p->has_reference ? wb_reference_text(&p->reference) : NULL;
	w->tar.file = WB_FILE_INIT;
	pthread_mutex_init(&w->lock, NULL);
	if (wb_tarfile_writer_init(&w->tar, p->path, err)) {
		wb_transport_free(&w->base);
		return NULL;
	}
	return &w->base;
}
