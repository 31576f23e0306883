#include <string.h>

#include "base/log.h"
#include "builder/cli/build_args.h"
#include "builder/cli/prepared_args.h"

/* Layers that were remembered stay, as long as the sources are the same. */
static void keep_layers(struct wb_lockfile *now, struct wb_lockfile *was)
{
	struct wb_err ignored = WB_ERR_INIT;

	if (wb_lockfile_same(was, now, &ignored))
		return;
	now->packer = wb_steal(was->packer);
	now->layers = was->layers;
	memset(&was->layers, 0, sizeof(was->layers));
}

static int lock(struct wb_prepared *p, const struct wb_build_opts *o, struct wb_err *err)
{
	WB_AUTO(wb_lockfile_release) struct wb_lockfile now = WB_LOCKFILE_INIT;
	struct wb_remotes *r = &p->plan.remotes;
	bool changed;

	if (wb_prepared_open(p, o, err) || wb_plan_fetch(&p->plan, &o->plan, err))
		return -1;
	wb_remotes_shown_enough(r);
	if (!r->sources.n) {
		wb_note("no source of %s needs locking", p->config.file);
		return 0;
	}
	wb_remotes_lock(&now, r);
	keep_layers(&now, &r->lock);
	if (o->plan.remote.locked || o->plan.remote.frozen)
		return 0; /* checked while planning */
	if (wb_lockfile_save(&now, r->lock_path, &changed, err))
		return -1;
	wb_note("%s %s", changed ? r->lock_found ? "updated" : "wrote" : "nothing to change in",
		r->lock_path);
	return 0;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	return wb_prepared_run(args, "Locking", lock, err);
}

static const enum wb_opt options[] = {OPTS_BUNDLE, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_lock = {
	.name = "lock",
	.operands = "[DIR]",
	.summary = "write or refresh wbuild.lock beside the config",
	.about = "Resolves every remote source and writes what it found to wbuild.lock: revisions, "
		 "and for each\nfile its path, size, SHA-256 and etag. Files whose SHA-256 nobody "
		 "vouches for are fetched\ninto the store to learn it. With --locked, only checks.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
