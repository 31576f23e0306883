#include <stdio.h>

#include "builder/build/lock_diff.h"
#include "builder/build/report.h"
#include "builder/cli/build_args.h"
#include "builder/cli/report_args.h"

struct planning {
	struct wb_build_args build;
	struct wb_config config;
	struct wb_store *store;
	struct wb_plan plan;
	struct wb_layer_plan layers;
};

static void planning_release(struct planning *p)
{
	wb_layer_plan_release(&p->layers);
	wb_plan_release(&p->plan);
	wb_store_close(p->store);
	wb_config_release(&p->config);
	wb_build_args_release(&p->build);
}

static void show_diff(const struct wb_plan *p, bool json)
{
	wb_autojson json_t *diff = wb_lock_diff(&p->remotes);

	if (json)
		wb_print_json(json_incref(diff));
	else
		wb_lock_diff_text(stdout, diff);
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(planning_release) struct planning p = {0};
	const struct wb_build_opts *o = &p.build.opts;
	struct wb_report_opts report = {.layers = &p.layers, .all = wb_args_has(args, OPT_ALL)};
	bool json;

	if (wb_format_is_json(&json, args, err) ||
		wb_args_size(&report.bandwidth, args, OPT_BANDWIDTH, err) ||
		wb_build_args_read(&p.build, args, err) ||
		wb_config_open(&p.config, o->dir, o->file, err))
		return -1;
	p.store = wb_store_open(o->cache_dir, err);
	if (!p.store || wb_plan_make(&p.plan, &p.config, p.store, &o->plan, err) ||
		wb_sizes_check(&p.plan, &o->sizes, err) || wb_plan_preview(&p.plan, &o->plan, err))
		return -1;
	if (wb_args_has(args, OPT_DIFF)) {
		show_diff(&p.plan, json);
		return 0;
	}
	wb_layer_plan_make(&p.layers, &p.plan.tree, &(struct wb_layer_limits){0});
	if (json)
		wb_print_json(wb_report_plan(&p.plan, &report));
	else
		wb_report_plan_text(stdout, &p.plan, &report);
	return 0;
}

static const enum wb_opt options[] = {
	OPTS_BUNDLE, OPT_FORMAT, OPT_BANDWIDTH, OPT_ALL, OPT_DIFF, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_plan = {
	.name = "plan",
	.operands = "[DIR]",
	.summary = "print what a build would fetch and pack; downloads no weights",
	.max_operands = 1,
	.options = options,
	.run = run,
};
