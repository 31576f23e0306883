/* Base and layers to images: configs, manifests and, for several platforms, an index. */
#ifndef WB_BUILDER_BUILD_ASSEMBLE_H
#define WB_BUILDER_BUILD_ASSEMBLE_H

#include "builder/build/base.h"
#include "builder/build/plan.h"
#include "layers/pack.h"
#include "oci/image.h"

/* A layer of ours, ready for an image. */
struct wb_image_layer {
	struct wb_descriptor desc;
	struct wb_digest diff_id;
	char *path;       /* of the blob in the store; NULL: the registry has it */
	char *created_by; /* its line in the history */
};

struct wb_assemble_opts {
	const struct wb_config *config;
	const char *verify; /* the stub's default mode, or NULL */
	bool fetches;       /* the stub has something to fetch at start */
	int64_t epoch;      /* SOURCE_DATE_EPOCH, or 0 */
	bool docker;        /* docker's media types */
	const char *const *labels, *const *annotations, *const *env; /* "KEY=VALUE", NULL at end */
};

/* Everything that an output writes. */
struct wb_assembled {
	struct wb_base *base;                 /* where the base's blobs come from */
	WB_VEC(struct wb_image_layer) layers; /* of the bundle: shared by all platforms */
	struct wb_image_layer *stubs;         /* one per image of the base; path NULL: none */
	size_t n_stubs;
	WB_VEC(struct wb_document) configs, manifests; /* one per platform */
	WB_VEC(struct wb_descriptor) base_layers;      /* each once */
	struct wb_document root;                       /* the manifest, or the index of several */
	const struct wb_plan *plan;
	char *manifest_text; /* the bundle manifest */
};

#define WB_ASSEMBLED_INIT ((struct wb_assembled){0})
void wb_assembled_release(struct wb_assembled *a);

/* Takes layers over as one platform-independent list. group labels come from the plan. */
void wb_assembled_add_layers(struct wb_assembled *a, const struct wb_layers *layers,
	const struct wb_plan *plan, const char *created_by, struct wb_store *store);

/* Makes room for one stub per image of the base. */
void wb_assembled_set_base(struct wb_assembled *a, struct wb_base *base);
/* The stub of the i-th image; one layer. */
void wb_assembled_set_stub(
	struct wb_assembled *a, size_t i, const struct wb_layers *layer, struct wb_store *store);
/* Environment, labels and command of the config and of opts, on a base's config. Of base only the
 * names count. */
void wb_assemble_config(struct wb_image *img, const struct wb_base *base,
	const struct wb_assemble_opts *opts, bool stub);
/* The stub's layer comes first, the bundle's follow in their order. Fills configs, manifests and
 * root. */
int wb_assemble(struct wb_assembled *a, const struct wb_assemble_opts *opts, struct wb_err *err);

#endif
