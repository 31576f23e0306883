/* The steps that make content: the files of one layer, and the bundle manifest over all of them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/buildkit/step_internal.h"
#include "layers/guard.h"
#include "layers/manifest.h"

struct laying {
	struct wb_run *run;
	json_t *spec, *folders, *meta;
	struct wb_remotes remotes;
	char *out;
	uint8_t *buf; /* WB_CHUNK_SIZE */
	struct wb_step *step;
	struct wb_finder *values;
	struct wb_guard guard;
};

static void laying_release(struct laying *l)
{
	json_decref(l->spec);
	json_decref(l->folders);
	json_decref(l->meta);
	wb_remotes_release(&l->remotes);
	free(l->out);
	free(l->buf);
	wb_finder_free(l->values);
}

/* --- the guard ---------------------------------------------------------------------------- */

static bool let_through(void *arg, const char *path, bool form)
{
	const struct laying *l = arg;
	const char *list = wb_json_str_opt(l->run->params, "allowSecret");

	return (form && wb_run_number(l->run, "allowForms")) || wb_guard_listed(list, path);
}

/* The sources' secrets are known. */
static void begin_guard(struct laying *l)
{
	l->values = wb_secret_finder();
	l->guard = (struct wb_guard){.values = l->values, .allowed = let_through, .arg = l};
}

/* --- what has to be fetched --------------------------------------------------------------- */

static int fetch(struct laying *l, struct wb_err *err)
{
	struct wb_run *r = l->run;
	const char *text = wb_json_str_opt(l->spec, "lock");
	wb_autofree char *lock = wb_run_path(r, "/lock/wbuild.lock");
	const struct wb_remote_plan_opts opts = {.lock_path = lock,
		.pinned = true,
		.insecure = wb_run_number(r, "insecure") != 0,
		.progress = r->progress};

	if (wb_run_load_sources(r, json_object_get(l->spec, "sources"), err) ||
		wb_run_open_store(r, err))
		return -1;
	if (!text)
		return 0;
	if (wb_run_write(r, "/lock/wbuild.lock", text, err) ||
		wb_remotes_init(&l->remotes, r->store, r->config.dir, r->config.data_dir,
			r->config.file, &opts, err))
		return -1;
	for (size_t i = 0; i < r->config.sources.n; i++) {
		struct wb_remote_source *s;

		if (wb_remotes_resolve(
			    &s, &l->remotes, &r->config.sources.items[i], (unsigned)i, err))
			return -1;
	}
	return wb_remotes_fetch_all(&l->remotes, err);
}

/* --- laying out --------------------------------------------------------------------------- */

static int make_parents(const struct laying *l, const char *rel, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(l->out, rel);

	for (char *p = path + strlen(l->out) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return wb_err_sys(err, errno, "cannot make the folder \"%s\"", path);
		*p = '/';
	}
	return 0;
}

/* One pass: the digest with its states, the guard, and the copy. path is the file's own in the
 * image, name the copy's. */
static int copy_hashed(struct wb_digest *digest, struct wb_digest *states, struct laying *l, int in,
	int out, uint64_t size, const char *path, const char *name, struct wb_err *err)
{
	struct wb_guard_tail seen = {0};
	struct wb_sha256 sha;

	wb_sha256_init(&sha);
	for (uint64_t done = 0; done < size;) {
		size_t n = size - done < WB_CHUNK_SIZE ? (size_t)(size - done) : WB_CHUNK_SIZE;

		if (wb_cancel_check(err) || wb_file_read_full(in, l->buf, n, -1, name, err) ||
			wb_guard_bytes(&l->guard, &seen, path, l->buf, n, err))
			return -1;
		wb_sha256_update(&sha, l->buf, n);
		wb_states_note(states, &sha, size);
		if (wb_file_write_full(out, l->buf, n, name, err))
			return -1;
		done += n;
		wb_step_add(l->step, n);
	}
	wb_sha256_final(&sha, digest);
	return 0;
}

