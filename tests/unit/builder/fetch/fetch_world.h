/* A hub with one repository, a store, and a fetch of all of it, for the tests of the engine. */
#ifndef WB_TESTS_UNIT_FETCH_WORLD_H
#define WB_TESTS_UNIT_FETCH_WORLD_H

#include <endian.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <time.h>

#include "base/path.h"
#include "base/sha256.h"
#include "builder/fetch/fetch.h"
#include "builder/source/source_util.h"
#include "layers/states.h"
#include "hubstub.h"

#define BIG (40u << 20)

struct world {
	struct hubstub hub;
	char *dir;
	struct source_log log;
	struct wb_fetch_total total;
	struct wb_fetch_item items[16];
	size_t n;
	unsigned connections;
	unsigned stall_s; /* a second where a test is about stalls: a machine may have them too */
	uint64_t dies_at; /* the process ends by SIGKILL when its part's log tells of so many bytes
	                   */
	struct wb_digest big, mid;
};

/* Bytes that repeat nowhere within reach of a misplaced buffer. */
static inline void world_file(const char *path, uint32_t seed, size_t size, struct wb_digest *d)
{
	uint32_t *p = wb_alloc(size);
	uint32_t x = seed;

	for (size_t i = 0; i < size / 4; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = x;
	}
	wb_sha256_once(d, p, size);
	FILE *f = fopen(path, "w");

	assert_int_equal(fwrite(p, 1, size, f), size);
	fclose(f);
	free(p);
}

static inline int world_setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));

	unsetenv("HF_TOKEN");
	setenv("HF_TOKEN_PATH", "/nonexistent", 1);
	w->dir = wbtest_dir();
	hubstub_start(&w->hub);
	wb_autofree char *big = wb_asprintf("%s/big", w->dir);
	wb_autofree char *mid = wb_asprintf("%s/mid", w->dir);

	world_file(big, 1, BIG, &w->big);
	world_file(mid, 2, 5000000, &w->mid);
	wb_autofree char *commit = wb_asprintf(
		"{\"id\":\"acme/m\",\"files\":{\"big.safetensors\":{\"file\":\"%s\"},"
		"\"mid.safetensors\":{\"file\":\"%s\"},\"copy/mid.bin\":{\"file\":\"%s\"},"
		"\"plain.dat\":{\"file\":\"%s\",\"lfs\":false},\"config.json\":{\"text\":\"{}\"},"
		"\"empty\":{\"text\":\"\"},\"empty.bin\":{\"text\":\"\"}}}",
		big, mid, mid, mid);

	hubstub_tell(&w->hub, "commit", commit);
	wb_log_set_sink(source_sink, &w->log);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	wb_log_set_sink(NULL, NULL);
	hubstub_stop(&w->hub);
	wbtest_rmdir(w->dir);
	free(w);
	return 0;
}

/* Empties the store and forgets faults and the log. */
static inline void world_fresh(struct world *w)
{
	wb_autofree char *store = wb_asprintf("%s/store", w->dir);
	struct wb_err err = WB_ERR_INIT;

	wb_remove_tree(store, &err);
	hubstub_tell(&w->hub, "clear", "{}");
	hubstub_tell(&w->hub, "set", "{\"url_ttl\":3600,\"rate\":0}");
	w->log.text[0] = '\0';
	w->connections = 0;
	w->stall_s = 0;
}

/* The one file of the store that the pattern names, opened; -1 where there is none. */
static inline int world_open(struct world *w, const char *pattern)
{
	wb_autofree char *path = wb_asprintf("%s/store/parts/%s", w->dir, pattern);
	glob_t found;
	int fd = -1;

	if (glob(path, 0, NULL, &found) == 0)
		fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	globfree(&found);
	return fd;
}

/* How many bytes of a file the log of its part says are there (builder/fetch/part.c): a header,
 * then start, end and check of each range. */
static inline uint64_t world_logged(struct world *w)
{
	wb_autoclose int fd = world_open(w, "*.log");
	uint64_t record[3], sum = 0;

	for (off_t at = 18 + 32; pread(fd, record, sizeof(record), at) == sizeof(record);
		at += (off_t)sizeof(record)) {
		uint64_t start = le64toh(record[0]), end = le64toh(record[1]);

		sum += start < end && end <= BIG ? end - start : 0; /* else a mark */
	}
	return sum;
}

