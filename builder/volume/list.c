#include "builder/volume/list.h"

#include <string.h>
#include <uthash.h>

#include "base/json.h"
#include "base/path.h"
#include "base/text.h"

struct wb_volume_name {
	char *path;
	UT_hash_handle hh;
};

#define GIT_SHA1 "git-sha1" /* of a blob, beside wb_hash_name()'s "sha1" of the bare bytes */

static void volume_free(struct wb_volume *v)
{
	wb_listing_release(&v->listing);
	wb_uri_release(&v->own.uri);
	free(v->own.mount);
	free(v->own.auth.secret_name);
	free(v);
}

bool wb_volumes_claim(struct wb_volumes *v, const char *path)
{
	struct wb_volume_name *name;

	HASH_FIND_STR(v->names, path, name);
	if (name)
		return false;
	name = wb_zalloc(sizeof(*name));
	name->path = wb_strdup(path);
	HASH_ADD_KEYPTR(hh, v->names, name->path, strlen(name->path), name);
	return true;
}

void wb_volumes_release(struct wb_volumes *v)
{
	struct wb_volume_name *name, *next;

	HASH_ITER (hh, v->names, name, next) {
		HASH_DELETE(hh, v->names, name);
		free(name->path);
		free(name);
	}
	wb_vec_foreach (one, &v->list)
		volume_free(*one);
	wb_vec_free(&v->list);
	wb_vec_foreach (c, &v->configs) {
		wb_config_release(*c);
		free(*c);
	}
	wb_vec_free(&v->configs);
}

struct wb_volume *wb_volumes_add(
	struct wb_volumes *v, const char *address, const char *mount, struct wb_err *err)
{
	struct wb_volume *one = wb_zalloc(sizeof(*one));

	*wb_vec_push(&v->list) = one;
	one->src = &one->own;
	one->own.mount = wb_strdup(mount);
	one->own.use_volume = true;
	if (wb_uri_parse(&one->own.uri, address, false, err))
		return NULL;
	if (one->own.uri.scheme != WB_SCHEME_FILE)
		return one;
	wb_err_set(err, WB_ERR_CONFIG, "\"%s\" cannot be fetched", one->own.uri.text);
	return NULL;
}

void wb_volume_set_secret(struct wb_volume *v, const char *name, bool explicit)
{
	v->own.auth.method = explicit ? WB_AUTH_CUSTOM_SECRET : WB_AUTH_NONE;
	v->own.auth.secret_explicit = explicit;
	free(v->own.auth.secret_name);
	v->own.auth.secret_name = wb_strdup(name);
}

char *wb_volume_path(const struct wb_volume *v, const struct wb_remote_file *f)
{
	return v->src->layout == WB_LAYOUT_FILE ? wb_strdup(v->src->mount)
	                                        : wb_path_join(v->src->mount, f->path);
}

/* --- reading ------------------------------------------------------------------------------ */

static bool is_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* "" when it is not there. */
static int text_of(
	char **out, const json_t *o, const char *key, const char *what, struct wb_err *err)
{
	const json_t *value = json_object_get(o, key);
	const char *text = "";

	if (value && wb_json_str(&text, o, key, what, err))
		return -1;
	if (!is_text(text))
		return wb_err_set(
			err, WB_ERR_FORMAT, "%s: \"%s\" has control characters", what, key);
	free(*out);
	*out = wb_strdup(text);
	return 0;
}

/* Hexadecimal of exactly size bytes, where the key is there. */
static int digest_of(bool *has, uint8_t *out, size_t size, const json_t *o, const char *key,
	const char *what, struct wb_err *err)
{
	const char *hex;

	*has = json_object_get(o, key) != NULL;
	if (!*has)
		return 0;
	if (wb_json_str(&hex, o, key, what, err))
		return -1;
	if (strlen(hex) == 2 * size && wb_unhex(out, hex, size, false))
		return 0;
	return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not a digest", what, key);
}

static int read_known(struct wb_known *k, const json_t *o, const char *what, struct wb_err *err)
{
	if (digest_of(&k->has_sha256, k->sha256.bytes, 32, o, "sha256", what, err) ||
		digest_of(&k->has_git_sha1, k->git_sha1, 20, o, GIT_SHA1, what, err))
		return -1;
	for (int i = 0; i < WB_HASH_KINDS; i++) {
		enum wb_hash_kind kind = (enum wb_hash_kind)i;

		if (digest_of(&k->has[i], k->value[i], wb_hash_size(kind), o, wb_hash_name(kind),
			    what, err))
			return -1;
	}
	return 0;
}

static int claim(struct wb_volumes *all, const struct wb_volume *v, const struct wb_remote_file *f,
	const char *what, struct wb_err *err)
{
	wb_autofree char *path = wb_volume_path(v, f);

	if (wb_volumes_claim(all, path))
		return 0;
	return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is another source's", what, path);
}

static int read_file(struct wb_volumes *all, struct wb_volume *v, const json_t *o, const char *what,
	struct wb_err *err)
{
	const char *path, *why;

	if (wb_json_str(&path, o, "path", what, err))
		return -1;
	why = wb_path_unsafe(path, strlen(path));
	if (why)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: the path \"%s\" %s", what, path, why);
	size_t n = v->listing.files.n;

	if (n && wb_path_cmp(v->listing.files.items[n - 1].path, path) >= 0)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is out of order or there twice",
			what, path);
	if (n && wb_path_within(path, v->listing.files.items[n - 1].path))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" lies in a file", what, path);
	struct wb_remote_file *f = wb_vec_push(&v->listing.files);

	f->path = wb_strdup(path);
	f->size = WB_SIZE_UNKNOWN;
	f->encoded = json_is_true(json_object_get(o, "encoded"));
	wb_autofree char *where = wb_asprintf("%s: \"%s\"", what, path);

	if ((json_object_get(o, "size") && wb_json_u64(&f->size, o, "size", where, err)) ||
		text_of(&f->etag, o, "etag", where, err) ||
		text_of(&f->version, o, "version", where, err) ||
		text_of(&f->identity, o, "identity", where, err) ||
		read_known(&f->known, o, where, err))
		return -1;
	if (!*f->identity) {
		free(f->identity);
		f->identity = NULL;
	}
	return claim(all, v, f, what, err);
}

