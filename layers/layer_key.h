/* The layer cache's keys: a digest over everything that determines a layer's bytes. */
#ifndef WB_LAYERS_LAYER_KEY_H
#define WB_LAYERS_LAYER_KEY_H

#include "layers/pack.h"

/* Bumped when the same inputs give other bytes (headers, cuts, probe, levels). */
#define WB_PACKER_VERSION 2

/* Every file's digest is known. Entries, directory attributes, codec and library version. */
void wb_layer_key(
	struct wb_digest *out, const struct wb_planned_layer *l, const struct wb_pack_opts *opts);
/* The same with sizes in place of digests: says that a layer of this shape was packed before, so
 * that hashing its files first is likely to save packing them. */
void wb_layer_shape(
	struct wb_digest *out, const struct wb_planned_layer *l, const struct wb_pack_opts *opts);
/* The parameters alone, as the lockfile remembers them. The caller frees. */
char *wb_packer_describe(const struct wb_pack_opts *opts);

#endif
