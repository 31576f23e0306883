/* The step that plans the image: which files, in which layers. What it writes of a layer is all
 * that the layer's own step is told, so that a change elsewhere leaves it alone. */
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/build/findings.h"
#include "builder/build/lint.h"
#include "builder/buildkit/step_internal.h"
#include "builder/config/source_json.h"
#include "layers/plan.h"

#define INLINE_MAX 4096 /* bytes of a file that has no source: refs/main of a hub cache */

/* Files of one locked source by their digest. */
struct locked_file {
	const struct wb_lock_file *file;
	struct wb_digest digest;
	bool wanted; /* by the layer that is being written */
	UT_hash_handle hh;
};

struct cut {
	struct wb_run *run;
	struct wb_plan plan;
	struct wb_layer_plan layers;
	struct locked_file **by_source; /* per group of the tree */
	char *prefix;                   /* of local paths: what the root is on disk */
};

static void cut_release(struct cut *c)
{
	for (size_t i = 0; c->by_source && i < c->plan.sources.n; i++) {
		struct locked_file *f, *next;

		HASH_ITER (hh, c->by_source[i], f, next) {
			HASH_DELETE(hh, c->by_source[i], f);
			free(f);
		}
	}
	free(c->by_source);
	free(c->prefix);
	wb_layer_plan_release(&c->layers);
	wb_plan_release(&c->plan);
}

static void index_locked(struct cut *c)
{
	c->by_source = wb_calloc(c->plan.sources.n + 1, sizeof(struct locked_file *));
	for (size_t i = 0; i < c->plan.sources.n; i++) {
		const struct wb_source *config = c->plan.sources.items[i].config;
		const struct wb_lock_source *locked =
			config ? wb_lockfile_find(&c->plan.remotes.lock, config) : NULL;

		for (size_t k = 0; locked && k < locked->files.n; k++) {
			struct locked_file *f = NULL;

			HASH_FIND(hh, c->by_source[i], &locked->files.items[k].sha256,
				sizeof(f->digest), f);
			if (f)
				continue;
			f = wb_zalloc(sizeof(*f));
			f->file = &locked->files.items[k];
			f->digest = f->file->sha256;
			HASH_ADD(hh, c->by_source[i], digest, sizeof(f->digest), f);
		}
	}
}

static struct locked_file *find_locked(const struct cut *c, const struct wb_node *node)
{
	struct locked_file *f = NULL;

	if (node->content.digest_known)
		HASH_FIND(
			hh, c->by_source[node->group], &node->content.digest, sizeof(f->digest), f);
	return f;
}

/* --- one layer ---------------------------------------------------------------------------- */

static int write_inline(json_t *o, const struct wb_node *node, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;

	wb_buf_init(&text, INLINE_MAX, "a small file");
	if (wb_file_read(&text, node->content.path, err))
		return -1;
	wb_autofree char *encoded = wb_base64_encode(text.data, text.len);

	wb_json_set_str(o, "inline", encoded);
	return 0;
}

static int write_file(
	json_t *o, const struct cut *c, const struct wb_node *node, struct wb_err *err)
{
	wb_json_set_u64(o, "mode", node->mode);
	wb_json_set_u64(o, "size", node->content.size);
	if (node->same) {
		wb_json_set_str(o, "same", node->same->path);
		return 0;
	}
	if (find_locked(c, node)) {
		wb_json_set_str(o, "sha256", wb_digest_hex(&node->content.digest).s);
		return 0;
	}
	if (node->content.immutable)
		return write_inline(o, node, err);
	const char *path = node->content.path + strlen(c->prefix);

	if (!wb_utf8_valid(path, strlen(path)))
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"\"%s\": its name is not UTF-8, which buildkit cannot carry", node->path);
	wb_json_set_str(o, "local", path);
	return 0;
}

static int write_node(
	json_t *list, const struct cut *c, const struct wb_node *node, struct wb_err *err)
{
	json_t *o = json_object();
	int rc = 0;

	wb_json_append(list, o);
	if (!wb_utf8_valid(node->path, strlen(node->path)))
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"a file name in \"%s\" is not UTF-8, which buildkit cannot carry",
			c->plan.sources.items[node->group].label);
	wb_json_set_str(o, "path", node->path);
	switch (node->type) {
	case WB_NODE_DIR: wb_json_set_str(o, "type", "dir"); break;
	case WB_NODE_SYMLINK:
		wb_json_set_str(o, "type", "link");
		wb_json_set_text(o, "target", node->target);
		break;
	case WB_NODE_FILE:
		wb_json_set_str(o, "type", "file");
		rc = write_file(o, c, node, err);
		break;
	}
	return rc;
}

static void want_files(const struct cut *c, const struct wb_planned_layer *layer, unsigned group)
{
	wb_vec_foreach (it, &layer->nodes) {
		const struct wb_node *node = *it;

		if (node->group == group && node->type == WB_NODE_FILE && !node->same &&
			find_locked(c, node))
			find_locked(c, node)->wanted = true;
	}
}

