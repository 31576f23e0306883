#include "builder/build/volumes.h"

#include "base/progress.h"

static int at(struct wb_err *err, const struct wb_plan *p, const struct wb_source *src)
{
	struct wb_err why = *err;

	wb_err_at(err, p->config->file, src->pos.line, src->pos.column, "%s", why.text);
	return -1;
}

static int claim_files(struct wb_volumes *out, const struct wb_volume *v, const struct wb_plan *p,
	struct wb_err *err)
{
	wb_vec_foreach (f, &v->listing.files) {
		wb_autofree char *path = wb_volume_path(v, f);

		if (!wb_volumes_claim(out, path))
			return wb_err_set(err, WB_ERR_CONFIG, "%s: \"%s\" comes from another entry",
				v->src->uri.text, path);
	}
	return 0;
}

static int list(
	struct wb_volumes *out, struct wb_plan *p, const struct wb_source *src, struct wb_err *err)
{
	const struct wb_remotes *r = &p->remotes;
	const struct wb_remote_opts opts = {.http = r->http,
		.secrets = r->secrets,
		.config_file = r->config_file,
		.insecure = r->opts.insecure};
	WB_AUTO(wb_remote_freep) struct wb_remote *remote = NULL;
	struct wb_volume *v;

	if (r->opts.offline || r->opts.frozen) {
		wb_err_set(err, WB_ERR_CONFIG,
			"%s is fetched at start, which its files have to be listed for, and %s "
			"asks "
			"no source",
			src->uri.text, r->opts.frozen ? "--frozen" : "--offline");
		at(err, p, src);
		return wb_err_hint(err, "build with the network, or bake it with --bundle-volumes");
	}
	remote = wb_remote_open(src, &opts, err);
	if (!remote)
		return -1;
	v = wb_volumes_add(out, src->uri.text, src->mount, err);
	if (!v)
		return at(err, p, src);
	wb_volume_set_secret(v, src->auth.secret_name, src->auth.secret_explicit);
	if (wb_remote_list(&v->listing, remote, err))
		return -1;
	return claim_files(out, v, p, err) ? at(err, p, src) : 0;
}

int wb_plan_volumes(struct wb_volumes *out, struct wb_plan *p, struct wb_store *store,
	const struct wb_plan_opts *opts, struct wb_err *err)
{
	const struct wb_config *c = p->config;

	*out = WB_VOLUMES_INIT;
	wb_vec_foreach (s, &p->sources) {
		struct wb_step *step;

		if (!s->skipped)
			continue;
		if (!p->remotes.store && wb_remotes_init(&p->remotes, store, p->dir, c->data_dir,
						 c->file, &opts->remote, err))
			return -1;
		step = wb_step_begin(opts->remote.progress, "list %s, fetched at start", s->label);
		if (wb_step_end(step, list(out, p, s->config, err), err))
			return -1;
	}
	return 0;
}
