/* Media types of images: what they mean, and which ones say the same thing (image-spec
 * media-types.md; docker's schema 2 types). Everything here is pure; any thread. */
#ifndef WB_OCI_MEDIATYPE_H
#define WB_OCI_MEDIATYPE_H

#include <stdbool.h>

#define WB_MT_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define WB_MT_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define WB_MT_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define WB_MT_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define WB_MT_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define WB_MT_OCI_LAYER_GZIP WB_MT_OCI_LAYER "+gzip"
#define WB_MT_OCI_LAYER_ZSTD WB_MT_OCI_LAYER "+zstd"
#define WB_MT_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define WB_MT_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define WB_MT_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define WB_MT_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define WB_MT_DOCKER_LAYER_GZIP WB_MT_DOCKER_LAYER ".gzip"
#define WB_MT_DOCKER_LAYER_ZSTD WB_MT_DOCKER_LAYER ".zstd"

enum wb_media_kind {
	WB_MEDIA_OTHER, /* artifacts, schema 1, anything not listed above */
	WB_MEDIA_INDEX,
	WB_MEDIA_MANIFEST,
	WB_MEDIA_CONFIG,
	WB_MEDIA_LAYER,
};

enum wb_media_coding { WB_CODING_NONE, WB_CODING_GZIP, WB_CODING_ZSTD };

struct wb_media {
	enum wb_media_kind kind;
	bool docker;  /* docker's own type, not OCI's */
	bool foreign; /* a layer that must not be distributed (deprecated): read, never produced */
	enum wb_media_coding coding; /* of a layer */
};

/* Parameters after ';' and white space are ignored. NULL gives WB_MEDIA_OTHER. */
struct wb_media wb_media_classify(const char *type);
/* The OCI type that means the same, a literal; type itself when it has no docker meaning. */
const char *wb_media_to_oci(const char *type);
/* The layer type of a coding, in OCI's or docker's words; a literal. */
const char *wb_media_layer(enum wb_media_coding coding, bool docker);
/* Are both the same type once parameters are cut? */
bool wb_media_same(const char *a, const char *b);

#endif
