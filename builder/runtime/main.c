/* The runtime stub, /.wbuild/init: checks the bundled files, puts them where they belong, and
 * becomes the container's command. docs/stub.md is its reference. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "builder/runtime/copy.h"
#include "builder/runtime/launch.h"
#include "builder/runtime/options.h"
#include "builder/runtime/place.h"
#include "builder/runtime/report.h"
#include "builder/runtime/wait.h"
#include "layers/manifest.h"
#include "wbuild_version.h"

extern char **environ;

/* text is filled with what the manifest was read from; the caller releases both. */
static int read_manifest(struct wb_bundle_manifest *out, struct wb_buf *text,
	const struct wb_stub_options *o, struct wb_err *err)
{
	wb_autofree char *path = o->manifest
	                                 ? wb_strdup(o->manifest)
	                                 : wb_path_join(o->from ? o->from : "/", WB_MANIFEST_PATH);

	wb_buf_init(text, WB_MANIFEST_BYTES_MAX, "bundle manifest");
	if (wb_file_read(text, path, err)) {
		if (o->from)
			wb_err_hint(err, "is the volume mounted at \"%s\"?", o->from);
		return -1;
	}
	if (wb_bundle_manifest_parse(out, text->data, text->len, err))
		return wb_err_wrap(err, "\"%s\"", path);
	return 0;
}

static size_t count_fatal(const struct wb_stub_options *o, const struct wb_verify_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->problems.n; i++)
		n += r->problems.items[i].kind != WB_PROBLEM_EXTRA || o->extra == WB_EXTRA_FAIL;
	return n;
}

static bool only_extra(const struct wb_verify_report *r)
{
	for (size_t i = 0; i < r->problems.n; i++)
		if (r->problems.items[i].kind != WB_PROBLEM_EXTRA)
			return false;
	return true;
}

static int place(
	const struct wb_stub_options *o, const struct wb_bundle_manifest *m, struct wb_err *err)
{
	wb_autofree char *moved = NULL;

	if (o->from && wb_place(&moved, m, o->from, o->place, "/", err))
		return -1;
	if (m->hf_cache)
		wb_hub_point_to(m->hf_cache, moved ? moved : m->hf_cache);
	return 0;
}

/* Everything before the command. */
static int prepare(struct wb_verify_report *r, const struct wb_stub_options *o, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release) struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf text = WB_BUF_INIT;
	const char *from = o->from ? o->from : "/";

	if (o->fetch) {
		wb_err_set(err, WB_ERR_UNSUPPORTED, "this stub does not fetch");
		return wb_err_hint(err, "wbuild puts a fetching stub into images that have "
					"use_volume entries");
	}
	if (o->verify.mode == WB_VERIFY_OFF && !o->from && o->action == WB_STUB_RUN)
		return 0;
	if (read_manifest(&m, &text, o, err))
		return -1;
	if (o->action == WB_STUB_COPY ? wb_stub_copy(r, o, &m, from, &text, err)
				      : wb_verify_root(r, from, &m, &o->verify, err))
		return -1;
	if (count_fatal(o, r) && wb_verify_verdict(r, err))
		return only_extra(r)
		               ? wb_err_hint(err, "--extra warn accepts files that nobody packed")
		               : -1;
	return o->action == WB_STUB_COPY ? 0 : place(o, &m, err);
}

static int exit_status(const struct wb_err *err)
{
	return wb_cancelled() ? 128 + wb_cancel_signal() : wb_err_exit_code(err);
}

static int run(const struct wb_stub_options *o)
{
	WB_AUTO(wb_verify_report_release)
	struct wb_verify_report r = WB_VERIFY_REPORT_INIT;
	struct wb_err err = WB_ERR_INIT;
	struct wb_signals signals;

	wb_signals_catch(&signals);
	wb_markers_clear(o);
	int rc = prepare(&r, o, &err) || wb_cancel_check(&err);

	wb_report_print(o, &r, &err);
	wb_markers_write(o, &r, &err);
	wb_signals_restore(&signals);
	if (rc)
		return exit_status(&err);
	if (o->action == WB_STUB_COPY || !o->command[0])
		return 0;
	rc = wb_launch(o->command, environ, &err);
	wb_say_err(&err);
	wb_markers_clear(o);
	wb_markers_write(o, &r, &err);
	return rc;
}

static int wait_for_ready(const struct wb_stub_options *o)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_signals signals;

	wb_signals_catch(&signals);
	if (!wb_stub_wait(o, &err))
		return 0;
	wb_say_err(&err);
	return exit_status(&err);
}

int main(int argc, char **argv)
{
	struct wb_stub_options o;
	struct wb_err err = WB_ERR_INIT;

	if (wb_stub_options_parse(&o, argc, argv, &err)) {
		wb_say_err(&err);
		return wb_err_exit_code(&err);
	}
	switch (o.action) {
	case WB_STUB_RUN:
	case WB_STUB_COPY: return run(&o);
	case WB_STUB_WAIT: return wait_for_ready(&o);
	case WB_STUB_VERSION: printf("wbuild-init %s\n", WBUILD_VERSION); return 0;
	case WB_STUB_HELP: break;
	}
	wb_autofree char *help = wb_stub_help();

	fputs(help, stdout);
	return 0;
}
