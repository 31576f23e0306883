/* An image as inspect, diff and verify see it: every platform with its layers, and the bundle
 * manifest that wbuild put in. */
#ifndef WB_BUILDER_BUILD_LOADED_H
#define WB_BUILDER_BUILD_LOADED_H

#include "builder/build/place.h"
#include "layers/manifest.h"
#include "oci/image.h"

struct wb_loaded_image {
	struct wb_descriptor manifest, config;
	struct wb_image image;
	bool has_bundle;
	struct wb_bundle_manifest bundle;
};

struct wb_loaded {
	struct wb_transport *transport;
	struct wb_descriptor root;
	WB_VEC(struct wb_loaded_image) images;
};

#define WB_LOADED_INIT ((struct wb_loaded){0})

/* text: an IMAGE of the command line. Reads manifests, configs and the bundle manifest's layer; no
 * weights. An image without a bundle manifest is not an error. */
int wb_loaded_open(struct wb_loaded *out, const char *text, const struct wb_place_opts *opts,
	struct wb_err *err);
void wb_loaded_release(struct wb_loaded *l);

/* What created a layer, by the history (NULL when it does not say). */
const char *wb_loaded_created_by(const struct wb_loaded_image *img, size_t layer);

/* Re-hashes every layer's blob, its tar against the config's diff_id, and its files against the
 * bundle manifest: all of them there, with the right digests, and none besides where only packed
 * files may be. Of a path in several layers the uppermost counts. problem gets one line per
 * finding. -1: WB_ERR_INTEGRITY when there was any, or why it could not be done. */
struct wb_loaded_check {
	size_t blobs, files;
	uint64_t bytes;
};
int wb_loaded_verify(struct wb_loaded_check *out, struct wb_loaded *l, unsigned jobs,
	void (*problem)(void *arg, const char *line), void *arg, struct wb_err *err);

#endif