static struct wb_lock_source *add_part(struct wb_lockfile *lock, const struct wb_lock_source *whole)
{
	struct wb_lock_source *part = wb_vec_push(&lock->sources);

	part->source = wb_strdup(whole->source);
	part->key = wb_strdup(whole->key);
	part->revision = wb_strdup(whole->revision);
	part->root = wb_strdup(whole->root);
	return part;
}

static void add_locked(struct wb_lock_source *part, const struct wb_lock_file *f)
{
	struct wb_lock_file *copy = wb_vec_push(&part->files);

	*copy = *f;
	copy->path = wb_strdup(f->path);
	copy->etag = wb_strdup(f->etag);
	copy->version = wb_strdup(f->version);
}

/* The lockfile with no more than the files that this layer needs, in its own order. */
static void lock_layer(struct wb_lockfile *lock, json_t *sources, const struct cut *c,
	const struct wb_planned_layer *layer, unsigned group)
{
	const struct wb_source *config = c->plan.sources.items[group].config;
	const struct wb_lock_source *whole =
		config ? wb_lockfile_find(&c->plan.remotes.lock, config) : NULL;
	struct wb_lock_source *part = NULL;

	want_files(c, layer, group);
	for (size_t i = 0; whole && i < whole->files.n; i++) {
		const struct wb_lock_file *file = &whole->files.items[i];
		struct locked_file *f = NULL;

		HASH_FIND(hh, c->by_source[group], &file->sha256, sizeof(f->digest), f);
		if (!f || f->file != file || !f->wanted)
			continue;
		f->wanted = false;
		if (!part) {
			part = add_part(lock, whole);
			wb_json_append(sources, wb_source_to_json(config));
		}
		add_locked(part, file);
	}
}

static bool is_local(const struct wb_planned_layer *layer, const struct cut *c, unsigned group)
{
	wb_vec_foreach (node, &layer->nodes)
		if ((*node)->group == group && (*node)->type == WB_NODE_FILE && !(*node)->same &&
			!(*node)->content.immutable && !find_locked(c, *node))
			return true;
	return false;
}

/* Folders of the context that the layer's files are in. */
static json_t *local_folders(const struct wb_planned_layer *layer, const struct cut *c)
{
	json_t *out = json_array();

	for (unsigned group = 0; group < c->plan.sources.n; group++) {
		const struct wb_source *config = c->plan.sources.items[group].config;

		if (is_local(layer, c, group))
			wb_json_append(out,
				json_string(config ? config->uri.path : c->plan.config->data_dir));
	}
	return out;
}

static void add_folders(json_t *list, json_t *seen, const struct wb_node *node)
{
	wb_autofree char *path = wb_strdup(node->path);

	if (node->type != WB_NODE_DIR) {
		char *slash = strrchr(path, '/');

		*(slash ? slash : path) = '\0';
	}
	while (*path && !json_object_get(seen, path)) {
		char *slash = strrchr(path, '/');

		wb_json_set(seen, path, json_true());
		wb_json_append(list, json_string(path));
		*(slash ? slash : path) = '\0';
	}
}

static json_t *folders(const struct wb_planned_layer *layer)
{
	wb_autojson json_t *seen = json_object();
	json_t *out = json_array();

	wb_vec_foreach (node, &layer->nodes)
		add_folders(out, seen, *node);
	return out;
}

static int layer_json(
	json_t *out, const struct cut *c, const struct wb_planned_layer *layer, struct wb_err *err)
{
	WB_AUTO(wb_lockfile_release) struct wb_lockfile lock = WB_LOCKFILE_INIT;
	json_t *nodes = json_array(), *sources = json_array();

	wb_json_set(out, "nodes", nodes);
	wb_json_set(out, "sources", sources);
	wb_vec_foreach (node, &layer->nodes)
		if (write_node(nodes, c, *node, err))
			return -1;
	for (unsigned group = 0; group < c->plan.sources.n; group++)
		lock_layer(&lock, sources, c, layer, group);
	wb_autofree char *text = wb_lockfile_dump(&lock);

	if (lock.sources.n)
		wb_json_set_str(out, "lock", text);
	return 0;
}

static int write_layers(json_t *list, const struct cut *c, struct wb_err *err)
{
	for (size_t i = 0; i < c->layers.layers.n; i++) {
		const struct wb_planned_layer *layer = &c->layers.layers.items[i];
		const struct wb_plan_source *source = &c->plan.sources.items[layer->group];
		wb_autofree char *path = wb_asprintf("/out/layers/%zu.json", i);
		wb_autojson json_t *spec = json_object();
		json_t *o = json_object();

		wb_json_append(list, o);
		wb_json_set_text(o, "label", source->label);
		wb_json_set_u64(o, "files", layer->files);
		wb_json_set_u64(o, "bytes", layer->bytes);
		if (source->config)
			wb_json_set_u64(o, "line", source->config->pos.line);
		wb_json_set(o, "local", local_folders(layer, c));
		wb_json_set(o, "folders", folders(layer));
		if (layer_json(spec, c, layer, err) || wb_run_write_json(c->run, path, spec, err))
			return -1;
	}
	return 0;
}

