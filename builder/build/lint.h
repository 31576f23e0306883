/* What is worth a word before anything is packed: findings about a plan, beyond what its config
 * says by itself (builder/config). Each has an id, a page docs/lints/ID.md, and can be silenced: by
 * --ignore ID, by a comment "# wbuild: ignore[ID]" on the line it is about, or anywhere in the
 * config by such a comment on a line of its own.
 *
 * Files on disk are opened, by their headers and bounded; of remote weights the headers are asked
 * for by range, of as many as a few requests allow, and the rest is judged by name and size.
 * Nothing is executed, and no secret's text is shown. */
#ifndef WB_BUILDER_BUILD_LINT_H
#define WB_BUILDER_BUILD_LINT_H

#include "builder/build/plan.h"
#include "builder/build/sizes.h"

#define WB_LINT_BANDWIDTH UINT64_C(125000000) /* bytes a second: 1 Gbit/s */

struct wb_lint_opts {
	struct wb_size_limits sizes;
	uint64_t bandwidth;        /* for estimates; 0: the above */
	const char *const *ignore; /* ids, NULL at the end; or NULL */
};

/* Adds to out. Only what cannot be read is an error here. */
int wb_lint(struct wb_findings *out, const struct wb_plan *p, const struct wb_lint_opts *opts,
	struct wb_err *err);
/* Takes silenced findings out of f, whoever made them (errors stay). text is the config's. */
void wb_lint_silence(struct wb_findings *f, const char *text, const char *const *ignore);

/* Does text have a comment that silences the finding id at pos? Line 0: only one of the whole. */
bool wb_lint_silenced(const char *text, const char *id, struct wb_pos pos);

/* All ids, for help and tests; NULL at the end. */
extern const char *const wb_lint_ids[];

#endif
