/* Layers that need be neither fetched nor packed: the lockfile remembers what they came to, and
 * every registry that the image goes to has them already. */
#ifndef WB_BUILDER_BUILD_ELSEWHERE_H
#define WB_BUILDER_BUILD_ELSEWHERE_H

#include "builder/build/output.h"
#include "builder/fetch/lockfile.h"
#include "layers/pack.h"

struct wb_elsewhere;

/* NULL when it cannot be: an output that is no registry, no lockfile, or one of another packer.
 * Everything given has to outlive it. */
struct wb_elsewhere *wb_elsewhere_new(const struct wb_lockfile *lock, const char *packer,
	const struct wb_output *outputs, size_t n_outputs, const struct wb_reference *tags,
	size_t n_tags, const struct wb_place_opts *place);
void wb_elsewhere_free(struct wb_elsewhere *e);
/* In the form of wb_pack_opts.elsewhere; arg may be NULL. A registry that does not answer has
 * nothing: the layer is made here and the push will tell. */
bool wb_elsewhere_has(struct wb_elsewhere *e, struct wb_layer *l);

#endif
