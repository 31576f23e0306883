/* What the lints share. */
#ifndef WB_BUILDER_BUILD_LINT_INTERNAL_H
#define WB_BUILDER_BUILD_LINT_INTERNAL_H

#include "builder/build/filekind.h"
#include "builder/build/lint.h"
#include "builder/build/pickle.h"
#include "builder/build/weightfile.h"

struct wb_lint {
	struct wb_findings *out;
	const struct wb_plan *plan;
	const struct wb_lint_opts *opts;
	const struct wb_plan_file **by_path; /* plan->files, sorted by path */
};

/* Where the file is on disk, or NULL (a link, or not fetched yet). */
const char *wb_lint_disk_path(const struct wb_lint *l, const struct wb_plan_file *f);
/* A file of the plan by its path in the image, or NULL. */
const struct wb_plan_file *wb_lint_find(const struct wb_lint *l, const char *path);
/* Its path as its source knows it, a pointer into f->path. */
const char *wb_lint_source_path(const struct wb_lint *l, const struct wb_plan_file *f);
/* Where the config names the file's source; line 0 for data/. */
struct wb_pos wb_lint_pos(const struct wb_lint *l, const struct wb_plan_file *f);

/* Not of a format that cannot be one. */
bool wb_lint_may_be_pickle(const struct wb_plan_file *f);
/* What a look into a file found. */
void wb_lint_tell_weights(
	struct wb_lint *l, const struct wb_plan_file *f, const struct wb_weight_file *w);
void wb_lint_tell_pickle(
	struct wb_lint *l, const struct wb_plan_file *f, const struct wb_pickle *p);

int wb_lint_sizes(struct wb_lint *l, struct wb_err *err);
int wb_lint_secrets(struct wb_lint *l, struct wb_err *err);
int wb_lint_weights(struct wb_lint *l, struct wb_err *err);
int wb_lint_shards(struct wb_lint *l, struct wb_err *err);
int wb_lint_pickles(struct wb_lint *l, struct wb_err *err);
int wb_lint_remote(struct wb_lint *l, struct wb_err *err);
int wb_lint_sources(struct wb_lint *l, struct wb_err *err);

#endif
