#include "layers/chunked.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/sha256.h"
#include "base/text.h"

enum {
	FRAME_HEAD = 8, /* a skippable frame's magic and length */
	FOOTER = 64,
	TEXT_MAX = 8 << 20, /* of the table, and of the tar-split, before compression */
};

/* Both texts, while they are written. */
struct writing {
	const struct wb_chunked_source *src;
	size_t span; /* the next one */
	size_t padding;
	size_t position; /* of the next line of the tar-split */
	struct wb_buf table, split;
	struct wb_err err; /* the first: a text that is too long */
};

static void writing_release(struct writing *w)
{
	wb_buf_release(&w->table);
	wb_buf_release(&w->split);
}

static bool has_content(const struct wb_node *node)
{
	return node && node->type == WB_NODE_FILE && !node->same && node->content.size;
}

static bool is_text(const char *s)
{
	return !s || wb_utf8_valid(s, strlen(s));
}

bool wb_chunked_fits(const struct wb_planned_layer *layer, const struct wb_codec *codec)
{
	bool content = false;

	if (codec->compression != WB_COMPRESS_ZSTD)
		return false;
	wb_vec_foreach (it, &layer->nodes) {
		const struct wb_node *node = *it;

		if (has_content(node) && node->content.size <= WB_STREAM_SMALL)
			return false;
		if (!is_text(node->path) || !is_text(node->target))
			return false; /* JSON cannot say its name */
		content |= has_content(node);
	}
	return content;
}

/* --- the tar-split ------------------------------------------------------------------------ */

static void put(struct writing *w, struct wb_buf *b, const char *text)
{
	if (!w->err.code)
		(void)wb_buf_puts(b, text, &w->err);
}

static void put_line(struct writing *w, json_t *line)
{
	wb_json_set_u64(line, "position", w->position++);
	wb_autofree char *text = wb_json_dump(line);

	put(w, &w->split, text);
	put(w, &w->split, "\n");
}

/* Bytes of the tar as they are: the padding that is due, and p[0..n). */
static void put_segment(struct writing *w, const uint8_t *p, size_t n)
{
	uint8_t bytes[WB_TAR_BLOCK + WB_TAR_HEADER_MAX] = {0};
	wb_autojson json_t *line = json_object();

	memcpy(bytes + w->padding, p, n);
	wb_autofree char *text = wb_base64_encode(bytes, w->padding + n);

	w->padding = 0;
	wb_json_set_u64(line, "type", 2);
	wb_json_set_str(line, "payload", text);
	put_line(w, line);
}

static void put_file(struct writing *w, const char *name, const struct wb_chunked_span *span)
{
	wb_autojson json_t *line = json_object();
	uint8_t crc[8];

	wb_json_set_u64(line, "type", 1);
	wb_json_set_str(line, "name", name);
	if (span) {
		for (size_t i = 0; i < sizeof(crc); i++)
			crc[i] = (uint8_t)(span->crc >> (56 - 8 * i));
		wb_autofree char *text = wb_base64_encode(crc, sizeof(crc));

		wb_json_set_u64(line, "size", span->file->content.size);
		wb_json_set_str(line, "payload", text);
		w->padding = wb_tar_padding(span->file->content.size);
	} else {
		wb_json_set(line, "payload", json_null());
	}
	put_line(w, line);
}

/* --- the table ---------------------------------------------------------------------------- */

static const char *type_name(enum wb_tar_type type)
{
	switch (type) {
	case WB_TAR_FILE: return "reg";
	case WB_TAR_HARDLINK: return "hardlink";
	case WB_TAR_SYMLINK: return "symlink";
	case WB_TAR_DIR: return "dir";
	}
	return NULL;
}

/* A member that is absent means zero. */
static void set_number(json_t *o, const char *key, uint64_t v)
{
	if (v)
		wb_json_set_u64(o, key, v);
}

static void set_time(json_t *o, uint64_t epoch)
{
	char text[32];
	struct tm tm;
	time_t t = (time_t)epoch;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	wb_json_set_str(o, "modtime", text);
}

