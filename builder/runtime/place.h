/* Putting a bundle that lies elsewhere (--from DIR: a Kubernetes image volume, a bind mount, a
 * node's cache) at the paths that the model expects: DIR/app/data at /app/data, and so on for each
 * source's mount.
 *
 *   link  a symbolic link where the path is absent or an empty directory; where there is a
 *         directory with other things, links inside it. Any uid that may write there
 *   bind  a read-only bind mount; needs CAP_SYS_ADMIN in the container
 *   none  nothing is placed
 *
 * What stands in the way is never removed or covered. A second start finds its own links and
 * goes on. */
#ifndef WB_RUNTIME_PLACE_H
#define WB_RUNTIME_PLACE_H

#include "builder/runtime/options.h"
#include "layers/manifest.h"

/* from: the bundle's root. root: "/" ("" prefix) outside of tests. *hf_moved (the caller frees) is
 * the directory in which the hub cache is to be found when it could not be put at its path, else
 * NULL. */
int wb_place(char **hf_moved, const struct wb_bundle_manifest *m, const char *from,
	enum wb_place_mode mode, const char *root, struct wb_err *err);

/* Tells the hub's client in this process's environment where the packed cache is, when it would
 * look elsewhere by default. A setting that someone made for another cache is left alone.
 * at: the directory, absolute. */
void wb_hub_point_to(const char *packed, const char *at);

#endif
