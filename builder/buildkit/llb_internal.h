/* Between the files that make operations (llb.c, llb_exec.c, llb_file.c). */
#ifndef WB_BUILDER_BUILDKIT_LLB_INTERNAL_H
#define WB_BUILDER_BUILDKIT_LLB_INTERNAL_H

#include "builder/buildkit/llb.h"

/* Writes a pb.Input of an operation. ref is not scratch. */
void wb_llb_input_(struct wb_wire *w, const struct wb_llb *l, struct wb_llb_ref ref);
/* After the inputs, and before what the operation does, which as a member of a oneof comes last:
 * BuildKit writes operations anew in Go's order, and where the bytes are the same it calls them by
 * the same name. p may be NULL, where the platform says nothing. */
void wb_llb_platform_(struct wb_wire *op, const struct wb_llb_platform *p);
/* Puts it into the graph. note may be NULL. */
struct wb_llb_ref wb_llb_add_(struct wb_llb *l, const struct wb_wire *op, const size_t *inputs,
	size_t n_inputs, const char *const *caps, const struct wb_llb_note *note);

#endif
