#include "builder/volume/start.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/text.h"
#include "builder/volume/bptr.h"
#include "layers/content.h"

#define TELL_MS 10000 /* between two lines about a long download */

struct start {
	const struct wb_volume_opts *o;
	struct wb_volumes volumes;
	struct wb_store *store;
	struct wb_http *http;
	struct wb_secrets *secrets;
	WB_VEC(struct wb_remote *) remotes; /* one per volume */
	WB_VEC(struct wb_fetch_item) items;
	WB_VEC(const struct wb_volume *) owners; /* of the items */
	char *own_dir;                           /* of a store that is not shared, or NULL */
	struct timespec told;
};

static void start_release(struct start *s)
{
	wb_vec_free(&s->items);
	wb_vec_free(&s->owners);
	wb_vec_foreach (r, &s->remotes)
		wb_remote_free(*r);
	wb_vec_free(&s->remotes);
	wb_http_free(s->http);
	wb_secrets_free(s->secrets);
	wb_store_close(s->store);
	wb_volumes_release(&s->volumes);
	free(s->own_dir);
}

/* --- what there is to fetch --------------------------------------------------------------- */

static int read_lists(struct start *s, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text = WB_BUF_INIT;

	wb_buf_init(&text, WB_VOLUME_LIST_BYTES_MAX, "fetch list");
	if (s->o->list && (wb_file_read(&text, s->o->list, err) ||
				  wb_volumes_parse(&s->volumes, text.data, text.len, err)))
		return wb_err_wrap(err, "\"%s\"", s->o->list);
	return wb_bptr_add_all(&s->volumes, s->o->root, err);
}

/* A model of Truss's manifest that is listed only now. */
static int list_now(
	struct wb_volumes *all, struct wb_volume *v, struct wb_remote *r, struct wb_err *err)
{
	if (wb_remote_list(&v->listing, r, err))
		return -1;
	wb_vec_foreach (f, &v->listing.files) {
		wb_autofree char *path = wb_volume_path(v, f);

		if (!wb_volumes_claim(all, path))
			return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is another source's",
				v->src->uri.text, path);
	}
	return 0;
}

static int open_remotes(struct start *s, struct wb_err *err)
{
	const struct wb_http_opts http = {
		.connections_per_host = s->o->connections, .insecure_http = s->o->insecure};

	s->secrets = wb_secrets_new(NULL);
	s->http = wb_http_new(&http, err);
	if (!s->http)
		return -1;
	const struct wb_remote_opts opts = {
		.http = s->http, .secrets = s->secrets, .insecure = s->o->insecure};

	wb_vec_foreach (it, &s->volumes.list) {
		struct wb_volume *v = *it;
		struct wb_remote *r = wb_remote_open(v->src, &opts, err);

		if (!r)
			return -1;
		*wb_vec_push(&s->remotes) = r;
		if (v->unlisted ? list_now(&s->volumes, v, r, err) : 0)
			return -1;
		if (!v->unlisted)
			wb_remote_pin(r, v->listing.revision, v->listing.root);
		wb_vec_foreach (f, &v->listing.files) {
			*wb_vec_push(&s->items) = (struct wb_fetch_item){
				.remote = r, .file = f, .label = v->src->uri.text};
			*wb_vec_push(&s->owners) = v;
		}
	}
	return 0;
}

/* Beside the volumes, for this container alone. */
static int open_own_store(struct start *s, struct wb_err *err)
{
	s->own_dir = wb_path_join(s->o->root, WB_VOLUME_DIR);
	wb_autofree char *dir = wb_path_join(s->own_dir, ".wbuild");

	s->store = wb_store_open(dir, err);
	if (s->store && wb_store_writable(s->store))
		return 0;
	if (s->store)
		wb_err_set(err, WB_ERR_IO, "\"%s\" is another user's", dir);
	return wb_err_hint(err,
		"mount an empty volume at \"%s\", or give a directory that is kept and shared with "
		"--cache-dir",
		s->own_dir);
}

static int open_store(struct start *s, struct wb_err *err)
{
	const char *cache = s->o->cache_dir;

	if (!cache)
		return open_own_store(s, err);
	s->store = wb_store_open(cache, err);
	if (s->store)
		return 0;
	wb_warn("%s; fetching without a shared cache", err->text);
	wb_err_clear(err);
	return open_own_store(s, err);
}

/* A cache that somebody else fills is of use when everything is in it. */
static int leave_store_of_another(struct start *s, struct wb_err *err)
{
	size_t missing = 0;

	wb_vec_foreach (item, &s->items)
		missing += !item->done;
	if (!missing || wb_store_writable(s->store))
		return 0;
	wb_warn("\"%s\" cannot be written, and %zu files are not in it; fetching without a shared "
		"cache",
		s->o->cache_dir, missing);
	wb_store_close(s->store);
	s->store = NULL;
	wb_vec_foreach (item, &s->items)
		item->done = item->cached = false;
	return open_own_store(s, err);
}

/* --- fetching ----------------------------------------------------------------------------- */

