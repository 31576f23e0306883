#include "layers/pack.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/pool.h"
#include "layers/content.h"
#include "layers/frames.h"
#include "layers/layer_key.h"
#include "layers/states.h"

struct packing {
	struct wb_layers *out;
	const struct wb_layer_plan *plan;
	const struct wb_pack_opts *opts;
	struct wb_store *store;
	WB_VEC(size_t) todo;              /* layers to pack, largest first */
	WB_VEC(struct wb_node *) unknown; /* files to hash before looking a layer up */
};

static void packing_release(struct packing *p)
{
	wb_vec_free(&p->todo);
	wb_vec_free(&p->unknown);
}

void wb_layers_release(struct wb_layers *l)
{
	wb_vec_foreach (layer, &l->list)
		free(layer->key);
	wb_vec_free(&l->list);
}

/* --- file digests ------------------------------------------------------------------------- */

static bool holds_content(const struct wb_node *node)
{
	return node->type == WB_NODE_FILE && !node->same;
}

static bool digests_known(const struct wb_planned_layer *l)
{
	wb_vec_foreach (node, &l->nodes)
		if (holds_content(*node) && !(*node)->content.digest_known)
			return false;
	return true;
}

static int hash_node(void *arg, size_t index, struct wb_err *err)
{
	struct packing *p = arg;
	struct wb_node *node = p->unknown.items[index];

	if (wb_content_hash(&node->content.digest, &node->states, &node->content, err))
		return -1;
	node->content.digest_known = true;
	wb_states_remember(p->store, &node->content.digest, node->content.size, node->states);
	return 0;
}

/* Worth hashing before it is packed: a layer of this shape was packed before, so its content is
 * probably the same; or a large file of this size was, so it was probably only renamed. */
static void choose_likely(struct packing *p, const struct wb_planned_layer *l)
{
	struct wb_digest shape;

	wb_layer_shape(&shape, l, p->opts);
	wb_autojson json_t *seen = wb_store_index_get(p->store, "shape", wb_digest_hex(&shape).s);

	wb_vec_foreach (node, &l->nodes) {
		const struct wb_content *c = &(*node)->content;

		if (!holds_content(*node) || c->digest_known)
			continue;
		if (seen || (c->size >= WB_FRAMES_MIN && wb_frames_likely(p->store, c->size)))
			*wb_vec_push(&p->unknown) = *node;
	}
}

static int hash_likely(struct packing *p, struct wb_err *err)
{
	wb_vec_foreach (l, &p->plan->layers)
		if (!digests_known(l))
			choose_likely(p, l);
	return wb_pool_run(p->opts->jobs, p->unknown.n, hash_node, p, err);
}

/* --- states of large files ------------------------------------------------------------------ */

static bool lacks_states(const struct wb_node *node)
{
	return holds_content(node) && wb_states_count(node->content.size) && !node->states;
}

static int compute_states(struct wb_node *node, struct wb_store *store, struct wb_err *err)
{
	const struct wb_content *c = &node->content;
	wb_autofree struct wb_digest *states = NULL;
	struct wb_digest digest;

	if (wb_content_hash(&digest, &states, c, err))
		return -1;
	if (!wb_digest_equal(&digest, &c->digest))
		return wb_content_refuse(c, node->path, err);
	wb_states_remember(store, &digest, c->size, states);
	node->states = wb_steal(states);
	return 0;
}

static bool is_absent(const struct wb_node *node)
{
	return holds_content(node) && !node->content.path;
}

/* A layer that was found was not read, and the digest of a file that was packed while it came was
 * another's work, so their states come from the store's records; only where those are gone is a
 * file read for them. */
int wb_pack_states(const struct wb_layer_plan *plan, const struct wb_pack_opts *opts,
	struct wb_store *store, struct wb_err *err)
{
	wb_vec_foreach (l, &plan->layers) {
		wb_vec_foreach (it, &l->nodes) {
			struct wb_node *node = *it;
			const struct wb_content *c = &node->content;

			if (!lacks_states(node) ||
				(node->states = wb_states_recall(store, &c->digest, c->size)))
				continue;
			if ((is_absent(node) &&
				    opts->supply(opts->hook_arg, &node, 1, NULL, err)) ||
				compute_states(node, store, err))
				return -1;
		}
	}
	return 0;
}

/* --- the layer cache ---------------------------------------------------------------------- */

