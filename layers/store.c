#include "layers/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "layers/store_internal.h"

#define INDEX_RECORD_MAX (256u << 20)

/* Committed blobs carry this mtime (1980-01-01). Whoever writes into one, through a hard link in an
 * output say, changes the mtime, and the blob is no longer believed: one stat instead of a hash. */
#define BLOB_MTIME 315532800

static char *default_path(struct wb_err *err)
{
	const char *v = wb_env("WBUILD_CACHE_DIR");

	if (v)
		return wb_strdup(v);
	v = wb_env("XDG_CACHE_HOME");
	if (v)
		return wb_path_join(v, "wbuild");
	v = wb_env("HOME");
	if (v)
		return wb_path_join(v, ".cache/wbuild");
	wb_err_set(err, WB_ERR_USAGE, "no place for the content store: HOME is not set");
	wb_err_hint(err, "give one with --cache-dir DIR or WBUILD_CACHE_DIR");
	return NULL;
}

static int check_version(const char *dir, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(dir, "version");
	WB_AUTO(wb_buf_release) struct wb_buf text;

	wb_buf_init(&text, 64, "store version");
	if (wb_file_read(&text, path, err)) {
		if (err->code != WB_ERR_NOT_FOUND)
			return -1;
		wb_err_clear(err);
		return wb_file_put(path, "1\n", 2, 0644, 0, err);
	}
	if (!strcmp(text.data, "1\n"))
		return 0;
	wb_err_set(err, WB_ERR_UNSUPPORTED,
		"the store \"%s\" has a layout that this wbuild does not know", dir);
	return wb_err_hint(err, "use another --cache-dir, or a newer wbuild");
}

static int make_folders(const char *dir, struct wb_err *err)
{
	static const char *const folders[] = {"blobs/sha256", "parts", "index", "locks"};

	for (size_t i = 0; i < WB_ARRAY_LEN(folders); i++) {
		wb_autofree char *path = wb_path_join(dir, folders[i]);

		if (wb_mkdirs_durable(path, 0755, err))
			return -1;
	}
	return 0;
}

struct wb_store *wb_store_open(const char *path, struct wb_err *err)
{
	wb_autofree char *given = path ? wb_strdup(path) : default_path(err);
	wb_autofree char *cwd = getcwd(NULL, 0);

	if (!given)
		return NULL;
	wb_autofree char *dir = wb_path_normalize(cwd ? cwd : "/", given);
	wb_autofree char *lock = wb_path_join(dir, "lock");
	struct wb_store s = {.lock = WB_LOCK_INIT};

	/* prune takes the temporaries of whoever holds no lock for leftovers */
	if (make_folders(dir, err) || wb_lock_acquire(&s.lock, lock, false, err) ||
		check_version(dir, err)) {
		wb_lock_release(&s.lock);
		wb_err_wrap(err, "content store \"%s\"", dir);
		return NULL;
	}
	struct wb_store *out = wb_zalloc(sizeof(*out));

	*out = s;
	out->dir = wb_steal(dir);
	out->blobs = wb_path_join(out->dir, "blobs/sha256");
	return out;
}

void wb_store_close(struct wb_store *s)
{
	if (!s)
		return;
	wb_lock_release(&s->lock);
	free(s->dir);
	free(s->blobs);
	free(s);
}

const char *wb_store_path(const struct wb_store *s)
{
	return s->dir;
}

bool wb_store_writable(const struct wb_store *s)
{
	wb_autofree char *locks = wb_path_join(s->dir, "locks");

	return !access(locks, W_OK) && !access(s->blobs, W_OK);
}

char *wb_store_blob_path(const struct wb_store *s, const struct wb_digest *d)
{
	return wb_asprintf("%s/%s", s->blobs, wb_digest_hex(d).s);
}

