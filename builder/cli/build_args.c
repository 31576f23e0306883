#include "builder/cli/build_args.h"

#include <string.h>

#include "base/text.h"

#include "builder/cli/transfer.h"

static int read_outputs(struct wb_build_args *out, const struct wb_args *args, struct wb_err *err)
{
	wb_vec_foreach (spec, &args->values[OPT_OUTPUT])
		if (wb_output_parse(wb_vec_push(&out->outputs), *spec, err))
			return -1;
	if (wb_args_has(args, OPT_PUSH))
		wb_vec_push(&out->outputs)->kind = WB_OUTPUT_REGISTRY;
	if (!out->outputs.n && wb_output_parse(wb_vec_push(&out->outputs),
				       "type=oci,tar=false,dest=wbuild-image", err))
		return -1;
	out->opts.outputs = out->outputs.items;
	out->opts.n_outputs = out->outputs.n;
	return 0;
}

static int read_tags(struct wb_build_args *out, const struct wb_args *args, struct wb_err *err)
{
	wb_vec_foreach (text, &args->values[OPT_TAG]) {
		if (wb_reference_parse(wb_vec_push(&out->tags), *text, err))
			return wb_err_wrap(err, "--tag");
		if (!out->tags.items[out->tags.n - 1].has_digest)
			continue;
		return wb_err_set(err, WB_ERR_USAGE,
			"--tag \"%s\": a digest cannot be given, the build makes it", *text);
	}
	out->opts.tags = out->tags.items;
	out->opts.n_tags = out->tags.n;
	return 0;
}

typedef WB_VEC(const char *) pairs;

static int read_pairs(const char *const **list, void *vec, const struct wb_args *args,
	enum wb_opt opt, struct wb_err *err)
{
	pairs *out = vec;

	wb_vec_foreach (text, &args->values[opt]) {
		if (!strchr(*text, '=') || **text == '=')
			return wb_err_set(err, WB_ERR_USAGE, "--%s \"%s\" is not KEY=VALUE",
				wb_options[opt].name, *text);
		if (!wb_utf8_valid(*text, strlen(*text))) {
			wb_autofree char *shown = wb_text_quote(*text, 200);

			return wb_err_set(err, WB_ERR_USAGE, "--%s \"%s\" is not UTF-8",
				wb_options[opt].name, shown);
		}
		*wb_vec_push(out) = *text;
	}
	wb_vec_push(out); /* the NULL at the end */
	*list = (const char *const *)out->items;
	return 0;
}

/* What must not be packed when it lies in a source's folder. */
static void list_written(struct wb_build_args *out, const struct wb_args *args)
{
	static const enum wb_opt files[] = {OPT_METADATA_FILE, OPT_IIDFILE};

	wb_vec_foreach (o, &out->outputs)
		if (o->dest)
			*wb_vec_push(&out->written) = o->dest;
	for (size_t i = 0; i < WB_ARRAY_LEN(files); i++)
		if (wb_args_has(args, files[i]))
			*wb_vec_push(&out->written) = wb_args_last(args, files[i]);
	wb_vec_push(&out->written); /* the NULL at the end */
	out->opts.plan.written = out->written.items;
}

static int read_compat(struct wb_build_opts *o, const char *compression, const struct wb_args *args,
	struct wb_err *err)
{
	const char *compat = wb_args_last(args, OPT_COMPAT);
	unsigned level = 0;

	if (compat && strcmp(compat, "oci") && strcmp(compat, "docker") && strcmp(compat, "kserve"))
		return wb_err_set(
			err, WB_ERR_USAGE, "--compat: \"%s\" is not oci, docker or kserve", compat);
	bool gzip = compat && strcmp(compat, "oci");

	o->docker = compat && !strcmp(compat, "docker");
	if (gzip && compression && !strcmp(compression, "zstd"))
		return wb_err_set(err, WB_ERR_USAGE,
			"--compat %s cannot take zstd layers; leave --compression out, or give "
			"gzip or none",
			compat);
	if (gzip && (!compression || !strcmp(compression, "auto")))
		compression = "gzip";
	if (wb_args_number(&level, args, OPT_COMPRESSION_LEVEL, 100, err))
		return -1;
	return wb_codec_parse(&o->codec, compression ? compression : "auto", (int)level, err);
}

