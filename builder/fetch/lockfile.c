#include "builder/fetch/lockfile.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/secret.h"
#include "base/sha256.h"

void wb_lockfile_release(struct wb_lockfile *l)
{
	wb_vec_foreach (s, &l->sources) {
		wb_vec_foreach (f, &s->files) {
			free(f->path);
			free(f->etag);
			free(f->version);
		}
		wb_vec_free(&s->files);
		free(s->source);
		free(s->key);
		free(s->revision);
		free(s->root);
	}
	wb_vec_free(&l->sources);
	wb_vec_foreach (layer, &l->layers) {
		free(layer->key);
		free(layer->media_type);
		free(layer->contents);
	}
	wb_vec_free(&l->layers);
	free(l->packer);
	*l = WB_LOCKFILE_INIT;
}

/* --- reading ------------------------------------------------------------------------------ */

static char *optional(const json_t *o, const char *key)
{
	const char *text = wb_json_str_opt(o, key);

	return wb_strdup(text ? text : "");
}

static int read_digest(struct wb_digest *out, const json_t *o, const char *key, bool bare,
	const char *what, struct wb_err *err)
{
	const char *text;

	if (wb_json_str(&text, o, key, what, err))
		return -1;
	if (bare ? wb_digest_parse_hex(out, text, strlen(text)) : !wb_digest_parse(out, text, err))
		return 0;
	return wb_err_set(err, WB_ERR_CONFIG, "%s: \"%s\" is not a SHA-256", what, key);
}

static int read_file(
	struct wb_lock_source *s, const json_t *o, const char *what, struct wb_err *err)
{
	const char *path, *why;

	if (wb_json_str(&path, o, "path", what, err))
		return -1;
	why = wb_path_unsafe(path, strlen(path));
	if (why)
		return wb_err_set(err, WB_ERR_CONFIG, "%s: the path \"%s\" %s", what, path, why);
	if (s->files.n && wb_path_cmp(s->files.items[s->files.n - 1].path, path) >= 0)
		return wb_err_set(err, WB_ERR_CONFIG, "%s: \"%s\" is out of order or there twice",
			what, path);
	struct wb_lock_file *f = wb_vec_push(&s->files);

	f->path = wb_strdup(path);
	f->etag = optional(o, "etag");
	f->version = optional(o, "version");
	f->encoded = json_is_true(json_object_get(o, "encoded"));
	if (wb_json_u64(&f->size, o, "size", what, err))
		return -1;
	return read_digest(&f->sha256, o, "sha256", true, what, err);
}

static int read_source(
	struct wb_lockfile *out, const json_t *o, const char *name, struct wb_err *err)
{
	struct wb_lock_source *s = wb_vec_push(&out->sources);
	const json_t *files = json_object_get(o, "files");
	const char *text;
	json_t *file;
	size_t i;

	if (wb_json_str(&text, o, "source", name, err))
		return -1;
	s->source = wb_strdup(text);
	wb_autofree char *what = wb_asprintf("%s: source \"%s\"", name, text);

	if (wb_json_str(&text, o, "key", what, err))
		return -1;
	s->key = wb_strdup(text);
	s->revision = optional(o, "revision");
	s->root = optional(o, "root");
	if (!json_is_array(files))
		return wb_err_set(err, WB_ERR_CONFIG, "%s: \"files\" is not a list", what);
	json_array_foreach (files, i, file)
		if (read_file(s, file, what, err))
			return -1;
	return 0;
}

static int read_layer(
	struct wb_lockfile *out, const json_t *o, const char *name, struct wb_err *err)
{
	struct wb_lock_layer *l = wb_vec_push(&out->layers);
	wb_autofree char *what = wb_asprintf("%s: layer %zu", name, out->layers.n);
	const char *key;

