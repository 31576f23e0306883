#include "builder/fetch/fetch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "builder/fetch/fetch_internal.h"

#define FIRST_CONNECTIONS 4
#define OPEN_MAX 64         /* files at once: each has descriptors */
#define LARGE (32u << 20)   /* has enough ranges for several connections */
#define LARGE_OPEN_MAX 4    /* see is_enough() */
#define IN_TURN_CORES 8     /* one more large file at once for so many cores */
#define HEAD_MIN (8u << 20) /* a smaller file is not worth a request of its own */
#define SLOW_MS 2000 /* others need not wait for a file whose server takes longer to answer */
#define FIRST_WINDOW_MS 200 /* until more connections brought nothing for the first time */
#define WINDOW_MS 500
#define FRESH_MS 2000 /* how long new connections may take before they are judged */
#define PROGRESS_MS 100
#define GROW_MS 20
#define BUSY_MS 200 /* before a file that another process fetches is looked at again */

int64_t wb_fetch_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void wb_fetch_fail(struct wb_fetch *d, const struct wb_err *err)
{
	if (d->err.code == WB_OK)
		d->err = *err;
}

/* --- what is there ------------------------------------------------------------------------- */

static bool find_one(struct wb_fetch_item *it, struct wb_store *store)
{
	const struct wb_remote_file *f = it->file;
	uint64_t size = f->size;
	struct wb_digest d;

	if (f->known.has_sha256) {
		d = f->known.sha256;
	} else {
		wb_autojson json_t *record =
			f->identity ? wb_store_index_get(store, "etag", f->identity) : NULL;
		const char *text = wb_json_str_opt(record, "digest");
		struct wb_err ignored = WB_ERR_INIT;

		if (!text || wb_digest_parse(&d, text, &ignored))
			return false;
		size = wb_json_u64_opt(record, "size", UINT64_MAX);
		if (f->size != WB_SIZE_UNKNOWN && f->size != size)
			return false;
	}
	if (!wb_store_has(store, &d, size))
		return false;
	wb_autoclose int fd = -1;
	struct wb_err ignored = WB_ERR_INIT;

	if (size == WB_SIZE_UNKNOWN && (fd = wb_store_open_blob(store, &d, &size, &ignored)) < 0)
		return false;
	it->digest = d;
	it->size = size;
	it->done = true;
	return true;
}

void wb_fetch_find(struct wb_fetch_item *items, size_t n, struct wb_store *store)
{
	for (size_t i = 0; i < n; i++)
		if (!items[i].done)
			items[i].cached = find_one(&items[i], store);
}

/* An identity by MD5 only counts when the MD5 was checked. */
static void remember(struct wb_fetch *d, const struct wb_fetch_item *it)
{
	const struct wb_remote_file *f = it->file;
	struct wb_err err = WB_ERR_INIT;

	if (!f->identity || f->known.has_sha256 ||
		(wb_str_starts(f->identity, "md5:") && !f->known.has[WB_HASH_MD5]))
		return;
	wb_autojson json_t *record = json_object();

	wb_json_set_str(record, "digest", wb_digest_text(&it->digest).s);
	wb_json_set_u64(record, "size", it->size);
	if (wb_store_index_put(d->o.store, "etag", f->identity, record, &err))
		wb_log_err_as(WB_LOG_WARNING, &err);
}

/* --- one file ------------------------------------------------------------------------------ */

static void open_add(struct wb_fetch *d, struct wb_fetch_file *f)
{
	*wb_vec_push(&d->open) = f;
}

static void open_remove(struct wb_fetch *d, const struct wb_fetch_file *f)
{
	for (size_t i = 0; i < d->open.n; i++)
		if (d->open.items[i] == f) {
			d->open.items[i] = d->open.items[--d->open.n];
			return;
		}
}

static void no_longer_unbegun(struct wb_fetch *d, struct wb_fetch_file *f)
{
	if (f->unbegun)
		d->unbegun_bytes -= f->item->file->size;
	f->unbegun = false;
}