static int read_verify(struct wb_build_opts *o, const struct wb_args *args, struct wb_err *err)
{
	static const char *const modes[] = {"off", "size", "sample", "full"};
	const char *verify = wb_args_last(args, OPT_VERIFY);

	o->verify = verify;
	o->stub = !wb_args_has(args, OPT_NO_STUB);
	for (size_t i = 0; i < WB_ARRAY_LEN(modes); i++)
		if (!verify || !strcmp(verify, modes[i]))
			return 0;
	return wb_err_set(
		err, WB_ERR_USAGE, "--verify: \"%s\" is not off, size, sample or full", verify);
}

static int read_remote(struct wb_build_args *out, const struct wb_args *args, struct wb_err *err)
{
	struct wb_remote_plan_opts *r = &out->opts.plan.remote;

	r->offline = wb_args_has(args, OPT_OFFLINE);
	r->locked = wb_args_has(args, OPT_LOCKED);
	r->frozen = wb_args_has(args, OPT_FROZEN);
	r->insecure = wb_args_has(args, OPT_INSECURE);
	r->ca_file = wb_args_last(args, OPT_CA_FILE);
	r->jobs = out->opts.jobs;
	wb_vec_foreach (path, &args->values[OPT_ALLOW_SECRET])
		*wb_vec_push(&out->allow_secret) = *path;
	wb_vec_push(&out->allow_secret); /* the NULL at the end */
	out->opts.allow_secret = (const char *const *)out->allow_secret.items;
	wb_vec_foreach (spec, &args->values[OPT_SECRET])
		*wb_vec_push(&out->secrets) = *spec;
	wb_vec_push(&out->secrets); /* the NULL at the end */
	r->secrets = (const char *const *)out->secrets.items;
	if (wb_args_number(&r->connections, args, OPT_CONNECTIONS, 256, err))
		return -1;
	return wb_args_size(&r->rate_limit, args, OPT_LIMIT_RATE, err);
}

int wb_build_args_read(struct wb_build_args *out, const struct wb_args *args, struct wb_err *err)
{
	struct wb_build_opts *o = &out->opts;

	*out = (struct wb_build_args){0};
	o->dir = args->operands.n ? args->operands.items[0] : ".";
	o->file = wb_args_last(args, OPT_FILE);
	o->cache_dir = wb_args_last(args, OPT_CACHE_DIR);
	o->base = wb_args_last(args, OPT_BASE);
	o->platforms = wb_args_last(args, OPT_PLATFORM);
	o->plan.bundle_volumes = wb_args_has(args, OPT_BUNDLE_VOLUMES);
	if (wb_place_args_read(&o->place, &out->mounts, args, err) ||
		wb_args_number(&o->jobs, args, OPT_JOBS, 1024, err) ||
		wb_args_size(&o->sizes.warn, args, OPT_WARN_SIZE, err) ||
		wb_args_size(&o->sizes.max, args, OPT_MAX_SIZE, err) ||
		read_compat(o, wb_args_last(args, OPT_COMPRESSION), args, err) ||
		read_verify(o, args, err) || read_outputs(out, args, err) ||
		read_tags(out, args, err) ||
		read_pairs(&o->labels, &out->labels, args, OPT_LABEL, err) ||
		read_pairs(&o->annotations, &out->annotations, args, OPT_ANNOTATION, err) ||
		read_pairs(&o->env, &out->env, args, OPT_ENV, err))
		return -1;
	o->plan.jobs = o->jobs;
	list_written(out, args);
	return read_remote(out, args, err);
}

void wb_build_args_release(struct wb_build_args *b)
{
	wb_vec_foreach (o, &b->outputs)
		wb_output_release(o);
	wb_vec_free(&b->outputs);
	wb_vec_foreach (t, &b->tags)
		wb_reference_release(t);
	wb_vec_free(&b->tags);
	wb_vec_free(&b->labels);
	wb_vec_free(&b->annotations);
	wb_vec_free(&b->env);
	wb_vec_free(&b->secrets);
	wb_vec_free(&b->allow_secret);
	wb_vec_free(&b->written);
	free(b->mounts);
	wb_http_rate_free(b->opts.place.rate);
}
