#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "builder/build/build.h"
#include "builder/buildkit/dockerfile.h"
#include "builder/cli/build_args.h"

static bool is_there(const char *dir, const char *name)
{
	wb_autofree char *path = wb_path_join(dir, name);

	return !access(path, F_OK);
}

/* For its command, which the stub is put in front of. A base that cannot be asked is no reason to
 * print nothing. */
static void open_base(struct wb_base *base, const char *name, const struct wb_build_opts *o)
{
	struct wb_err err = WB_ERR_INIT;

	if (wb_base_open(base, name, NULL, &o->place, &err)) {
		wb_log_err_as(WB_LOG_WARNING, &err);
		wb_warn("the base's own entrypoint is not known: add it to ENTRYPOINT, and its "
			"CMD");
	}
}

static int print(const struct wb_config *c, const struct wb_build_opts *o, struct wb_err *err)
{
	WB_AUTO(wb_base_release) struct wb_base base = WB_BASE_INIT;
	const char *name = o->base ? o->base : c->base_image;
	wb_autofree char *text = NULL;
	bool scratch = !name || !strcmp(name, "scratch");

	if (!scratch && !c->start_command)
		open_base(&base, name, o);
	const struct wb_dockerfile_opts opts = {
		.config_name = o->file ? wb_path_basename(o->file) : "config.yaml",
		.has_lock = is_there(o->dir, "wbuild.lock"),
		.has_ignore = is_there(o->dir, ".truss_ignore"),
		.has_data = is_there(o->dir, c->data_dir),
		.base_name = scratch ? NULL : name,
		.base = base.images.n ? &base.images.items[0] : NULL,
	};

	if (wb_dockerfile_make(&text, c, &opts, err))
		return -1;
	fputs(text, stdout);
	return 0;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_build_args_release) struct wb_build_args build = {0};
	WB_AUTO(wb_config_release) struct wb_config config = WB_CONFIG_INIT;

	if (wb_build_args_read(&build, args, err) ||
		wb_config_open(&config, build.opts.dir, build.opts.file, err))
		return -1;
	return print(&config, &build.opts, err);
}

static const enum wb_opt options[] = {
	OPT_FILE, OPT_BASE, OPT_PLAIN_HTTP, OPT_CA_FILE, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_dockerfile = {
	.name = "dockerfile",
	.operands = "[DIR]",
	.summary = "print a Dockerfile that builds the same thing",
	.about =
		"Prints a Dockerfile for DIR/config.yaml: the base with its build_commands, a "
		"stage in which\nwbuild makes the bundle, and the image of both. Build it with DIR "
		"as the context.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