static void note_file(struct laying *l, const char *path, const struct wb_digest *digest,
	const struct wb_digest *states, uint64_t size)
{
	size_t n = wb_states_count(size) * sizeof(*states);
	wb_autofree char *hex = wb_alloc(2 * n + 1);
	json_t *o = json_object();

	wb_json_set_str(o, "sha256", wb_digest_hex(digest).s);
	wb_hex(hex, (const uint8_t *)states, n);
	if (n)
		wb_json_set_str(o, "states", hex);
	wb_json_set(l->meta, path, o);
}

static int lay_from(
	struct laying *l, const json_t *node, const char *from, const char *to, struct wb_err *err)
{
	const char *path = wb_json_str_opt(node, "path"), *sha = wb_json_str_opt(node, "sha256");
	wb_autoclose int in = open(from, O_RDONLY | O_CLOEXEC);
	uint64_t size = wb_json_u64_opt(node, "size", 0);
	struct wb_digest digest;
	struct stat st;

	if (in < 0 || fstat(in, &st))
		return wb_err_sys(err, errno, "cannot open \"%s\"", from);
	if ((uint64_t)st.st_size != size)
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"\"%s\" has another size than when it was planned", path);
	wb_autoclose int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (out < 0)
		return wb_err_sys(err, errno, "cannot write \"%s\"", to);
	wb_autofree struct wb_digest *states = wb_states_new(size);

	if (copy_hashed(&digest, states, l, in, out, size, path, to, err))
		return -1;
	if (sha && strcmp(sha, wb_digest_hex(&digest).s))
		return wb_err_set(err, WB_ERR_INTEGRITY, "\"%s\": its content is sha256:%s, not %s",
			path, wb_digest_hex(&digest).s, sha);
	note_file(l, path, &digest, states, size);
	return 0;
}

static int lay_inline(
	struct laying *l, const char *path, const char *encoded, const char *to, struct wb_err *err)
{
	struct wb_digest digest;
	size_t n;
	wb_autofree uint8_t *bytes = wb_base64_decode(&n, encoded, WB_CHUNK_SIZE);

	if (!bytes)
		return wb_err_set(err, WB_ERR_FORMAT, "\"%s\": not base64", path);
	if (wb_guard_bytes(&l->guard, NULL, path, bytes, n, err))
		return -1;
	wb_sha256_once(&digest, bytes, n);
	note_file(l, path, &digest, NULL, n);
	return wb_file_put(to, bytes, n, 0644, WB_FILE_NOSYNC, err);
}

static int lay_content(struct laying *l, const json_t *node, const char *to, struct wb_err *err)
{
	const char *path = wb_json_str_opt(node, "path"), *sha = wb_json_str_opt(node, "sha256");
	const char *local = wb_json_str_opt(node, "local");
	const char *text = wb_json_str_opt(node, "inline");
	struct wb_digest digest;

	if (text)
		return lay_inline(l, path, text, to, err);
	if (local) {
		wb_autofree char *from = wb_run_path(l->run, local);

		return lay_from(l, node, from, to, err);
	}
	if (!sha || !wb_digest_parse_hex(&digest, sha, strlen(sha)))
		return wb_err_set(err, WB_ERR_FORMAT, "\"%s\" comes from nowhere", path);
	wb_autofree char *from = wb_store_blob_path(l->run->store, &digest);

	return lay_from(l, node, from, to, err);
}

static int set_time(const char *path, int64_t epoch, struct wb_err *err)
{
	const struct timespec times[2] = {{.tv_sec = epoch}, {.tv_sec = epoch}};

	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW)
	               ? wb_err_sys(err, errno, "cannot set the time of \"%s\"", path)
	               : 0;
}

static int lay_file(struct laying *l, const json_t *node, const char *to, struct wb_err *err)
{
	const char *same = wb_json_str_opt(node, "same");

	if (same) {
		wb_autofree char *holder = wb_path_join(l->out, same);

		/* a holder sorts before what links to it, so it is there */
		return link(holder, to) ? wb_err_sys(err, errno, "cannot link \"%s\"", to) : 0;
	}
	if (lay_content(l, node, to, err))
		return -1;
	return chmod(to, (mode_t)wb_json_u64_opt(node, "mode", 0644))
	               ? wb_err_sys(err, errno, "cannot set the mode of \"%s\"", to)
	               : 0;
}

