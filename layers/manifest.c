#include "layers/manifest.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"

#define WHAT "bundle manifest"

/* ---- reading ---- */

static int bad_entry(
	const struct wb_bundle_entry *e, size_t index, const char *why, struct wb_err *err)
{
	wb_autofree char *name = wb_text_quote(e->path ? e->path : "", 200);

	return wb_err_set(err, WB_ERR_FORMAT, WHAT ": file %zu (\"%s\") %s", index, name, why);
}

/* Member `key` as text or, where the bytes are not UTF-8 and JSON cannot hold them, `key`Hex.
 * NULL when there is none or it is not in its one right form. */
static char *read_bytes(const json_t *o, const char *key, const char *key_hex)
{
	const char *text = wb_json_str_opt(o, key), *hex = wb_json_str_opt(o, key_hex);
	size_t n = hex ? strlen(hex) : 0;

	if (text)
		return hex ? NULL : wb_strdup(text);
	if (!n || n % 2)
		return NULL;
	wb_autofree char *bytes = wb_zalloc(n / 2 + 1);

	if (!wb_unhex((uint8_t *)bytes, hex, n / 2, false) || strlen(bytes) != n / 2 ||
		wb_utf8_valid(bytes, n / 2))
		return NULL;
	return wb_steal(bytes);
}

static bool read_mode(unsigned *out, const json_t *o)
{
	const char *s = wb_json_str_opt(o, "mode");
	unsigned mode = 0;

	if (!s || strlen(s) != 4)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '7')
			return false;
		mode = mode * 8 + (unsigned)(*s - '0');
	}
	*out = mode;
	return true;
}

static bool read_digest(struct wb_digest *out, const json_t *v)
{
	return json_is_string(v) &&
	       wb_digest_parse_hex(out, json_string_value(v), json_string_length(v));
}

static size_t chunks_of(uint64_t size)
{
	return size <= WB_CHUNK_SIZE ? 0 : (size_t)((size - 1) / WB_CHUNK_SIZE + 1);
}

static const char *read_chunks(struct wb_bundle_entry *e, const json_t *array)
{
	size_t want = chunks_of(e->size);

	if (!want)
		return array ? "has chunk hashes but only one chunk" : NULL;
	if (!json_is_array(array) || json_array_size(array) != want)
		return "does not have one chunk hash for each chunk of its size";
	e->chunks = wb_calloc(want, sizeof(*e->chunks));
	e->n_chunks = want;
	for (size_t i = 0; i < want; i++)
		if (!read_digest(&e->chunks[i], json_array_get(array, i)))
			return "has a chunk hash that is not 64 lower-case hex digits";
	return NULL;
}

static const char *read_file(struct wb_bundle_entry *e, const json_t *o)
{
	const json_t *size = json_object_get(o, "size");

	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return "has no size";
	e->size = (uint64_t)json_integer_value(size);
	if (!read_mode(&e->mode, o))
		return "has no mode of four octal digits";
	if (!read_digest(&e->digest, json_object_get(o, "sha256")))
		return "has no sha256 of 64 lower-case hex digits";
	return read_chunks(e, json_object_get(o, "chunks"));
}

static const char *read_symlink(struct wb_bundle_entry *e, const json_t *o)
{
	e->mode = 0777;
	e->target = read_bytes(o, "target", "targetHex");
	if (!e->target || !*e->target)
		return "is a symlink without a target";
	return strlen(e->target) < PATH_MAX ? NULL : "has a target longer than 4095 bytes";
}

static const char *read_typed(struct wb_bundle_entry *e, const json_t *o)
{
	const json_t *value = json_object_get(o, "type");
	const char *type = value ? json_string_value(value) : "file";

	if (!type)
		return "has a type that is not text";
	if (!strcmp(type, "file")) {
		e->type = WB_BUNDLE_FILE;
		return read_file(e, o);
	}
	if (!strcmp(type, "symlink")) {
		e->type = WB_BUNDLE_SYMLINK;
		return read_symlink(e, o);
	}
	if (strcmp(type, "dir"))
		return "has a type other than \"file\", \"symlink\" and \"dir\"";
	e->type = WB_BUNDLE_DIR;
	return read_mode(&e->mode, o) ? NULL : "has no mode of four octal digits";
}

/* A path's content follows it directly in this order, so a look at the entry before is enough. */
static const char *check_order(const struct wb_bundle_entry *e, const struct wb_bundle_entry *prev)
{
	size_t n = strlen(prev->path);
	int order = wb_path_cmp(prev->path, e->path);

	if (order == 0)
		return "is there twice";
	if (order > 0)
		return "is not in order";
	if (prev->type != WB_BUNDLE_DIR && !strncmp(prev->path, e->path, n) && e->path[n] == '/')
		return "lies below a path that is not a directory";
	return NULL;
}

