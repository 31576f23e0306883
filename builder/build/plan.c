#include "builder/build/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/build/local.h"
#include "builder/fetch/lockfile.h"

#define DATA_MOUNT "/app/data"

/* Credentials that the documentation tells people to keep in data/: read by the sources that need
 * them, never packed. */
static const char *const legacy_credentials[] = {
	"service_account.json", "s3_credentials.json", NULL};

static unsigned add_source(
	struct wb_plan *p, const char *label, const char *mount, const struct wb_source *config)
{
	struct wb_plan_source *s = wb_vec_push(&p->sources);

	s->label = wb_strdup(label);
	s->mount = wb_strdup(mount);
	s->config = config;
	return wb_tree_group(&p->tree, label, mount);
}

static struct wb_statcache *open_cache(struct wb_plan *p, struct wb_store *store, const char *dir)
{
	wb_autofree char *real = realpath(dir, NULL); /* as the files' own paths will be */
	struct wb_statcache *c = wb_statcache_load(store, real ? real : dir);

	*wb_vec_push(&p->caches) = c;
	return c;
}

/* The path as a walk will meet it: the folder's own links resolved. */
static void add_own(struct wb_plan *p, const char *path)
{
	wb_autofree char *cwd = getcwd(NULL, 0);
	wb_autofree char *absolute = wb_path_normalize(cwd ? cwd : "/", path);
	wb_autofree char *dir = wb_path_dirname(absolute);
	wb_autofree char *real = realpath(dir, NULL);

	if (real)
		*wb_vec_push(&p->own) = wb_path_join(real, wb_path_basename(absolute));
}

static void note_own(struct wb_plan *p, struct wb_store *store, const char *const *written)
{
	wb_autofree char *lock = wb_path_join(p->dir, WB_LOCK_NAME);

	add_own(p, lock);
	add_own(p, wb_store_path(store));
	for (; written && *written; written++)
		add_own(p, *written);
}

/* --- data/ -------------------------------------------------------------------------------- */

static void tell_left_out(const struct wb_local_result *r, const char *folder)
{
	wb_vec_foreach (name, &r->left_out)
		wb_note("%s/%s holds credentials: it is read where a source needs it, and not "
			"packed",
			folder, *name);
	wb_vec_foreach (path, &r->own)
		wb_note("\"%s\" is what wbuild writes: not packed", *path);
	if (r->ignored)
		wb_note("%s: .truss_ignore leaves out %zu %s", folder, r->ignored,
			r->ignored == 1 ? "entry" : "entries");
}

static int add_data(struct wb_plan *p, struct wb_store *store, struct wb_err *err)
{
	const struct wb_config *c = p->config;
	wb_autofree char *dir = wb_path_normalize(p->dir, c->data_dir);
	wb_autofree char *ignore_path = wb_path_join(p->dir, ".truss_ignore");
	struct stat st;

	if (stat(dir, &st)) {
		if (errno == ENOENT && !strcmp(c->data_dir, "data"))
			return 0;
		wb_err_sys(err, errno, "data_dir: cannot look at the folder \"%s\"", c->data_dir);
		err->code = WB_ERR_CONFIG;
		return -1;
	}
	struct wb_ignore *ignore = wb_ignore_load(ignore_path, err);

	if (!ignore)
		return -1;
	struct wb_local_opts opts = {
		.dest = DATA_MOUNT,
		.ignore = ignore,
		.ignore_prefix = c->data_dir,
		.never = legacy_credentials,
		.own = p->own.items,
		.n_own = p->own.n,
		.cache = open_cache(p, store, dir),
	};
	WB_AUTO(wb_local_result_release) struct wb_local_result result;
	unsigned group = add_source(p, c->data_dir, DATA_MOUNT, NULL);
	int rc = wb_local_add(&result, &p->tree, group, dir, &opts, err);

	wb_ignore_free(ignore);
	if (!rc)
		tell_left_out(&result, c->data_dir);
	return rc;
}

/* --- local weights ------------------------------------------------------------------------ */