	if (wb_json_str(&key, o, "key", what, err))
		return -1;
	l->key = wb_strdup(key);
	l->media_type = optional(o, "media_type");
	l->contents = wb_strdup(wb_json_str_opt(o, "contents"));
	if (wb_json_u64(&l->size, o, "size", what, err) ||
		read_digest(&l->digest, o, "digest", false, what, err))
		return -1;
	return read_digest(&l->diff_id, o, "diff_id", false, what, err);
}

static int read_all(
	struct wb_lockfile *out, const json_t *root, const char *name, struct wb_err *err)
{
	const char *packer = wb_json_str_opt(root, "packer");
	json_t *item;
	uint64_t version;
	size_t i;

	if (wb_json_u64(&version, root, "version", name, err))
		return -1;
	if (version != WB_LOCK_VERSION) {
		wb_err_set(err, WB_ERR_CONFIG, "%s: version %llu is not known to this wbuild", name,
			(unsigned long long)version);
		return wb_err_hint(err, "write it anew with \"wbuild lock\"");
	}
	out->packer = wb_strdup(packer);
	json_array_foreach (json_object_get(root, "sources"), i, item)
		if (read_source(out, item, name, err))
			return -1;
	json_array_foreach (json_object_get(root, "layers"), i, item)
		if (read_layer(out, item, name, err))
			return -1;
	return 0;
}

int wb_lockfile_parse(
	struct wb_lockfile *out, const char *text, size_t n, const char *name, struct wb_err *err)
{
	wb_autojson json_t *root = wb_json_parse(text, n, name, err);

	*out = WB_LOCKFILE_INIT;
	if (root && !read_all(out, root, name, err))
		return 0;
	wb_lockfile_release(out);
	err->code = WB_ERR_CONFIG;
	if (!err->hint[0])
		wb_err_hint(err,
			"restore it from version control, or write it anew with \"wbuild lock\"");
	return -1;
}

int wb_lockfile_load(struct wb_lockfile *out, bool *found, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;

	*out = WB_LOCKFILE_INIT;
	*found = false;
	wb_buf_init(&text, WB_LOCK_BYTES_MAX, "the lockfile");
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	if (wb_file_read_regular(&text, path, err) ||
		wb_lockfile_parse(out, text.data, text.len, path, err))
		return -1;
	*found = true;
	return 0;
}

static char *key_digest(const struct wb_source *src)
{
	wb_autofree char *text = wb_source_key(src);
	struct wb_digest d;

	wb_sha256_once(&d, text, strlen(text));
	return wb_strdup(wb_digest_hex(&d).s);
}

static const struct wb_lock_source *find_key(const struct wb_lockfile *l, const char *key)
{
	wb_vec_foreach (s, &l->sources)
		if (!strcmp(s->key, key))
			return s;
	return NULL;
}

const struct wb_lock_source *wb_lockfile_find(
	const struct wb_lockfile *l, const struct wb_source *src)
{
	wb_autofree char *key = key_digest(src);

	return find_key(l, key);
}

const struct wb_lock_layer *wb_lockfile_layer(const struct wb_lockfile *l, const char *key)
{
	wb_vec_foreach (layer, &l->layers)
		if (!strcmp(layer->key, key))
			return layer;
	return NULL;
}

/* --- writing ------------------------------------------------------------------------------ */

/* "key":"value", from a fresh object, so that the text is escaped as JSON. */
static void put_object(struct wb_buf *b, json_t *steal, const char *indent, bool last)
{
	wb_autojson json_t *o = steal;
	wb_autofree char *text = wb_json_dump(o);

	wb_buf_must(b, "%s%s%s\n", indent, text, last ? "" : ",");
}

static void put_text(struct wb_buf *b, const char *indent, const char *key, const char *value)
{
	wb_autojson json_t *text = json_string(value);
	wb_autofree char *quoted = wb_json_dump(text);

	wb_buf_must(b, "%s\"%s\": %s,\n", indent, key, quoted);
}

