#include "layers/stream.h"

#include <string.h>

#include "base/file.h"
#include "base/sha256.h"
#include "layers/content.h"

#define READ_PART (128u << 10)

void wb_dir_attrs_set(struct wb_dir_attrs *a, const char *path, unsigned mode, unsigned uid,
	unsigned gid, bool omit)
{
	struct wb_dir_attr *attr;

	HASH_FIND_STR(a->by_path, path, attr);
	if (!attr) {
		attr = wb_zalloc(sizeof(*attr));
		attr->path = wb_strdup(path);
		HASH_ADD_KEYPTR(hh, a->by_path, attr->path, strlen(attr->path), attr);
	}
	attr->mode = mode;
	attr->uid = uid;
	attr->gid = gid;
	attr->omit = omit;
}

const struct wb_dir_attr *wb_dir_attrs_get(const struct wb_dir_attrs *a, const char *path)
{
	struct wb_dir_attr *attr = NULL;

	if (a)
		HASH_FIND_STR(a->by_path, path, attr);
	return attr;
}

void wb_dir_attrs_release(struct wb_dir_attrs *a)
{
	struct wb_dir_attr *attr, *next;

	HASH_ITER (hh, a->by_path, attr, next) {
		HASH_DELETE(hh, a->by_path, attr);
		free(attr->path);
		free(attr);
	}
}

void wb_stream_init(struct wb_stream *s, const struct wb_planned_layer *layer,
	const struct wb_stream_opts *opts)
{
	*s = (struct wb_stream){.layer = layer, .opts = *opts, .fd = -1};
}

void wb_stream_release(struct wb_stream *s)
{
	wb_closep(&s->fd);
	wb_vec_free(&s->along);
}

/* Is path[0..len) a directory that an entry before this one brought along? Paths are sorted with a
 * directory's content right behind it, so the one before tells. */
static bool dir_is_written(const struct wb_stream *s, const char *path, size_t len)
{
	return s->before && !strncmp(s->before, path, len) &&
	       (s->before[len] == '/' || s->before[len] == '\0');
}

/* The next ancestor of path that must be written: its length, 0 when there is none left. */
static size_t next_dir(struct wb_stream *s, const char *path)
{
	size_t len = s->dir_len;

	for (;;) {
		len += path[len] == '/';
		len += strcspn(path + len, "/");
		if (!path[len])
			return 0;
		if (!dir_is_written(s, path, len))
			return len;
		s->dir_len = len;
	}
}

/* False: it is left to the base. */
static bool dir_entry(struct wb_tar_entry *out, const struct wb_stream *s, const char *path)
{
	const struct wb_dir_attr *attr = wb_dir_attrs_get(s->opts.dirs, path);

	*out = (struct wb_tar_entry){
		.type = WB_TAR_DIR, .name = path, .mode = 0755, .mtime = s->opts.mtime};
	if (!attr)
		return true;
	out->mode = attr->mode;
	out->uid = attr->uid;
	out->gid = attr->gid;
	return !attr->omit;
}

static bool node_entry(
	struct wb_tar_entry *out, const struct wb_stream *s, const struct wb_node *node)
{
	*out = (struct wb_tar_entry){
		.name = node->path, .mode = node->mode, .mtime = s->opts.mtime};
	switch (node->type) {
	case WB_NODE_DIR: return dir_entry(out, s, node->path);
	case WB_NODE_SYMLINK:
		out->type = WB_TAR_SYMLINK;
		out->link = node->target;
		break;
	case WB_NODE_FILE:
		out->type = node->same ? WB_TAR_HARDLINK : WB_TAR_FILE;
		out->link = node->same ? node->same->path : NULL;
		out->size = node->content.size;
		break;
	}
	return true;
}

static void next_node(struct wb_stream *s, const struct wb_node *node)
{
	s->before = node->path;
	s->dir_len = 0;
	s->node++;
}