static const char *read_entry(struct wb_bundle_manifest *m, struct wb_bundle_entry *e,
	const struct wb_bundle_entry *prev, const json_t *o)
{
	const char *why;
	const json_t *source;

	if (!json_is_object(o))
		return "is not an object";
	e->path = read_bytes(o, "path", "pathHex");
	if (!e->path)
		return "has no path";
	why = wb_path_unsafe(e->path, strlen(e->path));
	if (!why && prev)
		why = check_order(e, prev);
	if (!why)
		why = read_typed(e, o);
	if (why)
		return why;
	source = json_object_get(o, "source");
	if (!json_is_integer(source) || json_integer_value(source) < 0 ||
		(uint64_t)json_integer_value(source) >= m->sources.n)
		return "has a source that is not in the list of sources";
	e->source = (unsigned)json_integer_value(source);
	return NULL;
}

static int read_entries(struct wb_bundle_manifest *m, const json_t *root, struct wb_err *err)
{
	const json_t *files = json_object_get(root, "files"), *o;
	size_t i;

	if (!json_is_array(files))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": \"files\" is not a list");
	json_array_foreach (files, i, o) {
		struct wb_bundle_entry *e = wb_vec_push(&m->entries);
		const char *why = read_entry(m, e, i ? e - 1 : NULL, o);

		if (why)
			return bad_entry(e, i, why, err);
	}
	return 0;
}

static bool safe_absolute(const char *path)
{
	if (!path || *path != '/')
		return false;
	return !path[1] || !wb_path_unsafe(path + 1, strlen(path + 1));
}

static int read_sources(struct wb_bundle_manifest *m, const json_t *root, struct wb_err *err)
{
	const json_t *sources = json_object_get(root, "sources"), *o;
	size_t i;

	if (!json_is_array(sources))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": \"sources\" is not a list");
	json_array_foreach (sources, i, o) {
		const char *label = wb_json_str_opt(o, "label");
		const char *mount = wb_json_str_opt(o, "mount");
		struct wb_bundle_source *s;

		if (!label || !safe_absolute(mount))
			return wb_err_set(err, WB_ERR_FORMAT,
				WHAT ": source %zu needs a label and an absolute mount path", i);
		s = wb_vec_push(&m->sources);
		s->label = wb_strdup(label);
		s->mount = wb_strdup(mount);
		s->revision = wb_strdup(wb_json_str_opt(o, "revision"));
		s->shared = json_is_true(json_object_get(o, "shared"));
	}
	return 0;
}

static int read_head(struct wb_bundle_manifest *m, const json_t *root, struct wb_err *err)
{
	const json_t *cache = json_object_get(root, "hfCache");
	uint64_t version, chunk;

	if (wb_json_u64(&version, root, "version", WHAT, err) ||
		wb_json_u64(&chunk, root, "chunkSize", WHAT, err))
		return -1;
	if (version != WB_MANIFEST_VERSION || chunk != WB_CHUNK_SIZE)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			WHAT ": version %llu with chunks of %llu bytes; this program reads version "
			     "%d with chunks of %u",
			(unsigned long long)version, (unsigned long long)chunk, WB_MANIFEST_VERSION,
			WB_CHUNK_SIZE);
	if (!cache || json_is_null(cache))
		return 0;
	if (!safe_absolute(json_string_value(cache)))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": \"hfCache\" is not an absolute path");
	m->hf_cache = wb_strdup(json_string_value(cache));
	return 0;
}

int wb_bundle_manifest_parse(
	struct wb_bundle_manifest *out, const char *text, size_t n, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release) struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;

	if (n > WB_MANIFEST_BYTES_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, WHAT " is larger than the limit of %u bytes",
			WB_MANIFEST_BYTES_MAX);
	wb_autojson json_t *root = wb_json_parse(text, n, WHAT, err);

	if (!root)
		return -1;
	if (!json_is_object(root))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": not an object");
	if (read_head(&m, root, err) || read_sources(&m, root, err) || read_entries(&m, root, err))
		return -1;
	*out = m;
	m = WB_BUNDLE_MANIFEST_INIT;
	return 0;
}

/* ---- writing ----
 *
 * By hand, because a tree of JSON values for 100,000 files takes ten times the text's memory, and
 * with a line for each file, because a person or a diff will look at it. */

static void add(struct wb_buf *b, const char *p, size_t n)
{
	struct wb_err err = WB_ERR_INIT;

	if (wb_buf_add(b, p, n, &err))
		abort(); /* the limit is SIZE_MAX / 2 */
}