/* Fills l from the record of its key, when the blob is there. */
static bool find_packed(struct packing *p, struct wb_layer *l)
{
	wb_autojson json_t *record = wb_store_index_get(p->store, "layer", l->key);
	const char *digest = wb_json_str_opt(record, "digest");
	const char *diff_id = wb_json_str_opt(record, "diffId");
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_layer found = *l;

	if (!digest || !diff_id || wb_digest_parse(&found.digest, digest, &ignored) ||
		wb_digest_parse(&found.diff_id, diff_id, &ignored))
		return false;
	found.size = wb_json_u64_opt(record, "size", 0);
	found.tar_size = wb_json_u64_opt(record, "tarSize", 0);
	if (!wb_store_has(p->store, &found.digest, found.size) ||
		!wb_chunked_parse(&found.table, wb_json_str_opt(record, "contents"), found.size))
		return false;
	found.media_type = wb_codec_media_type(&p->opts->codec);
	found.cached = true;
	*l = found;
	return true;
}

static int remember_layer(struct packing *p, const struct wb_planned_layer *planned,
	const struct wb_layer *l, struct wb_err *err)
{
	wb_autojson json_t *record = json_object();
	wb_autojson json_t *seen = json_true();
	wb_autofree char *contents = wb_chunked_text(&l->table);
	struct wb_digest shape;

	wb_json_set_str(record, "digest", wb_digest_text(&l->digest).s);
	wb_json_set_str(record, "diffId", wb_digest_text(&l->diff_id).s);
	wb_json_set_u64(record, "size", l->size);
	wb_json_set_u64(record, "tarSize", l->tar_size);
	if (contents)
		wb_json_set_str(record, "contents", contents);
	wb_layer_shape(&shape, planned, p->opts);
	if (wb_store_index_put(p->store, "layer", l->key, record, err))
		return -1;
	return wb_store_index_put(p->store, "shape", wb_digest_hex(&shape).s, seen, err);
}

static void set_key(struct packing *p, size_t i)
{
	struct wb_digest key;

	wb_layer_key(&key, &p->plan->layers.items[i], p->opts);
	free(p->out->list.items[i].key);
	p->out->list.items[i].key = wb_strdup(wb_digest_hex(&key).s);
}

static int tell_done(struct packing *p, const struct wb_layer *l, struct wb_err *err)
{
	return p->opts->layer_done ? p->opts->layer_done(p->opts->hook_arg, l, err) : 0;
}

/* At once, and not when all layers are done: a build that is stopped continues from here. */
static int remember(void *arg, size_t index, struct wb_err *err)
{
	struct packing *p = arg;
	const struct wb_planned_layer *planned = &p->plan->layers.items[index];

	set_key(p, index);
	return remember_layer(p, planned, &p->out->list.items[index], err) ||
	       tell_done(p, &p->out->list.items[index], err);
}

static void sort_largest_first(struct packing *p)
{
	const struct wb_planned_layer *layers = p->plan->layers.items;

	/* few layers: insertion keeps equal sizes in plan order */
	for (size_t i = 1; i < p->todo.n; i++) {
		size_t index = p->todo.items[i], j = i;

		for (; j && layers[p->todo.items[j - 1]].bytes < layers[index].bytes; j--)
			p->todo.items[j] = p->todo.items[j - 1];
		p->todo.items[j] = index;
	}
}

static bool is_found(struct packing *p, struct wb_layer *l)
{
	const struct wb_pack_opts *o = p->opts;

	if (!find_packed(p, l)) {
		if (!o->elsewhere || !o->elsewhere(o->hook_arg, l))
			return false;
		l->media_type = wb_codec_media_type(&o->codec);
		l->cached = l->elsewhere = true;
	}
	if (o->progress)
		o->progress(o->progress_arg, l->tar_size);
	return true;
}

/* --- files that arrive while others are packed ---------------------------------------------- */

/* Its layers are offered to the pipeline as their last file lands. */
struct arrivals {
	struct packing *p;
	struct wb_pipeline *pipeline;
	WB_VEC(struct wb_node *) absent;
	size_t *missing; /* files of each layer of the plan, by index */
	bool *early;     /* likewise: it was offered while its last file still came */
	WB_VEC(struct wb_node *) growing; /* those that can be read along */
	unsigned n_early, early_max;
	pthread_t thread;
	bool running;
	int rc;
	struct wb_err err;
};

static void arrivals_release(struct arrivals *a)
{
	wb_vec_foreach (node, &a->growing) {
		wb_growing_unref((*node)->growing);
		(*node)->growing = NULL;
	}
	wb_vec_free(&a->growing);
	wb_vec_free(&a->absent);
	free(a->missing);
	free(a->early);
}

/* A worker that waits for bytes packs nothing else, so some are left for what is complete. The one
 * file that a layer misses must be the one that grows: another that grew may be complete by now. */
