/* The layers of wbuild's own: the stub, which changes with the program alone, the bundle manifest,
 * which changes with the bundle alone, and, where something is fetched at start, the list of it. */
#ifndef WB_BUILDER_BUILD_RUNTIME_H
#define WB_BUILDER_BUILD_RUNTIME_H

#include "builder/build/plan.h"
#include "builder/volume/list.h"
#include "layers/pack.h"
#include "oci/platform.h"

/* One layer with the stub's executable for a platform and, for images that fetch at start, the
 * program that does it and the Python module that waits for it: init-<arch>, fetch-<arch> and
 * lazy_data_resolver.py in $WBUILD_INIT_DIR, in the build folder, or in the install folder (beside
 * the running wbuild first). WB_ERR_UNSUPPORTED when one is not installed, with the way out. */
int wb_stub_layer(struct wb_layers *out, const struct wb_platform *platform, bool fetches,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err);
/* The same files one by one: where each is installed, and its path in the image. out is released
 * also on failure. */
struct wb_stub_file {
	char *installed;
	const char *path; /* a literal, no leading slash */
	unsigned mode;
};
struct wb_stub_files {
	WB_VEC(struct wb_stub_file) list;
};
#define WB_STUB_FILES_INIT ((struct wb_stub_files){0})
int wb_stub_files(struct wb_stub_files *out, const struct wb_platform *platform, bool fetches,
	struct wb_err *err);
void wb_stub_files_release(struct wb_stub_files *f);
/* Whether they are installed. */
int wb_stub_check(const struct wb_platform *platform, bool fetches, struct wb_err *err);
/* The manifest as a layer, and its bytes (the caller frees *text). */
int wb_manifest_layer(struct wb_layers *out, char **text, const struct wb_bundle_manifest *m,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err);
/* The fetch list as a layer. */
int wb_fetch_list_layer(struct wb_layers *out, const struct wb_volumes *volumes,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err);

#endif