static void add_text(struct wb_buf *b, const char *s)
{
	add(b, s, strlen(s));
}

static void add_quoted(struct wb_buf *b, const char *s)
{
	const char *start = s;

	add(b, "\"", 1);
	for (; *s; s++) {
		if ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
			continue;
		add(b, start, (size_t)(s - start));
		start = s + 1;
		if (*s == '"' || *s == '\\')
			add(b, (const char[]){'\\', *s}, 2);
		else
			wb_buf_must(b, "\\u%04x", *s);
	}
	add(b, start, (size_t)(s - start));
	add(b, "\"", 1);
}

/* `"key":"text"`, or `"keyHex":"…"` where the bytes are not UTF-8. */
static void add_bytes(struct wb_buf *b, const char *key, const char *s)
{
	size_t n = strlen(s);
	bool utf8 = wb_utf8_valid(s, n);

	add_text(b, "\"");
	add_text(b, key);
	add_text(b, utf8 ? "\":" : "Hex\":");
	if (utf8) {
		add_quoted(b, s);
		return;
	}
	wb_autofree char *hex = wb_alloc(2 * n + 1);

	wb_hex(hex, (const uint8_t *)s, n);
	add_quoted(b, hex);
}

static void add_chunks(struct wb_buf *b, const struct wb_bundle_entry *e)
{
	add_text(b, ",\"chunks\":[");
	for (size_t i = 0; i < e->n_chunks; i++) {
		add_text(b, i ? ",\"" : "\"");
		add(b, wb_digest_hex(&e->chunks[i]).s, WB_DIGEST_HEX);
		add_text(b, "\"");
	}
	add_text(b, "]");
}

static void add_entry(struct wb_buf *b, const struct wb_bundle_entry *e)
{
	add_text(b, "{");
	add_bytes(b, "path", e->path);
	switch (e->type) {
	case WB_BUNDLE_FILE:
		assert(e->n_chunks == chunks_of(e->size));
		wb_buf_must(b, ",\"mode\":\"%04o\",\"size\":%llu,\"sha256\":\"%s\"", e->mode,
			(unsigned long long)e->size, wb_digest_hex(&e->digest).s);
		if (e->n_chunks)
			add_chunks(b, e);
		break;
	case WB_BUNDLE_SYMLINK:
		add_text(b, ",\"type\":\"symlink\",");
		add_bytes(b, "target", e->target);
		break;
	case WB_BUNDLE_DIR: wb_buf_must(b, ",\"type\":\"dir\",\"mode\":\"%04o\"", e->mode); break;
	}
	wb_buf_must(b, ",\"source\":%u}", e->source);
}

static void add_source(struct wb_buf *b, const struct wb_bundle_source *s)
{
	add_text(b, "{\"label\":");
	add_quoted(b, s->label);
	if (s->revision) {
		add_text(b, ",\"revision\":");
		add_quoted(b, s->revision);
	}
	add_text(b, ",\"mount\":");
	add_quoted(b, s->mount);
	add_text(b, s->shared ? ",\"shared\":true}" : "}");
}

char *wb_bundle_manifest_dump(const struct wb_bundle_manifest *m)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, SIZE_MAX / 2, WHAT);
	wb_buf_must(&b, "{\"version\":%d,\"chunkSize\":%u,\"sources\":[", WB_MANIFEST_VERSION,
		WB_CHUNK_SIZE);
	for (size_t i = 0; i < m->sources.n; i++) {
		add_text(&b, i ? ",\n" : "\n");
		add_source(&b, &m->sources.items[i]);
	}
	add_text(&b, "]");
	if (m->hf_cache) {
		add_text(&b, ",\n\"hfCache\":");
		add_quoted(&b, m->hf_cache);
	}
	add_text(&b, ",\n\"files\":[");
	for (size_t i = 0; i < m->entries.n; i++) {
		add_text(&b, i ? ",\n" : "\n");
		add_entry(&b, &m->entries.items[i]);
	}
	add_text(&b, "]}\n");
	return wb_buf_steal(&b);
}

void wb_bundle_manifest_release(struct wb_bundle_manifest *m)
{
	wb_vec_foreach (e, &m->entries) {
		free(e->path);
		free(e->chunks);
		free(e->target);
	}
	wb_vec_foreach (s, &m->sources) {
		free(s->label);
		free(s->revision);
		free(s->mount);
	}
	wb_vec_free(&m->entries);
	wb_vec_free(&m->sources);
	free(m->hf_cache);
	*m = WB_BUNDLE_MANIFEST_INIT;
}
