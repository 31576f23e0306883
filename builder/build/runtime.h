/* The two layers of wbuild's own: the stub, which changes with the program alone, and the bundle
 * manifest, which changes with the bundle alone. */
#ifndef WB_BUILDER_BUILD_RUNTIME_H
#define WB_BUILDER_BUILD_RUNTIME_H

#include "builder/build/plan.h"
#include "layers/pack.h"
#include "oci/platform.h"

/* The stub's executable for a platform, init-<arch> in $WBUILD_INIT_DIR, in the build folder, or in
 * the install folder (beside the running wbuild first). -> path, or NULL: WB_ERR_UNSUPPORTED, with
 * --no-stub as the way out. */
char *wb_stub_path(const struct wb_platform *platform, struct wb_err *err);
/* out gets one layer. */
int wb_stub_layer(struct wb_layers *out, const char *stub_path, const struct wb_pack_opts *opts,
	struct wb_store *store, struct wb_err *err);
/* The manifest as a layer, and its bytes (the caller frees *text). */
int wb_manifest_layer(struct wb_layers *out, char **text, const struct wb_bundle_manifest *m,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err);

#endif
