/* One build of the frontend, and what its files share. */
#ifndef WB_BUILDER_BUILDKIT_FRONTEND_INTERNAL_H
#define WB_BUILDER_BUILDKIT_FRONTEND_INTERNAL_H

#include "base/json.h"
#include "builder/build/build.h"
#include "builder/buildkit/frontend.h"
#include "builder/buildkit/frontend_opts.h"
#include "builder/buildkit/gateway.h"

/* A layer of the bundle, as the cut planned it. */
struct wb_front_layer {
	char *label;
	size_t files;
	uint64_t bytes;
	unsigned line;   /* of its source in the config */
	char *spec;      /* what its step is told */
	json_t *local;   /* folders of the context */
	json_t *folders; /* in the image, that its files are in */
	struct wb_llb_ref content, meta;
};

struct wb_front {
	struct wb_gateway *g;
	struct wb_frontend_opts opts;
	struct wb_llb llb;
	struct wb_llb_ref self; /* the frontend's own image */
	char *program;          /* this program, in it */
	/* What the user wrote. */
	char *config_name;
	struct wb_buf config_text, lock, ignore;
	bool has_lock;
	struct wb_config config;
	struct wb_llb_ref config_ref; /* the tree that it was read from: warnings are about it */
	/* What is to be built. */
	bool *chosen; /* per source of the config */
	bool data;    /* the folder data/ too */
	bool scratch; /* on no base */
	bool no_cache, stub;
	int64_t epoch;
	size_t base_layers; /* of the platform's base with most, build_commands included */
	/* How far it is. */
	struct wb_llb_ref context;  /* local files; scratch when there are none */
	char *lock_text;            /* complete; NULL without remote sources */
	struct wb_llb_ref lock_ref; /* the step that completed it; scratch when none had to */
	char *fetch_list;           /* what is fetched at start; NULL when nothing is */
	WB_VEC(struct wb_front_layer) layers;
	struct wb_llb_ref cut, manifest;
	/* The lines that an error is about. */
	WB_VEC(unsigned) lines;
};

/* frontend_context.c: reads what the user wrote, and decides what of it is built. */
int wb_front_read(struct wb_front *f, struct wb_err *err);
int wb_front_choose(struct wb_front *f, struct wb_err *err);
/* The part of the context with local files. */
void wb_front_local(struct wb_front *f);

/* frontend_steps.c: from the config to layers. */
int wb_front_plan(struct wb_front *f, struct wb_err *err);
/* base: where folders get their attributes from, or scratch. Fills the layers' refs and the
 * manifest's. */
int wb_front_layers(struct wb_front *f, struct wb_llb_ref base, struct wb_err *err);
/* After a step failed: what it said, in place of what BuildKit says of it. */
void wb_front_why(struct wb_front *f, struct wb_err *err);

/* frontend_image.c: bases, and images of them. */
struct wb_front_base {
	struct wb_llb_platform platform;
	char *name; /* "linux/amd64" */
	struct wb_llb_ref state;
	struct wb_image image; /* its config */
	struct wb_base names;  /* reference and digest */
};
int wb_front_bases(struct wb_front_base **out, size_t *n, struct wb_front *f, struct wb_err *err);
void wb_front_bases_free(struct wb_front_base *bases, size_t n);
/* An image of a named context: --build-context NAME=…; false when there is none of that name. */
bool wb_front_has_context(const struct wb_front *f, const char *name);
int wb_front_image(struct wb_llb_ref *out, struct wb_image *image, struct wb_base *names,
	struct wb_front *f, const char *ref, const char *context,
	const struct wb_llb_platform *platform, struct wb_err *err);
int wb_front_result(struct wb_front *f, struct wb_front_base *bases, size_t n, struct wb_err *err);

#endif
