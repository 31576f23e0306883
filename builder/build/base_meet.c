/* What the base has where the bundle goes: folders with their attributes, links, other files. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "builder/build/base.h"
#include "builder/build/base_tree.h"
#include "oci/layer_scan.h"

/* Folders that images bring along and whose attributes are theirs to choose. */
static const char *const usual_folders[] = {"app", "bin", "dev", "etc", "home", "lib", "lib64",
	"mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "usr/lib",
	"usr/local", "usr/local/lib", "usr/share", "usr/src", "var", "var/lib", "var/cache",
	"workspace", "home/app", NULL};

/* --- one layer ---------------------------------------------------------------------------- */

/* What is remembered of a layer, in the store under this name: the digest of its tar ("diff_id"),
 * and in its order ("rows")
 *   [path, mode, uid, gid]   a folder
 *   [path, target]           a symbolic link
 *   [path, true]             a folder that something else lies in
 *   [path]                   a whiteout; an opaque marker is the whiteout "path/" */
#define ROWS "base"
/* Ten times what the largest images have. */
#define ROWS_MAX 300000u      /* of one layer */
#define ROWS_ALL_MAX 1000000u /* of all */
#define ROWS_BYTES_MAX (64u << 20)
#define EXPANSION_FREE (UINT64_C(16) << 30) /* zeros that somebody put in a file */

struct scan {
	json_t *rows;
	char *filled; /* the folder of the last such row */
	size_t bytes;
};

static json_t *whiteout_row(const char *path, size_t dir, const char *name)
{
	if (!strcmp(name, ".wh..wh..opq"))
		return json_pack("[s#]", path, (int)dir);
	wb_autofree char *gone = wb_asprintf("%.*s%s", (int)dir, path, name + 4);

	return json_pack("[s]", gone);
}

/* Most entries are files beside files: one row for all. */
static void note_filled(struct scan *s, const char *path)
{
	wb_autofree char *dir = wb_path_dirname(path);
	json_t *row;

	if (s->filled && !strcmp(s->filled, dir))
		return;
	free(s->filled);
	s->filled = wb_steal(dir);
	row = json_pack("[sb]", s->filled, 1);
	if (row)
		wb_json_append(s->rows, row);
	s->bytes += strlen(s->filled);
}

static int collect(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	struct scan *s = arg;
	/* As runtimes take it: "a/../b" is "b". */
	wb_autofree char *whole = wb_path_normalize("/", e->path);
	const char *path = whole + 1, *name = wb_path_basename(path);
	json_t *row = NULL;

	if (strlen(path) >= PATH_MAX) /* nobody can make it */
		return 0;
	if (!strncmp(name, ".wh.", 4)) {
		row = whiteout_row(path, (size_t)(name - path), name);
	} else if (e->type == WB_LAYER_ENTRY_DIR) {
		if (*path)
			row = json_pack(
				"[siii]", path, (int)(e->mode & 07777), (int)e->uid, (int)e->gid);
	} else {
		note_filled(s, path);
		if (e->type == WB_LAYER_ENTRY_SYMLINK && e->link && strlen(e->link) < PATH_MAX)
			row = json_pack("[ss]", path, e->link);
	}
	if (row) { /* a name that is not UTF-8 cannot be one of ours */
		wb_json_append(s->rows, row);
		s->bytes += strlen(path) + (e->link ? strlen(e->link) : 0);
	}
	if (json_array_size(s->rows) > ROWS_MAX || s->bytes > ROWS_BYTES_MAX)
		return wb_err_set(
			err, WB_ERR_LIMIT, "a layer has more than %u folders and links", ROWS_MAX);
	return 0;
}

/* What is remembered of it, or NULL. */
static json_t *recall_layer(struct wb_digest *diff_id, struct wb_store *store, const char *digest)
{
	wb_autojson json_t *known = wb_store_index_get(store, ROWS, digest);
	const char *text = json_string_value(json_object_get(known, "diff_id"));
	struct wb_err ignored = WB_ERR_INIT;

	if (!text || wb_digest_parse(diff_id, text, &ignored))
		return NULL;
	return json_incref(json_object_get(known, "rows"));
}

static json_t *read_layer(struct wb_digest *diff_id, struct wb_base *b,
	const struct wb_descriptor *layer, const char *what, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	wb_autojson json_t *rows = json_array();
	struct scan s = {.rows = rows};
	const struct wb_layer_visitor visitor = {.entry = collect, .arg = &s, .diff_id = diff_id};
	int rc = wb_transport_open_blob(&r, b->transport, layer, err);

	*diff_id = layer->digest; /* unless it is compressed */
	if (!rc)
		rc = wb_layer_scan(
			r, what, wb_layer_expansion(layer->size, EXPANSION_FREE), &visitor, err);
	free(s.filled);
	return rc ? NULL : json_incref(rows);
}

/* The rows of layer, whose tar has the digest want, by the image's config. */
static json_t *scan_layer(struct wb_base *b, const struct wb_descriptor *layer,
	const struct wb_digest *want, struct wb_store *store, struct wb_err *err)
{
	struct wb_digest_text digest = wb_digest_text(&layer->digest);
	wb_autofree char *what = wb_asprintf("layer %.19s of base \"%s\"", digest.s, b->name);
	struct wb_digest diff_id;
	wb_autojson json_t *rows = recall_layer(&diff_id, store, digest.s);

	if (!rows) {
		rows = read_layer(&diff_id, b, layer, what, err);
		wb_autojson json_t *known = rows ? json_pack("{sssO}", "diff_id",
							   wb_digest_text(&diff_id).s, "rows", rows)
		                                 : NULL;

		if (!rows || wb_store_index_put(store, ROWS, digest.s, known, err))
			return NULL;
	}
	if (wb_digest_equal(&diff_id, want))
		return json_incref(rows);
	wb_err_set(err, WB_ERR_INTEGRITY, "%s: its content has the diff_id %s, the config says %s",
		what, wb_digest_text(&diff_id).s, wb_digest_text(want).s);
	wb_err_hint(err, "no runtime that checks its layers runs this image: make or pull it anew");
	return NULL;
}