bool wb_store_has(struct wb_store *s, const struct wb_digest *d, uint64_t size)
{
	static const struct timespec used[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	wb_autofree char *path = wb_store_blob_path(s, d);
	struct stat st;

	if (lstat(path, &st) || !S_ISREG(st.st_mode))
		return false;
	if (st.st_mtim.tv_sec != BLOB_MTIME || st.st_mtim.tv_nsec ||
		(size != UINT64_MAX && (uint64_t)st.st_size != size))
		return false;
	(void)utimensat(AT_FDCWD, path, used, AT_SYMLINK_NOFOLLOW);
	return true;
}

int wb_store_open_blob(
	struct wb_store *s, const struct wb_digest *d, uint64_t *size, struct wb_err *err)
{
	wb_autofree char *path = wb_store_blob_path(s, d);
	wb_autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return wb_err_sys(err, errno, "blob %s of the content store", wb_digest_text(d).s);
	if (size)
		*size = (uint64_t)st.st_size;
	int out = fd;

	fd = -1;
	return out;
}

int wb_store_writer_init(
	struct wb_store_writer *w, struct wb_store *s, uint64_t size_hint, struct wb_err *err)
{
	wb_autofree char *path = wb_path_join(s->blobs, "new");

	if (wb_file_create(&w->file, path, 0444, WB_FILE_STREAM, err))
		return -1;
	w->file.mtime = BLOB_MTIME;
	wb_file_reserve(&w->file, size_hint);
	return 0;
}

int wb_store_writer_commit(struct wb_store_writer *w, struct wb_store *s, const struct wb_digest *d,
	struct wb_err *err)
{
	wb_autofree char *path = wb_store_blob_path(s, d);

	/* A file of that name that is not believed is damaged: the good copy takes its place, in
	 * one step, for another process may be doing the same. */
	if (!wb_store_has(s, d, w->file.size))
		w->file.flags |= WB_FILE_REPLACE;
	wb_file_rename(&w->file, path);
	return wb_file_commit(&w->file, NULL, err);
}

void wb_store_writer_release(struct wb_store_writer *w)
{
	wb_file_release(&w->file);
}

int wb_store_put(
	struct wb_store *s, const void *p, size_t n, struct wb_digest *out, struct wb_err *err)
{
	WB_AUTO(wb_store_writer_release) struct wb_store_writer w = WB_STORE_WRITER_INIT;
	struct wb_digest d;

	wb_sha256_once(&d, p, n);
	if (!wb_store_has(s, &d, n)) {
		if (wb_store_writer_init(&w, s, n, err))
			return -1;
		wb_file_write(&w.file, p, n);
		if (wb_store_writer_commit(&w, s, &d, err))
			return -1;
	}
	*out = d;
	return 0;
}

int wb_store_adopt(
	struct wb_store *s, const char *path, const struct wb_digest *d, struct wb_err *err)
{
	wb_autofree char *target = wb_store_blob_path(s, d);
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = BLOB_MTIME}};
	wb_autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0444) || futimens(fd, times) || fsync(fd))
		return wb_err_sys(err, errno, "cannot finish \"%s\"", path);
	if (rename(path, target))
		return wb_err_sys(err, errno, "cannot move \"%s\" into the content store", path);
	return wb_fsync_dir(s->blobs, err);
}

/* DIR/index/<kind>/<sha256 of key>.<suffix> */
static char *index_path(
	const struct wb_store *s, const char *kind, const char *key, const char *suffix)
{
	struct wb_digest d;

	wb_sha256_once(&d, key, strlen(key));
	return wb_asprintf("%s/index/%s/%s.%s", s->dir, kind, wb_digest_hex(&d).s, suffix);
}

