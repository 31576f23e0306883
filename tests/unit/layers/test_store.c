/* The content store: what gets a name, who may use it, what a crash or a bad disk leaves. */
#include "wbtest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "base/sha256.h"
#include "layers/store.h"

struct place {
	char *dir;
	struct wb_store *store;
};

static struct wb_store *open_store(const char *dir)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_store *s = wb_store_open(dir, &err);

	if (!s)
		fail_msg("%s", err.text);
	return s;
}

static int make_place(void **state)
{
	struct place *p = wb_zalloc(sizeof(*p));

	p->dir = wbtest_dir();
	p->store = open_store(p->dir);
	*state = p;
	return 0;
}

static int drop_place(void **state)
{
	struct place *p = *state;

	wb_store_close(p->store);
	wbtest_rmdir(p->dir);
	free(p);
	return 0;
}

static struct wb_digest put(struct wb_store *s, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	assert_ok(wb_store_put(s, text, strlen(text), &d, &err), &err);
	return d;
}

static size_t count_entries(const char *root, const char *rel)
{
	wb_autofree char *dir = wb_path_join(root, rel);
	DIR *d = opendir(dir);
	size_t n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* --- blobs -------------------------------------------------------------------------------- */

static void a_blob_is_found_by_its_digest(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d = put(p->store, "hello"), other = d, once;
	uint64_t size = 0;
	char got[6] = "";

	wb_sha256_once(&once, "hello", 5);
	assert_true(wb_digest_equal(&d, &once));
	assert_true(wb_store_has(p->store, &d, 5));
	assert_true(wb_store_has(p->store, &d, UINT64_MAX));
	assert_false(wb_store_has(p->store, &d, 4));
	other.bytes[0] ^= 1;
	assert_false(wb_store_has(p->store, &other, UINT64_MAX));
	wb_autoclose int fd = wb_store_open_blob(p->store, &d, &size, &err);

	assert_int_equal(size, 5);
	assert_ok(wb_file_read_full(fd, got, 5, -1, "blob", &err), &err);
	assert_string_equal(got, "hello");
	assert_int_equal(wb_store_open_blob(p->store, &other, NULL, &err), -1);
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	assert_contains(err.text, wb_digest_text(&other).s);
}

static void a_writer_without_commit_leaves_nothing(void **state)
{
	struct place *p = *state;
	struct wb_store_writer w = WB_STORE_WRITER_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_store_writer_init(&w, p->store, 100000, &err), &err);
	wb_file_write(&w.file, "half", 4);
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), 1);
	wb_store_writer_release(&w);
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), 0);
}

static void a_finished_download_is_taken_over(void **state)
{
	struct place *p = *state;
	wb_autofree char *part = wb_store_part_path(p->store, "https://host/file");
	wb_autofree char *again = wb_store_part_path(p->store, "https://host/file");
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	assert_string_equal(part, again);
	assert_ok(wb_file_put(part, "download", 8, 0644, 0, &err), &err);
	wb_sha256_once(&d, "download", 8);
	assert_ok(wb_store_adopt(p->store, part, &d, &err), &err);
	assert_true(wb_store_has(p->store, &d, 8));
	assert_int_not_equal(access(part, F_OK), 0);
	assert_err(wb_store_adopt(p->store, part, &d, &err), &err, WB_ERR_NOT_FOUND);
}

/* --- damage ------------------------------------------------------------------------------- */

static void write_into(const struct place *p, const struct wb_digest *d, const char *text)
{
	wb_autofree char *path = wb_store_blob_path(p->store, d);
	struct wb_err err = WB_ERR_INIT;

	assert_int_equal(chmod(path, 0644), 0);
	wb_autoclose int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_ok(wb_file_write_full(fd, text, strlen(text), "blob", &err), &err);
}

static void a_blob_that_was_written_to_is_not_believed(void **state)
{
	struct place *p = *state;
	struct wb_digest d = put(p->store, "honest");

	write_into(p, &d, "forged");
	assert_false(wb_store_has(p->store, &d, 6));
	assert_false(wb_store_has(p->store, &d, UINT64_MAX));
	/* the next one to bring it replaces it */
	put(p->store, "honest");
	assert_true(wb_store_has(p->store, &d, 6));
}

