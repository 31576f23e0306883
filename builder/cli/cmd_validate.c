#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "builder/build/report.h"
#include "builder/cli/build_args.h"
#include "builder/cli/report_args.h"

static const char *severity_word(enum wb_severity s)
{
	switch (s) {
	case WB_SEV_ERROR: return "error";
	case WB_SEV_WARNING: return "warning";
	case WB_SEV_NOTE: return "note";
	}
	return "";
}

static json_t *findings_json(const struct wb_findings *f)
{
	json_t *out = json_array();

	wb_vec_foreach (finding, &f->list) {
		json_t *o = json_object();

		wb_json_set_str(o, "severity", severity_word(finding->severity));
		wb_json_set_str(o, "id", finding->id);
		wb_json_set_str(o, "file", f->file);
		wb_json_set_u64(o, "line", finding->pos.line);
		wb_json_set_u64(o, "column", finding->pos.column);
		wb_json_set_str(o, "text", finding->text);
		if (finding->hint)
			wb_json_set_str(o, "hint", finding->hint);
		wb_json_append(out, o);
	}
	return out;
}

struct validation {
	struct wb_build_args build;
	struct wb_config config;
	struct wb_store *store;
	struct wb_plan plan;
};

static void validation_release(struct validation *v)
{
	wb_plan_release(&v->plan);
	wb_store_close(v->store);
	wb_config_release(&v->config);
	wb_build_args_release(&v->build);
}

static void add_size_finding(struct validation *v)
{
	const struct wb_size_limits *limits = &v->build.opts.sizes;
	uint64_t warn = limits->warn ? limits->warn : WB_WARN_SIZE;

	if (v->plan.bytes > warn)
		wb_findings_add(&v->config.findings, WB_SEV_WARNING, "bundle-size",
			(struct wb_pos){0}, NULL, "the bundle is %s, more than %s",
			wb_size_text(v->plan.bytes).s, wb_size_text(warn).s);
}

static int check(struct validation *v, struct wb_err *err)
{
	const struct wb_build_opts *o = &v->build.opts;

	if (wb_config_open(&v->config, o->dir, o->file, err))
		return -1;
	v->store = wb_store_open(o->cache_dir, err);
	if (!v->store || wb_plan_make(&v->plan, &v->config, v->store, &o->plan, err))
		return -1;
	add_size_finding(v);
	return wb_sizes_check(&v->plan, &o->sizes, err);
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(validation_release) struct validation v = {0};
	bool json;

	if (wb_format_is_json(&json, args, err) || wb_build_args_read(&v.build, args, err))
		return -1;
	int rc = check(&v, err);

	if (json) {
		json_t *report = wb_report_plan(&v.plan, NULL, false);

		wb_json_set(report, "valid", json_boolean(rc == 0));
		wb_json_set(report, "findings", findings_json(&v.config.findings));
		wb_print_json(report);
	} else if (!rc) {
		printf("%s is valid: %zu %s, %s\n", v.config.file, v.plan.files.n,
			v.plan.files.n == 1 ? "file" : "files", wb_size_text(v.plan.bytes).s);
	}
	if (!rc && wb_args_has(args, OPT_STRICT) && v.config.findings.warnings)
		return wb_err_set(err, WB_ERR_CONFIG, "%zu %s, and --strict was given",
			v.config.findings.warnings,
			v.config.findings.warnings == 1 ? "warning" : "warnings");
	return rc;
}

static const enum wb_opt options[] = {OPTS_BUNDLE, OPT_FORMAT, OPT_STRICT, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_validate = {
	.name = "validate",
	.operands = "[DIR]",
	.summary = "check the config and the bundle without downloading",
	.max_operands = 1,
	.options = options,
	.run = run,
};
