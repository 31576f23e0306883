#include "layers/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/sha256.h"

#define DEFAULT_LARGE_FILE (64u << 20)
#define DEFAULT_BUNDLE (256u << 20)

struct bundling {
	struct wb_layer_plan *plan;
	struct wb_layer_limits limits;
	WB_VEC(size_t) layer_of;        /* by node order: index of the layer, for its hard links */
	WB_VEC(struct wb_node *) small; /* of the source at hand, in path order */
	WB_VEC(struct wb_node *) large;
	WB_VEC(uint64_t) before; /* bytes of small[0 .. i) */
};

static void bundling_release(struct bundling *b)
{
	wb_vec_free(&b->layer_of);
	wb_vec_free(&b->small);
	wb_vec_free(&b->large);
	wb_vec_free(&b->before);
}

/* A number that a name draws, the same everywhere and always. */
static uint64_t draw(const struct wb_node *node)
{
	struct wb_digest d;
	uint64_t v = 0;

	wb_sha256_once(&d, node->path, strlen(node->path));
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | d.bytes[i];
	return v;
}

static uint64_t bytes_of(const struct wb_node *node)
{
	return node->type == WB_NODE_FILE && !node->same ? node->content.size : 0;
}

static void put(struct wb_planned_layer *l, struct wb_node *node)
{
	*wb_vec_push(&l->nodes) = node;
	l->files += node->type == WB_NODE_FILE;
	l->bytes += bytes_of(node);
}

static void new_layer(struct bundling *b, unsigned group, struct wb_node *const *nodes, size_t n)
{
	struct wb_planned_layer *l = wb_vec_push(&b->plan->layers);

	l->group = group;
	for (size_t i = 0; i < n; i++) {
		put(l, nodes[i]);
		b->layer_of.items[nodes[i]->order] = b->plan->layers.n - 1;
	}
}

/* Where small[from .. to) is cut: before which file, from < file < to. */
static size_t find_cut(const struct bundling *b, size_t from, size_t to)
{
	const uint64_t *before = b->before.items;
	uint64_t quarter = (before[to] - before[from]) / 4, best = UINT64_MAX;
	size_t cut = from + (to - from) / 2; /* where one file fills the middle half by itself */

	for (size_t i = from + 1; i < to; i++) {
		if (before[i] - before[from] < quarter || before[to] - before[i] < quarter)
			continue;
		uint64_t v = draw(b->small.items[i]);

		if (v > best)
			continue;
		best = v;
		cut = i;
	}
	return cut;
}

static void bundle(struct bundling *b, unsigned group, size_t from, size_t to)
{
	while (to - from > 1 && b->before.items[to] - b->before.items[from] > b->limits.bundle) {
		size_t cut = find_cut(b, from, to);

		bundle(b, group, from, cut);
		from = cut;
	}
	if (to > from)
		new_layer(b, group, b->small.items + from, to - from);
}

/* A directory is an entry of its own only when nothing below it brings it along. */
static bool is_entry(const struct wb_tree *t, size_t i)
{
	const struct wb_node *node = t->nodes.items[i];

	return node->type != WB_NODE_DIR || i + 1 == t->nodes.n ||
	       !wb_path_within(t->nodes.items[i + 1]->path, node->path);
}

static void place_group(struct bundling *b, const struct wb_tree *t, unsigned group)
{
	uint64_t bytes = 0;

	b->small.n = b->large.n = b->before.n = 0;
	for (size_t i = 0; i < t->nodes.n; i++) {
		struct wb_node *node = t->nodes.items[i];

		if (node->group != group || node->same || !is_entry(t, i))
			continue;
		if (bytes_of(node) >= b->limits.large_file) {
			*wb_vec_push(&b->large) = node;
			continue;
		}
		*wb_vec_push(&b->small) = node;
		*wb_vec_push(&b->before) = bytes;
		bytes += bytes_of(node);
	}
	*wb_vec_push(&b->before) = bytes;
	bundle(b, group, 0, b->small.n);
	wb_vec_foreach (node, &b->large)
		new_layer(b, group, node, 1);
}

