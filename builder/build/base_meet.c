/* What the base has where the bundle goes: folders with their attributes, links, other files. */
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/path.h"
#include "builder/build/base.h"
#include "oci/layer_scan.h"

/* Folders that images bring along and whose attributes are theirs to choose. */
static const char *const usual_folders[] = {"app", "bin", "dev", "etc", "home", "lib", "lib64",
	"mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "usr/lib",
	"usr/local", "usr/local/lib", "usr/share", "usr/src", "var", "var/lib", "var/cache",
	"workspace", "home/app", NULL};

/* --- one layer ---------------------------------------------------------------------------- */

/* What is remembered of a layer, in the store under this name: a list of rows in its order.
 *   [path, mode, uid, gid]   a folder
 *   [path, target]           a symbolic link
 *   [path, true]             a folder that something else lies in
 *   [path]                   a whiteout; an opaque marker is the whiteout "path/" */
#define ROWS "base"

struct scan {
	json_t *rows;
	char *filled; /* the folder of the last such row */
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
}

static int collect(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	struct scan *s = arg;
	const char *name = wb_path_basename(e->path);
	json_t *row = NULL;

	if (!strncmp(name, ".wh.", 4)) {
		row = whiteout_row(e->path, (size_t)(name - e->path), name);
	} else if (e->type == WB_LAYER_ENTRY_DIR) {
		if (*e->path)
			row = json_pack("[siii]", e->path, (int)(e->mode & 07777), (int)e->uid,
				(int)e->gid);
	} else {
		note_filled(s, e->path);
		if (e->type == WB_LAYER_ENTRY_SYMLINK && e->link)
			row = json_pack("[ss]", e->path, e->link);
	}
	if (row) /* a name that is not UTF-8 cannot be one of ours */
		wb_json_append(s->rows, row);
	return 0;
}

static json_t *scan_layer(struct wb_base *b, const struct wb_descriptor *layer,
	struct wb_store *store, struct wb_err *err)
{
	struct wb_digest_text digest = wb_digest_text(&layer->digest);
	json_t *known = wb_store_index_get(store, ROWS, digest.s);

	if (known)
		return known;
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	wb_autojson json_t *rows = json_array();
	struct scan s = {.rows = rows};
	const struct wb_layer_visitor visitor = {.entry = collect, .arg = &s};
	wb_autofree char *what = wb_asprintf("layer %.19s of base \"%s\"", digest.s, b->name);
	int rc = wb_transport_open_blob(&r, b->transport, layer, err);

	if (!rc)
		rc = wb_layer_scan(r, what, &visitor, err);
	free(s.filled);
	if (rc || wb_store_index_put(store, ROWS, digest.s, rows, err))
		return NULL;
	return json_incref(rows);
}

/* --- all layers --------------------------------------------------------------------------- */

/* A symbolic link, or (target NULL) a folder that something lies in. */
struct thing {
	char *path, *target;
	UT_hash_handle hh;
};

struct found {
	struct wb_dir_attrs dirs;
	struct thing *links, *filled;
};

static void thing_drop(struct thing **all, struct thing *t)
{
	HASH_DELETE(hh, *all, t);
	free(t->path);
	free(t->target);
	free(t);
}

static void thing_set(struct thing **all, const char *path, const char *target)
{
	struct thing *t;

	HASH_FIND_STR(*all, path, t);
	if (!t) {
		t = wb_zalloc(sizeof(*t));
		t->path = wb_strdup(path);
		HASH_ADD_KEYPTR(hh, *all, t->path, strlen(t->path), t);
	}
	free(t->target);
	t->target = wb_strdup(target);
}

static bool hit(const char *have, const char *path, bool itself)
{
	return wb_path_within(have, path) && (itself || strcmp(have, path) != 0);
}

static void forget_things(struct thing **all, const char *path, bool itself)
{
	struct thing *t, *next;

	HASH_ITER (hh, *all, t, next)
		if (hit(t->path, path, itself))
			thing_drop(all, t);
}

static void forget(struct found *f, const char *path, bool itself)
{
	struct wb_dir_attr *attr, *next;

	HASH_ITER (hh, f->dirs.by_path, attr, next) {
		if (!hit(attr->path, path, itself))
			continue;
		HASH_DELETE(hh, f->dirs.by_path, attr);
		free(attr->path);
		free(attr);
	}
	forget_things(&f->links, path, itself);
	forget_things(&f->filled, path, itself);
}

