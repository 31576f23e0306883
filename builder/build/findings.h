/* How findings are told: as log lines, as JSON, as annotations of a GitHub workflow. */
#ifndef WB_BUILDER_BUILD_FINDINGS_H
#define WB_BUILDER_BUILD_FINDINGS_H

#include <stdio.h>

#include "base/json.h"
#include "builder/config/config.h"

const char *wb_severity_word(enum wb_severity s); /* "error", "warning", "note" */
/* Through the log, with file, line and column. */
void wb_finding_show(const struct wb_findings *f, const struct wb_finding *finding);
/* -> new array of objects: severity, id, file, line, column, text, hint */
json_t *wb_findings_json(const struct wb_findings *f);
/* "::warning file=F,line=L,col=C,title=ID::TEXT", one line per finding
 * (https://docs.github.com/actions, "Workflow commands"). */
void wb_findings_github(FILE *out, const struct wb_findings *f);

#endif
