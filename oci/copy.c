#include "oci/copy.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cancel.h"
#include "base/pool.h"
#include "base/text.h"
#include "oci/mediatype.h"

#define DEPTH_MAX 4        /* indexes within indexes */
#define DOCUMENTS_MAX 4096 /* manifests of one image */
#define DOCUMENTS_BYTES_MAX (256u << 20)
#define BLOBS_MAX 65536

/* Blobs */

struct blobs {
	struct wb_transport *dst;
	const struct wb_copy_item **order; /* largest first */
	struct wb_put_result *how;
	const struct wb_copy_watch *watch;
};

struct one_blob {
	const struct wb_copy_item *item;
	const struct wb_copy_watch *watch;
};

static void on_progress(void *arg, uint64_t done)
{
	const struct one_blob *one = arg;

	if (one->watch->progress)
		one->watch->progress(one->watch->arg, one->item->desc, done);
}

/* Bytes of a blob of another transport, from an offset. Only from the start can they be verified
 * here; a writer that continues an upload leaves it to the registry to check the whole. */
static int open_from(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err)
{
	const struct wb_copy_item *item = arg;

	if (!offset)
		return wb_transport_open_blob(out, item->from, item->desc, err);
	return item->from->ops->open_blob(out, item->from, item->desc, offset, err);
}

static int put(struct wb_put_result *how, const struct blobs *b, const struct wb_copy_item *item,
	struct wb_err *err)
{
	struct one_blob one = {.item = item, .watch = b->watch};
	struct wb_blob_source src = item->src;
	struct wb_put_opts opts = {.progress = on_progress, .progress_arg = &one};
	struct wb_transport *from = item->from;
	wb_autofree char *path = NULL;

	if (from) {
		src = WB_BLOB_SOURCE_INIT;
		if (from->ops->blob_path)
			path = from->ops->blob_path(from, item->desc, &src.offset);
		src.path = path;
		src.whole_file = path && !strcmp(from->ops->name, "oci");
		src.open = path ? NULL : open_from;
		src.arg = (void *)item;
		if (from->host && b->dst->host && !strcmp(from->host, b->dst->host))
			opts.mount_from = from->repository;
	}
	return wb_transport_put_blob(how, b->dst, item->desc, &src, &opts, err);
}

static int copy_one(void *arg, size_t i, struct wb_err *err)
{
	struct blobs *b = arg;
	const struct wb_copy_item *item = b->order[i];
	const struct wb_copy_watch *watch = b->watch;
	struct wb_put_result how = {.how = WB_PUT_PRESENT};
	bool there = false;

	if (watch->start)
		watch->start(watch->arg, item->desc);
	/* A registry is asked by put_blob itself. */
	if (wb_cancel_check(err) ||
		(!b->dst->host && wb_transport_has_blob(&there, b->dst, item->desc, err)))
		return -1;
	if (!there && put(&how, b, item, err))
		return wb_err_wrap(err, "%s", b->dst->label);
	b->how[i] = how;
	if (watch->end)
		watch->end(watch->arg, item->desc, &how);
	return 0;
}

static int larger_first(const void *a, const void *b)
{
	const struct wb_copy_item *x = *(const struct wb_copy_item *const *)a;
	const struct wb_copy_item *y = *(const struct wb_copy_item *const *)b;

	if (x->desc->size != y->desc->size)
		return x->desc->size < y->desc->size ? 1 : -1;
	return x < y ? -1 : x > y;
}

static void count(
	struct wb_copy_stats *stats, const struct wb_descriptor *d, const struct wb_put_result *how)
{
	stats->blobs++;
	stats->bytes += d->size;
	stats->sent += how->sent;
	stats->present += how->how == WB_PUT_PRESENT;
	stats->mounted += how->how == WB_PUT_MOUNTED;
	stats->cloned += how->how == WB_PUT_CLONED;
}

static int announce(
	struct wb_transport *dst, const struct wb_copy_item *items, size_t n, struct wb_err *err)
{
	/* Borrowed descriptors: copied flat, released by nobody. */
	wb_autofree struct wb_descriptor *flat = wb_calloc(n, sizeof(*flat));

	for (size_t i = 0; i < n; i++)
		flat[i] = *items[i].desc;
	return wb_transport_announce(dst, flat, n, err);
}