/* --- all layers --------------------------------------------------------------------------- */

static void apply_whiteout(struct wb_base_node *root, const char *path)
{
	wb_autofree char *gone = wb_strdup(path);
	size_t n = strlen(gone);
	bool opaque = n && gone[n - 1] == '/';

	if (opaque)
		gone[n - 1] = '\0';
	wb_base_node_forget(root, gone, !opaque);
}

static void apply_row(struct wb_base_node *root, const json_t *row)
{
	const char *path = json_string_value(json_array_get(row, 0));
	const json_t *second = json_array_get(row, 1);
	struct wb_base_node *n;

	if (!path)
		return;
	if (!second) {
		apply_whiteout(root, path);
		return;
	}
	if (json_is_string(second))
		wb_base_node_forget(root, path, true);
	n = wb_base_node_make(root, path);
	if (json_is_true(second)) {
		n->filled = true;
		return;
	}
	free(n->link);
	n->link = wb_strdup(json_string_value(second));
	if (n->link)
		return;
	n->folder = true;
	n->mode = (unsigned)json_integer_value(second);
	n->uid = (unsigned)json_integer_value(json_array_get(row, 2));
	n->gid = (unsigned)json_integer_value(json_array_get(row, 3));
}

static int scan_image(struct wb_base_node *root, struct wb_base *b, const struct wb_image *img,
	struct wb_store *store, struct wb_err *err)
{
	size_t all = 0;

	for (size_t n = 0; n < img->layers.n; n++) {
		wb_autojson json_t *rows =
			scan_layer(b, &img->layers.items[n], &img->diff_ids.items[n], store, err);
		json_t *row;
		size_t i;

		if (!rows)
			return -1;
		all += json_array_size(rows);
		if (all > ROWS_ALL_MAX)
			return wb_err_set(err, WB_ERR_LIMIT,
				"base \"%s\" has more than %u folders and links", b->name,
				ROWS_ALL_MAX);
		json_array_foreach (rows, i, row)
			apply_row(root, row);
	}
	return 0;
}

/* --- against the bundle ------------------------------------------------------------------- */

static void leave_usual(struct wb_dir_attrs *out, const struct wb_base *b)
{
	for (size_t i = 0; usual_folders[i]; i++)
		wb_dir_attrs_set(out, usual_folders[i], 0755, 0, 0, true);
	wb_vec_foreach (img, &b->images) {
		const char *workdir = wb_image_text(img, WB_IMAGE_WORKDIR);
		wb_autofree char *dir = wb_path_normalize("/", workdir ? workdir : "/");

		for (size_t n = strlen(dir); n > 1; n = strlen(dir)) {
			wb_dir_attrs_set(out, dir + 1, 0755, 0, 0, true);
			*strrchr(dir, '/') = '\0';
		}
	}
}

/* A file of ours behind a link of the base: some runtimes follow it, others put a folder in its
 * place, and then what the base has behind it is gone. */
static int refuse_links(struct wb_base_node *root, const struct wb_base *b,
	const struct wb_node *node, struct wb_err *err)
{
	wb_autofree char *path = wb_strdup(node->path);
	size_t whole = strlen(path);

	for (size_t n = 1; n <= whole; n++) {
		const struct wb_base_node *there;
		char end = path[n];

		if (end != '/' && (end || node->type != WB_NODE_DIR))
			continue;
		path[n] = '\0';
		there = wb_base_node_find(root, path);
		if (there && there->link) {
			wb_err_set(err, WB_ERR_CONFIG,
				"\"/%s\" cannot be put on base \"%s\", where \"/%s\" is a symbolic "
				"link to \"%s\"",
				node->path, b->name, path, there->link);
			return wb_err_hint(err,
				"container runtimes do not agree on what that means: use a base "
				"where it is a folder, or a mount_location that is not behind it");
		}
		path[n] = end;
	}
	return 0;
}

static void note_shared(struct wb_plan *p, struct wb_base_node *root)
{
	wb_vec_foreach (source, &p->sources) {
		const struct wb_base_node *there = wb_base_node_find(root, source->mount + 1);

		source->shared |= there && wb_base_node_is_filled(there);
	}
}

int wb_base_meet(struct wb_dir_attrs *out, struct wb_base *b, struct wb_plan *plan,
	struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_base_tree_release) struct wb_base_node root = {0};

	*out = WB_DIR_ATTRS_INIT;
	if (!b->transport)
		return 0;
	if (b->transport->host) {
		leave_usual(out, b);
		return 0;
	}
	/* Platforms of one base agree on such folders; the last to name one decides. */
	wb_vec_foreach (img, &b->images)
		if (scan_image(&root, b, img, store, err))
			return -1;
	note_shared(plan, &root);
	wb_vec_foreach (node, &plan->tree.nodes) {
		const struct wb_base_node *there = (*node)->type == WB_NODE_DIR
		                                           ? wb_base_node_find(&root, (*node)->path)
		                                           : NULL;

		if (refuse_links(&root, b, *node, err))
			return -1;
		if (there && there->folder)
			wb_dir_attrs_set(
				out, (*node)->path, there->mode, there->uid, there->gid, false);
	}
	return 0;
}