static void a_link_in_place_of_a_blob_is_not_followed(void **state)
{
	struct place *p = *state;
	struct wb_digest d = put(p->store, "target");
	wb_autofree char *path = wb_store_blob_path(p->store, &d);
	struct wb_err err = WB_ERR_INIT;

	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_false(wb_store_has(p->store, &d, UINT64_MAX));
	assert_int_equal(wb_store_open_blob(p->store, &d, NULL, &err), -1);
}

struct found {
	struct wb_digest digest;
	size_t n;
};

static void note_bad(const struct wb_digest *d, const char *why, void *arg)
{
	struct found *f = arg;

	f->digest = *d;
	f->n++;
	assert_contains(why, "its bytes have the digest sha256:");
}

/* Blobs of many steps and different lengths, several in one worker's hands: each gets its own
 * verdict. */
static void verify_tells_large_blobs_apart(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_store_stats stats;
	enum { BLOBS = 8, MOST = 700001 };
	wb_autofree char *text = wb_alloc(MOST + 1);
	struct wb_digest digests[BLOBS];

	for (size_t i = 0; i < BLOBS; i++) {
		memset(text, (int)('a' + i), MOST);
		text[MOST - i * 83000] = '\0';
		digests[i] = put(p->store, text);
	}
	for (unsigned jobs = 1; jobs <= 3; jobs++)
		assert_ok(wb_store_verify(p->store, jobs, false, NULL, NULL, &stats, &err), &err);
	for (size_t i = 0; i < BLOBS; i++) {
		struct found found = {0};
		size_t n = MOST - i * 83000;

		memset(text, (int)('a' + i), n);
		text[n - 1] ^= 1;
		text[n] = '\0';
		write_into(p, &digests[i], text);
		assert_err(
			wb_store_verify(p->store, 1 + i % 2, true, note_bad, &found, &stats, &err),
			&err, WB_ERR_INTEGRITY);
		assert_int_equal(found.n, 1);
		assert_true(wb_digest_equal(&found.digest, &digests[i]));
	}
}

static void verify_finds_rot_that_the_time_does_not_show(void **state)
{
	static const struct timespec same[2] = {{.tv_sec = 315532800}, {.tv_sec = 315532800}};
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_store_stats stats;
	struct found found = {0};
	struct wb_digest bad = put(p->store, "to be damaged");

	for (int i = 0; i < 20; i++) {
		char text[2] = {(char)('a' + i), '\0'};

		put(p->store, text);
	}
	assert_ok(wb_store_verify(p->store, 4, false, note_bad, &found, &stats, &err), &err);
	assert_int_equal(stats.blobs, 21);
	write_into(p, &bad, "to be Damaged");
	wb_autofree char *path = wb_store_blob_path(p->store, &bad);

	assert_int_equal(utimensat(AT_FDCWD, path, same, 0), 0);
	assert_err(wb_store_verify(p->store, 4, false, note_bad, &found, &stats, &err), &err,
		WB_ERR_INTEGRITY);
	assert_contains(err.text, "1 of 21 blobs");
	assert_int_equal(found.n, 1);
	assert_true(wb_digest_equal(&found.digest, &bad));
	assert_err(wb_store_verify(p->store, 4, true, note_bad, &found, &stats, &err), &err,
		WB_ERR_INTEGRITY);
	assert_ok(wb_store_verify(p->store, 4, false, note_bad, &found, &stats, &err), &err);
	assert_int_equal(stats.blobs, 20);
}

/* --- records ------------------------------------------------------------------------------ */

static void records_come_back(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *v = json_pack("{s:i}", "n", 5);

	assert_null(wb_store_index_get(p->store, "layer", "key"));
	assert_ok(wb_store_index_put(p->store, "layer", "key", v, &err), &err);
	wb_autojson json_t *got = wb_store_index_get(p->store, "layer", "key");

	assert_true(json_equal(got, v));
	assert_null(wb_store_index_get(p->store, "layer", "key2"));
	assert_null(wb_store_index_get(p->store, "other", "key"));
}

static void keys_are_any_bytes(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *v = json_true();

	assert_ok(wb_store_index_put(p->store, "etag", "../../x\xff\n", v, &err), &err);
	wb_autojson json_t *got = wb_store_index_get(p->store, "etag", "../../x\xff\n");

	assert_true(json_is_true(got));
}