static bool has_content(const struct wb_node *node)
{
	return node->type == WB_NODE_FILE && !node->same;
}

/* A small file's bytes and padding. */
static int put_small(
	uint8_t *out, const struct wb_stream *s, struct wb_node *node, struct wb_err *err)
{
	struct wb_content *c = &node->content;
	size_t n = (size_t)c->size;
	wb_autoclose int fd = wb_content_open(c, err);

	if (fd < 0 || wb_file_read_full(fd, out, n, -1, c->path, err) ||
		wb_content_check(c, fd, err) ||
		wb_guard_bytes(s->opts.guard, NULL, node->path, out, n, err))
		return -1;
	if (!c->digest_known)
		wb_sha256_once(&c->digest, out, n);
	c->digest_known = true;
	memset(out + n, 0, wb_tar_padding(n));
	return 0;
}

static int open_large(struct wb_stream *s, struct wb_node *node, struct wb_err *err)
{
	if (node->growing) {
		*wb_vec_push(&s->along) =
			(struct wb_stream_along){node->growing, wb_growing_round(node->growing)};
	} else if ((s->fd = wb_content_open(&node->content, err)) < 0) {
		return -1;
	}
	s->file = node;
	s->offset = 0;
	s->seen = (struct wb_guard_tail){0};
	return 0;
}

/* One entry: an ancestor directory, or the node itself. *full: it did not fit behind used. */
static int put_entry(
	size_t *used, bool *full, struct wb_stream *s, uint8_t *buf, struct wb_err *err)
{
	struct wb_node *node = s->layer->nodes.items[s->node];
	struct wb_tar_entry e;
	uint8_t header[WB_TAR_HEADER_MAX];
	size_t dir_len = next_dir(s, node->path), n, body = 0;

	if (dir_len) {
		wb_autofree char *dir = wb_strndup(node->path, dir_len);

		n = dir_entry(&e, s, dir) ? wb_tar_header(header, &e) : 0;
	} else {
		if (wb_guard_names(s->opts.guard, node->path, node->target, err))
			return -1;
		n = node_entry(&e, s, node) ? wb_tar_header(header, &e) : 0;
		if (has_content(node) && node->content.size <= WB_STREAM_SMALL)
			body = (size_t)node->content.size + wb_tar_padding(node->content.size);
	}
	*full = *used + n + body > WB_PIECE_MAX;
	if (*full)
		return 0;
	memcpy(buf + *used, header, n);
	*used += n;
	if (dir_len) {
		s->dir_len = dir_len;
		return 0;
	}
	if (body && put_small(buf + *used, s, node, err))
		return -1;
	if (has_content(node) && !body && node->content.size && open_large(s, node, err))
		return -1;
	if (has_content(node) && !node->content.size && !node->content.digest_known) {
		wb_sha256_once(&node->content.digest, "", 0);
		node->content.digest_known = true;
	}
	*used += body;
	next_node(s, node);
	return 0;
}

static size_t large_next(const struct wb_stream *s)
{
	uint64_t left = s->file->content.size - s->offset;

	return left < WB_PIECE_MAX ? (size_t)left : WB_PIECE_MAX;
}

static bool is_there(struct wb_stream *s, const struct wb_stream_along *a, uint64_t upto)
{
	if (wb_growing_look(a->growing, a->round, upto, true) != WB_GROWTH_THERE)
		s->lost = a->growing;
	return !s->lost;
}

/* The open large file, which comes. */
static const struct wb_stream_along *coming(const struct wb_stream *s)
{
	return &s->along.items[s->along.n - 1];
}

/* The content's path of a file that still comes is set while it is read here: messages have the
 * node's. */
static int read_part(struct wb_stream *s, uint8_t *p, size_t n, size_t at, struct wb_err *err)
{
	if (!s->file->growing)
		return wb_file_read_full(s->fd, p, n, -1, s->file->content.path, err);
	return wb_file_read_full(wb_growing_fd(s->file->growing), p, n, (int64_t)(s->offset + at),
		s->file->path, err);
}