static void tell_source_patterns(const struct wb_config *c, const struct wb_plan_source *source)
{
	const struct wb_source *s = source->config;

	/* of remote sources it was said when they were listed */
	for (size_t i = 0;
		source->hits && !source->listing && i < s->allow.list.n + s->ignore.list.n; i++) {
		bool allow = i < s->allow.list.n;
		const struct wb_pattern *pattern =
			allow ? &s->allow.list.items[i]
			      : &s->ignore.list.items[i - s->allow.list.n];
		struct wb_err warning = WB_ERR_INIT;

		if (source->hits[i])
			continue;
		wb_err_at(&warning, c->file, pattern->pos.line, pattern->pos.column,
			"%s \"%s\" matches nothing in %s",
			allow ? "allow_patterns" : "ignore_patterns", pattern->text, s->uri.text);
		wb_log_err_as(WB_LOG_WARNING, &warning);
	}
}

void wb_plan_tell_patterns(const struct wb_plan *p)
{
	wb_vec_foreach (s, &p->sources)
		tell_source_patterns(p->config, s);
}

static int no_file_left(
	const struct wb_config *c, const struct wb_source *s, size_t filtered, struct wb_err *err)
{
	wb_err_at(err, c->file, s->pos.line, s->pos.column, "%s: no file left%s", s->uri.text,
		filtered ? " after its patterns" : "");
	return filtered
	               ? wb_err_hint(err, "%zu files are there; see the patterns in docs/config.md",
				 filtered)
	               : -1;
}

static int add_local_weights(
	struct wb_plan *p, struct wb_store *store, const struct wb_source *s, struct wb_err *err)
{
	const struct wb_config *c = p->config;
	wb_autofree char *path = wb_path_normalize(p->dir, s->uri.path);
	wb_autofree size_t *hits = wb_calloc(s->allow.list.n + s->ignore.list.n, sizeof(*hits));
	struct wb_local_opts opts = {
		.dest = s->mount,
		.filter = s,
		.hits = hits,
		.own = p->own.items,
		.n_own = p->own.n,
		.cache = open_cache(p, store, path),
	};
	WB_AUTO(wb_local_result_release) struct wb_local_result result = {0};
	unsigned group = add_source(p, s->uri.text, s->mount, s);

	if (wb_local_add(&result, &p->tree, group, path, &opts, err)) {
		if (err->code != WB_ERR_NOT_FOUND)
			return -1;
		struct wb_err why = *err;

		wb_err_at(err, c->file, s->pos.line, s->pos.column, "%s", why.text);
		return -1;
	}
	tell_left_out(&result, s->uri.text);
	struct wb_plan_source *source = &p->sources.items[group];

	source->hits = wb_steal(hits);
	source->filtered.n = result.filtered_names.n;
	source->filtered.items = wb_steal(result.filtered_names.items);
	if (result.files + result.links == 0)
		return no_file_left(c, s, result.filtered, err);
	return 0;
}

/* --- remote sources ----------------------------------------------------------------------- */

/* What the lints ask of a source: one that comes from the lockfile was filtered before. */
static void take_listing(struct wb_plan_source *source, const struct wb_listing *l)
{
	source->listing = l;
	if (!l->hits)
		return;
	source->hits = wb_calloc(l->n_hits + 1, sizeof(*source->hits));
	memcpy(source->hits, l->hits, l->n_hits * sizeof(*source->hits));
	wb_vec_foreach (path, &l->filtered)
		*wb_vec_push(&source->filtered) = wb_strdup(*path);
}

static int add_remote(struct wb_plan *p, struct wb_store *store, const struct wb_source *src,
	const struct wb_plan_opts *opts, struct wb_err *err)
{
	const struct wb_config *c = p->config;
	struct wb_remote_source *s;

	if (!p->remotes.store && wb_remotes_init(&p->remotes, store, p->dir, c->data_dir, c->file,
					 &opts->remote, err))
		return -1;
	unsigned group = add_source(p, src->uri.text, src->mount, src);

	if (wb_remotes_resolve(&s, &p->remotes, src, group, err))
		return -1;
	if (s->listing.revision && *s->listing.revision)
		p->sources.items[group].revision = wb_strdup(s->listing.revision);
	take_listing(&p->sources.items[group], &s->listing);
	wb_vec_foreach (f, &s->listing.files) {
		struct wb_plan_file *out = wb_vec_push(&p->files);

		out->path = wb_remotes_image_path(s, f);
		out->size = f->size == WB_SIZE_UNKNOWN ? 0 : f->size;
		out->source = group;
	}
	return 0;
}

