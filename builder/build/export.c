#include "builder/build/export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "layers/content.h"
#include "layers/pack.h"
#include "layers/stream.h"

#define OWN ".wbuild"
#define TRIES 100

/* A folder that files are written to. All below it is opened one folder after the other, and what
 * is made is made in an open folder: whoever writes there at the same time, another build or
 * somebody who puts links in the way, has nothing land elsewhere. */
struct dest {
	const char *path;
	int fd, own_fd; /* the folder, and the one of the manifest, where temporaries lie */
	dev_t dev;      /* own_fd's file system */
};

/* Temporaries come to their name from beside the manifest, where the next build finds those of one
 * that was killed; on another file system, from the folder itself. */
static int temp_dir_for(const struct dest *d, int dir)
{
	struct stat st;

	return !fstat(dir, &st) && st.st_dev == d->dev ? d->own_fd : dir;
}

/* The file is the one that was planned, before and after it was copied. It replaces the one that is
 * there, and is whole and has its mode when it does. */
static int export_file(const struct dest *d, int dir, const char *path,
	const struct wb_content *content, mode_t mode, struct wb_err *err)
{
	WB_AUTO(wb_file_release) struct wb_file f = WB_FILE_INIT;
	wb_autoclose int in = wb_content_open(content, err);

	if (in < 0 ||
		wb_file_create_at(
			&f, dir, temp_dir_for(d, dir), path, mode, WB_FILE_REPLACE, err) ||
		wb_file_fill(&f, in, content->path, err) || wb_content_check(content, in, err))
		return -1;
	return wb_file_commit(&f, NULL, err);
}

/* What has the name goes, unless it is that link: another build may make it at the same time. */
static int export_link(int dir, const char *path, const char *target, struct wb_err *err)
{
	const char *name = wb_path_basename(path);

	for (int i = 0; i < TRIES; i++) {
		if (!symlinkat(target, dir, name))
			return 0;
		if (errno != EEXIST)
			break;
		wb_autofree char *there = wb_zalloc(strlen(target) + 2);

		if (readlinkat(dir, name, there, strlen(target) + 1) > 0 && !strcmp(there, target))
			return 0;
		if (unlinkat(dir, name, 0) && errno != ENOENT)
			return wb_err_sys(err, errno, "cannot replace \"%s\"", path);
	}
	return wb_err_sys(err, errno, "cannot make the link \"%s\"", path);
}

static int export_node(const struct dest *d, const struct wb_node *node, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(d->path, node->path);
	const struct wb_node *holder = node->same ? node->same : node;
	size_t whole = strlen(node->path);
	size_t above = whole - strlen(wb_path_basename(node->path));

	if (wb_cancel_check(err))
		return -1;
	wb_autoclose int dir = wb_open_below(
		d->fd, d->path, node->path, node->type == WB_NODE_DIR ? whole : above, err);

	if (dir < 0)
		return -1;
	switch (node->type) {
	case WB_NODE_DIR: return 0;
	case WB_NODE_SYMLINK: return export_link(dir, path, node->target, err);
	case WB_NODE_FILE: return export_file(d, dir, path, &holder->content, node->mode, err);
	}
	return 0;
}

int wb_export_dir(
	const char *dest, const struct wb_plan *p, const char *manifest, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(dest, WB_MANIFEST_PATH);
	struct stat st;

	if (wb_mkdirs(dest, 0755, err))
		return -1;
	wb_autoclose int fd = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", dest);
	wb_autoclose int own_fd = wb_open_below(fd, dest, OWN, strlen(OWN), err);

	if (own_fd < 0)
		return -1;
	if (fstat(own_fd, &st))
		return wb_err_sys(err, errno, "cannot look at \"%s/%s\"", dest, OWN);
	const struct dest d = {.path = dest, .fd = fd, .own_fd = own_fd, .dev = st.st_dev};

	wb_file_tidy_at(own_fd);
	wb_vec_foreach (node, &p->tree.nodes)
		if (export_node(&d, *node, err))
			return wb_err_wrap(err, "output \"%s\"", dest);
	if (wb_file_put_at(own_fd, path, manifest, strlen(manifest), 0644, WB_FILE_REPLACE, err))
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