int wb_copy_blobs(struct wb_copy_stats *stats, struct wb_transport *dst,
	const struct wb_copy_item *items, size_t n, unsigned jobs,
	const struct wb_copy_watch *watch, struct wb_err *err)
{
	static const struct wb_copy_watch nobody;
	wb_autofree const struct wb_copy_item **order = wb_calloc(n, sizeof(const void *));
	wb_autofree struct wb_put_result *how = wb_calloc(n, sizeof(*how));
	struct blobs b = {.dst = dst, .order = order, .how = how, .watch = watch ? watch : &nobody};

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		order[i] = &items[i];
	if (dst->plain_layers)
		jobs = 1; /* written one after the other, in order */
	else
		qsort(order, n, sizeof(order[0]), larger_first);
	if (announce(dst, items, n, err) ||
		wb_pool_run(jobs ? jobs : WB_COPY_JOBS, n, copy_one, &b, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		count(stats, order[i]->desc, &how[i]);
	return 0;
}

/* Images */

struct copy {
	struct wb_transport *dst, *src;
	const struct wb_copy_opts *opts;
	WB_VEC(struct wb_document) documents; /* children before parents */
	uint64_t bytes;                       /* of the documents */
	wb_descriptors blobs;
	struct seen *seen; /* the blobs' digests */
};

struct seen {
	struct wb_digest digest;
	UT_hash_handle hh;
};

static void copy_release(struct copy *c)
{
	wb_vec_foreach (doc, &c->documents)
		wb_document_release(doc);
	wb_vec_free(&c->documents);
	wb_descriptors_release(&c->blobs);
	struct seen *s, *next;

	HASH_ITER (hh, c->seen, s, next) {
		HASH_DEL(c->seen, s);
		free(s);
	}
}

static bool have_document(const struct copy *c, const struct wb_digest *d)
{
	wb_vec_foreach (doc, &c->documents)
		if (wb_digest_equal(&doc->desc.digest, d))
			return true;
	return false;
}

static void add_blob(struct copy *c, const struct wb_descriptor *d)
{
	/* Layers that may not be distributed are fetched from their urls by who runs the image. */
	if (wb_media_classify(d->media_type).foreign)
		return;
	struct seen *s;

	HASH_FIND(hh, c->seen, &d->digest, sizeof(d->digest), s);
	if (s)
		return;
	s = wb_zalloc(sizeof(*s));
	s->digest = d->digest;
	HASH_ADD(hh, c->seen, digest, sizeof(s->digest), s);
	wb_descriptor_copy(wb_vec_push(&c->blobs), d);
}

static int collect(struct copy *c, struct wb_document *doc, unsigned depth, struct wb_err *err);

static int collect_manifest(struct copy *c, const struct wb_document *doc, struct wb_err *err)
{
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	if (wb_manifest_parse(&m, doc, c->src->label, err) ||
		wb_transport_check_image(c->dst, m.layers.items, m.layers.n, err))
		return -1;
	add_blob(c, &m.config);
	wb_vec_foreach (layer, &m.layers)
		add_blob(c, layer);
	return c->blobs.n <= BLOBS_MAX
	               ? 0
	               : wb_err_set(err, WB_ERR_LIMIT, "%s: more than %d blobs in one image",
				 c->src->label, BLOBS_MAX);
}

static int collect_child(
	struct copy *c, const struct wb_descriptor *child, unsigned depth, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	bool there = false;

	if (have_document(c, &child->digest))
		return 0;
	/* A registry takes a manifest only with all it names: what has the manifest has the rest.
	 * A folder proves nothing of the kind. */
	if (c->dst->host && wb_transport_has_manifest(&there, c->dst, child, err))
		return -1;
	if (there)
		return 0;
	if (wb_transport_get_manifest(&doc, c->src, child, err)) {
		if (err->code == WB_ERR_NOT_FOUND)
			wb_err_hint(err, "the source does not hold every platform that its index "
					 "names: choose with --platform");
		return -1;
	}
	return collect(c, &doc, depth + 1, err);
}

/* Takes doc's content when it is kept. */
static int collect(struct copy *c, struct wb_document *doc, unsigned depth, struct wb_err *err)
{
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;
	bool index = wb_media_classify(doc->desc.media_type).kind == WB_MEDIA_INDEX;

	if (depth > DEPTH_MAX || c->documents.n >= DOCUMENTS_MAX)
		return wb_err_set(err, WB_ERR_LIMIT,
			"%s: its indexes are nested too deep or name "
			"more than %d manifests",
			c->src->label, DOCUMENTS_MAX);
	if (!wb_add_u64(&c->bytes, c->bytes, doc->desc.size) || c->bytes > DOCUMENTS_BYTES_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: its manifests are larger than %s",
			c->src->label, wb_size_text(DOCUMENTS_BYTES_MAX).s);
	if (wb_cancel_check(err))
		return -1;
	if (index && wb_index_parse(&x, doc, c->src->label, err))
		return -1;
	wb_vec_foreach (child, &x.children)
		if (collect_child(c, child, depth, err))
			return -1;
	if (!index && collect_manifest(c, doc, err))
		return -1;
	*wb_vec_push(&c->documents) = *doc;
	*doc = WB_DOCUMENT_INIT;
	return 0;
}

static int take_child(struct wb_document *out, struct copy *c, const struct wb_descriptor *child,
	struct wb_err *err)
{
	struct wb_document doc = WB_DOCUMENT_INIT;

	if (wb_transport_get_manifest(&doc, c->src, child, err))
		return -1;
	wb_document_release(out);
	*out = doc;
	return 0;
}

static bool wanted(const wb_descriptors *chosen, const struct wb_descriptor *child)
{
	struct wb_digest of = {{0}};
	bool attests = wb_child_is_attestation(&of, child);

	wb_vec_foreach (d, chosen)
		if (wb_digest_equal(attests ? &of : &child->digest, &d->digest))
			return true;
	return false;
}

/* A new index of the chosen children, in their old order, with the attestations that speak of
 * them. */
static int narrow(struct wb_document *root, const struct wb_index *x, const wb_descriptors *chosen,
	struct wb_err *err)
{
	WB_AUTO(wb_descriptors_release) wb_descriptors kept = {0};
	struct wb_document doc = WB_DOCUMENT_INIT;

	wb_vec_foreach (child, &x->children)
		if (wanted(chosen, child))
			wb_descriptor_copy(wb_vec_push(&kept), child);
	if (wb_index_build(&doc, kept.items, kept.n, json_object_get(x->json, "annotations"),
		    x->docker, err))
		return -1;
	wb_document_release(root);
	*root = doc;
	return 0;
}

static int choose(struct wb_document *root, struct copy *c, struct wb_err *err)
{
	const struct wb_copy_opts *o = c->opts;
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;
	WB_AUTO(wb_descriptors_release) wb_descriptors chosen = {0};
	size_t images = 0;

	if (wb_index_parse(&x, root, c->src->label, err))
		return -1;
	for (size_t i = 0; i < o->n_platforms; i++) {
		const struct wb_descriptor *child =
			wb_index_select(&x, &o->platforms[i], c->src->label, err);

		if (!child)
			return -1;
		wb_descriptor_copy(wb_vec_push(&chosen), child);
	}
	wb_vec_foreach (child, &x.children)
		images += wb_child_is_image(child);
	if (!chosen.n && images == 1)
		wb_vec_foreach (child, &x.children)
			if (wb_child_is_image(child))
				wb_descriptor_copy(wb_vec_push(&chosen), child);
	if (chosen.n == 1)
		return take_child(root, c, &chosen.items[0], err);
	if (c->dst->single) {
		wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s: a docker archive holds one platform, and "
			"the image has %zu",
			c->dst->label, images);
		return wb_err_hint(err, "choose one with --platform");
	}
	return narrow(root, &x, &chosen, err);
}

static int find_root(struct wb_document *root, struct copy *c, struct wb_err *err)
{
	if (wb_transport_resolve(root, c->src, c->opts->ref, err))
		return -1;
	if (wb_media_classify(root->desc.media_type).kind != WB_MEDIA_INDEX)
		return 0;
	return c->opts->n_platforms || c->dst->single ? choose(root, c, err) : 0;
}

static int copy_content(struct wb_copy_stats *stats, struct copy *c, struct wb_err *err)
{
	wb_autofree struct wb_copy_item *items = wb_calloc(c->blobs.n, sizeof(*items));

	for (size_t i = 0; i < c->blobs.n; i++)
		items[i] = (struct wb_copy_item){.desc = &c->blobs.items[i], .from = c->src};
	return wb_copy_blobs(stats, c->dst, items, c->blobs.n, c->opts->jobs, c->opts->watch, err);
}

static int put_documents(struct copy *c, struct wb_err *err)
{
	static const struct wb_manifest_put child, own_name = {.root = true};
	const struct wb_document *root = &c->documents.items[c->documents.n - 1];
	const struct wb_copy_opts *o = c->opts;

	wb_vec_foreach (doc, &c->documents) {
		if (doc == root)
			break;
		if (wb_transport_put_manifest(c->dst, doc, &child, err))
			return -1;
	}
	if (!o->n_names)
		return wb_transport_put_manifest(c->dst, root, &own_name, err);
	for (size_t i = 0; i < o->n_names; i++)
		if (wb_transport_put_manifest(c->dst, root, &o->names[i], err))
			return -1;
	return 0;
}

int wb_copy_image(struct wb_copy_result *out, struct wb_transport *dst, struct wb_transport *src,
	const struct wb_copy_opts *opts, struct wb_err *err)
{
	WB_AUTO(copy_release) struct copy c = {.dst = dst, .src = src, .opts = opts};
	WB_AUTO(wb_document_release) struct wb_document root = WB_DOCUMENT_INIT;
	struct wb_copy_stats stats = {0};

	if (find_root(&root, &c, err) || collect(&c, &root, 0, err) ||
		copy_content(&stats, &c, err) || put_documents(&c, err))
		return -1;
	struct wb_document *last = &c.documents.items[c.documents.n - 1];

	out->root = *last;
	out->stats = stats;
	*last = WB_DOCUMENT_INIT;
	return 0;
}

void wb_copy_result_release(struct wb_copy_result *r)
{
	wb_document_release(&r->root);
	*r = WB_COPY_RESULT_INIT;
}
