/* The BuildKit gateway frontend: a config.yaml in place of a Dockerfile (docs/buildkit.md). */
#ifndef WB_BUILDER_BUILDKIT_FRONTEND_H
#define WB_BUILDER_BUILDKIT_FRONTEND_H

#include "base/err.h"

/* One build, on the connection in and out. The user hears of faults through BuildKit; -1 is one
 * that BuildKit could not be told. definition is the file with the graph of the frontend's own
 * image. */
int wb_frontend_run(
	int in, int out, char *const *environment, const char *definition, struct wb_err *err);

#define WB_FRONTEND_DEFINITION "/run/config/buildkit/metadata/frontend.bin"

#endif