static void put_item(struct writing *w, const struct wb_tar_entry *e, const char *name,
	const struct wb_chunked_span *span)
{
	wb_autojson json_t *o = json_object();

	wb_json_set_str(o, "type", type_name(e->type));
	wb_json_set_str(o, "name", name);
	if (e->link)
		wb_json_set_str(o, "linkName", e->link);
	set_number(o, "mode", e->mode);
	set_number(o, "size", span ? span->file->content.size : 0);
	set_number(o, "uid", e->uid);
	set_number(o, "gid", e->gid);
	set_time(o, e->mtime);
	if (span) {
		wb_json_set_str(o, "digest", wb_digest_text(&span->file->content.digest).s);
		set_number(o, "offset", span->offset);
		set_number(o, "endOffset", span->end);
	}
	wb_autofree char *text = wb_json_dump(o);

	put(w, &w->table, w->table.data[w->table.len - 1] == '[' ? "" : ",");
	put(w, &w->table, text);
}

static void put_entry(void *arg, const struct wb_tar_entry *e, const struct wb_node *node)
{
	struct writing *w = arg;
	uint8_t header[WB_TAR_HEADER_MAX];
	const struct wb_chunked_span *span = NULL;
	/* as the header has it */
	wb_autofree char *name = wb_asprintf("%s%s", e->name, e->type == WB_TAR_DIR ? "/" : "");

	if (has_content(node) && w->span < w->src->n_spans)
		span = &w->src->spans[w->span++];
	put_segment(w, header, wb_tar_header(header, e));
	put_file(w, name, span);
	put_item(w, e, name, span);
}

/* --- the frames --------------------------------------------------------------------------- */

/* The caller frees. */
static uint8_t *compress(size_t *out_n, const struct wb_buf *text, struct wb_encoder *e)
{
	static const struct wb_codec zstd = {.compression = WB_COMPRESS_ZSTD};
	size_t pieces = text->len / WB_PIECE_MAX, n = 0;
	uint8_t *out = wb_alloc(pieces * wb_codec_bound(&zstd, WB_PIECE_MAX) +
				wb_codec_bound(&zstd, text->len % WB_PIECE_MAX));
	uint32_t crc;

	for (size_t at = 0, k; at < text->len; at += k) {
		k = text->len - at < WB_PIECE_MAX ? text->len - at : WB_PIECE_MAX;
		n += wb_encode(e, out + n, (const uint8_t *)text->data + at, k, &crc);
	}
	*out_n = n;
	return out;
}

