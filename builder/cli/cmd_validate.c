#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "builder/build/findings.h"
#include "builder/build/lint.h"
#include "builder/build/report.h"
#include "builder/cli/build_args.h"
#include "builder/cli/progress_args.h"
#include "builder/cli/report_args.h"

enum format { TEXT, JSON, GITHUB };

struct validation {
	struct wb_build_args build;
	struct wb_config config;
	struct wb_store *store;
	struct wb_plan plan;
	struct wb_lint_opts lint;
	WB_VEC(const char *) ignored;
};

static void validation_release(struct validation *v)
{
	wb_vec_free(&v->ignored);
	wb_plan_release(&v->plan);
	wb_store_close(v->store);
	wb_config_release(&v->config);
	wb_build_args_release(&v->build);
}

static int read_format(enum format *out, const struct wb_args *args, struct wb_err *err)
{
	const char *format = wb_args_last(args, OPT_FORMAT);

	*out = !format || !strcmp(format, "text") ? TEXT : !strcmp(format, "json") ? JSON : GITHUB;
	if (*out != GITHUB || !strcmp(format, "github"))
		return 0;
	return wb_err_set(
		err, WB_ERR_USAGE, "--format: \"%s\" is not text, json or github", format);
}

static int read_lint_args(struct validation *v, const struct wb_args *args, struct wb_err *err)
{
	wb_vec_foreach (id, &args->values[OPT_IGNORE])
		*wb_vec_push(&v->ignored) = *id;
	wb_vec_push(&v->ignored); /* the NULL at the end */
	v->lint.ignore = v->ignored.items;
	v->lint.sizes = v->build.opts.sizes;
	return wb_args_size(&v->lint.bandwidth, args, OPT_BANDWIDTH, err);
}

/* Everything that can be found without the plan, and then with it. */
static int check(struct validation *v, const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_progress_freep) struct wb_progress *progress = NULL;
	struct wb_build_opts *o = &v->build.opts;

	if (wb_config_load(&v->config, o->dir, o->file, err) ||
		wb_progress_open(&progress, args, "Looking", err))
		return -1;
	o->plan.remote.progress = progress;
	o->plan.go_on = true;
	o->plan.remote.quiet_patterns = true;
	v->store = wb_store_open(o->cache_dir, err);
	int rc = !v->store || wb_plan_make(&v->plan, &v->config, v->store, &o->plan, err) ||
	                         wb_lint(&v->config.findings, &v->plan, &v->lint, err)
	                 ? -1
	                 : 0;

	o->plan.remote.progress = NULL;
	return rc ? rc : wb_sizes_limit(&v->plan, &o->sizes, err);
}

static void silence(struct validation *v)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;
	struct wb_err ignored = WB_ERR_INIT;

	wb_buf_init(&text, WB_CONFIG_BYTES_MAX, "config");
	/* a config that cannot be read was an error before */
	if (!v->config.file || wb_file_read(&text, v->config.file, &ignored))
		wb_buf_clear(&text);
	wb_lint_silence(&v->config.findings, text.data, v->lint.ignore);
}

/* --- results ------------------------------------------------------------------------------ */

/* What stopped the checks, as one more finding, unless it is among them already. */
static void add_stop(struct wb_findings *f, const struct wb_err *err)
{
	if (f->errors && err->line)
		return;
	wb_findings_add(f, WB_SEV_ERROR, "stopped", (struct wb_pos){err->line, err->column},
		err->hint[0] ? err->hint : NULL, "%s", err->text);
}

static void print_json(struct validation *v, bool valid)
{
	const struct wb_report_opts opts = {.bandwidth = v->lint.bandwidth};
	json_t *report = wb_report_plan(&v->plan, &opts);

	wb_json_set(report, "valid", json_boolean(valid));
	wb_json_set(report, "findings", wb_findings_json(&v->config.findings));
	wb_print_json(report);
}

/* err's own line comes last, from main. */
static void show_findings(const struct validation *v, const struct wb_err *err)
{
	bool skipped = false;

	wb_vec_foreach (f, &v->config.findings.list) {
		bool same = err->code && f->severity == WB_SEV_ERROR && !strcmp(f->text, err->text);

		if (!same || skipped)
			wb_finding_show(&v->config.findings, f);
		skipped |= same;
	}
	if (v->plan.bytes > (v->lint.sizes.warn ? v->lint.sizes.warn : WB_WARN_SIZE))
		wb_sizes_show_largest(&v->plan);
}

static void print_text(const struct validation *v)
{
	const struct wb_findings *f = &v->config.findings;

	printf("%s is valid: %zu %s, %s", v->config.file, v->plan.files.n,
		v->plan.files.n == 1 ? "file" : "files", wb_size_text(v->plan.bytes).s);
	if (f->warnings)
		printf(", %zu %s", f->warnings, f->warnings == 1 ? "warning" : "warnings");
	putchar('\n');
}

/* The findings' own verdict, when nothing stopped the checks. */
static int verdict(const struct wb_findings *f, bool strict, struct wb_err *err)
{
	if (f->errors)
		return wb_err_set(err, WB_ERR_CONFIG, "%zu %s found", f->errors,
			f->errors == 1 ? "error" : "errors");
	if (strict && f->warnings)
		return wb_err_set(err, WB_ERR_CONFIG, "%zu %s, and --strict was given", f->warnings,
			f->warnings == 1 ? "warning" : "warnings");
	return 0;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(validation_release) struct validation v = {0};
	struct wb_findings *findings = &v.config.findings;
	enum format format;

	if (read_format(&format, args, err) || wb_build_args_read(&v.build, args, err) ||
		read_lint_args(&v, args, err))
		return -1;
	int rc = check(&v, args, err);

	silence(&v);
	if (format == TEXT)
		show_findings(&v, err);
	else if (rc && findings->file)
		add_stop(findings, err);
	if (!rc)
		rc = verdict(findings, wb_args_has(args, OPT_STRICT), err);
	if (format == JSON)
		print_json(&v, rc == 0);
	else if (format == GITHUB && findings->file)
		wb_findings_github(stdout, findings);
	else if (format == TEXT && !rc)
		print_text(&v);
	return rc;
}

static const enum wb_opt options[] = {
	OPTS_BUNDLE, OPT_FORMAT, OPT_STRICT, OPT_IGNORE, OPT_BANDWIDTH, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_validate = {
	.name = "validate",
	.operands = "[DIR]",
	.summary = "check the config and the bundle without downloading",
	.about = "Finds mistakes in the config, and what is worth a word about the files it "
		 "chooses: "
		 "sizes,\ncredentials, damaged or missing weights, pickles, revisions that can "
		 "change. "
		 "Each finding has\nan id; --ignore ID silences it, as does a comment \"# wbuild: "
		 "ignore[ID]\" on its line, or on a\nline of its own for the whole file. Exit "
		 "status 2 "
		 "when there are errors.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