static void finished(struct wb_fetch *d, struct wb_fetch_file *f)
{
	no_longer_unbegun(d, f);
	if (f->state != WB_FETCH_WAITING)
		open_remove(d, f);
	f->state = WB_FETCH_DONE;
	d->done++;
	wb_sink_close(f->sink);
	f->sink = NULL;
	wb_lock_release(&f->lock);
	wb_ranges_release(&f->todo);

	struct wb_err err = WB_ERR_INIT;

	if (d->o.arrived && d->o.arrived(f->item, d->o.arg, &err))
		wb_fetch_fail(d, &err);
	if (f->growing)
		wb_growing_end(f->growing, true);
}

/* True when the file is this process's to fetch; false when it is not, or was fetched meanwhile. */
static bool claim(struct wb_fetch *d, struct wb_fetch_file *f)
{
	if (f->lock.fd >= 0)
		return true;
	if (!wb_store_try_lock(&f->lock, d->o.store, f->key)) {
		struct wb_err err = WB_ERR_INIT;

		if (errno != EWOULDBLOCK) {
			wb_err_sys(&err, errno, "cannot lock \"%s\" in the content store \"%s\"",
				f->item->file->path, wb_store_path(d->o.store));
			wb_fetch_fail(d, &err);
			return false;
		}
		if (!f->not_before)
			wb_debug("\"%s\": another process fetches it", f->item->file->path);
		f->not_before = wb_fetch_now() + BUSY_MS;
		return false;
	}
	f->not_before = 0;
	if (!find_one(f->item, d->o.store))
		return true;
	f->item->cached = true;
	f->got = f->item->size;
	finished(d, f);
	return false;
}

static void todo_fill(struct wb_fetch_file *f)
{
	const struct wb_ranges *have = wb_sink_have(f->sink);

	wb_ranges_release(&f->todo);
	wb_ranges_add(&f->todo, 0, f->item->file->size);
	wb_vec_foreach (r, &have->list)
		wb_ranges_remove(&f->todo, r->start, r->end);
	f->got = wb_ranges_total(have);
}

static bool has_digest(const struct wb_known *k)
{
	bool any = k->has_sha256 || k->has_git_sha1;

	for (int i = 0; i < WB_HASH_KINDS; i++)
		any |= k->has[i];
	return any;
}

/* What a part's bytes belong to. Without a digest to check them by at the end, bytes from before a
 * crash of the machine are not trusted: they may never have reached the disk. */
static char *validator(const struct wb_remote_file *f)
{
	WB_AUTO(wb_buf_release) struct wb_buf boot = WB_BUF_INIT;
	struct wb_err ignored = WB_ERR_INIT;

	wb_buf_init(&boot, 4096, "boot id");
	if (!has_digest(&f->known))
		(void)!wb_file_read(&boot, "/proc/sys/kernel/random/boot_id", &ignored);
	return wb_asprintf(
		"%s\n%s\n%s\n%s", f->identity ? f->identity : "", f->etag, f->version, boot.data);
}

static int open_sink(struct wb_fetch *d, struct wb_fetch_file *f, struct wb_err *err)
{
	const struct wb_remote_file *rf = f->item->file;
	wb_autofree char *valid = validator(rf);

	f->sink = wb_sink_open(d->sink, f->key, valid, rf->size, err);
	if (!f->sink)
		return wb_err_wrap(err, "\"%s\"", rf->path);
	return 0;
}

/* Bytes may come from here on. */
static void run(struct wb_fetch *d, struct wb_fetch_file *f)
{
	struct wb_sink_buffer *empty;

	todo_fill(f);
	wb_sink_start(f->sink, &f->item->file->known);
	f->state = WB_FETCH_RUNNING;
	if (f->item->file->size == 0 && (empty = wb_sink_buffer(d->sink)))
		wb_sink_put(f->sink, empty);
	else if (f->item->file->size == 0)
		f->state = WB_FETCH_AGAIN; /* no buffer just now */
	if (f->state == WB_FETCH_RUNNING && f->todo.list.n == 0)
		f->state = WB_FETCH_FINISHING;
}

