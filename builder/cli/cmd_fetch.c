#include "base/log.h"
#include "base/text.h"
#include "builder/cli/build_args.h"
#include "builder/cli/prepared_args.h"

static int fetch(struct wb_prepared *p, const struct wb_build_opts *o, struct wb_err *err)
{
	const struct wb_fetch_total *t = &p->plan.remotes.total;

	if (wb_prepared_open(p, o, err) || wb_sizes_check(&p->plan, &o->sizes, err) ||
		wb_plan_fetch(&p->plan, &o->plan, err) ||
		wb_remotes_fetch_all(&p->plan.remotes, err))
		return -1;
	wb_note("fetched %zu files, %s; %zu were there", t->fetched,
		wb_size_text(t->fetched_bytes).s,
		p->plan.files.n > t->fetched ? p->plan.files.n - t->fetched : 0);
	return 0;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	return wb_prepared_run(args, "Fetching", fetch, err);
}

static const enum wb_opt options[] = {OPTS_BUNDLE, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_fetch = {
	.name = "fetch",
	.operands = "[DIR]",
	.summary = "fill the local content store only",
	.about = "Resolves every source of DIR/config.yaml and fetches the files that the store "
		 "does "
		 "not hold,\nverified. A build after that needs no network for its sources.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