static void check_note(struct place *p, const char *key, const char *want, size_t n)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, 1000, "note");
	assert_int_equal(wb_store_note_get(&b, p->store, "stat", key), want != NULL);
	if (!want)
		return;
	assert_int_equal(b.len, n);
	assert_memory_equal(b.data, want, n);
}

/* Every record of the store loses its end, or a byte of it. */
static void damage_records(const struct place *p, const char *kind, bool cut)
{
	wb_autofree char *index = wb_path_join(p->dir, "index");
	wb_autofree char *dir = wb_path_join(index, kind);
	DIR *d = opendir(dir);

	for (struct dirent *e; (e = readdir(d));) {
		wb_autofree char *path = wb_path_join(dir, e->d_name);
		wb_autoclose int fd = open(path, O_RDWR | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
			continue;
		if (cut)
			assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
		else
			assert_int_equal(pwrite(fd, "\0", 1, st.st_size / 2), 1);
	}
	closedir(d);
}

/* A digit that became another one: what is there parses, and says something else. */
static void a_record_with_another_value_is_none(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf text;
	wb_autojson json_t *v = json_pack("{s:s}", "diffId", "sha256:abc");
	struct wb_digest key;

	wb_sha256_once(&key, "k", 1);
	wb_autofree char *path =
		wb_asprintf("%s/index/layer/%s.json", p->dir, wb_digest_hex(&key).s);

	assert_ok(wb_store_index_put(p->store, "layer", "k", v, &err), &err);
	wb_buf_init(&text, 10000, "record");
	assert_ok(wb_file_read(&text, path, &err), &err);
	char *digit = strstr(text.data, "sha256:abc");

	assert_non_null(digit);
	digit[7] = 'e';
	assert_ok(wb_file_put(path, text.data, text.len, 0644, WB_FILE_REPLACE, &err), &err);
	assert_null(wb_store_index_get(p->store, "layer", "k"));
}

static void damaged_records_are_none(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *v = json_pack("{s:s}", "digest", "sha256:abc");

	for (int cut = 0; cut < 2; cut++) {
		assert_ok(wb_store_index_put(p->store, "layer", "k", v, &err), &err);
		assert_ok(wb_store_note_put(p->store, "stat", "k", "a\0b", 3, &err), &err);
		check_note(p, "k", "a\0b", 3);
		damage_records(p, "layer", cut);
		damage_records(p, "stat", cut);
		assert_null(wb_store_index_get(p->store, "layer", "k"));
		check_note(p, "k", NULL, 0);
	}
	assert_ok(wb_store_note_put(p->store, "stat", "k", "", 0, &err), &err);
	check_note(p, "k", "", 0);
}

/* --- many at once ------------------------------------------------------------------------- */

enum { WRITERS = 8, BLOBS = 40 };

/* -> NULL when all went well. */
static void *write_all(void *arg)
{
	struct wb_store *s = arg;

	for (int i = 0; i < BLOBS; i++) {
		wb_autofree char *text = wb_asprintf("%0*d", 3000 + i, i);
		struct wb_err err = WB_ERR_INIT;
		wb_autojson json_t *v = json_integer(i);
		struct wb_digest d;

		if (wb_store_put(s, text, strlen(text), &d, &err) ||
			!wb_store_has(s, &d, strlen(text)) ||
			wb_store_index_put(s, "layer", "shared", v, &err))
			return arg;
		wb_autojson json_t *got = wb_store_index_get(s, "layer", "shared");

		if (!json_is_integer(got))
			return arg; /* half a record */
	}
	return NULL;
}

static void threads_write_the_same_blobs(void **state)
{
	struct place *p = *state;
	pthread_t threads[WRITERS];
	void *said;

	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_all, p->store), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], &said);
		assert_null(said);
	}
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), BLOBS);
}

static void processes_write_the_same_blobs(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_store_stats stats;
	pid_t pids[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct wb_store *s = wb_store_open(p->dir, &err);

			_exit(s && !write_all(s) ? 0 : 1);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), BLOBS);
	assert_ok(wb_store_verify(p->store, 0, false, NULL, NULL, &stats, &err), &err);
}