/* false: nothing was begun (it is another's, or done). */
static bool begin(struct wb_fetch *d, struct wb_fetch_file *f)
{
	struct wb_err err = WB_ERR_INIT;
	const struct wb_remote_file *rf = f->item->file;

	if (!claim(d, f))
		return false;
	no_longer_unbegun(d, f);
	f->begun = f->begun ? f->begun : wb_fetch_now();
	if (!f->head_done && rf->size != WB_SIZE_UNKNOWN && rf->size >= HEAD_MIN &&
		wb_remote_head_helps(f->item->remote, rf)) {
		open_add(d, f);
		f->state = WB_FETCH_HEAD;
		return wb_transfer_start(d, f);
	}
	d->progress.newest = rf->path;
	if (open_sink(d, f, &err)) {
		wb_fetch_fail(d, &err); /* not open: nobody looks after it */
		return false;
	}
	open_add(d, f);
	run(d, f);
	return true;
}

void wb_fetch_start_over(struct wb_fetch_file *f)
{
	f->state = WB_FETCH_AGAIN;
	if (f->growing)
		wb_growing_restart(f->growing);
	wb_ranges_release(&f->todo);
	free(f->direct);
	f->direct = NULL;
	f->got = 0;
}

/* Files whose HEAD came, and those to start over whose transfers and tasks have ended. */
static void look_after_open(struct wb_fetch *d)
{
	for (size_t i = 0; i < d->open.n; i++) {
		struct wb_fetch_file *f = d->open.items[i];
		struct wb_err err = WB_ERR_INIT;

		if (f->state == WB_FETCH_WAITING) {
			d->open.items[i--] = d->open.items[--d->open.n];
			begin(d, f);
		} else if (f->state == WB_FETCH_AGAIN && f->transfers == 0 &&
			   wb_sink_idle(f->sink)) {
			if (wb_sink_restart(f->sink, &err))
				wb_fetch_fail(d, &err);
			else
				run(d, f);
		}
	}
}

static void mismatch(struct wb_fetch *d, struct wb_fetch_file *f, struct wb_err *err)
{
	wb_err_wrap(err, "%s: \"%s\"", f->item->label, f->item->file->path);
	if (++f->mismatches > 1) {
		wb_err_hint(err,
			"the file was fetched twice and was wrong both times: the source is "
			"damaged, or something between changes what it sends");
		wb_fetch_fail(d, err);
		return;
	}
	wb_warn("%s; fetching it again", err->text);
	wb_fetch_start_over(f);
}

static struct wb_fetch_file *file_of(struct wb_fetch *d, const struct wb_sink_file *s)
{
	wb_vec_foreach (f, &d->open)
		if ((*f)->sink == s)
			return *f;
	return NULL;
}

static void collect(struct wb_fetch *d)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_sink_file *s;
	struct wb_digest digest;
	uint64_t size;

	while ((s = wb_sink_collect(d->sink, &digest, &size, &err))) {
		struct wb_fetch_file *f = file_of(d, s);

		if (!f || (f->state == WB_FETCH_AGAIN && err.code != WB_ERR_IO))
			continue;
		if (err.code == WB_ERR_INTEGRITY) {
			mismatch(d, f, &err);
		} else if (err.code != WB_OK) {
			wb_fetch_fail(d, &err);
		} else {
			f->item->digest = digest;
			f->item->file->size = f->item->size = size;
			f->item->done = true;
			remember(d, f->item);
			finished(d, f);
		}
	}
}

/* --- which next ---------------------------------------------------------------------------- */

