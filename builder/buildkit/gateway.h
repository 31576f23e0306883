/* The gateway that BuildKit gives a frontend: the LLBBridge service (moby/buildkit,
 * frontend/gateway/pb/gateway.proto), as a client. A refusal comes back as an error with
 * BuildKit's own text; what else it said stays with the gateway and goes out again when the error
 * is returned, so that the user's terminal shows the step that failed. One thread. */
#ifndef WB_BUILDER_BUILDKIT_GATEWAY_H
#define WB_BUILDER_BUILDKIT_GATEWAY_H

#include "builder/buildkit/h2.h"
#include "builder/buildkit/llb.h"

struct wb_gateway;

struct wb_gateway *wb_gateway_new(int in, int out, struct wb_err *err);
void wb_gateway_free(struct wb_gateway *g);
/* Learns what the daemon can do; the first call. */
int wb_gateway_ping(struct wb_gateway *g, struct wb_err *err);
/* A capability by its id ("mergeop", "gateway.warnings"), as the ping told. */
bool wb_gateway_can(const struct wb_gateway *g, const char *cap);

/* Caches of other builders to look into ("cache-imports" of the options: a JSON list of type and
 * attributes), for every solve from now on. */
int wb_gateway_import_caches(struct wb_gateway *g, const char *list, struct wb_err *err);

/* Builds a part of a graph, now; *id names the result (the caller frees). */
int wb_gateway_solve(char **id, struct wb_gateway *g, const struct wb_llb *l, struct wb_llb_ref ref,
	struct wb_err *err);

/* Files of a result. Reads at most out->limit bytes. WB_ERR_NOT_FOUND when it is not there. */
int wb_gateway_read(struct wb_buf *out, struct wb_gateway *g, const char *id, const char *path,
	struct wb_err *err);
struct wb_gateway_stat {
	bool is_dir;
	unsigned mode, uid, gid; /* mode: permission bits, with set-id and sticky ones */
};
int wb_gateway_stat(struct wb_gateway_stat *out, struct wb_gateway *g, const char *id,
	const char *path, struct wb_err *err);

/* A file of the first mount of the program whose failure was the last refusal, as it was when it
 * failed. */
int wb_gateway_read_failed(
	struct wb_buf *out, struct wb_gateway *g, const char *path, struct wb_err *err);

/* Config of an image. store: of an oci-layout in the client's session, or NULL for a registry. */
struct wb_gateway_image {
	char *digest, *config;
	size_t config_len;
};
void wb_gateway_image_release(struct wb_gateway_image *i);
struct wb_gateway_resolve {
	const char *ref, *session, *store, *mode, *name; /* name: shown in the progress */
	const struct wb_llb_platform *platform;
};
int wb_gateway_resolve_image(struct wb_gateway_image *out, struct wb_gateway *g,
	const struct wb_gateway_resolve *r, struct wb_err *err);

/* A line for the user, about an operation that was solved; line 0: about none of the source. */
int wb_gateway_warn(struct wb_gateway *g, const struct wb_llb *l, struct wb_llb_ref about,
	unsigned line, const char *text, const char *detail, const char *url, struct wb_err *err);

/* One platform's result. */
struct wb_gateway_result {
	char *id;       /* what wb_gateway_solve() gave */
	char *platform; /* "linux/amd64" */
	char *config;   /* the image's config, JSON */
	char *base;     /* "containerimage.base.config", or NULL */
};
/* The end. several: as a list of platforms, even when there is one. */
int wb_gateway_return(struct wb_gateway *g, const struct wb_gateway_result *results, size_t n,
	const char *platforms, struct wb_err *err);
/* The other end: what failed, with the lines of l's source file that it is about. */
int wb_gateway_return_error(struct wb_gateway *g, const struct wb_llb *l, const struct wb_err *what,
	const unsigned *lines, size_t n_lines, struct wb_err *err);

#endif