static json_t *file_json(const struct wb_lock_file *f)
{
	json_t *o = json_object();

	wb_json_set_str(o, "path", f->path);
	wb_json_set_u64(o, "size", f->size);
	wb_json_set_str(o, "sha256", wb_digest_hex(&f->sha256).s);
	if (*f->etag)
		wb_json_set_str(o, "etag", f->etag);
	if (*f->version)
		wb_json_set_str(o, "version", f->version);
	if (f->encoded)
		wb_json_set(o, "encoded", json_true());
	return o;
}

static json_t *layer_json(const struct wb_lock_layer *l)
{
	json_t *o = json_object();

	wb_json_set_str(o, "key", l->key);
	wb_json_set_str(o, "digest", wb_digest_text(&l->digest).s);
	wb_json_set_str(o, "diff_id", wb_digest_text(&l->diff_id).s);
	wb_json_set_u64(o, "size", l->size);
	wb_json_set_str(o, "media_type", l->media_type);
	if (l->contents)
		wb_json_set_str(o, "contents", l->contents);
	return o;
}

static void put_source(struct wb_buf *b, const struct wb_lock_source *s, bool last)
{
	wb_buf_must(b, "    {\n");
	put_text(b, "      ", "source", s->source);
	put_text(b, "      ", "key", s->key);
	if (*s->revision)
		put_text(b, "      ", "revision", s->revision);
	if (*s->root)
		put_text(b, "      ", "root", s->root);
	wb_buf_must(b, "      \"files\": [\n");
	for (size_t i = 0; i < s->files.n; i++)
		put_object(b, file_json(&s->files.items[i]), "        ", i + 1 == s->files.n);
	wb_buf_must(b, "      ]\n    }%s\n", last ? "" : ",");
}

char *wb_lockfile_dump(const struct wb_lockfile *l)
{
	struct wb_buf b;

	wb_buf_init(&b, SIZE_MAX / 2, "the lockfile");
	wb_buf_must(&b, "{\n  \"version\": %d,\n  \"sources\": [\n", WB_LOCK_VERSION);
	for (size_t i = 0; i < l->sources.n; i++)
		put_source(&b, &l->sources.items[i], i + 1 == l->sources.n);
	wb_buf_must(&b, "  ],\n");
	if (l->packer)
		put_text(&b, "  ", "packer", l->packer);
	wb_buf_must(&b, "  \"layers\": [\n");
	for (size_t i = 0; i < l->layers.n; i++)
		put_object(&b, layer_json(&l->layers.items[i]), "    ", i + 1 == l->layers.n);
	wb_buf_must(&b, "  ]\n}\n");
	char *text = wb_buf_steal(&b);

	wb_buf_release(&b);
	return text;
}

int wb_lockfile_save(
	const struct wb_lockfile *l, const char *path, bool *changed, struct wb_err *err)
{
	wb_autofree char *text = wb_lockfile_dump(l);
	WB_AUTO(wb_buf_release) struct wb_buf there;
	struct wb_err ignored = WB_ERR_INIT;

	wb_buf_init(&there, WB_LOCK_BYTES_MAX, "the lockfile");
	bool same = !wb_file_read(&there, path, &ignored) && !strcmp(there.data, text);

	if (changed)
		*changed = !same;
	if (!same && wb_secret_guard(path, text, strlen(text), err))
		return -1;
	wb_autofree char *dir = wb_path_dirname(path);

	wb_file_tidy(dir);
	return same ? 0 : wb_file_put(path, text, strlen(text), 0644, WB_FILE_REPLACE, err);
}

/* --- from and to listings ----------------------------------------------------------------- */