/* --- the manifest, but for digests -------------------------------------------------------- */

static json_t *entry_json(const struct cut *c, const struct wb_bundle_entry *e)
{
	json_t *o = json_object();
	struct wb_node *node;

	HASH_FIND_STR(c->plan.tree.by_path, e->path, node);
	wb_json_set_str(o, "path", e->path);
	wb_json_set_u64(o, "type", e->type);
	wb_json_set_u64(o, "mode", e->mode);
	wb_json_set_u64(o, "size", e->size);
	wb_json_set_u64(o, "source", e->source);
	if (e->target)
		wb_json_set_text(o, "target", e->target);
	if (node && node->same)
		wb_json_set_str(o, "same", node->same->path);
	return o;
}

static json_t *manifest_json(const struct cut *c)
{
	WB_AUTO(wb_bundle_manifest_release)
	struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	json_t *o = json_object(), *sources = json_array(), *entries = json_array();

	wb_plan_manifest(&m, &c->plan);
	wb_vec_foreach (s, &m.sources) {
		json_t *source = json_object();

		wb_json_set_text(source, "label", s->label);
		if (s->revision)
			wb_json_set_text(source, "revision", s->revision);
		wb_json_set_text(source, "mount", s->mount);
		wb_json_set_u64(source, "shared", s->shared);
		wb_json_append(sources, source);
	}
	wb_vec_foreach (e, &m.entries)
		wb_json_append(entries, entry_json(c, e));
	if (m.hf_cache)
		wb_json_set_text(o, "hfCache", m.hf_cache);
	wb_json_set(o, "sources", sources);
	wb_json_set(o, "entries", entries);
	return o;
}

/* --- all of it ---------------------------------------------------------------------------- */

static int make_plan(struct cut *c, struct wb_err *err)
{
	struct wb_run *r = c->run;
	wb_autofree char *lock = wb_run_path(r,
		wb_run_has(r, "/locked/wbuild.lock") ? "/locked/wbuild.lock" : "/in/wbuild.lock");
	const struct wb_size_limits sizes = {
		.warn = wb_run_number(r, "warnSize"), .max = wb_run_number(r, "maxSize")};
	const struct wb_lint_opts lint = {.sizes = sizes};
	const struct wb_plan_opts opts = {
		.bundle_volumes = wb_run_number(r, "bundleVolumes") != 0,
		.no_data = wb_run_number(r, "noData") != 0,
		.remote = {.frozen = true, .lock_path = lock},
	};
	const struct wb_layer_limits limits = {.max_layers = wb_run_number(r, "maxLayers")};
	WB_AUTO(wb_buf_release) struct wb_buf text = WB_BUF_INIT;

	if (wb_plan_make(&c->plan, &r->config, r->store, &opts, err) ||
		wb_sizes_limit(&c->plan, &sizes, err) ||
		wb_lint(&r->config.findings, &c->plan, &lint, err) ||
		wb_run_read(&text, r, "/in/config.yaml", err) ||
		wb_plan_fetch(&c->plan, &opts, err))
		return -1;
	wb_lint_silence(&r->config.findings, text.data, NULL);
	/* for displays that do not show what a frontend warns of */
	wb_vec_foreach (finding, &r->config.findings.list)
		if (finding->severity != WB_SEV_NOTE)
			wb_finding_show(&r->config.findings, finding);
	wb_layer_plan_make(&c->layers, &c->plan.tree, &limits);
	index_locked(c);
	return 0;
}

int wb_step_run_cut(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(cut_release) struct cut c = {.run = r};
	wb_autojson json_t *out = json_object();
	json_t *layers = json_array();

	wb_json_set(out, "layers", layers);
	c.prefix = realpath(*r->root ? r->root : "/", NULL);
	if (c.prefix && !strcmp(c.prefix, "/"))
		*c.prefix = '\0';
	if (wb_run_load_config(r, err) || wb_run_open_store(r, err) || make_plan(&c, err) ||
		write_layers(layers, &c, err))
		return -1;
	wb_json_set_u64(out, "files", c.plan.files.n);
	wb_json_set_u64(out, "bytes", c.plan.bytes);
	wb_json_set(out, "findings", wb_findings_json(&r->config.findings));
	wb_autojson json_t *manifest = manifest_json(&c);

	if (wb_run_write_json(r, "/out/manifest/skeleton.json", manifest, err))
		return -1;
	return wb_run_write_json(r, "/out/cut.json", out, err);
}
