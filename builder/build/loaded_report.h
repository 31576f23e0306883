/* What inspect says of an image, as JSON: the one place where it is counted. The text of
 * builder/cli/cmd_inspect.c is shorter, and the page of builder/build/loaded_page.h shows the same.
 */
#ifndef WB_BUILDER_BUILD_LOADED_REPORT_H
#define WB_BUILDER_BUILD_LOADED_REPORT_H

#include "base/json.h"
#include "builder/build/loaded.h"

/* {"digest", "mediaType", "images": [{"platform", "manifest", "config", "entrypoint", "command",
 * "totals": {"layers", "layerBytes", "files", "links", "bytes", "uniqueBytes"},
 * "layers": [{"digest", "diffId", "mediaType", "size", "createdBy", "holds", "platforms"}],
 * "sources": [{"source", "revision", "mount", "files", "bytes"}],
 * "files": [{"path", "size", "sha256", "target", "source", "kind", "sameAs"}]}]}
 * Of totals, sources and files only what the image has a bundle manifest for. holds is "base",
 * "files", "stub" or "manifest"; platforms counts the images of this index that have the layer;
 * sameAs is the first path with the same content, which the image holds once. -> new reference */
json_t *wb_loaded_report(const struct wb_loaded *l);

#endif
