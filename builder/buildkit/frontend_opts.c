#include "builder/buildkit/frontend_opts.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define PREFIX "BUILDKIT_FRONTEND_OPT_"
#define SESSION "BUILDKIT_SESSION_ID="
#define WORKERS "BUILDKIT_WORKERS="

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct wb_frontend_opt *)a)->name,
		((const struct wb_frontend_opt *)b)->name);
}

/* BUILDKIT_FRONTEND_OPT_<n>=name=value */
static void add(struct wb_frontend_opts *o, const char *entry)
{
	const char *text = strchr(entry, '=');
	const char *equals = text ? strchr(text + 1, '=') : NULL;

	if (!equals)
		return;
	struct wb_frontend_opt *opt = wb_vec_push(&o->list);

	opt->name = wb_strndup(text + 1, (size_t)(equals - text - 1));
	opt->value = wb_strdup(equals + 1);
}

static int read_workers(struct wb_llb_platform *out, const char *text, struct wb_err *err)
{
	wb_autojson json_t *workers = wb_json_parse(text, strlen(text), "BUILDKIT_WORKERS", err);

	if (!workers)
		return -1;
	const json_t *platform =
		json_array_get(json_object_get(json_array_get(workers, 0), "platforms"), 0);
	const char *os = wb_json_str_opt(platform, "os");
	const char *arch = wb_json_str_opt(platform, "architecture");

	if (!os || !arch)
		return wb_err_set(err, WB_ERR_FORMAT, "BUILDKIT_WORKERS names no platform");
	out->os = wb_strdup(os);
	out->arch = wb_strdup(arch);
	out->variant = wb_strdup(wb_json_str_opt(platform, "variant"));
	return 0;
}

int wb_frontend_opts_read(
	struct wb_frontend_opts *out, char *const *environment, struct wb_err *err)
{
	const char *workers = NULL;

	*out = WB_FRONTEND_OPTS_INIT;
	for (; *environment; environment++) {
		const char *entry = *environment;

		if (wb_str_starts(entry, PREFIX))
			add(out, entry);
		else if (wb_str_starts(entry, SESSION) && !out->session)
			out->session = wb_strdup(entry + strlen(SESSION));
		else if (wb_str_starts(entry, WORKERS))
			workers = entry + strlen(WORKERS);
	}
	if (out->list.n)
		qsort(out->list.items, out->list.n, sizeof(*out->list.items), by_name);
	if (out->session && workers)
		return read_workers(&out->native, workers, err);
	wb_err_set(err, WB_ERR_USAGE, "this command is what buildkit runs for a build");
	return wb_err_hint(err, "use \"docker buildx build -f config.yaml .\" with a first line "
				"\"# syntax=\" in the config, or \"wbuild build\"");
}

void wb_frontend_opts_release(struct wb_frontend_opts *o)
{
	wb_vec_foreach (opt, &o->list) {
		free(opt->name);
		free(opt->value);
	}
	wb_vec_free(&o->list);
	free(o->session);
	free(o->native.os);
	free(o->native.arch);
	free(o->native.variant);
	*o = WB_FRONTEND_OPTS_INIT;
}

const char *wb_frontend_opt(const struct wb_frontend_opts *o, const char *name)
{
	wb_vec_foreach (opt, &o->list)
		if (!strcmp(opt->name, name))
			return opt->value;
	return NULL;
}

const char *wb_frontend_arg(const struct wb_frontend_opts *o, const char *name)
{
	wb_autofree char *key = wb_asprintf("build-arg:%s", name);
	const char *value = wb_frontend_opt(o, key);

	return value && *value ? value : NULL;
}

bool wb_frontend_arg_true(const struct wb_frontend_opts *o, const char *name)
{
	const char *v = wb_frontend_arg(o, name);

	return v &&
	       (!strcmp(v, "1") || !strcmp(v, "true") || !strcmp(v, "yes") || !strcmp(v, "on"));
}
