/* Looking after the store: list, prune, verify. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "layers/store_internal.h"

struct listing {
	WB_VEC(struct wb_store_entry) items;
};

static void listing_release(struct listing *l)
{
	wb_vec_free(&l->items);
}

typedef int file_fn(
	const char *path, const char *name, const struct stat *st, void *arg, struct wb_err *err);

/* Calls each for every regular file directly in dir; a missing dir has none. */
static int each_file(const char *dir, file_fn *each, void *arg, struct wb_err *err)
{
	DIR *d = opendir(dir);
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : wb_err_sys(err, errno, "cannot read \"%s\"", dir);
	for (struct dirent *e; !rc && (e = wb_readdir(d));) {
		wb_autofree char *path = wb_path_join(dir, e->d_name);
		struct stat st;

		if (!lstat(path, &st))
			rc = S_ISREG(st.st_mode) ? each(path, e->d_name, &st, arg, err) : 0;
		else if (errno != ENOENT) /* removed meanwhile */
			rc = wb_err_sys(err, errno, "cannot look at \"%s\"", path);
	}
	if (!rc && errno)
		rc = wb_err_sys(err, errno, "cannot read \"%s\"", dir);
	closedir(d);
	return rc;
}

static int add_layer_digest(
	const char *path, const char *name, const struct stat *st, void *arg, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf text;
	struct wb_err ignored = WB_ERR_INIT;
	struct listing *layers = arg;
	struct wb_digest d;

	const struct timespec times[2] = {st->st_atim, {.tv_nsec = UTIME_OMIT}};

	wb_buf_init(&text, 1u << 20, "layer record");
	if (wb_file_read(&text, path, &ignored))
		return 0;
	(void)utimensat(AT_FDCWD, path, times, 0); /* looking through them is not using them */
	wb_autojson json_t *record = wb_json_parse(text.data, text.len, path, &ignored);
	const char *digest = wb_json_str_opt(json_object_get(record, "value"), "digest");

	if (digest && !wb_digest_parse(&d, digest, &ignored))
		wb_vec_push(&layers->items)->digest = d;
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct wb_store_entry *)a)->digest.bytes,
		((const struct wb_store_entry *)b)->digest.bytes, 32);
}

static int by_use(const void *a, const void *b)
{
	const struct wb_store_entry *x = a, *y = b;

	return x->last_used != y->last_used ? (x->last_used < y->last_used ? -1 : 1)
	                                    : by_digest(a, b);
}

static bool is_temp(const char *name)
{
	return !strncmp(name, ".wbtmp.", 7);
}

struct scan {
	struct listing blobs;
	struct wb_store_stats stats;
};

static int add_blob(
	const char *path, const char *name, const struct stat *st, void *arg, struct wb_err *err)
{
	struct scan *scan = arg;
	struct wb_digest d;

	if (!wb_digest_parse_hex(&d, name, strlen(name))) {
		scan->stats.temps += is_temp(name);
		return 0;
	}
	*wb_vec_push(&scan->blobs.items) = (struct wb_store_entry){
		.digest = d,
		.size = (uint64_t)st->st_size,
		.last_used = st->st_atime > st->st_mtime ? st->st_atime : st->st_mtime,
		.kind = "file",
	};
	scan->stats.blobs++;
	scan->stats.bytes += (uint64_t)st->st_size;
	return 0;
}