/* --- the whole plan ----------------------------------------------------------------------- */

static int add_config_source(struct wb_plan *p, struct wb_store *store, const struct wb_source *s,
	const struct wb_plan_opts *opts, struct wb_err *err)
{
	if (s->use_volume && !opts->bundle_volumes) {
		add_source(p, s->uri.text, s->mount, s);
		p->sources.items[p->sources.n - 1].skipped = true;
		return 0;
	}
	if (s->uri.scheme == WB_SCHEME_FILE)
		return add_local_weights(p, store, s, err);
	return add_remote(p, store, s, opts, err);
}

/* Its address may be right all the same: the network, or a login, is missing here. */
static bool may_go_on(const struct wb_source *s, const struct wb_err *err)
{
	return s->uri.scheme != WB_SCHEME_FILE &&
	       (err->code == WB_ERR_NET || err->code == WB_ERR_AUTH || err->code == WB_ERR_CONFIG ||
		       err->code == WB_ERR_UNSUPPORTED);
}

static int add_or_go_on(struct wb_plan *p, struct wb_store *store, const struct wb_source *s,
	const struct wb_plan_opts *opts, struct wb_err *err)
{
	size_t before = p->sources.n;

	if (!add_config_source(p, store, s, opts, err))
		return 0;
	if (!opts->go_on || !may_go_on(s, err))
		return -1;
	if (p->sources.n == before)
		add_source(p, s->uri.text, s->mount, s);
	p->sources.items[before].unlisted = wb_strdup(err->text);
	wb_err_clear(err);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return wb_path_cmp(
		((const struct wb_plan_file *)a)->path, ((const struct wb_plan_file *)b)->path);
}

/* What reports show, in path order. Remote files are there already. */
static void list_files(struct wb_plan *p)
{
	for (struct wb_node *node = p->tree.by_path; node; node = node->hh.next) {
		if (node->type == WB_NODE_DIR)
			continue;
		struct wb_plan_file *f = wb_vec_push(&p->files);

		f->path = wb_strdup(node->path);
		f->source = node->group;
		p->links += node->type == WB_NODE_SYMLINK;
		if (node->type == WB_NODE_FILE)
			f->size = node->content.size;
	}
	wb_vec_foreach (f, &p->files) {
		p->sources.items[f->source].files++;
		p->sources.items[f->source].bytes += f->size;
		p->bytes += f->size;
	}
	if (p->files.n)
		qsort(p->files.items, p->files.n, sizeof(*p->files.items), by_path);
}

int wb_plan_make(struct wb_plan *out, const struct wb_config *c, struct wb_store *store,
	const struct wb_plan_opts *opts, struct wb_err *err)
{
	*out = (struct wb_plan){.config = c, .dir = realpath(c->dir, NULL)};
	if (!out->dir)
		return wb_err_sys(err, errno, "cannot read \"%s\"", c->dir);
	note_own(out, store, opts->written);
	if (!opts->no_data && add_data(out, store, err))
		return -1;
	wb_vec_foreach (s, &c->sources)
		if (add_or_go_on(out, store, s, opts, err))
			return -1;
	list_files(out);
	return 0;
}

int wb_plan_fetch(struct wb_plan *p, const struct wb_plan_opts *opts, struct wb_err *err)
{
	if (p->remotes.sources.n && wb_remotes_add_to(&p->tree, &p->remotes, err))
		return -1;
	return wb_tree_finish(&p->tree, opts->jobs, err);
}

int wb_plan_preview(struct wb_plan *p, const struct wb_plan_opts *opts, struct wb_err *err)
{
	if (p->remotes.sources.n && wb_remotes_preview(&p->tree, &p->remotes, err))
		return -1;
	return wb_tree_finish(&p->tree, opts->jobs, err);
}

int wb_plan_remember(struct wb_plan *p, struct wb_store *store, struct wb_err *err)
{
	wb_vec_foreach (cache, &p->caches)
		if (wb_statcache_save(*cache, &p->tree, store, err))
			return -1;
	return 0;
}

