#include "layers/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/sha256.h"

#define DEFAULT_LARGE_FILE (64u << 20)
#define DEFAULT_BUNDLE (256u << 20)

struct bundling {
	struct wb_layer_plan *plan;
	struct wb_layer_limits limits;
	WB_VEC(size_t) layer_of; /* by node order: index of the layer, for its hard links */
	size_t open;             /* the open bundle's layer index, SIZE_MAX when none */
};

static struct wb_planned_layer *new_layer(struct wb_layer_plan *p, unsigned group)
{
	struct wb_planned_layer *l = wb_vec_push(&p->layers);

	l->group = group;
	return l;
}

static void put(struct wb_planned_layer *l, struct wb_node *node)
{
	*wb_vec_push(&l->nodes) = node;
	if (node->type != WB_NODE_FILE)
		return;
	l->files++;
	if (!node->same)
		l->bytes += node->content.size;
}

/* Does a bundle end before this file? Asked of the file alone, with a chance that grows with its
 * size, so that bundles are about a quarter to all of the budget, and cuts stay where they are. */
static bool is_cut(const struct wb_node *node, uint64_t bundle)
{
	struct wb_digest d;
	uint64_t draw = 0;

	if (node->type != WB_NODE_FILE)
		return false;
	wb_sha256_once(&d, node->path, strlen(node->path));
	for (size_t i = 0; i < 7; i++)
		draw = draw << 8 | d.bytes[i]; /* 56 bits, even */
	uint64_t chance = (node->content.size << 20) / (bundle / 2 + 1);

	return (draw >> 36) < chance; /* 20 bits against 20 bits */
}

static bool bundle_is_full(const struct bundling *b, const struct wb_node *node)
{
	const struct wb_planned_layer *l = &b->plan->layers.items[b->open];

	if (l->group != node->group || l->bytes + node->content.size > b->limits.bundle)
		return true;
	return l->bytes >= b->limits.bundle / 4 && is_cut(node, b->limits.bundle);
}

static void place(struct bundling *b, struct wb_node *node)
{
	bool large = node->type == WB_NODE_FILE && node->content.size >= b->limits.large_file;

	if (node->same) {
		size_t at = b->layer_of.items[node->same->order];

		put(&b->plan->layers.items[at], node);
		return;
	}
	if (large) {
		put(new_layer(b->plan, node->group), node);
		b->layer_of.items[node->order] = b->plan->layers.n - 1;
		return;
	}
	if (b->open == SIZE_MAX || bundle_is_full(b, node)) {
		new_layer(b->plan, node->group);
		b->open = b->plan->layers.n - 1;
	}
	put(&b->plan->layers.items[b->open], node);
	b->layer_of.items[node->order] = b->open;
}

/* A directory is an entry of its own only when nothing below it brings it along. */
static bool is_empty_dir(const struct wb_tree *t, size_t i)
{
	const struct wb_node *node = t->nodes.items[i];

	if (node->type != WB_NODE_DIR)
		return false;
	return i + 1 == t->nodes.n || !wb_path_within(t->nodes.items[i + 1]->path, node->path);
}

static int by_path(const void *a, const void *b)
{
	const struct wb_node *const *x = a, *const *y = b;

	return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

static void merge_into(struct wb_layer_plan *p, size_t at)
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
	if (a->nodes.n)
		qsort(a->nodes.items, a->nodes.n, sizeof(*a->nodes.items), by_path);
}

/* Neighbours of one source first; the pair that is smallest together. */
static size_t cheapest_merge(const struct wb_layer_plan *p)
{
	size_t best = 0;
	uint64_t best_cost = UINT64_MAX;

	for (size_t i = 0; i + 1 < p->layers.n; i++) {
		const struct wb_planned_layer *a = &p->layers.items[i];
		uint64_t cost = (a[0].bytes + a[1].bytes) >> 1;

		if (a[0].group != a[1].group)
			cost |= 1ull << 63;
		if (cost < best_cost) {
			best = i;
			best_cost = cost;
		}
	}
	return best;
}

void wb_layer_plan_make(
	struct wb_layer_plan *out, const struct wb_tree *t, const struct wb_layer_limits *limits)
{
	struct bundling b = {.plan = out, .limits = *limits, .open = SIZE_MAX};

	*out = WB_LAYER_PLAN_INIT;
	if (!b.limits.large_file)
		b.limits.large_file = DEFAULT_LARGE_FILE;
	if (!b.limits.bundle)
		b.limits.bundle = DEFAULT_BUNDLE;
	if (!b.limits.max_layers)
		b.limits.max_layers = WB_LAYERS_MAX;
	for (size_t i = 0; i < t->nodes.n; i++)
		wb_vec_push(&b.layer_of);
	/* Group by group, so that a bundle of one source stays open while large files pass by. */
	for (unsigned group = 0; group < t->groups.n; group++) {
		b.open = SIZE_MAX;
		for (size_t i = 0; i < t->nodes.n; i++) {
			struct wb_node *node = t->nodes.items[i];

			if (node->group != group || node->same)
				continue;
			if (node->type != WB_NODE_DIR || is_empty_dir(t, i))
				place(&b, node);
		}
	}
	for (size_t i = 0; i < t->nodes.n; i++)
		if (t->nodes.items[i]->same)
			place(&b, t->nodes.items[i]);
	wb_vec_free(&b.layer_of);
	wb_vec_foreach (l, &out->layers)
		if (l->nodes.n)
			qsort(l->nodes.items, l->nodes.n, sizeof(*l->nodes.items), by_path);
	while (out->layers.n > b.limits.max_layers && out->layers.n > 1)
		merge_into(out, cheapest_merge(out));
}

void wb_layer_plan_release(struct wb_layer_plan *p)
{
	wb_vec_foreach (l, &p->layers)
		wb_vec_free(&l->nodes);
	wb_vec_free(&p->layers);
	*p = WB_LAYER_PLAN_INIT;
}