static int count_part(
	const char *path, const char *name, const struct stat *st, void *arg, struct wb_err *err)
{
	struct wb_store_stats *stats = arg;

	if (!wb_str_ends(name, ".part"))
		return 0;
	stats->parts++;
	stats->part_bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

static int scan_store(struct scan *scan, struct wb_store *s, struct wb_err *err)
{
	wb_autofree char *parts = wb_path_join(s->dir, "parts");
	wb_autofree char *records = wb_path_join(s->dir, "index/layer");
	WB_AUTO(listing_release) struct listing layers = {0};

	if (each_file(s->blobs, add_blob, scan, err) ||
		each_file(parts, count_part, &scan->stats, err) ||
		each_file(records, add_layer_digest, &layers, err))
		return -1;
	if (layers.items.n)
		qsort(layers.items.items, layers.items.n, sizeof(*layers.items.items), by_digest);
	wb_vec_foreach (e, &scan->blobs.items)
		if (layers.items.n && bsearch(e, layers.items.items, layers.items.n,
					      sizeof(*layers.items.items), by_digest))
			e->kind = "layer";
	if (scan->blobs.items.n)
		qsort(scan->blobs.items.items, scan->blobs.items.n,
			sizeof(*scan->blobs.items.items), by_use);
	return 0;
}

static void scan_release(struct scan *scan)
{
	listing_release(&scan->blobs);
}

int wb_store_list(struct wb_store *s, int (*each)(const struct wb_store_entry *, void *), void *arg,
	struct wb_store_stats *stats, struct wb_err *err)
{
	WB_AUTO(scan_release) struct scan scan = {0};

	if (scan_store(&scan, s, err))
		return -1;
	wb_vec_foreach (e, &scan.blobs.items)
		if (each && each(e, arg))
			break;
	*stats = scan.stats;
	return 0;
}

struct sweep {
	int64_t before;
	bool dry, temps_only;
	struct wb_store_stats *removed;
};

static int sweep_file(
	const char *path, const char *name, const struct stat *st, void *arg, struct wb_err *err)
{
	struct sweep *sweep = arg;
	int64_t used = st->st_atime > st->st_mtime ? st->st_atime : st->st_mtime;

	if (!is_temp(name) && (sweep->temps_only || used >= sweep->before))
		return 0;
	sweep->removed->temps++;
	if (!sweep->dry && unlink(path) && errno != ENOENT)
		return wb_err_sys(err, errno, "cannot remove \"%s\"", path);
	return 0;
}

/* Every folder directly in dir. */
static int sweep_folders(const char *dir, struct sweep *sweep, struct wb_err *err)
{
	DIR *d = opendir(dir);
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : wb_err_sys(err, errno, "cannot read \"%s\"", dir);
	for (struct dirent *e; !rc && (e = wb_readdir(d));) {
		wb_autofree char *path = wb_path_join(dir, e->d_name);

		if (e->d_name[0] != '.')
			rc = each_file(path, sweep_file, sweep, err);
	}
	if (!rc && errno)
		rc = wb_err_sys(err, errno, "cannot read \"%s\"", dir);
	closedir(d);
	return rc;
}

/* With the exclusive lock nobody writes: every temporary is an orphan. Records, parts and journals
 * of uploads that nobody asked for since `before` are of no more use than the blobs that they speak
 * of. */
static int sweep_leftovers(struct wb_store *s, int64_t before, bool dry,
	struct wb_store_stats *removed, struct wb_err *err)
{
	wb_autofree char *parts = wb_path_join(s->dir, "parts");
	wb_autofree char *locks = wb_path_join(s->dir, "locks");
	wb_autofree char *uploads = wb_path_join(s->dir, "uploads");
	wb_autofree char *records = wb_path_join(s->dir, "index");
	struct sweep temps = {.dry = dry, .temps_only = true, .removed = removed};
	struct sweep old = {.before = before, .dry = dry, .removed = removed};

	if (each_file(s->blobs, sweep_file, &temps, err) || each_file(parts, sweep_file, &old, err))
		return -1;
	if (each_file(s->dir, sweep_file, &temps, err) || each_file(locks, sweep_file, &old, err) ||
		each_file(uploads, sweep_file, &old, err))
		return -1;
	return sweep_folders(records, &old, err);
}

/* With the exclusive lock held. */
static int remove_unused(struct wb_store *s, int64_t before, uint64_t keep_bytes, bool dry,
	struct wb_store_stats *removed, struct wb_err *err)
{
	WB_AUTO(scan_release) struct scan scan = {0};

	if (scan_store(&scan, s, err))
		return -1;
	uint64_t left = scan.stats.bytes;

	wb_vec_foreach (e, &scan.blobs.items) {
		if (e->last_used >= before && left <= keep_bytes)
			break;
		wb_autofree char *path = wb_store_blob_path(s, &e->digest);

		if (!dry && unlink(path) && errno != ENOENT)
			return wb_err_sys(err, errno, "cannot remove \"%s\"", path);
		left -= e->size;
		removed->blobs++;
		removed->bytes += e->size;
	}
	return sweep_leftovers(s, before, dry, removed, err);
}

int wb_store_prune(struct wb_store *s, int64_t before, uint64_t keep_bytes, bool dry,
	struct wb_store_stats *removed, struct wb_err *err)
{
	wb_autofree char *lock = wb_path_join(s->dir, "lock");

	*removed = (struct wb_store_stats){0};
	wb_lock_release(&s->lock);
	if (wb_lock_acquire(&s->lock, lock, true, err))
		return -1;
	return remove_unused(s, before, keep_bytes, dry, removed, err);
}

int wb_store_prune_idle(
	struct wb_store *s, int64_t before, struct wb_store_stats *removed, struct wb_err *err)
{
	wb_autofree char *lock = wb_path_join(s->dir, "lock");

	*removed = (struct wb_store_stats){0};
	wb_lock_release(&s->lock);
	if (!wb_lock_try(&s->lock, lock, true))
		return wb_lock_acquire(&s->lock, lock, false, err);
	return remove_unused(s, before, UINT64_MAX, false, removed, err);
}

static int by_size(const void *a, const void *b)
{
	const struct wb_store_entry *x = a, *y = b;

	return x->size != y->size ? (x->size > y->size ? -1 : 1) : by_digest(a, b);
}

int wb_store_verify(struct wb_store *s, unsigned jobs, bool fix,
	void (*bad)(const struct wb_digest *d, const char *why, void *arg), void *arg,
	struct wb_store_stats *stats, struct wb_err *err)
{
	WB_AUTO(scan_release) struct scan scan = {0};
	struct store_verify v = {.store = s, .fix = fix, .bad = bad, .arg = arg};

	if (scan_store(&scan, s, err))
		return -1;
	/* the longest first, so that none of them is left alone at the end */
	if (scan.blobs.items.n)
		qsort(scan.blobs.items.items, scan.blobs.items.n, sizeof(*scan.blobs.items.items),
			by_size);
	v.blobs = scan.blobs.items.items;
	v.n = scan.blobs.items.n;
	if (store_verify(&v, jobs, err))
		return -1;
	*stats = scan.stats;
	if (!v.n_bad)
		return 0;
	wb_err_set(err, WB_ERR_INTEGRITY, "%llu of %llu blobs of the content store are damaged",
		(unsigned long long)v.n_bad, (unsigned long long)v.n);
	return fix ? -1
	           : wb_err_hint(err,
			     "\"wbuild cache verify --fix\" removes them; the next build fetches "
			     "or packs them again");
}
