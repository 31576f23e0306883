#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "builder/cli/build_args.h"
#include "builder/cli/progress_args.h"
#include "oci/mediatype.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell_layers(const struct wb_build_result *r)
{
	size_t found = r->layers - r->packed;

	if (!r->packed)
		wb_note("layers: %zu, %s; all found, nothing packed", r->layers,
			wb_size_text(r->layer_bytes).s);
	else if (!found)
		wb_note("layers: %zu, %s; packed all", r->layers, wb_size_text(r->layer_bytes).s);
	else
		wb_note("layers: %zu, %s; packed %zu (%s of files), found %zu", r->layers,
			wb_size_text(r->layer_bytes).s, r->packed, wb_size_text(r->packed_bytes).s,
			found);
}

/* The command that most people type next. */
static void tell_next(const struct wb_output *o, const struct wb_build_opts *opts)
{
	wb_autofree char *name =
		opts->n_tags ? wb_reference_text(&opts->tags[0]) : wb_strdup("REGISTRY/NAME:TAG");
	const char *tag = opts->n_tags && opts->tags[0].tag ? opts->tags[0].tag : "latest";

	switch (o->kind) {
	case WB_OUTPUT_LAYOUT:
	case WB_OUTPUT_ARCHIVE:
		wb_note("next: wbuild push %s:%s:%s %s",
			o->kind == WB_OUTPUT_LAYOUT ? "oci" : "oci-archive", o->dest, tag, name);
		break;
	case WB_OUTPUT_DOCKER_ARCHIVE: wb_note("next: docker load -i %s", o->dest); break;
	case WB_OUTPUT_REGISTRY: wb_note("next: docker run --rm %s", name); break;
	case WB_OUTPUT_LOCAL: wb_note("next: wbuild verify --root %s", o->dest); break;
	case WB_OUTPUT_TAR: break;
	}
}

static void tell(const struct wb_build_result *r, const struct wb_build_opts *o, double seconds)
{
	if (r->unique_bytes == r->bytes)
		wb_note("bundle: %zu %s, %s", r->files, r->files == 1 ? "file" : "files",
			wb_size_text(r->bytes).s);
	else
		wb_note("bundle: %zu files, %s (%s once equal files are shared)", r->files,
			wb_size_text(r->bytes).s, wb_size_text(r->unique_bytes).s);
	tell_layers(r);
	for (size_t i = 0; i < o->n_outputs; i++)
		if (o->outputs[i].dest)
			wb_note("wrote %s", o->outputs[i].dest);
	wb_note("done in %s", wb_duration_text(seconds).s);
	tell_next(&o->outputs[0], o);
}

/* The members that buildx writes for one result. */
static json_t *metadata(const struct wb_build_result *r, const struct wb_build_opts *o)
{
	json_t *out = json_object(), *names = json_array();

	wb_json_set_str(out, "containerimage.config.digest", wb_digest_text(&r->config).s);
	wb_json_set(out, "containerimage.descriptor", wb_descriptor_to_json(&r->root));
	wb_json_set_str(out, "containerimage.digest", wb_digest_text(&r->root.digest).s);
	for (size_t i = 0; i < o->n_tags; i++) {
		wb_autofree char *name = wb_reference_text(&o->tags[i]);

		wb_json_append(names, json_string(name));
	}
	if (o->n_tags) {
		wb_autofree char *joined = wb_strdup("");

		for (size_t i = 0; i < o->n_tags; i++) {
			wb_autofree char *before = wb_steal(joined);

			joined = wb_asprintf("%s%s%s", before, i ? "," : "",
				json_string_value(json_array_get(names, i)));
		}
		wb_json_set_str(out, "image.name", joined);
	}
	json_decref(names);
	return out;
}

static int write_files(const struct wb_build_result *r, const struct wb_build_opts *o,
	const struct wb_args *args, struct wb_err *err)
{
	const char *metadata_file = wb_args_last(args, OPT_METADATA_FILE);
	const char *iidfile = wb_args_last(args, OPT_IIDFILE);
	struct wb_digest_text id = wb_digest_text(&r->config);

	if (metadata_file) {
		wb_autojson json_t *j = metadata(r, o);
		wb_autofree char *text = wb_json_dump_indent(j);

		if (wb_secret_guard(metadata_file, text, strlen(text), err) ||
			wb_file_put(metadata_file, text, strlen(text), 0644, WB_FILE_REPLACE, err))
			return wb_err_wrap(err, "--metadata-file");
	}
	if (iidfile && wb_file_put(iidfile, id.s, strlen(id.s), 0644, WB_FILE_REPLACE, err))
		return wb_err_wrap(err, "--iidfile");
	return 0;
}

static int build_shown(struct wb_build_result *result, struct wb_build_args *build,
	const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_progress_freep) struct wb_progress *progress = NULL;

	if (wb_progress_open(&progress, args, "Building", err))
		return -1;
	build->opts.progress = progress;
	build->opts.plan.remote.progress = progress;
	int rc = wb_build_run(result, &build->opts, err);

	build->opts.progress = build->opts.plan.remote.progress = NULL;
	return rc;
}

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_build_args_release) struct wb_build_args build = {0};
	WB_AUTO(wb_build_result_release) struct wb_build_result result = WB_BUILD_RESULT_INIT;
	double start = now();

	if (wb_build_args_read(&build, args, err) || build_shown(&result, &build, args, err) ||
		write_files(&result, &build.opts, args, err))
		return -1;
	tell(&result, &build.opts, now() - start);
	printf("%s\n", wb_digest_text(&result.root.digest).s);
	return 0;
}

static const enum wb_opt options[] = {OPTS_BUNDLE, OPT_TAG, OPT_OUTPUT, OPT_PUSH, OPT_BASE,
	OPT_PLATFORM, OPT_COMPRESSION, OPT_COMPRESSION_LEVEL, OPT_COMPAT, OPT_NO_STUB, OPT_VERIFY,
	OPT_ALLOW_SECRET, OPT_LABEL, OPT_ANNOTATION, OPT_ENV, OPT_PLAIN_HTTP, OPT_TLS_VERIFY,
	OPT_MOUNT_FROM, OPT_REGISTRY_LIMITS, OPT_METADATA_FILE, OPT_IIDFILE, OPTS_COMMON, OPT_END};

const struct wb_command wb_cmd_build = {
	.name = "build",
	.operands = "[DIR]",
	.summary = "read DIR/config.yaml, fetch, pack, and write the image",
	.about = "Reads DIR/config.yaml (DIR is . when left out), resolves and fetches what it "
		 "names, "
		 "packs the\nfiles into layers, appends them to the base and writes the outputs. "
		 "Prints the digest of the result.",
	.max_operands = 1,
	.options = options,
	.run = run,
};