static bool is_sound(const struct start *s, const struct wb_fetch_item *item)
{
	WB_AUTO(wb_content_release) struct wb_content content = {0};
	wb_autofree char *path = wb_store_blob_path(s->store, &item->digest);
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_digest digest;
	struct stat st;

	if (lstat(path, &st))
		return true; /* somebody removed it, and may be fetching it */
	wb_content_from_stat(&content, path, &st);
	return !wb_content_hash(&digest, NULL, &content, &ignored) &&
	       wb_digest_equal(&digest, &item->digest);
}

/* Looked at again with the lock held: another replica may have fetched a good one meanwhile. */
static int check_job(void *arg, size_t index, struct wb_err *err)
{
	struct start *s = arg;
	struct wb_fetch_item *item = &s->items.items[index];
	WB_AUTO(wb_lock_release) struct wb_lock lock = WB_LOCK_INIT;
	wb_autofree char *path = NULL, *key = NULL;

	if (!item->done || is_sound(s, item))
		return 0;
	key = wb_asprintf("check %s", wb_digest_hex(&item->digest).s);
	if (wb_store_lock(&lock, s->store, key, err))
		return -1;
	path = wb_store_blob_path(s->store, &item->digest);
	if (!is_sound(s, item) && (!wb_store_writable(s->store) || !unlink(path)))
		wb_warn("\"%s\" of %s is damaged in the cache; fetching it again", item->file->path,
			item->label);
	item->done = item->cached = false;
	return 0;
}

static void tell(const struct wb_fetch_progress *p, void *arg)
{
	struct start *s = arg;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - s->told.tv_sec) * 1000 + (now.tv_nsec - s->told.tv_nsec) / 1000000 <
		TELL_MS)
		return;
	s->told = now;
	wb_note("fetching: %zu of %zu files, %s of %s", p->files_done, p->files,
		wb_size_text(p->bytes_done).s, wb_size_text(p->bytes).s);
}

static int fetch(struct wb_fetch_total *total, struct start *s, struct wb_err *err)
{
	const struct wb_fetch_opts opts = {.http = s->http,
		.store = s->store,
		.connections = s->o->connections,
		.jobs = s->o->jobs,
		.progress = tell,
		.arg = s};

	clock_gettime(CLOCK_MONOTONIC, &s->told);
	wb_fetch_find(s->items.items, s->items.n, s->store);
	if (s->o->full && wb_pool_run(s->o->jobs, s->items.n, check_job, s, err))
		return -1;
	if (leave_store_of_another(s, err))
		return -1;
	return wb_fetch(s->items.items, s->items.n, &opts, total, err);
}

/* The folder that somebody gave, by a volume or in the image: that of all models, or, for what
 * belongs elsewhere, of the source. How one gets there is theirs to say, links included. */
static char *given_folder(const struct start *s, const struct wb_volume *v)
{
	wb_autofree char *all = wb_path_join(s->o->root, WB_VOLUME_DIR);
	wb_autofree char *mount = wb_path_join(s->o->root, v->src->mount);

	if (wb_path_within(mount, all) && strcmp(mount, all))
		return wb_steal(all);
	return v->src->layout == WB_LAYOUT_FILE ? wb_path_dirname(mount) : wb_steal(mount);
}

static int link_all(struct start *s, struct wb_err *err)
{
	for (size_t i = 0; i < s->items.n; i++) {
		const struct wb_fetch_item *item = &s->items.items[i];
		const struct wb_volume *v = s->owners.items[i];
		wb_autofree char *folder = given_folder(s, v);
		wb_autofree char *at = wb_volume_path(v, item->file);
		wb_autofree char *path = wb_path_join(s->o->root, at);
		wb_autofree char *blob = wb_store_blob_path(s->store, &item->digest);

		if (wb_volume_link(folder, path, blob, s->own_dir, err))
			return -1;
	}
	return 0;
}

/* Not when others are at work: the next start will do. */
static void prune(struct start *s)
{
	struct wb_store_stats removed;
	struct wb_err err = WB_ERR_INIT;
	int64_t before = (int64_t)time(NULL) - (int64_t)WB_VOLUME_UNUSED_DAYS * 86400;

	if (!wb_store_writable(s->store))
		return;
	if (wb_store_prune_idle(s->store, before, &removed, &err))
		wb_log_err_as(WB_LOG_WARNING, &err);
	else if (removed.blobs)
		wb_note("removed %llu files, %s, that nobody used for %d days",
			(unsigned long long)removed.blobs, wb_size_text(removed.bytes).s,
			WB_VOLUME_UNUSED_DAYS);
}

int wb_volumes_start(
	struct wb_fetch_total *total, const struct wb_volume_opts *o, struct wb_err *err)
{
	WB_AUTO(start_release) struct start s = {.o = o};

	*total = (struct wb_fetch_total){0};
	if (read_lists(&s, err))
		return -1;
	if (!s.volumes.list.n)
		return 0;
	if (open_store(&s, err) || open_remotes(&s, err) || fetch(total, &s, err) ||
		link_all(&s, err))
		return -1;
	prune(&s);
	return 0;
}