static int read_files(struct wb_volumes *all, struct wb_volume *v, const json_t *o,
	const char *what, struct wb_err *err)
{
	const json_t *files = json_object_get(o, "files");
	json_t *file;
	size_t i;

	if (!json_is_array(files))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"files\" is not a list", what);
	if (json_array_size(files) > WB_LISTING_FILES_MAX)
		return wb_err_set(
			err, WB_ERR_LIMIT, "%s: more than %d files", what, WB_LISTING_FILES_MAX);
	json_array_foreach (files, i, file)
		if (read_file(all, v, file, what, err))
			return -1;
	return 0;
}

/* An absolute, plain path that is not the root itself. */
static bool is_mount(const char *mount)
{
	return mount[0] == '/' && !wb_path_unsafe(mount + 1, strlen(mount + 1));
}

static int read_source(struct wb_volumes *out, const json_t *o, struct wb_err *err)
{
	static const char name[] = "fetch list";
	const char *address, *mount;
	wb_autofree char *secret = NULL;

	if (wb_json_str(&address, o, "source", name, err) ||
		wb_json_str(&mount, o, "mount", name, err))
		return -1;
	if (!is_mount(mount))
		return wb_err_set(
			err, WB_ERR_FORMAT, "%s: \"%s\" is no place to put files", name, mount);
	struct wb_volume *v = wb_volumes_add(out, address, mount, err);

	if (!v) {
		wb_err_wrap(err, "%s", name);
		err->code = WB_ERR_FORMAT;
		return -1;
	}
	const char *what = v->own.uri.text; /* as an address of the user's, without credentials */

	if (text_of(&v->listing.revision, o, "revision", what, err) ||
		text_of(&v->listing.root, o, "root", what, err) ||
		text_of(&secret, o, "secret", what, err))
		return -1;
	if (*secret)
		wb_volume_set_secret(
			v, secret, json_is_true(json_object_get(o, "secret_required")));
	return read_files(out, v, o, what, err);
}

int wb_volumes_parse(struct wb_volumes *out, const char *text, size_t n, struct wb_err *err)
{
	wb_autojson json_t *root = wb_json_parse(text, n, "fetch list", err);
	uint64_t version;
	json_t *source;
	size_t i;

	*out = WB_VOLUMES_INIT;
	if (!root || wb_json_u64(&version, root, "version", "fetch list", err))
		return -1;
	if (version != WB_VOLUME_LIST_VERSION)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"fetch list: version %llu is another program's",
			(unsigned long long)version);
	if (!json_is_array(json_object_get(root, "sources")))
		return wb_err_set(err, WB_ERR_FORMAT, "fetch list: \"sources\" is not a list");
	json_array_foreach (json_object_get(root, "sources"), i, source)
		if (read_source(out, source, err))
			return -1;
	return 0;
}

/* --- writing ------------------------------------------------------------------------------ */

static void set_hex(json_t *o, const char *key, const uint8_t *bytes, size_t size)
{
	char hex[65];

	wb_hex(hex, bytes, size);
	wb_json_set_str(o, key, hex);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		wb_json_set_str(o, key, text);
}

static json_t *file_json(const struct wb_remote_file *f)
{
	json_t *o = json_object();

	wb_json_set_str(o, "path", f->path);
	if (f->size != WB_SIZE_UNKNOWN)
		wb_json_set_u64(o, "size", f->size);
	if (f->known.has_sha256)
		set_hex(o, "sha256", f->known.sha256.bytes, 32);
	if (f->known.has_git_sha1)
		set_hex(o, GIT_SHA1, f->known.git_sha1, 20);
	for (int i = 0; i < WB_HASH_KINDS; i++) {
		enum wb_hash_kind kind = (enum wb_hash_kind)i;

		if (f->known.has[i])
			set_hex(o, wb_hash_name(kind), f->known.value[i], wb_hash_size(kind));
	}
	set_text(o, "etag", f->etag);
	set_text(o, "version", f->version);
	set_text(o, "identity", f->identity);
	if (f->encoded)
		wb_json_set(o, "encoded", json_true());
	return o;
}

static json_t *volume_json(const struct wb_volume *v)
{
	json_t *o = json_object(), *files = json_array();

	wb_json_set_str(o, "source", v->src->uri.text);
	wb_json_set_str(o, "mount", v->src->mount);
	set_text(o, "revision", v->listing.revision);
	set_text(o, "root", v->listing.root);
	set_text(o, "secret", v->src->auth.secret_name);
	if (v->src->auth.secret_explicit)
		wb_json_set(o, "secret_required", json_true());
	wb_vec_foreach (f, &v->listing.files)
		wb_json_append(files, file_json(f));
	wb_json_set(o, "files", files);
	return o;
}

char *wb_volumes_dump(const struct wb_volumes *v)
{
	wb_autojson json_t *root = json_object();
	json_t *sources = json_array();

	wb_json_set_u64(root, "version", WB_VOLUME_LIST_VERSION);
	wb_vec_foreach (one, &v->list)
		wb_json_append(sources, volume_json(*one));
	wb_json_set(root, "sources", sources);
	return wb_json_dump_indent(root);
}