static void found_release(struct found *f)
{
	struct thing *t, *next;

	HASH_ITER (hh, f->links, t, next)
		thing_drop(&f->links, t);
	HASH_ITER (hh, f->filled, t, next)
		thing_drop(&f->filled, t);
	wb_dir_attrs_release(&f->dirs);
}

static void apply_whiteout(struct found *f, const char *path)
{
	wb_autofree char *gone = wb_strdup(path);
	size_t n = strlen(gone);
	bool opaque = n && gone[n - 1] == '/';

	if (opaque)
		gone[n - 1] = '\0';
	forget(f, gone, !opaque);
}

static void apply_row(struct found *f, const json_t *row)
{
	const char *path = json_string_value(json_array_get(row, 0));
	const json_t *second = json_array_get(row, 1);
	struct thing *link;

	if (!path)
		return;
	if (!second) {
		apply_whiteout(f, path);
	} else if (json_is_true(second)) {
		thing_set(&f->filled, path, NULL);
	} else if (json_is_string(second)) {
		forget(f, path, true);
		thing_set(&f->links, path, json_string_value(second));
	} else {
		HASH_FIND_STR(f->links, path, link);
		if (link)
			thing_drop(&f->links, link);
		wb_dir_attrs_set(&f->dirs, path, (unsigned)json_integer_value(second),
			(unsigned)json_integer_value(json_array_get(row, 2)),
			(unsigned)json_integer_value(json_array_get(row, 3)), false);
	}
}

static int scan_image(struct found *f, struct wb_base *b, const struct wb_image *img,
	struct wb_store *store, struct wb_err *err)
{
	wb_vec_foreach (layer, &img->layers) {
		wb_autojson json_t *rows = scan_layer(b, layer, store, err);
		json_t *row;
		size_t i;

		if (!rows)
			return -1;
		json_array_foreach (rows, i, row)
			apply_row(f, row);
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
static int refuse_links(const struct found *f, const struct wb_base *b, const struct wb_node *node,
	struct wb_err *err)
{
	wb_autofree char *path = wb_strdup(node->path);
	size_t whole = strlen(path);

	for (size_t n = 1; n <= whole; n++) {
		struct thing *link;
		char end = path[n];

		if (end != '/' && (end || node->type != WB_NODE_DIR))
			continue;
		path[n] = '\0';
		HASH_FIND_STR(f->links, path, link);
		if (link) {
			wb_err_set(err, WB_ERR_CONFIG,
				"\"/%s\" cannot be put on base \"%s\", where \"/%s\" is a symbolic "
				"link to \"%s\"",
				node->path, b->name, path, link->target);
			return wb_err_hint(err,
				"container runtimes do not agree on what that means: use a base "
				"where it is a folder, or a mount_location that is not behind it");
		}
		path[n] = end;
	}
	return 0;
}

static void note_shared(struct wb_plan *p, const struct found *f)
{
	struct thing *t, *next;

	wb_vec_foreach (source, &p->sources)
		HASH_ITER (hh, f->filled, t, next)
			source->shared |= wb_path_within(t->path, source->mount + 1);
}

int wb_base_meet(struct wb_dir_attrs *out, struct wb_base *b, struct wb_plan *plan,
	struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(found_release) struct found f = {0};

	*out = WB_DIR_ATTRS_INIT;
	if (!b->transport)
		return 0;
	if (b->transport->host) {
		leave_usual(out, b);
		return 0;
	}
	/* Platforms of one base agree on such folders; the last to name one decides. */
	wb_vec_foreach (img, &b->images)
		if (scan_image(&f, b, img, store, err))
			return -1;
	note_shared(plan, &f);
	wb_vec_foreach (node, &plan->tree.nodes) {
		const struct wb_dir_attr *attr = (*node)->type == WB_NODE_DIR
		                                         ? wb_dir_attrs_get(&f.dirs, (*node)->path)
		                                         : NULL;

		if (refuse_links(&f, b, *node, err))
			return -1;
		if (attr)
			wb_dir_attrs_set(out, attr->path, attr->mode, attr->uid, attr->gid, false);
	}
	return 0;
}
