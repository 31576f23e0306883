/* Remote sources of a plan: resolved (or taken from the lockfile), fetched when their bytes are
 * needed, and laid out in the tree.
 *
 * A file whose SHA-256 is known before it is fetched (the store or the lockfile knows it, or the
 * source vouches for it) enters the tree without its bytes; the packer asks for them through
 * wb_remotes_supply() when no finished layer makes them unnecessary. One thread at a time. */
#ifndef WB_BUILDER_BUILD_REMOTE_H
#define WB_BUILDER_BUILD_REMOTE_H

#include "base/progress.h"
#include "builder/fetch/fetch.h"
#include "builder/fetch/lockfile.h"
#include "layers/pack.h"

struct wb_remote_plan_opts {
	bool offline;  /* the store only */
	bool locked;   /* the lockfile must not change */
	bool frozen;   /* the lockfile only; no source is asked */
	bool pinned;   /* what the lockfile has is not listed again; its bytes may be fetched */
	bool insecure; /* plain http */
	bool quiet_patterns; /* patterns that match nothing are told by findings, not by the log */
	unsigned connections, jobs;
	uint64_t rate_limit;
	const char *ca_file;
	const char *lock_path;      /* or NULL: wbuild.lock in the config's folder */
	const char *const *secrets; /* --secret SPECs, NULL at the end; or NULL */
	struct wb_progress *progress;
};

struct wb_remote_source {
	const struct wb_source *config;
	unsigned group;           /* of the tree */
	struct wb_remote *remote; /* NULL when nothing may be asked */
	struct wb_listing listing;
	WB_VEC(struct wb_fetch_item) items; /* one per file of the listing */
	struct {
		struct wb_step *step; /* NULL: nothing is being fetched */
		size_t files, done;   /* that it began with; of them */
	} shown;                      /* builder/build/remote_shown.h */
};

struct wb_remotes {
	struct wb_remote_plan_opts opts;
	const char *config_file;
	struct wb_store *store;
	struct wb_http *http;
	struct wb_secrets *secrets;
	char *lock_path;
	bool lock_found;
	struct wb_lockfile lock; /* as it was */
	WB_VEC(struct wb_remote_source *) sources;
	struct wb_fetch_total total;
};

#define WB_REMOTES_INIT ((struct wb_remotes){0})

/* dir is the config's folder, data_dir where legacy credentials lie. Reads the lockfile; touches no
 * network. */
int wb_remotes_init(struct wb_remotes *out, struct wb_store *store, const char *dir,
	const char *data_dir, const char *config_file, const struct wb_remote_plan_opts *opts,
	struct wb_err *err);
void wb_remotes_release(struct wb_remotes *r);

/* Resolves and lists. *out is borrowed, and stays. */
int wb_remotes_resolve(struct wb_remote_source **out, struct wb_remotes *r,
	const struct wb_source *src, unsigned group, struct wb_err *err);
/* Path in the image of a listed file, no leading slash; the caller frees. */
char *wb_remotes_image_path(const struct wb_remote_source *s, const struct wb_remote_file *f);

/* Learns every file's SHA-256, fetching those that nobody vouches for, checks --locked, and puts
 * all sources into the tree. */
int wb_remotes_add_to(struct wb_tree *t, struct wb_remotes *r, struct wb_err *err);
/* The tree as it will be, with stand-ins for digests that only a transfer will tell. */
int wb_remotes_preview(struct wb_tree *t, struct wb_remotes *r, struct wb_err *err);
/* In the form of wb_pack_opts.supply; arg is the struct wb_remotes. */
int wb_remotes_supply(void *arg, struct wb_node *const *nodes, size_t n,
	const struct wb_pack_wait *wait, struct wb_err *err);
/* Everything that was not fetched yet. */
int wb_remotes_fetch_all(struct wb_remotes *r, struct wb_err *err);

/* No more will be fetched: ends what progress still shows as under way. */
void wb_remotes_shown_enough(struct wb_remotes *r);

/* What the lockfile should say of the sources now (after wb_remotes_add_to). */
void wb_remotes_lock(struct wb_lockfile *out, const struct wb_remotes *r);

#endif