static int lay_node(struct laying *l, const json_t *node, struct wb_err *err)
{
	const char *path = wb_json_str_opt(node, "path"), *type = wb_json_str_opt(node, "type");
	const char *target = wb_json_str_opt(node, "target");

	if (!path || !type || wb_path_unsafe(path, strlen(path)))
		return wb_err_set(err, WB_ERR_FORMAT, "a layer with an unsafe path");
	wb_autofree char *to = wb_path_join(l->out, path);

	if (wb_guard_names(&l->guard, path, target, err) || make_parents(l, path, err))
		return -1;
	if (!strcmp(type, "file"))
		return lay_file(l, node, to, err);
	if (!strcmp(type, "dir"))
		return mkdir(to, 0755) && errno != EEXIST
		               ? wb_err_sys(err, errno, "cannot make the folder \"%s\"", to)
		               : 0;
	return symlink(target ? target : "", to)
	               ? wb_err_sys(err, errno, "cannot make the link \"%s\"", to)
	               : 0;
}

/* --- attributes --------------------------------------------------------------------------- */

/* What the base gives to this folder, so that the layer changes nothing of it. */
static int dress_folder(
	const struct laying *l, const char *rel, const char *path, struct wb_err *err)
{
	const json_t *attr = json_object_get(l->folders, rel);
	unsigned uid = (unsigned)wb_json_u64_opt(attr, "uid", 0);
	unsigned gid = (unsigned)wb_json_u64_opt(attr, "gid", 0);

	if ((uid || gid) && chown(path, uid, gid))
		return wb_err_sys(err, errno, "cannot set the owner of \"%s\"", path);
	if (chmod(path, (mode_t)wb_json_u64_opt(attr, "mode", 0755)))
		return wb_err_sys(err, errno, "cannot set the mode of \"%s\"", path);
	return 0;
}

/* Times last, from the leaves up: making an entry changes its folder's. */
static int settle_parents(
	const struct laying *l, const char *rel, int64_t epoch, struct wb_err *err)
{
	wb_autofree char *part = wb_strdup(rel);

	for (;;) {
		wb_autofree char *path = wb_path_join(l->out, part);
		struct stat st;

		if (lstat(path, &st))
			return wb_err_sys(err, errno, "cannot read \"%s\"", path);
		if (S_ISDIR(st.st_mode) && *part && dress_folder(l, part, path, err))
			return -1;
		if (set_time(path, epoch, err))
			return -1;
		if (!*part)
			return 0;
		char *slash = strrchr(part, '/');

		*(slash ? slash : part) = '\0';
	}
}

static int lay_all(struct laying *l, struct wb_err *err)
{
	const json_t *nodes = json_object_get(l->spec, "nodes");
	int64_t epoch = (int64_t)wb_run_number(l->run, "epoch");
	size_t i;
	json_t *node;

	json_array_foreach (nodes, i, node)
		if (lay_node(l, node, err))
			return -1;
	json_array_foreach (nodes, i, node)
		if (settle_parents(l, wb_json_str_opt(node, "path"), epoch, err))
			return -1;
	return 0;
}

int wb_step_run_layer(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(laying_release) struct laying l = {.run = r, .meta = json_object()};

	l.out = wb_run_path(r, "/out");
	l.buf = wb_alloc_pages(WB_CHUNK_SIZE);
	l.spec = wb_run_read_json(r, "/in/layer.json", err);
	if (!l.spec || !(l.folders = wb_run_read_json(r, "/in/folders.json", err)) ||
		wb_mkdirs(l.out, 0755, err) || fetch(&l, err))
		return -1;
	begin_guard(&l);
	l.step = wb_step_begin(r->progress, "lay out the files");
	if (wb_step_end(l.step, lay_all(&l, err), err))
		return -1;
	return wb_run_write_json(r, "/meta/files.json", l.meta, err);
}

/* --- the manifest ------------------------------------------------------------------------- */