static void place_links(struct bundling *b, const struct wb_tree *t)
{
	wb_vec_foreach (node, &t->nodes)
		if ((*node)->same)
			put(&b->plan->layers.items[b->layer_of.items[(*node)->same->order]], *node);
}

/* --- the budget --------------------------------------------------------------------------- */

/* What it costs to merge two neighbours: the size of what comes out, but only roughly, lest a few
 * bytes more or less choose others. Among equals the name decides. */
struct price {
	bool strangers; /* of two sources */
	unsigned size;
	uint64_t draw;
};

static unsigned rough_size(uint64_t bytes)
{
	unsigned log = 63u - (unsigned)__builtin_clzll(bytes | 1);

	return log * 2 + (log && (bytes >> (log - 1) & 1));
}

static bool is_cheaper(const struct price *a, const struct price *b)
{
	if (a->strangers != b->strangers)
		return b->strangers;
	return a->size != b->size ? a->size < b->size : a->draw < b->draw;
}

static size_t cheapest_merge(const struct wb_layer_plan *p, const uint64_t *draws)
{
	struct price best = {.strangers = true, .size = UINT_MAX};
	size_t at = 0;

	for (size_t i = 0; i + 1 < p->layers.n; i++) {
		const struct wb_planned_layer *a = &p->layers.items[i], *b = a + 1;
		struct price price = {
			a->group != b->group, rough_size(a->bytes + b->bytes), draws[i + 1]};

		if (!is_cheaper(&price, &best))
			continue;
		best = price;
		at = i;
	}
	return at;
}

static void merge_next(struct wb_layer_plan *p, size_t at)
{
	struct wb_planned_layer *a = &p->layers.items[at], *b = a + 1;

	wb_vec_foreach (node, &b->nodes)
		*wb_vec_push(&a->nodes) = *node;
	a->bytes += b->bytes;
	a->files += b->files;
	wb_vec_free(&b->nodes);
	memmove(b, b + 1, (p->layers.n - at - 2) * sizeof(*b));
	p->layers.n--;
	p->merged++;
}

static void keep_budget(struct wb_layer_plan *p, size_t most)
{
	wb_autofree uint64_t *draws = wb_calloc(p->layers.n, sizeof(*draws));

	for (size_t i = 0; i < p->layers.n; i++)
		draws[i] = draw(p->layers.items[i].nodes.items[0]);
	while (p->layers.n > most && p->layers.n > 1) {
		size_t at = cheapest_merge(p, draws);

		merge_next(p, at);
		memmove(draws + at + 1, draws + at + 2, (p->layers.n - at - 1) * sizeof(*draws));
	}
}

/* --- the plan ----------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct wb_node *const *x = a, *const *y = b;

	return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

void wb_layer_plan_make(
	struct wb_layer_plan *out, const struct wb_tree *t, const struct wb_layer_limits *limits)
{
	WB_AUTO(bundling_release) struct bundling b = {.plan = out, .limits = *limits};

	*out = WB_LAYER_PLAN_INIT;
	if (!b.limits.large_file)
		b.limits.large_file = DEFAULT_LARGE_FILE;
	if (!b.limits.bundle)
		b.limits.bundle = DEFAULT_BUNDLE;
	for (size_t i = 0; i < t->nodes.n; i++)
		wb_vec_push(&b.layer_of);
	for (unsigned group = 0; group < t->groups.n; group++)
		place_group(&b, t, group);
	place_links(&b, t);
	keep_budget(out, b.limits.max_layers ? b.limits.max_layers : WB_LAYERS_MAX);
	wb_vec_foreach (l, &out->layers)
		qsort(l->nodes.items, l->nodes.n, sizeof(*l->nodes.items), by_path);
}

void wb_layer_plan_release(struct wb_layer_plan *p)
{
	wb_vec_foreach (l, &p->layers)
		wb_vec_free(&l->nodes);
	wb_vec_free(&p->layers);
	*p = WB_LAYER_PLAN_INIT;
}
