/* One image of one platform: its config as a tree, and its layers (image-spec config.md).
 *
 * The config is edited in place and written back, never rebuilt from a struct: every member that
 * nobody here knows (docker's Healthcheck, OnBuild, Shell, …) stays. What was read is checked:
 * as many diff_ids as layers, no more history than layers, types of everything that an edit
 * touches. Not thread safe. */
#ifndef WB_OCI_IMAGE_H
#define WB_OCI_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "oci/manifest.h"

struct wb_image {
	struct wb_platform platform;
	json_t *config;
	wb_descriptors layers;
	WB_VEC(struct wb_digest) diff_ids;
};

#define WB_IMAGE_INIT ((struct wb_image){0})

/* No layers, and a config with nothing but the platform. out was INIT, as in all of these. */
void wb_image_scratch(struct wb_image *out, const struct wb_platform *platform);
/* From a manifest and the bytes of its config; what names it in errors. Layers of docker's types
 * get the OCI type of the same meaning: their digests stay. */
int wb_image_parse(struct wb_image *out, const struct wb_manifest *m, const char *config, size_t n,
	const char *what, struct wb_err *err);
/* Reads the manifest and fetches its config, verified. */
int wb_image_load(struct wb_image *out, struct wb_transport *t, const struct wb_document *manifest,
	struct wb_err *err);
void wb_image_copy(struct wb_image *out, const struct wb_image *img); /* deep */
void wb_image_release(struct wb_image *img);

/* What the history says of a step; members may be NULL. created is RFC 3339. */
struct wb_history {
	const char *created, *created_by, *author, *comment;
};

/* Appends. Where a base has less history than layers, entries for those are put in first, so that
 * each layer keeps its own line. WB_ERR_LIMIT past WB_OCI_LAYERS_MAX. */
int wb_image_add_layer(struct wb_image *img, const struct wb_descriptor *layer,
	const struct wb_digest *diff_id, const struct wb_history *history, struct wb_err *err);

/* Texts must be UTF-8 (the callers' input was checked). An existing variable is replaced where it
 * stands. */
void wb_image_set_env(struct wb_image *img, const char *name, const char *value);
/* value NULL removes. */
void wb_image_set_label(struct wb_image *img, const char *name, const char *value);
const char *wb_image_label(const struct wb_image *img, const char *name);

enum wb_image_args { WB_IMAGE_ENTRYPOINT, WB_IMAGE_CMD };
/* argv NULL: removed. */
void wb_image_set_args(
	struct wb_image *img, enum wb_image_args which, const char *const *argv, size_t n);
/* Borrowed list of strings, or NULL when there is none or it is empty. */
const json_t *wb_image_args(const struct wb_image *img, enum wb_image_args which);

enum wb_image_text { WB_IMAGE_USER, WB_IMAGE_WORKDIR, WB_IMAGE_STOP_SIGNAL };
const char *wb_image_text(const struct wb_image *img, enum wb_image_text which); /* or NULL */

void wb_image_set_created(struct wb_image *img, const char *rfc3339);

/* The config and the manifest as bytes. docker: in docker's media types, which have none for zstd
 * that its readers take (WB_ERR_UNSUPPORTED). annotations may be NULL. outs were INIT. */
int wb_image_finish(struct wb_document *manifest, struct wb_document *config,
	const struct wb_image *img, const json_t *annotations, bool docker, struct wb_err *err);

#endif
