#include "builder/volume/bptr.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/config/yaml.h"

#define RELATIVE_TO "/app/data" /* what Truss's servers give as the folder for relative names */
#define HF_SECRET "hf_access_token"

static const char *const manifests[] = {"/bptr/bptr-manifest", "/bptr/bptr-manifest.json",
	"/static-bptr/static-bptr-manifest.json"};

/* One manifest while it is read. */
struct reader {
	struct wb_volumes *v;
	const char *name;
	size_t index; /* of the pointer */
	const struct wb_yaml_node *pointer, *resolution;
};

static int wrong(const struct reader *r, struct wb_err *err, const char *what)
{
	return wb_err_set(err, WB_ERR_FORMAT, "%s: pointer %zu: %s", r->name, r->index, what);
}

static const char *text_at(const struct wb_yaml_node *map, const char *key)
{
	const struct wb_yaml_node *value =
		map && map->kind == WB_YAML_MAPPING ? wb_yaml_get(map, key) : NULL;

	if (!value || value->kind != WB_YAML_SCALAR || wb_yaml_is_null(value) ||
		strlen(value->text) != value->len)
		return NULL;
	return value->text;
}

/* --- what a pointer says ------------------------------------------------------------------ */

/* https://huggingface.co/OWNER/NAME/resolve/COMMIT/PATH -> its parts; false for other addresses. */
static bool split_hub(char **repo, char **revision, char **path, const char *url)
{
	static const char prefix[] = "https://huggingface.co/", mark[] = "/resolve/";
	const char *start = url + strlen(prefix), *resolve, *slash;

	if (!wb_str_starts(url, prefix) || !(resolve = strstr(start, mark)) || strchr(url, '?'))
		return false;
	const char *rev = resolve + strlen(mark);

	slash = strchr(rev, '/');
	if (!slash || !slash[1] || slash == rev)
		return false;
	*repo = wb_strndup(start, (size_t)(resolve - start));
	*revision = wb_url_decode(rev, (size_t)(slash - rev));
	*path = wb_url_decode(slash + 1, strlen(slash + 1));
	return true;
}

/* The file's name below the source, the pinned revision, and the source's address. */
struct target {
	char *address, *revision, *root, *path;
	const char *secret;
};

static void target_release(struct target *t)
{
	free(t->address);
	free(t->revision);
	free(t->root);
	free(t->path);
}

static void target_hub(struct target *t, const char *url)
{
	wb_autofree char *repo = NULL;

	if (split_hub(&repo, &t->revision, &t->path, url)) {
		t->address = wb_asprintf("hf://%s@%s", repo, t->revision);
		t->secret = HF_SECRET;
	} else {
		/* Truss gives its token to the hub alone */
		t->address = wb_strdup(url);
		t->path = wb_strdup("file");
	}
}

/* scheme://PLACE/KEY, with the key as root and name. */
static void target_object(struct target *t, const char *place, const char *key)
{
	wb_autofree char *dir = wb_path_dirname(key);

	t->address = wb_asprintf("%s/%s", place, key);
	t->root = strchr(key, '/') ? wb_asprintf("%s/", dir) : wb_strdup("");
	t->path = wb_strdup(wb_path_basename(key));
}

static int read_target(struct target *t, const struct reader *r, struct wb_err *err)
{
	const struct wb_yaml_node *o = r->resolution;
	const char *type = text_at(o, "resolution_type"), *url = text_at(o, "url");
	const char *bucket = text_at(o, "bucket_name"), *secret;
	const char *key = text_at(o, "key") ? text_at(o, "key") : text_at(o, "path");
	const char *account = text_at(o, "account_name"), *container = text_at(o, "container_name");
	const char *blob = text_at(o, "blob_name");

	if ((!type || !strcmp(type, "http")) && url) {
		target_hub(t, url);
	} else if (type && !strcmp(type, "gcs") && bucket && key) {
		wb_autofree char *place = wb_asprintf("gs://%s", bucket);

		target_object(t, place, key);
	} else if (type && !strcmp(type, "s3") && bucket && key) {
		wb_autofree char *place = wb_asprintf("s3://%s", bucket);

		target_object(t, place, key);
	} else if (type && !strcmp(type, "azure") && account && container && blob) {
		wb_autofree char *place = wb_asprintf("azure://%s/%s", account, container);

		target_object(t, place, blob);
	} else {
		return wrong(r, err, "no resolution that is known (http, gcs, s3, azure)");
	}
	secret = text_at(r->pointer, "runtime_secret_name");
	if (secret && (t->secret || t->root))
		t->secret = secret;
	return 0;
}