static void work_on_one_key_is_serialised(void **state)
{
	struct place *p = *state;
	struct wb_lock a = WB_LOCK_INIT, b = WB_LOCK_INIT;
	struct wb_err err = WB_ERR_INIT;
	int status;

	assert_ok(wb_store_lock(&a, p->store, "key", &err), &err);
	assert_ok(wb_store_lock(&b, p->store, "another key", &err), &err);
	pid_t pid = fork();

	if (pid == 0) {
		struct wb_lock c = WB_LOCK_INIT;

		alarm(1); /* the end, unless the lock comes through */
		wb_store_lock(&c, p->store, "key", &err);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	wb_lock_release(&a);
	wb_lock_release(&b);
}

/* --- prune -------------------------------------------------------------------------------- */

static void set_used(const struct place *p, const struct wb_digest *d, int64_t when)
{
	wb_autofree char *path = wb_store_blob_path(p->store, d);
	const struct timespec times[2] = {{.tv_sec = when}, {.tv_nsec = UTIME_OMIT}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void prune_removes_the_least_recently_used(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_store_stats removed;
	int64_t now = time(NULL);
	struct wb_digest a = put(p->store, "aaaa"), b = put(p->store, "bbbb"),
			 c = put(p->store, "cccc");

	set_used(p, &a, now - 3000);
	set_used(p, &b, now - 2000);
	set_used(p, &c, now - 1000);
	assert_ok(wb_store_prune(p->store, now - 5000, 8, true, &removed, &err), &err);
	assert_int_equal(removed.blobs, 1);
	assert_int_equal(removed.bytes, 4);
	assert_ok(wb_store_prune(p->store, now - 5000, 8, false, &removed, &err), &err);
	assert_int_equal(removed.blobs, 1);
	assert_false(wb_store_has(p->store, &a, 4));
	assert_ok(wb_store_prune(p->store, now - 1500, UINT64_MAX, false, &removed, &err), &err);
	assert_int_equal(removed.blobs, 1);
	assert_false(wb_store_has(p->store, &b, 4));
	/* asked for: used just now */
	assert_true(wb_store_has(p->store, &c, 4));
	assert_ok(wb_store_prune(p->store, now - 500, UINT64_MAX, false, &removed, &err), &err);
	assert_int_equal(removed.blobs, 0);
}

static void make_file(const struct place *p, const char *rel, int64_t when)
{
	wb_autofree char *path = wb_path_join(p->dir, rel);
	const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_put(path, "left over", 9, 0644, WB_FILE_NOSYNC, &err), &err);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void prune_removes_what_a_crash_left(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_store_stats removed;
	int64_t now = time(NULL);
	wb_autojson json_t *v = json_true();

	assert_ok(wb_store_index_put(p->store, "layer", "fresh", v, &err), &err);
	make_file(p, "blobs/sha256/.wbtmp.abcdef", now);
	make_file(p, "index/layer/.wbtmp.abcdef", now);
	make_file(p, "index/layer/old.json", now - 5000);
	make_file(p, "parts/old.part", now - 5000);
	make_file(p, "parts/fresh.part", now);
	make_file(p, ".wbtmp.abcdef", now);
	wb_autofree char *uploads = wb_path_join(p->dir, "uploads");

	assert_ok(wb_mkdirs(uploads, 0700, &err), &err);
	make_file(p, "uploads/.wbtmp.abcdef", now);
	make_file(p, "uploads/old.json", now - 5000);
	make_file(p, "uploads/fresh.json", now);
	assert_ok(wb_store_prune(p->store, now - 1000, UINT64_MAX, false, &removed, &err), &err);
	assert_int_equal(removed.temps, 7);
	assert_int_equal(count_entries(p->dir, "uploads"), 1);
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), 0);
	assert_int_equal(count_entries(p->dir, "index/layer"), 1);
	assert_int_equal(count_entries(p->dir, "parts"), 1);
}

/* A build that runs keeps its shared lock; prune waits for it. */
static void prune_waits_for_users(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	int fds[2], status;
	char c;

	put(p->store, "in use");
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct wb_store_stats removed;

		wb_store_close(p->store); /* a lock belongs to all who inherit it */
		struct wb_store *s = wb_store_open(p->dir, &err);

		if (write(fds[1], "o", 1) != 1 ||
			wb_store_prune(s, INT64_MAX, 0, false, &removed, &err))
			_exit(1);
		(void)!write(fds[1], "p", 1);
		_exit(removed.blobs == 1 ? 0 : 2);
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	const struct timespec wait = {.tv_nsec = 200000000};

	nanosleep(&wait, NULL);
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), 1);
	wb_store_close(p->store);
	p->store = NULL;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	p->store = open_store(p->dir);
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), 0);
	close(fds[0]);
	close(fds[1]);
}

