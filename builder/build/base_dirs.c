/* Which folders the base has, and with what attributes. */
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "builder/build/base.h"
#include "oci/layer_scan.h"

/* Folders that images bring along and whose attributes are theirs to choose. */
static const char *const usual_folders[] = {"app", "bin", "dev", "etc", "home", "lib", "lib64",
	"mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "usr/lib",
	"usr/local", "usr/local/lib", "usr/share", "usr/src", "var", "var/lib", "var/cache",
	"workspace", "home/app", NULL};

/* --- one layer ---------------------------------------------------------------------------- */

/* Rows are [path, mode, uid, gid]; a whiteout is [path]. An opaque marker is the whiteout "path/".
 */
static int collect(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	json_t *rows = arg;
	const char *name = wb_path_basename(e->path);
	size_t dir = (size_t)(name - e->path);
	json_t *row;

	if (!strcmp(name, ".wh..wh..opq")) {
		row = json_pack("[s#]", e->path, (int)dir);
	} else if (!strncmp(name, ".wh.", 4)) {
		wb_autofree char *gone = wb_asprintf("%.*s%s", (int)dir, e->path, name + 4);

		row = json_pack("[s]", gone);
	} else if (e->type == WB_LAYER_ENTRY_DIR && *e->path) {
		row = json_pack(
			"[siii]", e->path, (int)(e->mode & 07777), (int)e->uid, (int)e->gid);
	} else {
		return 0;
	}
	if (row) /* a name that is not UTF-8 cannot be one of ours */
		wb_json_append(rows, row);
	return 0;
}

static json_t *scan_layer(struct wb_base *b, const struct wb_descriptor *layer,
	struct wb_store *store, struct wb_err *err)
{
	struct wb_digest_text digest = wb_digest_text(&layer->digest);
	json_t *known = wb_store_index_get(store, "dirs", digest.s);

	if (known)
		return known;
	WB_AUTO(wb_reader_closep) struct wb_reader *r = NULL;
	wb_autojson json_t *rows = json_array();
	const struct wb_layer_visitor visitor = {.entry = collect, .arg = rows};
	wb_autofree char *what = wb_asprintf("layer %.19s of base \"%s\"", digest.s, b->name);

	if (wb_transport_open_blob(&r, b->transport, layer, err) ||
		wb_layer_scan(r, what, &visitor, err) ||
		wb_store_index_put(store, "dirs", digest.s, rows, err))
		return NULL;
	return json_incref(rows);
}

/* --- all layers --------------------------------------------------------------------------- */

static void forget(struct wb_dir_attrs *dirs, const char *path, bool itself)
{
	struct wb_dir_attr *attr, *next;

	HASH_ITER (hh, dirs->by_path, attr, next) {
		if (!wb_path_within(attr->path, path) || (!itself && !strcmp(attr->path, path)))
			continue;
		HASH_DELETE(hh, dirs->by_path, attr);
		free(attr->path);
		free(attr);
	}
}

static void apply_row(struct wb_dir_attrs *dirs, const json_t *row)
{
	const char *path = json_string_value(json_array_get(row, 0));

	if (!path)
		return;
	if (json_array_size(row) == 1) {
		wb_autofree char *gone = wb_strdup(path);
		size_t n = strlen(gone);
		bool opaque = n && gone[n - 1] == '/';

		if (opaque)
			gone[n - 1] = '\0';
		forget(dirs, gone, !opaque);
		return;
	}
	wb_dir_attrs_set(dirs, path, (unsigned)json_integer_value(json_array_get(row, 1)),
		(unsigned)json_integer_value(json_array_get(row, 2)),
		(unsigned)json_integer_value(json_array_get(row, 3)), false);
}

static int scan_image(struct wb_dir_attrs *all, struct wb_base *b, const struct wb_image *img,
	struct wb_store *store, struct wb_err *err)
{
	wb_vec_foreach (layer, &img->layers) {
		wb_autojson json_t *rows = scan_layer(b, layer, store, err);
		json_t *row;
		size_t i;

		if (!rows)
			return -1;
		json_array_foreach (rows, i, row)
			apply_row(all, row);
	}
	return 0;
}

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

int wb_base_dirs(struct wb_dir_attrs *out, struct wb_base *b, const struct wb_tree *tree,
	struct wb_store *store, struct wb_err *err)
{
	WB_AUTO(wb_dir_attrs_release) struct wb_dir_attrs all = WB_DIR_ATTRS_INIT;

	*out = WB_DIR_ATTRS_INIT;
	if (!b->transport)
		return 0;
	if (b->transport->host) {
		leave_usual(out, b);
		return 0;
	}
	/* Platforms of one base agree on such folders; the first to name one decides. */
	wb_vec_foreach (img, &b->images)
		if (scan_image(&all, b, img, store, err))
			return -1;
	wb_vec_foreach (node, &tree->nodes) {
		const struct wb_dir_attr *attr =
			(*node)->type == WB_NODE_DIR ? wb_dir_attrs_get(&all, (*node)->path) : NULL;

		if (attr)
			wb_dir_attrs_set(out, attr->path, attr->mode, attr->uid, attr->gid, false);
	}
	return 0;
}