/* In parts that are still in the cache when the guard looks at them: it is much faster than memory,
 * and so it costs next to nothing. */
static int read_guarded(struct wb_stream *s, uint8_t *buf, size_t n, struct wb_err *err)
{
	for (size_t at = 0; at < n; at += READ_PART) {
		size_t part = n - at < READ_PART ? n - at : READ_PART;

		if (read_part(s, buf + at, part, at, err) ||
			wb_guard_bytes(s->opts.guard, &s->seen, s->file->path, buf + at, part, err))
			return -1;
	}
	return 0;
}

static int read_large(struct wb_stream *s, uint8_t *buf, size_t n, struct wb_err *err)
{
	bool along = s->file->growing;

	if (along && !is_there(s, coming(s), s->offset + n))
		return 0;
	if (!read_guarded(s, buf, n, err))
		return 0;
	if (!along || is_there(s, coming(s), s->offset + n))
		return -1;
	*err = WB_ERR_INIT; /* it was begun anew at this moment */
	return 0;
}

static int large_piece(struct wb_piece *out, struct wb_stream *s, uint8_t *buf, struct wb_err *err)
{
	const struct wb_content *c = &s->file->content;
	uint64_t left = c->size - s->offset;
	size_t n = large_next(s);

	if (read_large(s, buf, n, err))
		return -1;
	*out = (struct wb_piece){0};
	if (s->lost)
		return 0;
	*out = (struct wb_piece){.n = n, .file = s->file, .offset = s->offset, .last = n == left};
	s->offset += n;
	if (!out->last)
		return 0;
	if (!s->file->growing && wb_content_check(c, s->fd, err))
		return -1;
	wb_closep(&s->fd);
	s->file = NULL;
	s->padding = wb_tar_padding(c->size);
	return 0;
}

bool wb_stream_ready(const struct wb_stream *s)
{
	if (!s->file || !s->file->growing)
		return true;
	return wb_growing_look(s->file->growing, coming(s)->round, s->offset + large_next(s),
		       false) != WB_GROWTH_LATER;
}

void wb_stream_settle(struct wb_stream *s)
{
	for (size_t i = 0; i < s->along.n && !s->lost; i++)
		(void)is_there(s, &s->along.items[i], WB_GROWING_ALL);
}

int wb_stream_next(struct wb_piece *out, struct wb_stream *s, uint8_t *buf, struct wb_err *err)
{
	size_t used = s->padding;
	bool full = false;

	if (s->file)
		return large_piece(out, s, buf, err);
	memset(buf, 0, used);
	s->padding = 0;
	while (!full && !s->file && s->node < s->layer->nodes.n)
		if (put_entry(&used, &full, s, buf, err))
			return -1;
	if (!full && !s->file && !s->ended && used + 2 * WB_TAR_BLOCK <= WB_PIECE_MAX) {
		memset(buf + used, 0, 2 * WB_TAR_BLOCK);
		used += 2 * WB_TAR_BLOCK;
		s->ended = true;
	}
	*out = (struct wb_piece){.n = used};
	return 0;
}

void wb_stream_entries(const struct wb_planned_layer *layer, const struct wb_stream_opts *opts,
	wb_stream_entry *fn, void *arg)
{
	struct wb_stream s;
	struct wb_tar_entry e;

	wb_stream_init(&s, layer, opts);
	while (s.node < layer->nodes.n) {
		const struct wb_node *node = layer->nodes.items[s.node];
		size_t dir_len = next_dir(&s, node->path);

		if (dir_len) {
			wb_autofree char *dir = wb_strndup(node->path, dir_len);

			if (dir_entry(&e, &s, dir))
				fn(arg, &e, NULL);
			s.dir_len = dir_len;
			continue;
		}
		if (node_entry(&e, &s, node))
			fn(arg, &e, node);
		next_node(&s, node);
	}
}
