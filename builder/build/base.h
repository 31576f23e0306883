/* The base image: what the bundle is appended to. One image per platform, from any transport, or
 * nothing at all ("scratch"). */
#ifndef WB_BUILDER_BUILD_BASE_H
#define WB_BUILDER_BUILD_BASE_H

#include "builder/build/place.h"
#include "builder/build/plan.h"
#include "layers/store.h"
#include "layers/stream.h"
#include "oci/image.h"

struct wb_base {
	struct wb_transport *transport; /* NULL: scratch */
	char *name;                     /* as given, or NULL */
	char *reference;                /* its name in a registry, or NULL: a folder's says nothing
	                                 * to anybody else, and would change the digest */
	struct wb_digest digest;        /* of the manifest or index that the name stood for */
	WB_VEC(struct wb_image) images; /* one per platform */
	size_t layers;                  /* of the image with most */
};

#define WB_BASE_INIT ((struct wb_base){0})

/* ref: "scratch" or an IMAGE; platforms: comma list or NULL (all of the base; linux/amd64 for
 * scratch). */
int wb_base_open(struct wb_base *out, const char *ref, const char *platforms,
	const struct wb_place_opts *opts, struct wb_err *err);
void wb_base_release(struct wb_base *b);

/* What the base has where the plan's files go. out gets the attributes that it gives to their
 * folders, so that our layers repeat them; sources whose mounts hold files of the base are marked
 * shared; a path that leads through a symbolic link of the base is WB_ERR_CONFIG. Layers at hand
 * are read (once: the store remembers), and one whose content is not what the config's diff_id says
 * is WB_ERR_INTEGRITY; of a base in a registry, which is not downloaded for this, only the folders
 * that an image usually has are left to it. */
int wb_base_meet(struct wb_dir_attrs *out, struct wb_base *b, struct wb_plan *plan,
	struct wb_store *store, struct wb_err *err);

#endif
