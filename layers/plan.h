/* Which files share a layer.
 *
 * A large file has a layer of its own, so that it is pulled, unpacked and reused by itself; small
 * ones are bundled per source. A source whose small files are more than a bundle holds is cut in
 * two, and each part again, until all fit. The cut goes before the file whose name draws lowest (a
 * hash decides) in the middle half of the bytes: it stays there whatever comes, goes or grows
 * elsewhere, so a change rewrites the bundle that it is in and hardly ever another. Hard links
 * (equal files) lie in the layer of the first of them. When there would be more layers than the
 * budget allows, small neighbours are merged, again in an order that names decide.
 *
 * Pure: a tree gives the same plan everywhere. */
#ifndef WB_LAYERS_PLAN_H
#define WB_LAYERS_PLAN_H

#include "layers/tree.h"

struct wb_layer_limits {
	uint64_t large_file; /* from this size on a file has its own layer; 0: 64 MiB */
	uint64_t bundle;     /* a bundle's size at most; 0: 256 MiB */
	size_t max_layers;   /* 0: WB_LAYERS_MAX */
};

/* overlayfs stacks 128 directories at most on common kernels, so 127 layers and the container's
 * own; the stub and the manifest are two of them. */
#define WB_LAYERS_MAX 127u

struct wb_planned_layer {
	unsigned group;
	WB_VEC(struct wb_node *) nodes; /* path order; directories are added when packing */
	uint64_t bytes;                 /* of file content, duplicates once */
	size_t files;
};

struct wb_layer_plan {
	WB_VEC(struct wb_planned_layer) layers;
	size_t merged; /* how many layers the budget took away */
};

#define WB_LAYER_PLAN_INIT ((struct wb_layer_plan){0})

/* The tree is finished and outlives the plan. */
void wb_layer_plan_make(
	struct wb_layer_plan *out, const struct wb_tree *t, const struct wb_layer_limits *limits);
void wb_layer_plan_release(struct wb_layer_plan *p);

#endif
