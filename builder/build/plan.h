/* The plan: every file that the image will hold, resolved.
 *
 * wb_plan_make() walks local folders and lists remote sources; nothing is downloaded and no content
 * is read. Local files are in the tree at once, for they are on disk; remote ones enter it when
 * wb_plan_fetch() has them in the store, verified. Then the tree can be packed. */
#ifndef WB_BUILDER_BUILD_PLAN_H
#define WB_BUILDER_BUILD_PLAN_H

#include "builder/build/remote.h"
#include "builder/build/statcache.h"
#include "builder/config/config.h"
#include "layers/manifest.h"
#include "layers/store.h"
#include "layers/tree.h"

struct wb_plan_opts {
	bool go_on; /* a remote source that cannot be listed stops nothing: see unlisted */
	bool bundle_volumes;
	bool no_data; /* leave the folder data/ out */
	unsigned jobs;
	const char *const *written; /* paths that this run writes, as given; NULL at the end */
	struct wb_remote_plan_opts remote;
};

struct wb_plan_file {
	char *path;      /* in the image, no leading slash */
	uint64_t size;   /* 0 for links, and where only the transfer will tell */
	unsigned source; /* index into sources */
};

struct wb_plan_source {
	char *label;                    /* "data", "hf://owner/repo": as manifests name it */
	char *revision;                 /* resolved, or NULL */
	char *mount;                    /* absolute */
	const struct wb_source *config; /* NULL for data/ */
	size_t files;
	uint64_t bytes;
	bool shared;    /* the base has files below mount */
	bool skipped;   /* a use_volume entry that is fetched at start */
	char *unlisted; /* why a source is not listed (go_on), or NULL */
	size_t *hits;   /* per pattern of config, as wb_glob_keeps() counts them; NULL: not known */
	const struct wb_listing *listing; /* of a remote source, or NULL */
	WB_VEC(char *)
	filtered; /* what patterns left out, as the source names it (a part of it,
	           * when there are very many) */
};

struct wb_plan {
	const struct wb_config *config;
	char *dir;          /* the config's folder, absolute */
	WB_VEC(char *) own; /* what wbuild itself writes: outputs, the store, the lockfile */
	struct wb_tree tree;
	WB_VEC(struct wb_plan_source) sources; /* index: the tree's group */
	WB_VEC(struct wb_plan_file) files;
	WB_VEC(struct wb_statcache *) caches;
	struct wb_remotes remotes;
	uint64_t bytes; /* of all files; equal ones counted each */
	size_t links;
};

#define WB_PLAN_INIT ((struct wb_plan){0})

/* c and store outlive the plan. */
int wb_plan_make(struct wb_plan *out, const struct wb_config *c, struct wb_store *store,
	const struct wb_plan_opts *opts, struct wb_err *err);
/* Fetches what nobody vouches for; afterwards every digest is known and the tree is finished. Other
 * remote files are fetched when the packer asks for them (wb_remotes_supply). */
int wb_plan_fetch(struct wb_plan *p, const struct wb_plan_opts *opts, struct wb_err *err);
/* For reports, instead of wb_plan_fetch(): finishes a tree whose remote files stand in for
 * themselves. It cannot be packed. */
int wb_plan_preview(struct wb_plan *p, const struct wb_plan_opts *opts, struct wb_err *err);
/* After packing: what was learned of local files. */
int wb_plan_remember(struct wb_plan *p, struct wb_store *store, struct wb_err *err);
/* The bundle manifest of a packed plan: every digest is known. */
void wb_plan_manifest(struct wb_bundle_manifest *out, const struct wb_plan *p);
/* Names a manifest by what determines it (states are not needed for that). The caller frees. */
char *wb_plan_manifest_key(const struct wb_plan *p);
/* Warns of patterns that match nothing. */
void wb_plan_tell_patterns(const struct wb_plan *p);
void wb_plan_release(struct wb_plan *p);

#endif