static inline int world_goes_on(void *arg, struct wb_err *err)
{
	struct world *w = arg;

	if (w->dies_at && world_logged(w) >= w->dies_at)
		raise(SIGKILL);
	return 0;
}

static inline int world_items(struct world *w, struct wb_remote *r, struct wb_listing *l,
	const char *only, struct wb_err *err)
{
	if (wb_remote_list(l, r, err))
		return -1;
	w->n = 0;
	wb_vec_foreach (f, &l->files)
		if (!only || !strcmp(f->path, only))
			w->items[w->n++] = (struct wb_fetch_item){
				.remote = r, .file = f, .label = "hf://acme/m"};
	return 0;
}

/* Lists and fetches; `only` one path, or NULL. */
static inline int world_fetch(struct world *w, const char *only, struct wb_err *err)
{
	struct wb_http_opts ho = {.backoff_unit_s = 0.01, .stall_s = w->stall_s};
	struct wb_http *http = wb_http_new(&ho, err);
	wb_autofree char *dir = wb_asprintf("%s/store", w->dir);
	struct wb_store *store = wb_store_open(dir, err);
	struct wb_source src;

	source_make(&src, "hf://acme/m", NULL);
	struct wb_remote_opts ro = {.http = http};
	struct wb_remote *r = wb_remote_open(&src, &ro, err);
	struct wb_listing l = WB_LISTING_INIT;
	struct wb_fetch_opts fo = {.http = http,
		.store = store,
		.connections = w->connections,
		.goes_on = world_goes_on,
		.arg = w};
	int rc = world_items(w, r, &l, only, err);

	if (rc == 0)
		rc = wb_fetch(w->items, w->n, &fo, &w->total, err);
	for (size_t i = 0; i < w->n; i++) {
		w->items[i].remote = NULL;
		w->items[i].file = NULL;
	}
	wb_listing_release(&l);
	wb_remote_free(r);
	source_clear(&src);
	wb_store_close(store);
	wb_http_free(http);
	return rc;
}

/* The blob is there and holds what its name says. */
/* From each state that was left in the store, the rest of the file leads to its digest. */
static inline void world_check_states(struct world *w, const struct wb_digest *d, uint64_t size)
{
	wb_autofree char *dir = wb_path_join(w->dir, "store");
	struct wb_err err = WB_ERR_INIT;
	struct wb_store *store = wb_store_open(dir, &err);
	wb_autofree struct wb_digest *states = wb_states_recall(store, d, size);
	wb_autofree char *path = wb_store_blob_path(store, d);
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_store_close(store);
	assert_non_null(states);
	wb_buf_init(&b, BIG, "test");
	assert_ok(wb_file_read(&b, path, &err), &err);
	for (size_t i = 0; i < wb_states_count(size); i++) {
		size_t at = (i + 1) * (size_t)WB_CHUNK_SIZE;
		struct wb_digest got;
		struct wb_sha256 s;

		wb_sha256_resume(&s, &states[i], at);
		wb_sha256_update(&s, b.data + at, size - at);
		wb_sha256_final(&s, &got);
		assert_true(wb_digest_equal(&got, d));
	}
}

static inline bool world_has(struct world *w, const struct wb_digest *d)
{
	wb_autofree char *path =
		wb_asprintf("%s/store/blobs/sha256/%s", w->dir, wb_digest_hex(d).s);
	FILE *f = fopen(path, "r");
	struct wb_sha256 s;
	struct wb_digest got;
	char buf[65536];
	size_t n;

	if (!f)
		return false;
	wb_sha256_init(&s);
	while ((n = fread(buf, 1, sizeof(buf), f)))
		wb_sha256_update(&s, buf, n);
	fclose(f);
	wb_sha256_final(&s, &got);
	if (!wb_digest_equal(&got, d))
		fail_msg("a blob with a wrong name");
	return true;
}

static inline size_t world_parts(struct world *w)
{
	wb_autofree char *cmd = wb_asprintf("ls %s/store/parts | wc -l", w->dir);
	FILE *f = popen(cmd, "r");
	int n = -1;

	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	pclose(f);
	return (size_t)n;
}

#endif