static int count_one(const struct wb_store_entry *e, void *arg)
{
	(*(size_t *)arg)++;
	return 0;
}

static void listing_counts(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_store_stats stats;
	struct wb_digest d = put(p->store, "layer blob");
	wb_autojson json_t *v = json_pack("{s:s}", "digest", wb_digest_text(&d).s);
	size_t n = 0;

	put(p->store, "file");
	assert_ok(wb_store_index_put(p->store, "layer", "k", v, &err), &err);
	make_file(p, "parts/x.part", time(NULL));
	make_file(p, "parts/x.json", time(NULL));
	make_file(p, "blobs/sha256/.wbtmp.abcdef", time(NULL));
	assert_ok(wb_store_list(p->store, count_one, &n, &stats, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(stats.blobs, 2);
	assert_int_equal(stats.bytes, 14);
	assert_int_equal(stats.parts, 1);
	assert_int_equal(stats.temps, 1);
}

/* --- places that cannot be a store -------------------------------------------------------- */

static void a_later_layout_is_left_alone(void **state)
{
	struct place *p = *state;
	wb_autofree char *version = wb_path_join(p->dir, "version");
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_put(version, "2\n", 2, 0644, WB_FILE_REPLACE, &err), &err);
	assert_null(wb_store_open(p->dir, &err));
	assert_int_equal(err.code, WB_ERR_UNSUPPORTED);
	assert_contains(err.hint, "--cache-dir");
}

static void a_file_is_no_store(void **state)
{
	struct place *p = *state;
	wb_autofree char *file = wb_path_join(p->dir, "version");
	struct wb_err err = WB_ERR_INIT;

	assert_null(wb_store_open(file, &err));
	assert_int_equal(err.code, WB_ERR_IO);
	assert_contains(err.text, "content store");
}

static void without_a_home_it_says_what_to_do(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		unsetenv("HOME");
		unsetenv("XDG_CACHE_HOME");
		unsetenv("WBUILD_CACHE_DIR");
		_exit(!wb_store_open(NULL, &err) && err.code == WB_ERR_USAGE &&
					strstr(err.hint, "--cache-dir")
				? 0
				: 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static int fill_up(const char *dir)
{
	const struct rlimit small = {100000, 100000};
	struct wb_err err = WB_ERR_INIT;
	struct wb_store *s = wb_store_open(dir, &err);
	wb_autofree char *big = wb_zalloc(200000);
	struct wb_digest d;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	return s && wb_store_put(s, big, 200000, &d, &err) && err.code == WB_ERR_IO ? 0 : 1;
}

static void a_write_that_fails_leaves_nothing(void **state)
{
	struct place *p = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fill_up(p->dir));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(count_entries(p->dir, "blobs/sha256"), 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_place, drop_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_blob_is_found_by_its_digest),
		CASE(a_writer_without_commit_leaves_nothing),
		CASE(a_finished_download_is_taken_over),
		CASE(a_blob_that_was_written_to_is_not_believed),
		CASE(a_link_in_place_of_a_blob_is_not_followed),
		CASE(verify_finds_rot_that_the_time_does_not_show),
		CASE(verify_tells_large_blobs_apart),
		CASE(records_come_back),
		CASE(keys_are_any_bytes),
		CASE(a_record_with_another_value_is_none),
		CASE(damaged_records_are_none),
		CASE(threads_write_the_same_blobs),
		CASE(processes_write_the_same_blobs),
		CASE(work_on_one_key_is_serialised),
		CASE(prune_removes_the_least_recently_used),
		CASE(prune_removes_what_a_crash_left),
		CASE(prune_waits_for_users),
		CASE(listing_counts),
		CASE(a_later_layout_is_left_alone),
		CASE(a_file_is_no_store),
		CASE(without_a_home_it_says_what_to_do),
		CASE(a_write_that_fails_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