bool wb_fetch_takes_one(const struct wb_fetch_file *f, int64_t now)
{
	return f->state == WB_FETCH_RUNNING && f->not_before <= now &&
	       !(f->transfers &&
		       (!f->answered || f->no_ranges || f->item->file->size == WB_SIZE_UNKNOWN));
}

static bool ready(const struct wb_fetch_file *f, int64_t now)
{
	return f->todo.list.n && wb_fetch_takes_one(f, now);
}

/* A file that lost its last transfer goes on before others begin: few files at a time, each hashed
 * while its bytes are at hand. */
static struct wb_fetch_file *orphan(struct wb_fetch *d, int64_t now)
{
	wb_vec_foreach (f, &d->open)
		if (ready(*f, now) && (*f)->transfers == 0)
			return *f;
	return NULL;
}

static struct wb_fetch_file *unbegun(struct wb_fetch *d, int64_t now)
{
	while (d->next < d->files.n && d->files.items[d->next]->state != WB_FETCH_WAITING)
		d->next++;
	for (size_t i = d->next; i < d->files.n && d->open.n < OPEN_MAX; i++) {
		struct wb_fetch_file *f = d->files.items[i];

		if (f->state == WB_FETCH_WAITING && f->not_before <= now)
			return f;
	}
	return NULL;
}

static struct wb_fetch_file *largest(struct wb_fetch *d, int64_t now)
{
	struct wb_fetch_file *best = NULL;
	uint64_t most = 0;

	wb_vec_foreach (f, &d->open) {
		uint64_t left = ready(*f, now) ? wb_ranges_total(&(*f)->todo) : 0;

		if (left > most) {
			most = left;
			best = *f;
		}
	}
	return best;
}

/* A large file that more connections can, or will soon, help with. */
static bool takes_more(const struct wb_fetch_file *f, int64_t now)
{
	uint64_t size = f->item->file->size;

	if (size == WB_SIZE_UNKNOWN || size < LARGE || f->no_ranges || f->not_before > now ||
		(!f->answered && now - f->begun > SLOW_MS))
		return false;
	return f->state == WB_FETCH_HEAD || (f->state == WB_FETCH_RUNNING && f->todo.list.n);
}

/* Where somebody waits for files (pack.h, supply), a large one is finished before another begins,
 * so that the first is there early. A file's digest is one core's work: with many cores, there are
 * more at once. */
static bool is_enough(const struct wb_fetch *d, int64_t now)
{
	unsigned n = 0;

	wb_vec_foreach (f, &d->open)
		n += takes_more(*f, now);
	return n >= d->large_most;
}

static void fill(struct wb_fetch *d)
{
	int64_t now = wb_fetch_now();

	while (d->active < d->limit && d->err.code == WB_OK) {
		struct wb_fetch_file *f = orphan(d, now);

		if (!f && !is_enough(d, now) && (f = unbegun(d, now))) {
			begin(d, f);
			continue;
		}
		if (!f)
			f = largest(d, now);
		if (!f && wb_transfer_split(d))
			f = largest(d, now);
		if (!f || !wb_transfer_start(d, f))
			return;
	}
}

/* --- how many at once ---------------------------------------------------------------------- */

/* More connections as long as they bring more. Not when the workers are what is slow. */
static void adapt_window(struct wb_fetch *d, int64_t now, double rate)
{
	if (d->patience) {
		d->limit = d->best_limit = d->limit > 1 ? d->limit / 2 : 1;
		d->settled_until = now + 10000;
		d->best_rate = 0;
	} else if (now < d->settled_until || d->active < d->limit || rate == 0 ||
		   d->window_starved) {
		return;
	} else if (rate > d->best_rate * 1.1 || d->limit == d->best_limit) {
		d->best_rate = rate;
		d->best_limit = d->limit;
		d->limit = d->limit * 2 < d->most ? d->limit * 2 : d->most;
		d->grown = now;
	} else {
		d->limit = d->best_limit;
		d->settled_until = now + 5000;
	}
}

