/* index.json of an OCI layout: which images it holds and what they are called (image-spec
 * image-layout.md). Pure; what others wrote into it stays. */
#ifndef WB_OCI_LAYOUT_INDEX_H
#define WB_OCI_LAYOUT_INDEX_H

#include "oci/descriptor.h"

#define WB_REF_NAME "org.opencontainers.image.ref.name"
#define WB_CONTAINERD_NAME "io.containerd.image.name"
#define WB_LAYOUT_FILE "{\"imageLayoutVersion\":\"1.0.0\"}"

struct wb_layout_index {
	json_t *json;           /* all members but manifests */
	wb_descriptors entries; /* manifests */
};

#define WB_LAYOUT_INDEX_INIT ((struct wb_layout_index){0})

/* what names the layout in errors. */
int wb_layout_index_parse(struct wb_layout_index *out, const char *text, size_t n, const char *what,
	struct wb_err *err);
void wb_layout_index_empty(struct wb_layout_index *out);
void wb_layout_index_release(struct wb_layout_index *x);
char *wb_layout_index_dump(const struct wb_layout_index *x); /* the caller frees */

/* The entry of a tag or full image name; NULL finds the only image there is. NULL and
 * WB_ERR_NOT_FOUND (or WB_ERR_USAGE when there are several), with the names there are in the hint.
 */
const struct wb_descriptor *wb_layout_index_find(
	const struct wb_layout_index *x, const char *tag, const char *what, struct wb_err *err);
const struct wb_descriptor *wb_layout_index_find_digest(
	const struct wb_layout_index *x, const struct wb_digest *digest);
/* Enters an image. The entry that had its name goes; one without a name takes the place of the
 * entry without one, so that building twice into a folder leaves one image. name may be NULL. */
void wb_layout_index_put(struct wb_layout_index *x, const struct wb_descriptor *d, const char *tag,
	const char *name);
/* The `oci-layout` file: its version must be one that can be read. */
int wb_layout_file_check(const char *text, size_t n, const char *what, struct wb_err *err);

#endif