static void put_le(uint8_t *p, size_t width, uint64_t v)
{
	for (size_t i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* -> behind it */
static uint8_t *put_frame(uint8_t *p, const void *bytes, size_t n)
{
	put_le(p, 4, 0x184d2a50);
	put_le(p + 4, 4, n);
	memcpy(p + FRAME_HEAD, bytes, n);
	return p + FRAME_HEAD + n;
}

static void make_footer(uint8_t out[FOOTER], const struct wb_chunked *c)
{
	const uint64_t fields[] = {
		c->table.at, c->table.n, c->table.raw, 1, c->split.at, c->split.n, c->split.raw};

	for (size_t i = 0; i < WB_ARRAY_LEN(fields); i++)
		put_le(out + 8 * i, 8, fields[i]);
	memcpy(out + FOOTER - 8, "GNUlInUx", 8);
}

/* Both texts are there, the table's but for its end. */
static uint8_t *make_frames(
	struct wb_chunked *out, size_t *n, struct writing *w, struct wb_encoder *e)
{
	struct wb_chunked c = {.split.raw = w->split.len};
	uint8_t footer[FOOTER];
	wb_autofree uint8_t *split = compress(&c.split.n, &w->split, e), *table = NULL;
	struct wb_digest digest;

	wb_sha256_once(&digest, split, c.split.n);
	put(w, &w->table, "],\"tarSplitDigest\":\"");
	put(w, &w->table, wb_digest_text(&digest).s);
	put(w, &w->table, "\"}");
	if (w->err.code)
		return NULL;
	table = compress(&c.table.n, &w->table, e);
	wb_sha256_once(&c.digest, table, c.table.n);
	c.table.raw = w->table.len;
	c.table.at = w->src->blob_size + FRAME_HEAD;
	c.split.at = c.table.at + c.table.n + FRAME_HEAD;
	make_footer(footer, &c);
	*n = c.table.n + c.split.n + FOOTER + 3 * FRAME_HEAD;
	uint8_t *bytes = wb_alloc(*n), *p = put_frame(bytes, table, c.table.n);

	p = put_frame(p, split, c.split.n);
	put_frame(p, footer, FOOTER);
	*out = c;
	return bytes;
}

uint8_t *wb_chunked_make(struct wb_chunked *out, size_t *n, const struct wb_chunked_source *src,
	struct wb_encoder *e)
{
	static const uint8_t end_of_tar[2 * WB_TAR_BLOCK];
	WB_AUTO(writing_release) struct writing w = {.src = src, .err = WB_ERR_INIT};

	wb_buf_init(&w.table, TEXT_MAX, "table of contents");
	wb_buf_init(&w.split, TEXT_MAX, "tar-split");
	put(&w, &w.table, "{\"version\":1,\"entries\":[");
	wb_stream_entries(src->layer, src->stream, put_entry, &w);
	put_segment(&w, end_of_tar, sizeof(end_of_tar));
	return w.err.code ? NULL : make_frames(out, n, &w, e);
}

/* --- what others are told ----------------------------------------------------------------- */

static char *position(const struct wb_chunked_part *p)
{
	return wb_asprintf("%" PRIu64 ":%zu:%" PRIu64, p->at, p->n, p->raw);
}

void wb_chunked_annotate(struct wb_descriptor *d, const struct wb_chunked *c)
{
	if (!c->table.n)
		return;
	wb_autofree char *split = position(&c->split), *at = position(&c->table);
	wb_autofree char *table = wb_asprintf("%s:1", at);

	wb_descriptor_annotate(d, WB_CHUNKED_CHECKSUM, wb_digest_text(&c->digest).s);
	wb_descriptor_annotate(d, WB_CHUNKED_POSITION, table);
	wb_descriptor_annotate(d, WB_CHUNKED_SPLIT, split);
}

char *wb_chunked_text(const struct wb_chunked *c)
{
	if (!c->table.n)
		return NULL;
	wb_autofree char *table = position(&c->table), *split = position(&c->split);

	return wb_asprintf("%s %s %s", wb_digest_text(&c->digest).s, table, split);
}

/* Do the parts follow each other up to the blob's end? */
static bool is_placed(const struct wb_chunked *c, uint64_t blob_size)
{
	uint64_t left = blob_size;
	const uint64_t parts[] = {
		FOOTER + FRAME_HEAD, c->split.n, FRAME_HEAD, c->table.n, FRAME_HEAD};

	for (size_t i = 0; i < WB_ARRAY_LEN(parts); i++) {
		if (parts[i] > left)
			return false;
		left -= parts[i];
	}
	return c->table.n && c->split.n && c->table.raw <= TEXT_MAX && c->split.raw <= TEXT_MAX &&
	       c->table.at == left + FRAME_HEAD &&
	       c->split.at == c->table.at + c->table.n + FRAME_HEAD;
}

/* A number and what ends it; *p moves behind. */
static bool take(uint64_t *out, const char **p, char end)
{
	size_t n = strcspn(*p, ": ");
	wb_autofree char *text = wb_strndup(*p, n);

	if ((*p)[n] != end || !wb_parse_u64(out, text))
		return false;
	*p += n + 1;
	return true;
}

static bool take_part(struct wb_chunked_part *out, const char **p, char end)
{
	uint64_t n;

	if (!take(&out->at, p, ':') || !take(&n, p, ':') || !take(&out->raw, p, end))
		return false;
	out->n = (size_t)n;
	return true;
}

bool wb_chunked_parse(struct wb_chunked *out, const char *text, uint64_t blob_size)
{
	struct wb_chunked c = {0};
	struct wb_err ignored = WB_ERR_INIT;

	if (!text) {
		*out = c;
		return true;
	}
	const char *space = strchr(text, ' ');

	if (!space)
		return false;
	const char *p = space + 1;
	wb_autofree char *digest = wb_strndup(text, (size_t)(space - text));

	if (wb_digest_parse(&c.digest, digest, &ignored) || !take_part(&c.table, &p, ' ') ||
		!take_part(&c.split, &p, '\0') || !is_placed(&c, blob_size))
		return false;
	/* no other way to write the numbers */
	wb_autofree char *again = wb_chunked_text(&c);

	if (strcmp(again, text))
		return false;
	*out = c;
	return true;
}