static void adapt(struct wb_fetch *d)
{
	int64_t now = wb_fetch_now();
	int64_t window = d->settled_until ? WINDOW_MS : FIRST_WINDOW_MS;

	if (now - d->window_start < window)
		return;
	/* What still shakes hands says nothing of what it will bring. */
	if (now - d->grown >= FRESH_MS || wb_transfer_fresh(d) == 0 || d->patience)
		adapt_window(
			d, now, (double)d->window_bytes * 1000 / (double)(now - d->window_start));
	d->window_start = now;
	d->window_bytes = 0;
	d->window_starved = d->patience = false;
}

static void tell_moved(struct wb_fetch *d)
{
	wb_vec_foreach (it, &d->files) {
		struct wb_fetch_file *f = *it;
		bool done = f->state == WB_FETCH_DONE;

		if (f->got == f->told && done == f->told_done)
			continue;
		f->told = f->got;
		f->told_done = done;
		d->o.moved(d->o.arg, f->item, f->got, done);
	}
}

static void tell(struct wb_fetch *d, bool last)
{
	struct wb_fetch_progress *p = &d->progress;
	int64_t now = wb_fetch_now();
	struct wb_err err = WB_ERR_INIT;

	if (!last && now - d->told < PROGRESS_MS)
		return;
	d->told = now;
	if (!last && d->o.goes_on && d->o.goes_on(d->o.arg, &err))
		wb_fetch_fail(d, &err);
	if (d->o.moved)
		tell_moved(d);
	if (!d->o.progress)
		return;
	p->files = d->files.n;
	p->files_done = d->done;
	p->connections = d->active;
	p->bytes = p->bytes_done = 0;
	wb_vec_foreach (f, &d->files) {
		uint64_t size = (*f)->item->file->size;

		p->bytes += size == WB_SIZE_UNKNOWN ? (*f)->got : size;
		p->bytes_done += (*f)->got;
	}
	d->o.progress(p, d->o.arg);
}

/* Tells those who read along how far each file is. */
static void grow(struct wb_fetch *d)
{
	int64_t now = wb_fetch_now();

	if (!d->o.grows || now - d->grew < GROW_MS)
		return;
	d->grew = now;
	wb_vec_foreach (it, &d->open) {
		struct wb_fetch_file *f = *it;
		bool comes = f->state == WB_FETCH_RUNNING || f->state == WB_FETCH_FINISHING;
		uint64_t size = f->item->file->size;

		if (!comes || size == WB_SIZE_UNKNOWN || size < LARGE)
			continue;
		uint64_t reached = wb_sink_reached(f->sink);

		if (reached && !f->growing && (f->growing = wb_sink_growing(f->sink)))
			d->o.grows(d->o.arg, f->item, f->growing);
		if (f->growing)
			wb_growing_reach(f->growing, reached);
	}
}

/* --- all ----------------------------------------------------------------------------------- */

static void woken(void *arg)
{
	wb_http_wakeup(arg);
}

static int loop(struct wb_fetch *d, struct wb_err *err)
{
	d->window_start = wb_fetch_now();
	while (d->done < d->files.n) {
		fill(d);
		if (d->err.code == WB_OK &&
			wb_http_run(d->o.http, true, PROGRESS_MS, NULL, &d->err))
			break;
		collect(d);
		look_after_open(d);
		wb_transfer_look_after(d);
		if (d->err.code != WB_OK)
			break;
		adapt(d);
		grow(d);
		tell(d, false);
		if (d->err.code != WB_OK)
			break;
	}
	tell(d, true);
	if (d->err.code == WB_OK)
		return 0;
	*err = d->err;
	return -1;
}

static char *key_of(const struct wb_fetch_item *it)
{
	return it->file->identity ? wb_strdup(it->file->identity)
	                          : wb_asprintf("%s\n%s", it->label, it->file->path);
}

