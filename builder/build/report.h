/* What plan and validate say, as text and as JSON. */
#ifndef WB_BUILDER_BUILD_REPORT_H
#define WB_BUILDER_BUILD_REPORT_H

#include <stdio.h>

#include "builder/build/plan.h"
#include "builder/build/sizes.h"
#include "layers/plan.h"

/* Totals, sources, largest files (or all of them). -> new reference */
json_t *wb_report_plan(const struct wb_plan *p, const struct wb_layer_plan *layers, bool all);
void wb_report_plan_text(
	FILE *out, const struct wb_plan *p, const struct wb_layer_plan *layers, bool all);

#endif