/* What each layer step found, by path; *out is freed by the caller. */
static int gather(json_t *all, const struct wb_run *r, struct wb_err *err)
{
	uint64_t layers = wb_run_number(r, "layers");

	for (uint64_t i = 0; i < layers; i++) {
		wb_autofree char *path =
			wb_asprintf("/meta/%llu/files.json", (unsigned long long)i);
		wb_autojson json_t *part = wb_run_read_json(r, path, err);

		if (!part)
			return -1;
		json_object_update(all, part);
	}
	return 0;
}

static int fill_digests(struct wb_bundle_entry *e, const json_t *found, struct wb_err *err)
{
	const char *sha = wb_json_str_opt(found, "sha256");
	const char *states = wb_json_str_opt(found, "states");
	size_t n = wb_states_count(e->size) * sizeof(*e->states);

	if (!sha || !wb_digest_parse_hex(&e->digest, sha, strlen(sha)))
		return wb_err_set(
			err, WB_ERR_FORMAT, "no layer tells the digest of \"%s\"", e->path);
	if (!n)
		return 0;
	e->states = wb_states_new(e->size);
	if (!states || strlen(states) != 2 * n || !wb_unhex((uint8_t *)e->states, states, n, false))
		return wb_err_set(
			err, WB_ERR_FORMAT, "no layer tells the states of \"%s\"", e->path);
	return 0;
}

static int add_entry(
	struct wb_bundle_manifest *m, const json_t *o, const json_t *all, struct wb_err *err)
{
	struct wb_bundle_entry *e = wb_vec_push(&m->entries);
	const char *path = wb_json_str_opt(o, "path"), *same = wb_json_str_opt(o, "same");

	e->path = wb_strdup(path ? path : "");
	e->type = (enum wb_bundle_type)wb_json_u64_opt(o, "type", WB_BUNDLE_FILE);
	e->mode = (unsigned)wb_json_u64_opt(o, "mode", 0);
	e->size = wb_json_u64_opt(o, "size", 0);
	e->source = (unsigned)wb_json_u64_opt(o, "source", 0);
	e->target = wb_strdup(wb_json_str_opt(o, "target"));
	if (e->type != WB_BUNDLE_FILE)
		return 0;
	return fill_digests(e, json_object_get(all, same ? same : e->path), err);
}

static int fill_manifest(
	struct wb_bundle_manifest *m, const json_t *skeleton, const json_t *all, struct wb_err *err)
{
	size_t i;
	json_t *item;

	m->hf_cache = wb_strdup(wb_json_str_opt(skeleton, "hfCache"));
	json_array_foreach (json_object_get(skeleton, "sources"), i, item) {
		struct wb_bundle_source *s = wb_vec_push(&m->sources);

		s->label = wb_strdup(wb_json_str_opt(item, "label"));
		s->revision = wb_strdup(wb_json_str_opt(item, "revision"));
		s->mount = wb_strdup(wb_json_str_opt(item, "mount"));
		s->shared = wb_json_u64_opt(item, "shared", 0) != 0;
	}
	json_array_foreach (json_object_get(skeleton, "entries"), i, item)
		if (add_entry(m, item, all, err))
			return -1;
	return 0;
}

int wb_step_run_manifest(struct wb_run *r, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release)
	struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	wb_autojson json_t *skeleton = wb_run_read_json(r, "/skeleton/skeleton.json", err);
	wb_autojson json_t *all = json_object();
	static const char manifest[] = "/out/" WB_MANIFEST_PATH;
	static const char *const paths[] = {manifest, "/out/.wbuild", "/out"};

	if (!skeleton || gather(all, r, err) || fill_manifest(&m, skeleton, all, err))
		return -1;
	wb_autofree char *text = wb_bundle_manifest_dump(&m);

	if (wb_run_write(r, paths[0], text, err))
		return -1;
	for (size_t i = 0; i < WB_ARRAY_LEN(paths); i++) {
		wb_autofree char *path = wb_run_path(r, paths[i]);

		if (set_time(path, (int64_t)wb_run_number(r, "epoch"), err))
			return -1;
	}
	return 0;
}
