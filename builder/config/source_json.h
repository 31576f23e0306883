/* A source of the config as JSON and back, without its place in the file: what a step of a build
 * is given that must not run again because a comment moved (builder/buildkit). */
#ifndef WB_BUILDER_CONFIG_SOURCE_JSON_H
#define WB_BUILDER_CONFIG_SOURCE_JSON_H

#include "base/json.h"
#include "builder/config/config.h"

json_t *wb_source_to_json(const struct wb_source *s);
/* -1: WB_ERR_FORMAT. On success the source is the caller's (wb_config_release() of the config that
 * it is put into, or wb_source_release()). */
int wb_source_from_json(struct wb_source *out, const json_t *j, struct wb_err *err);

#endif
