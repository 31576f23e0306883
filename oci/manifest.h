/* Manifests and indexes (image-spec manifest.md, image-index.md; docker's schema 2): read with
 * every check that later steps rely on, and built.
 *
 * A parsed one borrows nothing from the bytes it came from. Read-only after parsing; any thread. */
#ifndef WB_OCI_MANIFEST_H
#define WB_OCI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "oci/descriptor.h"
#include "oci/transport.h"

#define WB_OCI_LAYERS_MAX 1024    /* layers of one manifest; runtimes stop at 127 to 500 */
#define WB_OCI_CHILDREN_MAX 8192  /* entries of one index */
#define WB_RUNTIME_LAYERS_MAX 127 /* what docker's overlay driver can mount */

struct wb_manifest {
	json_t *json; /* the whole tree */
	struct wb_descriptor config;
	wb_descriptors layers;
	bool docker; /* docker's media type */
	bool image;  /* the config is an image config: layers are a root file system */
};

#define WB_MANIFEST_INIT ((struct wb_manifest){0})

/* what names it in errors. The config's and layers' media types are not judged, except that an
 * image's layers must be layers. */
int wb_manifest_parse(struct wb_manifest *out, const struct wb_document *doc, const char *what,
	struct wb_err *err);
void wb_manifest_release(struct wb_manifest *m);
/* annotations (string to string, or NULL) is borrowed. docker: docker's types instead of OCI's; the
 * layers must have them already. Fails only on the size limit. out was INIT. */
int wb_manifest_build(struct wb_document *out, const struct wb_descriptor *config,
	const struct wb_descriptor *layers, size_t n_layers, const json_t *annotations, bool docker,
	struct wb_err *err);

struct wb_index {
	json_t *json;
	wb_descriptors children;
	bool docker;
};

#define WB_INDEX_INIT ((struct wb_index){0})

int wb_index_parse(
	struct wb_index *out, const struct wb_document *doc, const char *what, struct wb_err *err);
void wb_index_release(struct wb_index *x);
int wb_index_build(struct wb_document *out, const struct wb_descriptor *children, size_t n,
	const json_t *annotations, bool docker, struct wb_err *err);

/* A child that runs: a manifest or index that is no attestation, has no artifact type and no
 * "unknown" platform. */
bool wb_child_is_image(const struct wb_descriptor *child);
/* BuildKit's attestations: an "unknown/unknown" manifest that names the image it speaks of
 * (vnd.docker.reference.type, vnd.docker.reference.digest). *of is filled when it does. */
bool wb_child_is_attestation(struct wb_digest *of, const struct wb_descriptor *child);
/* The child for a platform: an exact match before one of another variant. NULL and
 * WB_ERR_NOT_FOUND, naming the platforms there are, when there is none. */
const struct wb_descriptor *wb_index_select(const struct wb_index *x,
	const struct wb_platform *want, const char *what, struct wb_err *err);

/* The tag under which registries without a referrers API keep the list of what refers to a
 * digest (distribution-spec "Referrers Tag Schema"): "sha256-<hex>". */
struct wb_digest_text wb_referrers_tag(const struct wb_digest *subject);

#endif