static bool read_record(struct wb_buf *out, const char *path)
{
	static const struct timespec used[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	struct wb_err ignored = WB_ERR_INIT;

	if (wb_file_read(out, path, &ignored))
		return false;
	(void)utimensat(AT_FDCWD, path, used, AT_SYMLINK_NOFOLLOW);
	return true;
}

/* Records are cheap to make again and are checked against what they name: not synced. */
static int write_record(const char *path, const void *p, size_t n, struct wb_err *err)
{
	wb_autofree char *dir = wb_path_dirname(path);

	if (mkdir(dir, 0755) && errno != EEXIST)
		return wb_err_sys(err, errno, "cannot make the folder \"%s\"", dir);
	return wb_file_put(path, p, n, 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, err);
}

/* A record whose bytes rot may still parse: a diff_id with another digit would go into an image. */
static struct wb_digest_text value_sum(const json_t *value)
{
	wb_autofree char *text = wb_json_dump(value);
	struct wb_digest d;

	wb_sha256_once(&d, text, strlen(text));
	return wb_digest_text(&d);
}

json_t *wb_store_index_get(struct wb_store *s, const char *kind, const char *key)
{
	wb_autofree char *path = index_path(s, kind, key, "json");
	WB_AUTO(wb_buf_release) struct wb_buf text;
	struct wb_err ignored = WB_ERR_INIT;

	wb_buf_init(&text, INDEX_RECORD_MAX, "index record");
	if (!read_record(&text, path))
		return NULL;
	wb_autojson json_t *record = wb_json_parse(text.data, text.len, path, &ignored);
	json_t *value = json_object_get(record, "value");
	const char *sum = wb_json_str_opt(record, "sum");

	return value && sum && !strcmp(sum, value_sum(value).s) ? json_incref(value) : NULL;
}

int wb_store_index_put(struct wb_store *s, const char *kind, const char *key, const json_t *value,
	struct wb_err *err)
{
	wb_autofree char *path = index_path(s, kind, key, "json");
	wb_autofree char *shown = wb_text_quote(key, 4096);
	wb_autojson json_t *record = json_object();

	wb_json_set_str(record, "key", shown); /* for people; the name is the key */
	wb_json_set_str(record, "sum", value_sum(value).s);
	wb_json_set(record, "value", json_incref((json_t *)value));
	wb_autofree char *text = wb_json_dump(record);

	return write_record(path, text, strlen(text), err);
}

bool wb_store_note_get(struct wb_buf *out, struct wb_store *s, const char *kind, const char *key)
{
	wb_autofree char *path = index_path(s, kind, key, "note");
	struct wb_digest sum;

	if (!read_record(out, path) || out->len < sizeof(sum.bytes))
		return false;
	size_t n = out->len - sizeof(sum.bytes);

	wb_sha256_once(&sum, out->data, n);
	if (memcmp(sum.bytes, out->data + n, sizeof(sum.bytes)))
		return false;
	out->len = n;
	out->data[n] = '\0';
	return true;
}

int wb_store_note_put(struct wb_store *s, const char *kind, const char *key, const void *p,
	size_t n, struct wb_err *err)
{
	wb_autofree char *path = index_path(s, kind, key, "note");
	wb_autofree char *bytes = wb_alloc(n + sizeof(struct wb_digest));
	struct wb_digest sum;

	wb_sha256_once(&sum, p, n);
	memcpy(bytes, p, n);
	memcpy(bytes + n, sum.bytes, sizeof(sum.bytes));
	return write_record(path, bytes, n + sizeof(sum.bytes), err);
}

static char *hashed_path(
	const struct wb_store *s, const char *folder, const char *key, const char *suffix)
{
	struct wb_digest d;

	wb_sha256_once(&d, key, strlen(key));
	return wb_asprintf("%s/%s/%s%s", s->dir, folder, wb_digest_hex(&d).s, suffix);
}

int wb_store_lock(struct wb_lock *l, struct wb_store *s, const char *key, struct wb_err *err)
{
	wb_autofree char *path = hashed_path(s, "locks", key, "");

	return wb_lock_acquire(l, path, true, err);
}

bool wb_store_try_lock(struct wb_lock *l, struct wb_store *s, const char *key)
{
	wb_autofree char *path = hashed_path(s, "locks", key, "");

	return wb_lock_try(l, path, true);
}

char *wb_store_part_path(struct wb_store *s, const char *key)
{
	return hashed_path(s, "parts", key, ".part");
}