static int add_files(struct wb_fetch *d, struct wb_fetch_file **table, struct wb_fetch_item *items,
	size_t n, struct wb_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct wb_fetch_file *f;

		if (items[i].done)
			continue;
		if (d->o.offline || !items[i].remote) {
			wb_err_set(err, WB_ERR_NOT_FOUND,
				"\"%s\" of %s is not in the content store", items[i].file->path,
				items[i].label);
			return wb_err_hint(err, "run once without --offline");
		}
		wb_autofree char *key = key_of(&items[i]);

		HASH_FIND_STR(*table, key, f);
		if (f)
			continue;
		f = wb_zalloc(sizeof(*f));
		f->item = &items[i];
		f->lock = WB_LOCK_INIT;
		f->key = wb_steal(key);
		f->unbegun = f->item->file->size != WB_SIZE_UNKNOWN;
		d->unbegun_bytes += f->unbegun ? f->item->file->size : 0;
		*wb_vec_push(&d->files) = f;
		HASH_ADD_KEYPTR(hh, *table, f->key, strlen(f->key), f);
	}
	return 0;
}

/* The others that wanted the same bytes. */
static void share(struct wb_fetch_file *table, struct wb_fetch_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		wb_autofree char *key = items[i].done ? NULL : key_of(&items[i]);
		struct wb_fetch_file *f = NULL;

		if (key)
			HASH_FIND_STR(table, key, f);
		if (!f || !f->item->done)
			continue;
		items[i].digest = f->item->digest;
		items[i].size = items[i].file->size = f->item->size;
		items[i].done = items[i].cached = true;
	}
}

static void count(struct wb_fetch_total *total, const struct wb_fetch *d,
	const struct wb_fetch_item *items, size_t n)
{
	if (!total)
		return;
	*total = (struct wb_fetch_total){.transferred = d->transferred};
	for (size_t i = 0; i < n; i++) {
		if (!items[i].done)
			continue;
		total->cached += items[i].cached;
		total->fetched += !items[i].cached;
		*(items[i].cached ? &total->cached_bytes : &total->fetched_bytes) += items[i].size;
	}
}

static void fetch_release(struct wb_fetch *d, struct wb_fetch_file *table)
{
	wb_transfer_stop_all(d);
	HASH_CLEAR(hh, table);
	wb_vec_foreach (p, &d->files) {
		struct wb_fetch_file *f = *p;

		if (f->growing)
			wb_growing_end(f->growing, false);
		wb_growing_unref(f->growing);
		wb_sink_close(f->sink);
		wb_lock_release(&f->lock);
		wb_ranges_release(&f->todo);
		free(f->key);
		free(f->direct);
		free(f);
	}
	wb_sink_free(d->sink);
	wb_vec_free(&d->files);
	wb_vec_free(&d->open);
	wb_vec_foreach (t, &d->transfers)
		free(*t);
	wb_vec_free(&d->transfers);
}

int wb_fetch(struct wb_fetch_item *items, size_t n, const struct wb_fetch_opts *opts,
	struct wb_fetch_total *total, struct wb_err *err)
{
	struct wb_fetch d = {.o = *opts};
	struct wb_fetch_file *table = NULL;
	unsigned threads = opts->jobs ? opts->jobs : wb_pool_cores();

	wb_fetch_find(items, n, opts->store);
	d.most = opts->connections ? opts->connections : WB_FETCH_CONNECTIONS;
	d.large_most = opts->arrived ? 1 + threads / IN_TURN_CORES : LARGE_OPEN_MAX;
	d.limit = d.best_limit = d.most < FIRST_CONNECTIONS ? d.most : FIRST_CONNECTIONS;
	int rc = add_files(&d, &table, items, n, err);

	if (rc == 0 && d.files.n) {
		d.sink = wb_sink_new(
			opts->store, threads, 2 * (d.most + threads) + 8, woken, opts->http, err);
		rc = d.sink ? loop(&d, err) : -1;
		share(table, items, n);
	}
	count(total, &d, items, n);
	fetch_release(&d, table);
	return rc;
}
