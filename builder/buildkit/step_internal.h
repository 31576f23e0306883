/* What the steps share. */
#ifndef WB_BUILDER_BUILDKIT_STEP_INTERNAL_H
#define WB_BUILDER_BUILDKIT_STEP_INTERNAL_H

#include "base/json.h"
#include "builder/build/prepared.h"
#include "builder/buildkit/step.h"

#define WB_STEP_FILE_MAX (512u << 20)

struct wb_run {
	const char *root;
	json_t *params;
	struct wb_config config;
	struct wb_store *store;
	struct wb_progress *progress;
};

/* A path below the root; the caller frees. */
char *wb_run_path(const struct wb_run *r, const char *path);
/* Reads a file into text, initialised here. */
int wb_run_read(struct wb_buf *text, const struct wb_run *r, const char *path, struct wb_err *err);
json_t *wb_run_read_json(const struct wb_run *r, const char *path, struct wb_err *err);
int wb_run_write(const struct wb_run *r, const char *path, const char *text, struct wb_err *err);
int wb_run_write_json(
	const struct wb_run *r, const char *path, const json_t *j, struct wb_err *err);
bool wb_run_has(const struct wb_run *r, const char *path);
uint64_t wb_run_number(const struct wb_run *r, const char *name);
/* /in/config.yaml, with only the sources that the params choose. */
int wb_run_load_config(struct wb_run *r, struct wb_err *err);
/* A list of sources (source_json.h) as the config. */
int wb_run_load_sources(struct wb_run *r, const json_t *sources, struct wb_err *err);
int wb_run_open_store(struct wb_run *r, struct wb_err *err);

int wb_step_run_list(struct wb_run *r, struct wb_err *err);
int wb_step_run_lock(struct wb_run *r, struct wb_err *err);
int wb_step_run_cut(struct wb_run *r, struct wb_err *err);
int wb_step_run_layer(struct wb_run *r, struct wb_err *err);
int wb_step_run_manifest(struct wb_run *r, struct wb_err *err);

#endif
