/* The steps that ask remote sources: list and lock. */
#include <string.h>

#include "base/file.h"
#include "builder/build/volumes.h"
#include "builder/buildkit/step_internal.h"

static bool is_listed(const struct wb_run *r, const struct wb_source *s)
{
	return s->uri.scheme != WB_SCHEME_FILE &&
	       (!s->use_volume || wb_run_number(r, "bundleVolumes"));
}

static void add_digest(json_t *o, const struct wb_remote_file *f)
{
	if (f->known.has_sha256)
		wb_json_set_str(o, "sha256", wb_digest_hex(&f->known.sha256).s);
}

/* All that says whether a file is still what it was. */
static json_t *listing_json(const struct wb_remote_source *s)
{
	json_t *o = json_object(), *files = json_array();

	wb_json_set_text(o, "source", s->config->uri.text);
	wb_json_set_text(o, "revision", s->listing.revision ? s->listing.revision : "");
	wb_json_set_text(o, "root", s->listing.root ? s->listing.root : "");
	wb_vec_foreach (f, &s->listing.files) {
		json_t *file = json_object();

		wb_json_set_text(file, "path", f->path);
		if (f->size != WB_SIZE_UNKNOWN)
			wb_json_set_u64(file, "size", f->size);
		wb_json_set_text(file, "etag", f->etag);
		wb_json_set_text(file, "version", f->version);
		if (f->identity)
			wb_json_set_text(file, "identity", f->identity);
		add_digest(file, f);
		wb_json_append(files, file);
	}
	wb_json_set(o, "files", files);
	return o;
}

static int list_sources(struct wb_remotes *remotes, struct wb_run *r, struct wb_err *err)
{
	wb_autofree char *lock = wb_run_path(r, "/in/wbuild.lock");
	const struct wb_remote_plan_opts opts = {.lock_path = lock,
		.insecure = wb_run_number(r, "insecure") != 0,
		.progress = r->progress};

	if (wb_run_open_store(r, err) || wb_remotes_init(remotes, r->store, r->config.dir,
						 r->config.data_dir, r->config.file, &opts, err))
		return -1;
	for (size_t i = 0; i < r->config.sources.n; i++) {
		struct wb_remote_source *s;

		if (is_listed(r, &r->config.sources.items[i]) &&
			wb_remotes_resolve(
				&s, remotes, &r->config.sources.items[i], (unsigned)i, err))
			return -1;
	}
	return 0;
}

static json_t *listings(const struct wb_remotes *remotes, bool *known)
{
	json_t *out = json_array();

	*known = true;
	wb_vec_foreach (s, &remotes->sources) {
		wb_json_append(out, listing_json(*s));
		wb_vec_foreach (f, &(*s)->listing.files)
			*known &= f->known.has_sha256 && f->size != WB_SIZE_UNKNOWN;
	}
	return out;
}

static int write_lock(struct wb_run *r, struct wb_remotes *remotes, struct wb_err *err)
{
	WB_AUTO(wb_lockfile_release) struct wb_lockfile lock = WB_LOCKFILE_INIT;
	WB_AUTO(wb_tree_release) struct wb_tree tree = WB_TREE_INIT;

	/* the tree itself is made by the cut; here it shows that the digests are all there */
	for (size_t i = 0; i < r->config.sources.n; i++)
		wb_tree_group(&tree, r->config.sources.items[i].uri.text,
			r->config.sources.items[i].mount);
	if (wb_remotes_add_to(&tree, remotes, err))
		return -1;
	wb_remotes_shown_enough(remotes);
	wb_remotes_lock(&lock, remotes);
	wb_autofree char *text = wb_lockfile_dump(&lock);

	return wb_run_write(r, "/out/wbuild.lock", text, err);
}

/* What is fetched at start is only listed. */
static int list_volumes(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(wb_plan_release)
	struct wb_plan plan = {.config = &r->config, .dir = wb_strdup(r->config.dir)};
	WB_AUTO(wb_volumes_release) struct wb_volumes volumes = WB_VOLUMES_INIT;
	const struct wb_plan_opts opts = {
		.remote = {.insecure = wb_run_number(r, "insecure") != 0, .progress = r->progress}};

	wb_vec_foreach (s, &r->config.sources) {
		if (s->uri.scheme == WB_SCHEME_FILE || is_listed(r, s))
			continue;
		struct wb_plan_source *skipped = wb_vec_push(&plan.sources);

		skipped->label = wb_strdup(s->uri.text);
		skipped->mount = wb_strdup(s->mount);
		skipped->config = s;
		skipped->skipped = true;
	}
	if (!plan.sources.n)
		return 0;
	if (wb_plan_volumes(&volumes, &plan, r->store, &opts, err))
		return -1;
	wb_autofree char *text = wb_volumes_dump(&volumes);

	return wb_run_write(r, "/out/fetch.json", text, err);
}

int wb_step_run_list(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(wb_remotes_release) struct wb_remotes remotes = WB_REMOTES_INIT;
	bool known;

	if (wb_run_load_config(r, err) || list_sources(&remotes, r, err) || list_volumes(r, err))
		return -1;
	if (!remotes.sources.n)
		return 0;
	wb_autojson json_t *list = listings(&remotes, &known);

	if (known)
		return write_lock(r, &remotes, err);
	return wb_run_write_json(r, "/out/listing.json", list, err);
}

int wb_step_run_lock(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(wb_remotes_release) struct wb_remotes remotes = WB_REMOTES_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf wanted = WB_BUF_INIT;
	wb_autojson json_t *sources = wb_run_read_json(r, "/in/sources.json", err);
	bool known;

	if (!sources || wb_run_load_sources(r, sources, err) || list_sources(&remotes, r, err) ||
		wb_run_read(&wanted, r, "/in/listing.json", err))
		return -1;
	wb_autojson json_t *list = listings(&remotes, &known);
	wb_autofree char *found = wb_json_dump(list);

	if (strcmp(found, wanted.data)) {
		wb_err_set(err, WB_ERR_NET, "a source changed while it was being read");
		return wb_err_hint(err, "build again");
	}
	return write_lock(r, &remotes, err);
}
