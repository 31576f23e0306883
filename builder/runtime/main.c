/* The runtime stub, /.wbuild/init: checks the bundled files, puts them where they belong, and
 * becomes the container's command. docs/stub.md is its reference. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "builder/runtime/copy.h"
#include "builder/runtime/fetch.h"
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

/* What the image holds. */
static int check(struct wb_verify_report *r, const struct wb_stub_options *o, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release) struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf text = WB_BUF_INIT;
	const char *from = o->from ? o->from : "/";

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

static int fetch(struct wb_outcome *how, const struct wb_stub_options *o)
{
	WB_AUTO(wb_fetching_release) struct wb_fetching fetching = WB_FETCHING_INIT;

	if (wb_fetching_start(&fetching, o, &how->err))
		return -1;
	return wb_fetching_wait(&how->fetched, &fetching, o, &how->err);
}

/* Everything before the command. What is not here is fetched while that which is gets checked. */
static int prepare(struct wb_outcome *how, const struct wb_stub_options *o)
{
	WB_AUTO(wb_fetching_release) struct wb_fetching fetching = WB_FETCHING_INIT;
	bool fetches = o->fetch && o->action == WB_STUB_RUN && !o->background;

	if (fetches && wb_fetching_start(&fetching, o, &how->err))
		return -1;
	if (check(&how->checked, o, &how->err) ||
		wb_fetching_wait(&how->fetched, &fetching, o, &how->err))
		return -1;
	return wb_cancel_check(&how->err);
}

static int exit_status(const struct wb_err *err)
{
	return wb_cancelled() ? 128 + wb_cancel_signal() : wb_err_exit_code(err);
}

/* Fetches beside the command, in a process of its own; the markers say when it is done. */
static void fetch_beside(struct wb_outcome *how, const struct wb_stub_options *o)
{
	pid_t pid = fork();

	if (pid < 0)
		wb_err_sys(&how->err, errno, "cannot start a process to fetch with");
	if (pid)
		return;
	struct wb_stub_options quiet = *o;

	/* what was checked has been reported */
	(void)fetch(how, o);
	quiet.quiet = how->err.code == WB_OK;
	wb_report_print(&quiet, how);
	wb_markers_write(o, how);
	_exit(0);
}

static int launch(struct wb_outcome *how, const struct wb_stub_options *o)
{
	int rc = wb_launch(o->command, environ, &how->err);

	wb_say_err(&how->err);
	wb_markers_clear(o);
	wb_markers_write(o, how);
	return rc;
}

static int run(const struct wb_stub_options *o, struct wb_outcome *how)
{
	struct wb_signals signals;

	wb_signals_catch(&signals);
	wb_markers_clear(o);
	int rc = prepare(how, o);

	wb_report_print(o, how);
	if (!rc && o->fetch && o->background)
		fetch_beside(how, o);
	else
		wb_markers_write(o, how);
	wb_signals_restore(&signals);
	if (how->err.code != WB_OK)
		return exit_status(&how->err);
	return o->action == WB_STUB_COPY || !o->command[0] ? 0 : launch(how, o);
}

static int start(const struct wb_stub_options *o)
{
	struct wb_outcome how = {.checked = WB_VERIFY_REPORT_INIT, .err = WB_ERR_INIT};
	int status = run(o, &how);

	wb_verify_report_release(&how.checked);
	return status;
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
	case WB_STUB_COPY: return start(&o);
	case WB_STUB_WAIT: return wait_for_ready(&o);
	case WB_STUB_VERSION: printf("wbuild-init %s\n", WBUILD_VERSION); return 0;
	case WB_STUB_HELP: break;
	}
	wb_autofree char *help = wb_stub_help();

	fputs(help, stdout);
	return 0;
}