/* Truss writes "_" for quotes and other characters that no file name may have. */
static char *plain_hash(const char *hash)
{
	size_t n;

	hash += strspn(hash, "_");
	for (n = strlen(hash); n && hash[n - 1] == '_'; n--)
		;
	return wb_strndup(hash, n);
}

/* What of the hash is a digest of the bytes. Truss checks sizes only; where the source vouches for
 * more, so does this. */
static void read_hash(struct wb_remote_file *f, const struct reader *r, const struct wb_uri *uri)
{
	const char *given = text_at(r->pointer, "hash"), *type = text_at(r->pointer, "hashtype");
	const char *uid = text_at(r->pointer, "uid");
	wb_autofree char *hash = plain_hash(given ? given : "");
	struct wb_known *k = &f->known;
	size_t n = strlen(hash);
	bool etag = !type || !strcmp(type, "etag");

	if (uri->scheme == WB_SCHEME_HF && etag) {
		k->has_sha256 = n == 64 && wb_unhex(k->sha256.bytes, hash, 32, true);
		k->has_git_sha1 = n == 40 && wb_unhex(k->git_sha1, hash, 20, true);
	} else if ((etag && uri->scheme == WB_SCHEME_S3) || (type && !strcmp(type, "md5"))) {
		wb_known_md5_hex(k, hash);
	}
	f->etag = wb_strdup(etag && uri->scheme != WB_SCHEME_AZURE ? hash : "");
	wb_autofree char *own = wb_asprintf(
		"truss:%s:%s:%llu", uid ? uid : f->path, hash, (unsigned long long)f->size);

	f->identity = wb_known_identity(k, f->size, own);
}

/* --- pointers ----------------------------------------------------------------------------- */

static char *read_mount(const struct reader *r, struct wb_err *err)
{
	const char *name = text_at(r->pointer, "file_name"), *why;

	if (!name || !*name) {
		wrong(r, err, "\"file_name\" is missing");
		return NULL;
	}
	wb_autofree char *path = wb_path_join(*name == '/' ? "/" : RELATIVE_TO, name);

	why = wb_path_unsafe(path + 1, strlen(path + 1));
	if (!why)
		return wb_steal(path);
	wb_err_set(err, WB_ERR_FORMAT, "%s: pointer %zu: \"file_name\" %s", r->name, r->index, why);
	return NULL;
}

static int add_pointer(const struct reader *r, struct wb_err *err)
{
	const struct wb_yaml_node *size = wb_yaml_get(r->pointer, "size");
	WB_AUTO(target_release) struct target t = {0};
	wb_autofree char *mount = read_mount(r, err);
	int64_t bytes;

	if (!mount || read_target(&t, r, err))
		return -1;
	if (!size || size->kind != WB_YAML_SCALAR || !wb_yaml_int(&bytes, size) || bytes < 0)
		return wrong(r, err, "\"size\" is not a number of bytes");
	if (!*t.path || strlen(t.path) > 4096)
		return wrong(r, err, "the address names no file");
	if (!wb_volumes_claim(r->v, mount))
		return 0;
	struct wb_volume *v = wb_volumes_add(r->v, t.address, mount, err);

	if (!v) {
		wb_err_wrap(err, "%s: pointer %zu", r->name, r->index);
		err->code = WB_ERR_FORMAT;
		return -1;
	}
	v->own.layout = WB_LAYOUT_FILE;
	wb_volume_set_secret(v, t.secret, t.secret && strcmp(t.secret, HF_SECRET) != 0);
	v->listing.revision = wb_strdup(t.revision);
	v->listing.root = wb_strdup(t.root);
	struct wb_remote_file *f = wb_vec_push(&v->listing.files);

	f->path = wb_steal(t.path);
	f->size = (uint64_t)bytes;
	f->version = wb_strdup("");
	read_hash(f, r, &v->own.uri);
	return 0;
}

static int add_pointers(struct reader *r, const struct wb_yaml_node *list, struct wb_err *err)
{
	if (list->kind != WB_YAML_SEQUENCE)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"pointers\" is not a list", r->name);
	for (r->index = 0; r->index < list->n; r->index++) {
		r->pointer = list->items[r->index];
		if (r->pointer->kind != WB_YAML_MAPPING)
			return wrong(r, err, "is not an object");
		r->resolution = wb_yaml_get(r->pointer, "resolution");
		if (add_pointer(r, err))
			return -1;
	}
	return 0;
}

