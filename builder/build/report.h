/* What plan and validate say, as text and as JSON. */
#ifndef WB_BUILDER_BUILD_REPORT_H
#define WB_BUILDER_BUILD_REPORT_H

#include <stdio.h>

#include "builder/build/plan.h"
#include "builder/build/sizes.h"
#include "layers/plan.h"

struct wb_report_opts {
	const struct wb_layer_plan *layers; /* or NULL */
	bool all;                           /* files, not the largest alone */
	uint64_t bandwidth;                 /* bytes a second that times are for; 0: 1 Gbit/s */
};

/* Totals, sources with what is there and what each pattern took, files, layers, and what all that
 * costs to fetch and to push. -> new reference */
json_t *wb_report_plan(const struct wb_plan *p, const struct wb_report_opts *opts);
void wb_report_plan_text(FILE *out, const struct wb_plan *p, const struct wb_report_opts *opts);

#endif
