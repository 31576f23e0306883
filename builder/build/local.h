/* Local files into a tree: the folder data/, and weights given as a path or file:// URI.
 *
 * Symbolic links inside the folder are kept as links; one that leads out of it is an error that
 * names it, as are sockets, devices, pipes and folders that cannot be read. Nothing is left out
 * silently: what .truss_ignore or patterns take away is counted. */
#ifndef WB_BUILDER_BUILD_LOCAL_H
#define WB_BUILDER_BUILD_LOCAL_H

#include "builder/build/statcache.h"
#include "builder/config/config.h"
#include "builder/config/ignore.h"
#include "layers/tree.h"

struct wb_local_opts {
	const char *dest;               /* where the folder's content goes in the image: absolute */
	const struct wb_ignore *ignore; /* or NULL */
	const char *ignore_prefix;      /* the folder's path as .truss_ignore sees it: "data" */
	const struct wb_source *filter; /* its patterns, or NULL */
	size_t *hits;                   /* for the filter's patterns (wb_glob_keeps), or NULL */
	const char *const *never;       /* names directly in the folder that are never packed, or
	                                 * NULL; ends with NULL */
	char *const *own; /* absolute paths that wbuild itself writes, n_own of them: left out */
	size_t n_own;
	struct wb_statcache *cache; /* or NULL */
};

#define WB_FILTERED_KEPT 10000

struct wb_local_result {
	size_t files, links, ignored, filtered;
	WB_VEC(char *) own;            /* of `own`: those that were there */
	WB_VEC(char *) left_out;       /* of `never`: names that were there */
	WB_VEC(char *) filtered_names; /* at most WB_FILTERED_KEPT of them */
};
void wb_local_result_release(struct wb_local_result *r);

/* path: an absolute folder, or one file (which lands in dest under its own name). */
int wb_local_add(struct wb_local_result *out, struct wb_tree *t, unsigned group, const char *path,
	const struct wb_local_opts *opts, struct wb_err *err);

#endif