/* --- models ------------------------------------------------------------------------------- */

static json_t *patterns_json(const struct wb_yaml_node *list)
{
	json_t *out = json_array();

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i]->kind == WB_YAML_SCALAR)
			wb_json_append(out, wb_json_text(list->items[i]->text));
	return out;
}

static json_t *model_json(const struct wb_yaml_node *model)
{
	static const char *const texts[] = {
		"repo_id", "revision", "volume_folder", "runtime_secret_name", "kind"};
	static const char *const lists[] = {"allow_patterns", "ignore_patterns"};
	json_t *o = json_object();

	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++)
		if (text_at(model, texts[i]))
			wb_json_set_text(o, texts[i], text_at(model, texts[i]));
	for (size_t i = 0; i < WB_ARRAY_LEN(lists); i++) {
		const struct wb_yaml_node *list = wb_yaml_get(model, lists[i]);

		if (list && list->kind == WB_YAML_SEQUENCE)
			wb_json_set(o, lists[i], patterns_json(list));
	}
	wb_json_set(o, "use_volume", json_true());
	return o;
}

/* They are what config.yaml calls model_cache, and are read as such. */
static int add_models(const struct reader *r, const struct wb_yaml_node *list, struct wb_err *err)
{
	wb_autojson json_t *config = json_object();
	json_t *entries = json_array();

	for (size_t i = 0; list->kind == WB_YAML_SEQUENCE && i < list->n; i++)
		if (list->items[i]->kind == WB_YAML_MAPPING)
			wb_json_append(entries, model_json(list->items[i]));
	wb_json_set(config, "model_cache", entries);
	wb_autofree char *text = wb_json_dump(config);
	struct wb_config *c = wb_zalloc(sizeof(*c));

	*wb_vec_push(&r->v->configs) = c;
	if (wb_config_parse(c, text, strlen(text), "/", r->name, err)) {
		wb_err_wrap(err, "%s: \"models\"", r->name);
		err->code = WB_ERR_FORMAT;
		err->line = err->column = 0; /* of a text that nobody has seen */
		return -1;
	}
	wb_vec_foreach (s, &c->sources) {
		struct wb_volume *v = wb_zalloc(sizeof(*v));

		*wb_vec_push(&r->v->list) = v;
		v->src = s;
		v->unlisted = true;
	}
	return 0;
}

/* --- the manifest ------------------------------------------------------------------------- */

static int add_document(struct reader *r, const struct wb_yaml_node *root, struct wb_err *err)
{
	const struct wb_yaml_node *pointers, *models;

	if (!root || root->kind != WB_YAML_MAPPING)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: is not an object", r->name);
	pointers = wb_yaml_get(root, "pointers");
	models = wb_yaml_get(root, "models");
	if (pointers && !wb_yaml_is_null(pointers) && add_pointers(r, pointers, err))
		return -1;
	return models && !wb_yaml_is_null(models) ? add_models(r, models, err) : 0;
}

int wb_bptr_add(
	struct wb_volumes *v, const char *text, size_t n, const char *name, struct wb_err *err)
{
	WB_AUTO(wb_yaml_release) struct wb_yaml yaml = WB_YAML_INIT;
	WB_AUTO(wb_findings_release) struct wb_findings findings = {.file = wb_strdup(name)};
	struct reader r = {.v = v, .name = name};

	if (!wb_yaml_parse(&yaml, text, n, &findings) && !findings.errors)
		return add_document(&r, yaml.root, err);
	wb_err_set(err, WB_ERR_FORMAT, "%s: cannot be read", name);
	wb_vec_foreach (f, &findings.list)
		if (f->severity == WB_SEV_ERROR)
			return wb_err_set(err, WB_ERR_FORMAT, "%s:%u:%u: %s", name, f->pos.line,
				f->pos.column, f->text);
	return -1;
}

int wb_bptr_add_all(struct wb_volumes *v, const char *root, struct wb_err *err)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(manifests); i++) {
		wb_autofree char *path = wb_path_join(*root ? root : "/", manifests[i]);
		WB_AUTO(wb_buf_release) struct wb_buf text = WB_BUF_INIT;

		if (access(path, F_OK))
			continue;
		wb_buf_init(&text, WB_CONFIG_BYTES_MAX, "Truss's manifest");
		if (wb_file_read(&text, path, err) ||
			wb_bptr_add(v, text.data, text.len, manifests[i], err))
			return -1;
		wb_debug("%s is read", path);
	}
	return 0;
}
