#include "layers/layer_key.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

static void feed(struct wb_sha256 *s, const char *text)
{
	/* the NUL too: no two lists of fields give the same bytes */
	wb_sha256_update(s, text, strlen(text) + 1);
}

static void feed_number(struct wb_sha256 *s, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	feed(s, text);
}

char *wb_packer_describe(const struct wb_pack_opts *opts)
{
	char codec[96];

	wb_codec_describe(codec, sizeof(codec), &opts->codec);
	return wb_asprintf("wbuild-packer:%d %s mtime:%llu", WB_PACKER_VERSION, codec,
		(unsigned long long)opts->stream.mtime);
}

static void feed_node(struct wb_sha256 *s, const struct wb_node *node, bool digests)
{
	feed(s, node->path);
	feed_number(s, node->mode);
	switch (node->type) {
	case WB_NODE_DIR: feed(s, "dir"); break;
	case WB_NODE_SYMLINK:
		feed(s, "symlink");
		feed(s, node->target);
		break;
	case WB_NODE_FILE:
		feed(s, node->same ? "link" : "file");
		feed_number(s, node->content.size);
		if (node->same)
			feed(s, node->same->path);
		else if (digests)
			feed(s, wb_digest_hex(&node->content.digest).s);
		break;
	}
}

/* Attributes of the ancestors: they are entries of the layer too. */
static void feed_parents(struct wb_sha256 *s, const char *path, const struct wb_dir_attrs *dirs)
{
	if (!dirs || !dirs->by_path)
		return;
	wb_autofree char *dir = wb_strdup(path);

	for (char *slash; (slash = strrchr(dir, '/'));) {
		*slash = '\0';
		const struct wb_dir_attr *attr = wb_dir_attrs_get(dirs, dir);

		if (!attr)
			continue;
		feed(s, dir);
		feed_number(s, attr->omit ? 1u << 31 : attr->mode);
		feed_number(s, attr->uid);
		feed_number(s, attr->gid);
	}
}

static void make_key(struct wb_digest *out, const struct wb_planned_layer *l,
	const struct wb_pack_opts *opts, bool digests)
{
	wb_autofree char *packer = wb_packer_describe(opts);
	struct wb_sha256 s;

	wb_sha256_init(&s);
	feed(&s, digests ? "layer" : "shape");
	feed(&s, packer);
	wb_vec_foreach (node, &l->nodes) {
		feed_node(&s, *node, digests);
		feed_parents(&s, (*node)->path, opts->stream.dirs);
	}
	wb_sha256_final(&s, out);
}

void wb_layer_key(
	struct wb_digest *out, const struct wb_planned_layer *l, const struct wb_pack_opts *opts)
{
	make_key(out, l, opts, true);
}

void wb_layer_shape(
	struct wb_digest *out, const struct wb_planned_layer *l, const struct wb_pack_opts *opts)
{
	make_key(out, l, opts, false);
}
