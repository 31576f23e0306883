/* What BuildKit tells a frontend in its environment: the options of the build, sorted by name. */
#ifndef WB_BUILDER_BUILDKIT_FRONTEND_OPTS_H
#define WB_BUILDER_BUILDKIT_FRONTEND_OPTS_H

#include "base/alloc.h"
#include "builder/buildkit/llb.h"

struct wb_frontend_opt {
	char *name, *value;
};

struct wb_frontend_opts {
	WB_VEC(struct wb_frontend_opt) list; /* sorted by name */
	char *session;
	struct wb_llb_platform native; /* of the worker that runs this */
};
#define WB_FRONTEND_OPTS_INIT ((struct wb_frontend_opts){0})

/* environment: "NAME=VALUE", NULL at the end. -1: not started by BuildKit, or by one that makes no
 * sense. */
int wb_frontend_opts_read(
	struct wb_frontend_opts *out, char *const *environment, struct wb_err *err);
void wb_frontend_opts_release(struct wb_frontend_opts *o);
/* The value, or NULL. */
const char *wb_frontend_opt(const struct wb_frontend_opts *o, const char *name);
/* Value of --build-arg NAME, NULL when it was not given or is empty. */
const char *wb_frontend_arg(const struct wb_frontend_opts *o, const char *name);
bool wb_frontend_arg_true(const struct wb_frontend_opts *o, const char *name);

#endif
