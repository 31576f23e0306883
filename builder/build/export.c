#include "builder/build/export.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "layers/content.h"
#include "layers/pack.h"
#include "layers/stream.h"

/* Makes way for a new entry: a file or link of that name goes, a folder is an error. */
static int clear_way(const char *path, struct wb_err *err)
{
	if (unlink(path) && errno != ENOENT)
		return wb_err_sys(err, errno, "cannot replace \"%s\"", path);
	return 0;
}

/* Folders on the way to path, none of them through a symbolic link that was there before. */
static int make_parents(const char *dest, const char *rel, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(dest, rel);

	for (char *p = path + strlen(dest) + 1; (p = strchr(p, '/')); p++) {
		struct stat st;

		*p = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return wb_err_sys(err, errno, "cannot make the folder \"%s\"", path);
		if (lstat(path, &st) || !S_ISDIR(st.st_mode))
			return wb_err_sys(err, ENOTDIR, "cannot write below \"%s\"", path);
		*p = '/';
	}
	return 0;
}

/* The file is the one that was planned, before and after it was copied. */
static int copy_file(const char *path, const struct wb_content *content, struct wb_err *err)
{
	wb_autoclose int before = wb_content_open(content, err);

	if (before < 0 || wb_file_clone(content->path, path, false, NULL, err))
		return -1;
	wb_autoclose int after = wb_content_open(content, err);

	return after < 0 ? -1 : 0;
}

static int export_node(const char *dest, const struct wb_node *node, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(dest, node->path);
	const struct wb_node *holder = node->same ? node->same : node;

	if (wb_cancel_check(err) || make_parents(dest, node->path, err))
		return -1;
	switch (node->type) {
	case WB_NODE_DIR:
		if (mkdir(path, 0755) && errno != EEXIST)
			return wb_err_sys(err, errno, "cannot make the folder \"%s\"", path);
		return 0;
	case WB_NODE_SYMLINK:
		if (clear_way(path, err))
			return -1;
		if (symlink(node->target, path))
			return wb_err_sys(err, errno, "cannot make the link \"%s\"", path);
		return 0;
	case WB_NODE_FILE:
		if (clear_way(path, err) || copy_file(path, &holder->content, err))
			return -1;
		if (chmod(path, node->mode))
			return wb_err_sys(err, errno, "cannot set the mode of \"%s\"", path);
		return 0;
	}
	return 0;
}

int wb_export_dir(
	const char *dest, const struct wb_plan *p, const char *manifest, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(dest, WB_MANIFEST_PATH);

	if (wb_mkdirs(dest, 0755, err))
		return -1;
	wb_vec_foreach (node, &p->tree.nodes)
		if (export_node(dest, *node, err))
			return wb_err_wrap(err, "output \"%s\"", dest);
	if (make_parents(dest, WB_MANIFEST_PATH, err))
		return -1;
	wb_autofree char *dir = wb_path_dirname(path);

	wb_file_tidy(dir);
	if (wb_file_put(path, manifest, strlen(manifest), 0644, WB_FILE_REPLACE, err))
		return -1;
	return wb_sync_all(dest, err);
}

static void write_manifest_entry(struct wb_file *f, const char *manifest)
{
	static const uint8_t zeros[WB_TAR_BLOCK];
	uint8_t header[WB_TAR_HEADER_MAX];
	size_t n = strlen(manifest);
	struct wb_tar_entry dir = {.type = WB_TAR_DIR, .name = ".wbuild", .mode = 0755};
	struct wb_tar_entry file = {
		.type = WB_TAR_FILE, .name = WB_MANIFEST_PATH, .mode = 0644, .size = n};

	wb_file_write(f, header, wb_tar_header(header, &dir));
	wb_file_write(f, header, wb_tar_header(header, &file));
	wb_file_write(f, manifest, n);
	wb_file_write(f, zeros, wb_tar_padding(n));
}

int wb_export_tar(
	const char *dest, const struct wb_plan *p, const char *manifest, struct wb_err *err)
{
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan plan = WB_LAYER_PLAN_INIT;
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	WB_AUTO(wb_stream_release) struct wb_stream s = {.fd = -1};
	struct wb_planned_layer none = {0};
	wb_autofree uint8_t *buf = wb_alloc_pages(WB_PIECE_MAX);
	struct wb_piece piece;

	wb_autofree char *dir = wb_path_dirname(dest);

	wb_file_tidy(dir);
	if (wb_file_create(&f, dest, 0644, WB_FILE_REPLACE | WB_FILE_STREAM, err))
		return -1;
	write_manifest_entry(&f, manifest);
	/* one layer of everything is the whole bundle as one tar */
	wb_layer_plan_make(&plan, &p->tree, &(struct wb_layer_limits){.max_layers = 1});
	wb_stream_init(
		&s, plan.layers.n ? &plan.layers.items[0] : &none, &(struct wb_stream_opts){0});
	for (;;) {
		if (wb_cancel_check(err) || wb_stream_next(&piece, &s, buf, err))
			return -1;
		if (!piece.n)
			break;
		wb_file_write(&f, buf, piece.n);
	}
	return wb_file_commit(&f, NULL, err);
}