void wb_plan_release(struct wb_plan *p)
{
	wb_vec_foreach (s, &p->sources) {
		free(s->label);
		free(s->revision);
		free(s->mount);
		free(s->unlisted);
		free(s->hits);
		wb_vec_foreach (path, &s->filtered)
			free(*path);
		wb_vec_free(&s->filtered);
	}
	wb_vec_free(&p->sources);
	wb_vec_foreach (path, &p->own)
		free(*path);
	wb_vec_free(&p->own);
	wb_vec_foreach (f, &p->files)
		free(f->path);
	wb_vec_free(&p->files);
	wb_vec_foreach (cache, &p->caches)
		wb_statcache_free(*cache);
	wb_vec_free(&p->caches);
	wb_remotes_release(&p->remotes);
	wb_tree_release(&p->tree);
	free(p->dir);
	*p = WB_PLAN_INIT;
}

/* --- the bundle manifest ------------------------------------------------------------------ */

static void manifest_entry(struct wb_bundle_manifest *m, const struct wb_node *node)
{
	const struct wb_node *holder = node->same ? node->same : node;
	struct wb_bundle_entry *e = wb_vec_push(&m->entries);

	e->path = wb_strdup(node->path);
	e->mode = node->mode;
	e->source = node->group;
	switch (node->type) {
	case WB_NODE_DIR: e->type = WB_BUNDLE_DIR; break;
	case WB_NODE_SYMLINK:
		e->type = WB_BUNDLE_SYMLINK;
		e->target = wb_strdup(node->target);
		break;
	case WB_NODE_FILE:
		e->type = WB_BUNDLE_FILE;
		e->size = node->content.size;
		e->digest = holder->content.digest;
		if (holder->states) {
			size_t n = wb_states_count(e->size);

			e->states = wb_calloc(n, sizeof(*e->states));
			memcpy(e->states, holder->states, n * sizeof(*e->states));
		}
		break;
	}
}

/* Directories that only lead to files need no entry; an empty one does. */
static bool is_listed(const struct wb_tree *t, size_t i)
{
	const struct wb_node *node = t->nodes.items[i];

	return node->type != WB_NODE_DIR || i + 1 == t->nodes.n ||
	       !wb_path_within(t->nodes.items[i + 1]->path, node->path);
}

char *wb_plan_manifest_key(const struct wb_plan *p)
{
	struct wb_sha256 s;
	struct wb_digest d;

	wb_sha256_init(&s);
	for (size_t i = 0; i < p->tree.nodes.n; i++) {
		const struct wb_node *node = p->tree.nodes.items[i];
		const struct wb_node *holder = node->same ? node->same : node;
		wb_autofree char *line = wb_asprintf("%d %o %u %s %s%c%s", (int)node->type,
			node->mode, node->group, wb_digest_hex(&holder->content.digest).s,
			node->path, '\n', node->target ? node->target : "");

		wb_sha256_update(&s, line, strlen(line) + 1);
	}
	wb_vec_foreach (source, &p->sources) {
		wb_autofree char *line = wb_asprintf("%s\n%s\n%s%s%s", source->label, source->mount,
			source->revision ? source->revision : "",
			source->skipped ? "\nfetched at start" : "",
			source->shared ? "\nshared" : "");

		wb_sha256_update(&s, line, strlen(line) + 1);
	}
	wb_sha256_final(&s, &d);
	return wb_asprintf("manifest-%d:%s", WB_MANIFEST_VERSION, wb_digest_hex(&d).s);
}

void wb_plan_manifest(struct wb_bundle_manifest *out, const struct wb_plan *p)
{
	*out = WB_BUNDLE_MANIFEST_INIT;
	wb_vec_foreach (s, &p->sources) {
		struct wb_bundle_source *b = wb_vec_push(&out->sources);

		b->label = wb_strdup(s->label);
		b->revision = wb_strdup(s->revision);
		b->mount = wb_strdup(s->mount);
		b->shared = s->skipped || s->shared ||
		            (s->config && s->config->layout == WB_LAYOUT_HF_CACHE);
		if (s->config && s->config->layout == WB_LAYOUT_HF_CACHE && !s->skipped &&
			!out->hf_cache)
			out->hf_cache = wb_strdup(p->config->hf_cache_dir);
	}
	for (size_t i = 0; i < p->tree.nodes.n; i++)
		if (is_listed(&p->tree, i))
			manifest_entry(out, p->tree.nodes.items[i]);
}
