#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/loaded.h"
#include "builder/cli/report_args.h"
#include "builder/cli/transfer.h"
#include "layers/verify.h"

/* Problems are results: to stdout, or into a list for JSON. */
static void add_problem(void *arg, const char *line)
{
	json_t *list = *(json_t **)arg;

	if (list)
		wb_json_append(list, wb_json_text(line));
	else
		printf("%s\n", line);
}

static void print_report(
	json_t *problems, const char *what, uint64_t files, uint64_t bytes, bool ok)
{
	json_t *report = json_object();

	wb_json_set_text(report, "checked", what);
	wb_json_set_u64(report, "files", files);
	wb_json_set_u64(report, "bytes", bytes);
	wb_json_set(report, "ok", json_boolean(ok));
	wb_json_set(report, "problems", problems);
	wb_print_json(report);
}

/* --- verify IMAGE ------------------------------------------------------------------------- */

static int verify_image(
	const char *text, const struct wb_args *args, bool json, unsigned jobs, struct wb_err *err)
{
	WB_AUTO(wb_loaded_release) struct wb_loaded loaded = WB_LOADED_INIT;
	struct wb_place_opts opts = {0};
	struct wb_loaded_check check;
	json_t *list = json ? json_array() : NULL;

	if (wb_place_args_reach(&opts, args, err) || wb_loaded_open(&loaded, text, &opts, err)) {
		json_decref(list);
		return -1;
	}
	int rc = wb_loaded_verify(&check, &loaded, jobs, add_problem, &list, err);

	if (json)
		print_report(list, text, check.files, check.bytes, rc == 0);
	else if (!rc)
		printf("%zu blobs, %s, and %zu files are what the manifests say\n", check.blobs,
			wb_size_text(check.bytes).s, check.files);
	return rc;
}

/* --- verify --root DIR -------------------------------------------------------------------- */

static int load_manifest(struct wb_bundle_manifest *out, const char *root, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(root, WB_MANIFEST_PATH);
	WB_AUTO(wb_buf_release) struct wb_buf text;

	wb_buf_init(&text, WB_MANIFEST_BYTES_MAX, "bundle manifest");
	if (wb_file_read(&text, path, err))
		return -1;
	return wb_bundle_manifest_parse(out, text.data, text.len, err)
	               ? wb_err_wrap(err, "\"%s\"", path)
	               : 0;
}

static int verify_root(
	const char *root, const struct wb_args *args, bool json, unsigned jobs, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release)
	struct wb_bundle_manifest manifest = WB_BUNDLE_MANIFEST_INIT;
	WB_AUTO(wb_verify_report_release)
	struct wb_verify_report report = WB_VERIFY_REPORT_INIT;
	struct wb_verify_options options = WB_VERIFY_OPTIONS_INIT;
	const char *mode = wb_args_last(args, OPT_VERIFY);
	json_t *list = NULL;

	options.threads = jobs;
	if ((mode && wb_verify_mode_parse(&options.mode, mode, err)) ||
		load_manifest(&manifest, root, err) ||
		wb_verify_root(&report, root, &manifest, &options, err))
		return -1;
	if (json)
		list = json_array();
	wb_vec_foreach (p, &report.problems) {
		wb_autofree char *line = wb_problem_text(p);

		add_problem(&list, line);
	}
	int rc = wb_verify_verdict(&report, err);

	if (json)
		print_report(list, root, report.files, report.bytes, rc == 0);
	else if (!rc)
		printf("%" PRIu64 " files, %s: as they were packed\n", report.files,
			wb_size_text(report.bytes).s);
	return rc;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	const char *root = wb_args_last(args, OPT_ROOT);
	unsigned jobs = 0;
	bool json;

	if (wb_format_is_json(&json, args, err) || wb_args_number(&jobs, args, OPT_JOBS, 1024, err))
		return -1;
	if ((root != NULL) + (int)args->operands.n != 1)
		return wb_err_set(err, WB_ERR_USAGE, "verify: give an IMAGE, or --root DIR");
	return root ? verify_root(root, args, json, jobs, err)
	            : verify_image(args->operands.items[0], args, json, jobs, err);
}

static const enum wb_opt options[] = {
	OPT_ROOT, OPT_VERIFY, OPT_FORMAT, OPT_JOBS, OPTS_REACH, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_verify = {
	.name = "verify",
	.operands = "IMAGE",
	.summary = "re-hash an image's blobs, or an unpacked root (--root DIR)",
	.max_operands = 1,
	.options = options,
	.run = run,
};
