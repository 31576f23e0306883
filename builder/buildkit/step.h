/* The steps that a frontend has BuildKit run in its own image: "wbuild frontend STEP". Each reads
 * what it is told from folders that the frontend mounted, and writes what it found to others, so
 * that BuildKit can keep and share the results by what went in:
 *
 *   list      asks the remote sources what they have: revisions, names, sizes, digests where they
 *             tell them. Runs every time, and needs no content
 *   lock      learns the digests that no source tells, by fetching those (small) files
 *   cut       plans the image: which files, in which layers; looks at local files
 *   layer     fetches the files of one layer and lays them out
 *   manifest  the bundle manifest of all layers
 *
 *   /in        params.json, and what the step is about
 *   /locked    what the lock step left, for the cut
 *   /context   the build context's part with local files
 *   /cache     the content store, kept between builds
 *   /out       the result; error.json instead, where a fault is a result too
 *   /fault     error.json while the step runs, and what it says when the step failed
 *   /meta      what a layer step tells the manifest step */
#ifndef WB_BUILDER_BUILDKIT_STEP_H
#define WB_BUILDER_BUILDKIT_STEP_H

#include "base/err.h"

/* root: "" but in tests, where it stands before all folders above. */
int wb_frontend_step(const char *name, const char *root, struct wb_err *err);
/* NULL at the end. */
extern const char *const wb_frontend_steps[];

#endif