void wb_lock_listing(struct wb_listing *out, const struct wb_lock_source *s)
{
	*out = WB_LISTING_INIT;
	out->revision = wb_strdup(s->revision);
	out->root = wb_strdup(s->root);
	out->seen = s->files.n;
	wb_vec_foreach (f, &s->files) {
		struct wb_remote_file *r = wb_vec_push(&out->files);

		r->path = wb_strdup(f->path);
		r->size = f->size;
		r->etag = wb_strdup(f->etag);
		r->version = wb_strdup(f->version);
		r->identity = wb_asprintf("sha256:%s", wb_digest_hex(&f->sha256).s);
		r->encoded = f->encoded;
		r->known.has_sha256 = true;
		r->known.sha256 = f->sha256;
	}
}

void wb_lockfile_add(struct wb_lockfile *l, const struct wb_source *src,
	const struct wb_listing *listing, const struct wb_digest *digests)
{
	struct wb_lock_source *s = wb_vec_push(&l->sources);

	s->source = wb_strdup(src->uri.text);
	s->key = key_digest(src);
	s->revision = wb_strdup(listing->revision ? listing->revision : "");
	s->root = wb_strdup(listing->root ? listing->root : "");
	for (size_t i = 0; i < listing->files.n; i++) {
		const struct wb_remote_file *r = &listing->files.items[i];
		struct wb_lock_file *f = wb_vec_push(&s->files);

		f->path = wb_strdup(r->path);
		f->size = r->size;
		f->sha256 = digests[i];
		f->etag = wb_strdup(r->etag ? r->etag : "");
		f->version = wb_strdup(r->version ? r->version : "");
		f->encoded = r->encoded;
	}
}

struct wb_lock_layer *wb_lockfile_add_layer(struct wb_lockfile *l, const char *key)
{
	struct wb_lock_layer *layer = wb_vec_push(&l->layers);

	layer->key = wb_strdup(key);
	return layer;
}

/* --- comparing ---------------------------------------------------------------------------- */

static bool same_file(const struct wb_lock_file *a, const struct wb_lock_file *b)
{
	return a->size == b->size && wb_digest_equal(&a->sha256, &b->sha256) &&
	       !strcmp(a->etag, b->etag);
}

static char *files_difference(const struct wb_lock_source *a, const struct wb_lock_source *b)
{
	size_t i = 0, k = 0;

	while (i < a->files.n || k < b->files.n) {
		const struct wb_lock_file *x = i < a->files.n ? &a->files.items[i] : NULL;
		const struct wb_lock_file *y = k < b->files.n ? &b->files.items[k] : NULL;
		int order = !x ? 1 : !y ? -1 : wb_path_cmp(x->path, y->path);

		assert(order < 0 ? !!x : order > 0 ? !!y : x && y);
		if (order < 0)
			return wb_asprintf("%s: %s is gone", b->source, x->path);
		if (order > 0)
			return wb_asprintf("%s: %s is new", b->source, y->path);
		if (!same_file(x, y))
			return wb_asprintf("%s: %s changed", b->source, y->path);
		i++;
		k++;
	}
	if (strcmp(a->revision, b->revision))
		return wb_asprintf(
			"%s: is at %s instead of %s", b->source, b->revision, a->revision);
	return NULL;
}

int wb_lockfile_same(
	const struct wb_lockfile *then, const struct wb_lockfile *now, struct wb_err *err)
{
	wb_autofree char *what = NULL;

	for (size_t i = 0; !what && i < now->sources.n; i++) {
		const struct wb_lock_source *s = &now->sources.items[i];
		const struct wb_lock_source *old = find_key(then, s->key);

		what = old ? files_difference(old, s)
		           : wb_asprintf("%s: is not in the lockfile", s->source);
	}
	for (size_t i = 0; !what && i < then->sources.n; i++)
		if (!find_key(now, then->sources.items[i].key))
			what = wb_asprintf("%s: is in the lockfile, and not in the config",
				then->sources.items[i].source);
	if (!what)
		return 0;
	wb_err_set(err, WB_ERR_CONFIG, "%s would change: %s", WB_LOCK_NAME, what);
	return wb_err_hint(err, "refresh it with \"wbuild lock\", or build without --locked");
}
