/* A Dockerfile that makes what `wbuild build` makes of a config, for who has to have one. */
#ifndef WB_BUILDER_BUILDKIT_DOCKERFILE_H
#define WB_BUILDER_BUILDKIT_DOCKERFILE_H

#include "builder/build/base.h"
#include "builder/config/config.h"

/* The image that RUN lines find wbuild in, unless the build says otherwise (--build-arg WBUILD). */
#define WB_DOCKERFILE_IMAGE "wbuild"

struct wb_dockerfile_opts {
	const char *config_name;     /* path of the config below the context */
	bool has_lock, has_ignore;   /* wbuild.lock and .truss_ignore are there */
	bool has_data;               /* so is the folder data/ */
	const char *base_name;       /* as FROM has it; NULL: scratch */
	const struct wb_image *base; /* for its command, or NULL when it is not known */
};

/* -1: the config has something that a Dockerfile cannot say. The caller frees *out. */
int wb_dockerfile_make(char **out, const struct wb_config *c, const struct wb_dockerfile_opts *opts,
	struct wb_err *err);

#endif
