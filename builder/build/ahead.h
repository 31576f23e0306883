/* Layers on their way to the registries while others are still fetched and packed.
 *
 * Large ones leave while they are packed, before their digest is known, where a tag is new in its
 * registry: else their bytes are probably there already, which only the digest can tell.
 *
 * Only saves time: the output that follows sends what is missing and says what went wrong. But what
 * no later attempt will mend (a login, a limit) fails the build here, before hours of work. */
#ifndef WB_BUILDER_BUILD_AHEAD_H
#define WB_BUILDER_BUILD_AHEAD_H

#include "base/progress.h"
#include "builder/build/output.h"
#include "layers/pack.h"

struct wb_ahead;

/* NULL when no output is a registry. Everything given has to outlive it. */
struct wb_ahead *wb_ahead_new(const struct wb_output *outputs, size_t n_outputs,
	const struct wb_output_opts *opts, struct wb_store *store);
/* l is in the store. Returns at once; fails when an earlier layer has failed for good. Thread safe;
 * a may be NULL. */
int wb_ahead_send(struct wb_ahead *a, const struct wb_layer *l, struct wb_err *err);
/* l is being packed into g (pack.h, layer_grows); wb_ahead_send() follows unless it comes to
 * nothing. */
void wb_ahead_grows(struct wb_ahead *a, const struct wb_layer *l, struct wb_growing *g);
int wb_ahead_check(struct wb_ahead *a, struct wb_err *err); /* has one failed for good? */
/* Until all are sent. */
int wb_ahead_wait(struct wb_ahead *a, struct wb_err *err);
/* Gives up what was not sent yet; an upload under way ends soon. NULL is fine. */
void wb_ahead_free(struct wb_ahead *a);

#endif