static void offer_early(struct arrivals *a)
{
	wb_vec_foreach (it, &a->growing) {
		size_t layer = (*it)->layer;

		if (a->n_early == a->early_max)
			return;
		if (a->missing[layer] != 1 || a->early[layer] || !is_absent(*it))
			continue;
		a->early[layer] = true;
		a->n_early++;
		wb_pipeline_offer(a->pipeline, layer);
	}
}

static void grows(void *arg, struct wb_node *node, struct wb_growing *g)
{
	struct arrivals *a = arg;

	node->growing = wb_growing_ref(g);
	*wb_vec_push(&a->growing) = node;
	offer_early(a);
}

static int arrived(void *arg, struct wb_node *node, struct wb_err *err)
{
	struct arrivals *a = arg;

	a->n_early -= a->early[node->layer];
	if (!--a->missing[node->layer] && !a->early[node->layer])
		wb_pipeline_offer(a->pipeline, node->layer);
	offer_early(a);
	return 0;
}

static int goes_on(void *arg, struct wb_err *err)
{
	struct arrivals *a = arg;
	const struct wb_pack_opts *o = a->p->opts;

	if (wb_pipeline_failed(a->pipeline)) /* its own error is shown */
		return wb_err_set(err, WB_ERR_CANCELLED, "packing has failed");
	return o->goes_on ? o->goes_on(o->hook_arg, err) : 0;
}

static void *bring(void *arg)
{
	struct arrivals *a = arg;
	const struct wb_pack_opts *o = a->p->opts;
	const struct wb_pack_wait wait = {
		.arrived = arrived, .grows = grows, .goes_on = goes_on, .arg = a};

	a->rc = o->supply(o->hook_arg, a->absent.items, a->absent.n, &wait, &a->err);
	if (a->rc)
		wb_pipeline_stop(a->pipeline);
	return NULL;
}

/* Offers what is there, largest first, and has the rest brought. */
static int arrivals_begin(struct arrivals *a, struct wb_err *err)
{
	struct packing *p = a->p;

	unsigned workers = p->opts->jobs ? p->opts->jobs : wb_pool_cores();

	a->missing = wb_calloc(p->plan->layers.n, sizeof(*a->missing));
	a->early = wb_calloc(p->plan->layers.n, sizeof(*a->early));
	a->early_max = (workers + 1) / 2;
	wb_vec_foreach (i, &p->todo) {
		size_t before = a->absent.n;

		wb_vec_foreach (node, &p->plan->layers.items[*i].nodes) {
			if (!is_absent(*node))
				continue;
			(*node)->layer = *i;
			*wb_vec_push(&a->absent) = *node;
		}
		a->missing[*i] = a->absent.n - before;
		if (!a->missing[*i])
			wb_pipeline_offer(a->pipeline, *i);
	}
	if (!a->absent.n)
		return 0;
	int rc = pthread_create(&a->thread, NULL, bring, a);

	if (rc)
		return wb_err_sys(err, rc, "cannot start a thread");
	a->running = true;
	return 0;
}

static int pack_todo(struct packing *p, struct wb_err *err)
{
	const struct wb_pack_work work = {
		.layers = p->out->list.items,
		.planned = p->plan->layers.items,
		.n = p->todo.n,
		.done = remember,
		.done_arg = p,
	};
	WB_AUTO(wb_pipeline_freep)
	struct wb_pipeline *pipeline = wb_pipeline_new(&work, p->opts, p->store);
	WB_AUTO(arrivals_release)
	struct arrivals a = {.p = p, .pipeline = pipeline, .err = WB_ERR_INIT};

	if (arrivals_begin(&a, err))
		return -1;
	int rc = wb_pipeline_run(pipeline, err);

	if (a.running)
		pthread_join(a.thread, NULL);
	if (!rc && a.rc)
		*err = a.err;
	return rc || a.rc ? -1 : 0;
}

int wb_pack(struct wb_layers *out, const struct wb_layer_plan *plan,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(packing_release)
	struct packing p = {.out = out, .plan = plan, .opts = opts, .store = store};

	*out = WB_LAYERS_INIT;
	for (size_t i = 0; i < plan->layers.n; i++) {
		const struct wb_planned_layer *l = &plan->layers.items[i];

		*wb_vec_push(&out->list) =
			(struct wb_layer){.group = l->group, .files = l->files, .bytes = l->bytes};
	}
	if (hash_likely(&p, err))
		return -1;
	for (size_t i = 0; i < plan->layers.n; i++) {
		struct wb_layer *l = &out->list.items[i];

		if (digests_known(&plan->layers.items[i])) {
			set_key(&p, i);
			if (is_found(&p, l)) {
				if (!l->elsewhere && tell_done(&p, l, err))
					return -1;
				continue;
			}
		}
		*wb_vec_push(&p.todo) = i;
	}
	sort_largest_first(&p);
	return pack_todo(&p, err);
}
