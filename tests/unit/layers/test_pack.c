/* Packing: what the blobs hold, that nothing is packed twice, that cores do not change a byte. */
#include "wbtest.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/sha256.h"
#include "layers/content.h"
#include "layers/frames.h"
#include "layers/pack.h"
#include "layers/states.h"

struct fixture {
	char *dir;
	struct wb_store *store;
};

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	struct wb_err err = WB_ERR_INIT;

	f->dir = wbtest_dir();
	wb_autofree char *cache = wb_path_join(f->dir, "cache");

	f->store = wb_store_open(cache, &err);
	assert_non_null(f->store);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_store_close(f->store);
	wbtest_rmdir(f->dir);
	free(f);
	return 0;
}

enum fill { FILL_ZERO, FILL_TEXT, FILL_NOISE };

/* A file of n bytes, the same for the same seed. */
static void make_file(struct fixture *f, struct wb_content *out, const char *name, size_t n,
	enum fill fill, uint32_t seed)
{
	wb_autofree char *path = wb_path_join(f->dir, name);
	wb_autofree char *p = wb_zalloc(n + 1);
	struct wb_err err = WB_ERR_INIT;
	struct stat st;

	for (size_t i = 0; fill != FILL_ZERO && i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = fill == FILL_NOISE ? (char)(seed >> 24) : "abcdefgh \n"[(seed >> 24) % 10];
	}
	assert_ok(wb_file_put(path, p, n, 0644, WB_FILE_REPLACE, &err), &err);
	assert_int_equal(stat(path, &st), 0);
	wb_content_from_stat(out, path, &st);
}

static void add(struct fixture *f, struct wb_tree *t, const char *path, size_t n, enum fill fill,
	uint32_t seed)
{
	struct wb_content c;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *name = wb_asprintf("src-%u", HASH_COUNT(t->by_path));

	make_file(f, &c, name, n, fill, seed);
	assert_ok(wb_tree_add_file(t, 0, path, 0644, &c, &err), &err);
	wb_content_release(&c);
}

static void sample_tree(struct fixture *f, struct wb_tree *t)
{
	struct wb_err err = WB_ERR_INIT;

	wb_tree_group(t, "data", "/app/data");
	add(f, t, "app/data/zeros.bin", 3u << 20, FILL_ZERO, 1);
	add(f, t, "app/data/noise.bin", (9u << 20) + 13, FILL_NOISE, 2);
	add(f, t, "app/data/copy of noise.bin", (9u << 20) + 13, FILL_NOISE, 2);
	add(f, t, "app/data/text/a.txt", 700001, FILL_TEXT, 3);
	add(f, t, "app/data/text/small.txt", 11, FILL_TEXT, 4);
	add(f, t, "app/data/empty", 0, FILL_ZERO, 5);
	assert_ok(wb_tree_add_symlink(t, 0, "app/data/link", "text/a.txt", &err), &err);
	assert_ok(wb_tree_add_dir(t, 0, "app/data/nothing", &err), &err);
	assert_ok(wb_tree_finish(t, 2, &err), &err);
}

static uint64_t blobs_of(struct fixture *f)
{
	struct wb_store_stats stats = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_store_verify(f->store, 1, false, NULL, NULL, &stats, &err), &err);
	return stats.blobs;
}

/* From each state on, the rest of a file leads to its digest. */
static void check_states(const struct wb_tree *t)
{
	wb_vec_foreach (it, &t->nodes) {
		const struct wb_node *node = *it;
		uint64_t size = node->content.size;
		WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;
		struct wb_err err = WB_ERR_INIT;

		if (node->type != WB_NODE_FILE || node->same || !wb_states_count(size))
			continue;
		assert_non_null(node->states);
		wb_buf_init(&b, 64u << 20, "test");
		assert_ok(wb_file_read(&b, node->content.path, &err), &err);
		for (size_t i = 0; i < wb_states_count(size); i++) {
			uint64_t at = (i + 1) * (uint64_t)WB_CHUNK_SIZE;
			struct wb_digest d;
			struct wb_sha256 s;

			wb_sha256_resume(&s, &node->states[i], at);
			wb_sha256_update(&s, b.data + at, size - at);
			wb_sha256_final(&s, &d);
			assert_true(wb_digest_equal(&d, &node->content.digest));
		}
	}
}

static void pack_sample(struct fixture *f, struct wb_layers *out, struct wb_tree *t,
	const char *compression, unsigned jobs)
{
	struct wb_layer_limits limits = {.large_file = 2u << 20};
	struct wb_pack_opts opts = {.jobs = jobs};
	struct wb_layer_plan plan;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_codec_parse(&opts.codec, compression, 0, &err), &err);
	wb_layer_plan_make(&plan, t, &limits);
	assert_ok(wb_pack(out, &plan, &opts, f->store, &err), &err);
	assert_ok(wb_pack_states(&plan, &opts, f->store, &err), &err);
	check_states(t);
	wb_layer_plan_release(&plan);
}

static void drop_index(struct fixture *f)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *index = wb_path_join(wb_store_path(f->store), "index");

	assert_ok(wb_remove_tree(index, &err), &err);
	assert_ok(wb_mkdirs(index, 0755, &err), &err);
}

/* Reads every entry of a layer blob with libarchive: a foreign reader. */
static void check_blob(
	struct fixture *f, const struct wb_layer *l, struct wb_tree *t, size_t *entries)
{
	wb_autofree char *path = wb_store_blob_path(f->store, &l->digest);
	struct archive *a = archive_read_new();
	struct archive_entry *e;

	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_filename(a, path, 65536), ARCHIVE_OK);
	while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
		struct wb_node *node;
		wb_autofree char *name = wb_strdup(archive_entry_pathname(e));
		size_t n = strlen(name);

		if (n && name[n - 1] == '/')
			name[n - 1] = '\0';
		HASH_FIND_STR(t->by_path, name, node);
		assert_non_null(node);
		assert_int_equal(archive_entry_mtime(e), 0);
		if (node->type != WB_NODE_FILE)
			continue;
		(*entries)++;
		if (node->same) {
			assert_string_equal(archive_entry_hardlink(e), node->same->path);
			continue;
		}
		wb_autofree char *body = wb_alloc(node->content.size + 1);
		struct wb_digest d;

		assert_int_equal(
			archive_read_data(a, body, node->content.size + 1), node->content.size);
		wb_sha256_once(&d, body, node->content.size);
		assert_true(wb_digest_equal(&d, &node->content.digest));
	}
	archive_read_free(a);
}

static void test_contents(void **state)
{
	static const char *const kinds[] = {"zstd", "gzip", "none"};
	struct fixture *f = *state;

	for (size_t k = 0; k < WB_ARRAY_LEN(kinds); k++) {
		struct wb_tree t = WB_TREE_INIT;
		struct wb_layers layers;
		size_t entries = 0;

		sample_tree(f, &t);
		pack_sample(f, &layers, &t, kinds[k], 2);
		assert_int_equal(layers.list.n, 3); /* zeros, noise with its copy, the rest */
		wb_vec_foreach (l, &layers.list) {
			assert_false(l->cached);
			check_blob(f, l, &t, &entries);
		}
		assert_int_equal(entries, 6);
		wb_layers_release(&layers);
		wb_tree_release(&t);
	}
}

static void test_store_is_whole(void **state)
{
	struct fixture *f = *state;
	struct wb_tree t = WB_TREE_INIT;
	struct wb_layers layers;
	struct wb_store_stats stats;
	struct wb_err err = WB_ERR_INIT;

	sample_tree(f, &t);
	pack_sample(f, &layers, &t, "zstd", 2);
	assert_ok(wb_store_verify(f->store, 2, false, NULL, NULL, &stats, &err), &err);
	assert_int_equal(stats.blobs, 3);
	assert_int_equal(stats.temps, 0);
	wb_layers_release(&layers);
	wb_tree_release(&t);
}

static void test_jobs_do_not_matter(void **state)
{
	static const char *const kinds[] = {"zstd", "gzip", "none"};
	struct fixture *f = *state;

	for (size_t k = 0; k < WB_ARRAY_LEN(kinds); k++) {
		struct wb_layers first;

		for (unsigned jobs = 1; jobs <= 8; jobs *= 2) {
			struct wb_tree t = WB_TREE_INIT;
			struct wb_layers layers;

			drop_index(f);
			sample_tree(f, &t);
			pack_sample(f, &layers, &t, kinds[k], jobs);
			wb_tree_release(&t);
			if (jobs == 1) {
				first = layers;
				continue;
			}
			for (size_t i = 0; i < layers.list.n; i++) {
				assert_false(layers.list.items[i].cached);
				assert_true(wb_digest_equal(
					&layers.list.items[i].digest, &first.list.items[i].digest));
				assert_true(wb_digest_equal(&layers.list.items[i].diff_id,
					&first.list.items[i].diff_id));
			}
			wb_layers_release(&layers);
		}
		wb_layers_release(&first);
	}
}

static void test_second_time_is_found(void **state)
{
	struct fixture *f = *state;
	struct wb_layers first, second;
	struct wb_tree t = WB_TREE_INIT, u = WB_TREE_INIT;

	sample_tree(f, &t);
	pack_sample(f, &first, &t, "zstd", 2);
	sample_tree(f, &u); /* digests unknown again: the shape says that hashing is worth it */
	pack_sample(f, &second, &u, "zstd", 2);
	for (size_t i = 0; i < second.list.n; i++) {
		assert_true(second.list.items[i].cached);
		assert_true(
			wb_digest_equal(&second.list.items[i].digest, &first.list.items[i].digest));
	}
	wb_layers_release(&first);
	wb_layers_release(&second);
	wb_tree_release(&t);
	wb_tree_release(&u);
}

/* One file of 20 MB at a path; the pieces come from the store when it was packed before. */
static void pack_one(
	struct fixture *f, struct wb_layers *out, const char *path, const char *compression)
{
	struct wb_tree t = WB_TREE_INIT;
	struct wb_err err = WB_ERR_INIT;

	wb_tree_group(&t, "data", "/app/data");
	add(f, &t, path, 20000001, FILL_TEXT, 7);
	assert_ok(wb_tree_finish(&t, 1, &err), &err);
	pack_sample(f, out, &t, compression, 2);
	wb_tree_release(&t);
}

static void test_renamed_file_is_the_same_as_packed_anew(void **state)
{
	static const char *const kinds[] = {"zstd", "gzip"};
	struct fixture *f = *state;

	for (size_t k = 0; k < WB_ARRAY_LEN(kinds); k++) {
		struct wb_layers first, renamed, anew;

		pack_one(f, &first, "app/data/one", kinds[k]);
		assert_true(wb_frames_likely(f->store, 20000001));
		pack_one(f, &renamed, "app/data/other name", kinds[k]);
		assert_false(renamed.list.items[0].cached);
		drop_index(f);
		pack_one(f, &anew, "app/data/other name", kinds[k]);
		assert_false(anew.list.items[0].cached);
		assert_true(
			wb_digest_equal(&renamed.list.items[0].digest, &anew.list.items[0].digest));
		assert_false(wb_digest_equal(
			&renamed.list.items[0].digest, &first.list.items[0].digest));
		drop_index(f);
		wb_layers_release(&first);
		wb_layers_release(&renamed);
		wb_layers_release(&anew);
	}
}

static void test_a_damaged_blob_is_packed_again(void **state)
{
	struct fixture *f = *state;
	struct wb_layers first, second;
	struct wb_tree t = WB_TREE_INIT;

	sample_tree(f, &t);
	pack_sample(f, &first, &t, "none", 2);
	wb_autofree char *path = wb_store_blob_path(f->store, &first.list.items[0].digest);

	assert_int_equal(chmod(path, 0644), 0);
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, "X", 1, 600), 1);
	close(fd);
	pack_sample(f, &second, &t, "none", 2);
	assert_false(second.list.items[0].cached);
	assert_true(second.list.items[1].cached);
	assert_true(wb_store_has(f->store, &first.list.items[0].digest, UINT64_MAX));
	wb_layers_release(&first);
	wb_layers_release(&second);
	wb_tree_release(&t);
}

static void test_changed_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct wb_tree t = WB_TREE_INIT;
	struct wb_layer_limits limits = {0};
	struct wb_pack_opts opts = {.jobs = 2};
	struct wb_layer_plan plan;
	struct wb_layers layers;
	struct wb_err err = WB_ERR_INIT;

	wb_tree_group(&t, "data", "/app/data");
	add(f, &t, "app/data/x", 1000, FILL_TEXT, 9);
	assert_ok(wb_tree_finish(&t, 1, &err), &err);
	wb_autofree char *path = wb_path_join(f->dir, "src-0");

	assert_int_equal(truncate(path, 999), 0);
	wb_layer_plan_make(&plan, &t, &limits);
	assert_err(wb_pack(&layers, &plan, &opts, f->store, &err), &err, WB_ERR_IO);
	assert_contains(err.text, "changed while it was being read");
	wb_layers_release(&layers);
	wb_layer_plan_release(&plan);
	wb_tree_release(&t);
}

/* The states in the bundle manifest would be those of other bytes than its digest. */
static void test_content_of_another_digest_is_refused(void **state)
{
	static const char *const hints[] = {"touch it", "cache verify --fix"};
	struct fixture *f = *state;

	for (int immutable = 0; immutable < 2; immutable++) {
		WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
		WB_AUTO(wb_layer_plan_release) struct wb_layer_plan plan = WB_LAYER_PLAN_INIT;
		WB_AUTO(wb_layers_release) struct wb_layers layers = WB_LAYERS_INIT;
		struct wb_layer_limits limits = {.large_file = 2u << 20};
		struct wb_pack_opts opts = {.jobs = 2};
		struct wb_err err = WB_ERR_INIT;
		struct wb_node *node;

		wb_tree_group(&t, "data", "/app/data");
		add(f, &t, "app/data/x", (9u << 20) + 1, FILL_NOISE, 9);
		HASH_FIND_STR(t.by_path, "app/data/x", node);
		node->content.digest_known = true;
		node->content.immutable = immutable;
		assert_ok(wb_tree_finish(&t, 1, &err), &err);
		assert_ok(wb_codec_parse(&opts.codec, "zstd", 0, &err), &err);
		wb_layer_plan_make(&plan, &t, &limits);
		assert_err(wb_pack(&layers, &plan, &opts, f->store, &err), &err, WB_ERR_INTEGRITY);
		assert_contains(err.text, "\"app/data/x\": its content is no longer sha256:0000");
		assert_contains(err.hint, hints[immutable]);
		assert_err(wb_pack_states(&plan, &opts, f->store, &err), &err, WB_ERR_INTEGRITY);
		assert_int_equal(blobs_of(f), 0);
	}
}

static void test_large_names_and_sizes(void **state)
{
	struct fixture *f = *state;
	struct wb_tree t = WB_TREE_INIT;
	struct wb_layers layers;
	struct wb_err err = WB_ERR_INIT;
	size_t entries = 0;
	char path[900] = "app/data";

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(path);

		path[n] = '/';
		memset(path + n + 1, 'a' + i, 255);
		path[n + 256] = '\0';
	}
	wb_tree_group(&t, "data", "/app/data");
	add(f, &t, path, 5, FILL_TEXT, 1);
	add(f, &t, "app/data/\xc3\xa4 #%\xf0\x9f\x99\x82", 5, FILL_TEXT, 2);
	assert_ok(wb_tree_finish(&t, 1, &err), &err);
	pack_sample(f, &layers, &t, "none", 1);
	check_blob(f, &layers.list.items[0], &t, &entries);
	assert_int_equal(entries, 2);
	wb_layers_release(&layers);
	wb_tree_release(&t);
}

/* --- a file that is packed while it arrives ------------------------------------------------- */

#define BIG ((33u << 20) + 77)
#define STEP (3u << 20)

struct arrival {
	struct fixture *f;
	const uint8_t *bytes;
	unsigned wrong_rounds; /* how often other bytes come first */
	bool fails;            /* it never comes whole */
	int fd;
	char *path;
	unsigned seen;        /* layers that were shown growing */
	unsigned void_layers; /* those that came to nothing */
	uint64_t early;       /* bytes of the layer that were there before the file was */
	pthread_mutex_t lock;
	struct wb_growing *layer; /* the one of the latest round */
};

static void layer_grows(void *arg, const struct wb_layer *l, struct wb_growing *g)
{
	struct arrival *a = arg;

	pthread_mutex_lock(&a->lock);
	if (a->layer && wb_growing_failed(a->layer))
		a->void_layers++;
	wb_growing_unref(a->layer);
	a->layer = wb_growing_ref(g);
	a->seen++;
	pthread_mutex_unlock(&a->lock);
}

/* Of a layer that still grows: that of a round of wrong bytes ends when the packer notices. */
static void look_at_layer(struct arrival *a)
{
	bool ended = false;

	pthread_mutex_lock(&a->lock);
	uint64_t n = a->layer ? wb_growing_reached(a->layer, &ended) : 0;

	if (!ended)
		a->early = n;
	pthread_mutex_unlock(&a->lock);
}

static void write_some(struct arrival *a, struct wb_growing *g, size_t from, bool wrong)
{
	size_t n = BIG - from < STEP ? BIG - from : STEP;
	wb_autofree uint8_t *p = wb_alloc(n);

	memcpy(p, a->bytes + from, n);
	p[0] ^= wrong;
	assert_int_equal(pwrite(a->fd, p, n, (off_t)from), n);
	wb_growing_reach(g, from + n);
}

static int bring(void *arg, struct wb_node *const *nodes, size_t n, const struct wb_pack_wait *wait,
	struct wb_err *err)
{
	struct arrival *a = arg;
	struct wb_growing *g = wb_growing_new(a->fd);

	assert_int_equal(n, 1);
	wait->grows(wait->arg, nodes[0], g);
	for (unsigned round = 0; round <= a->wrong_rounds; round++) {
		bool wrong = round < a->wrong_rounds;

		for (size_t at = 0; at < BIG && !(a->fails && at > BIG / 2); at += STEP)
			write_some(a, g, at, wrong);
		if (wrong) {
			wb_growing_restart(g);
			assert_int_equal(ftruncate(a->fd, 0), 0);
		}
	}
	/* The layer grows although nobody has said that the file is good. */
	for (int i = 0; i < 20000 && !a->early; i++) {
		usleep(10000);
		look_at_layer(a);
	}
	if (!a->fails) {
		nodes[0]->content.path = wb_strdup(a->path);
		assert_ok(wait->arrived(wait->arg, nodes[0], err), err);
	}
	wb_growing_end(g, !a->fails);
	wb_growing_unref(g);
	return a->fails ? wb_err_set(err, WB_ERR_NET, "it broke off") : 0;
}

static int pack_arriving(struct wb_layers *out, struct arrival *a, unsigned jobs,
	const char *compression, struct wb_err *err)
{
	struct wb_layer_limits limits = {.large_file = 2u << 20};
	struct wb_pack_opts opts = {
		.jobs = jobs, .supply = bring, .layer_grows = layer_grows, .hook_arg = a};
	WB_AUTO(wb_content_release) struct wb_content c = {.size = BIG, .immutable = true};
	WB_AUTO(wb_tree_release) struct wb_tree t = WB_TREE_INIT;
	WB_AUTO(wb_layer_plan_release) struct wb_layer_plan plan = WB_LAYER_PLAN_INIT;

	pthread_mutex_init(&a->lock, NULL);
	a->path = wb_path_join(a->f->dir, "part");
	a->fd = open(a->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	c.digest_known = true;
	wb_sha256_once(&c.digest, a->bytes, BIG);
	wb_tree_group(&t, "data", "/app/data");
	assert_ok(wb_tree_add_file(&t, 0, "app/data/big.bin", 0644, &c, err), err);
	assert_ok(wb_tree_finish(&t, 1, err), err);
	assert_ok(wb_codec_parse(&opts.codec, compression, 0, err), err);
	wb_layer_plan_make(&plan, &t, &limits);
	int rc = wb_pack(out, &plan, &opts, a->f->store, err);

	if (!rc) {
		assert_ok(wb_pack_states(&plan, &opts, a->f->store, err), err);
		check_states(&t);
	}

	pthread_mutex_destroy(&a->lock);
	a->void_layers += a->layer && wb_growing_failed(a->layer);
	wb_growing_unref(a->layer);
	close(a->fd);
	free(a->path);
	return rc;
}

static uint8_t *big_bytes(void)
{
	uint8_t *p = wb_alloc(BIG);
	uint32_t seed = 7;

	for (size_t i = 0; i < BIG; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (uint8_t)(seed >> 24) & 0x3f;
	}
	return p;
}

static void test_packed_while_it_arrives(void **state)
{
	static const char *const kinds[] = {"zstd", "none"};
	struct fixture *f = *state;
	wb_autofree uint8_t *bytes = big_bytes();
	struct wb_digest first[2];

	for (unsigned i = 0; i < 6; i++) {
		struct arrival a = {.f = f, .bytes = bytes, .wrong_rounds = i / 2 % 2};
		WB_AUTO(wb_layers_release) struct wb_layers layers = WB_LAYERS_INIT;
		struct wb_err err = WB_ERR_INIT;

		drop_index(f);
		assert_ok(pack_arriving(&layers, &a, i < 4 ? 2 : 1, kinds[i % 2], &err), &err);
		assert_true(a.early > 0);
		assert_true(a.seen == 1 + a.void_layers);
		if (i < 2)
			first[i] = layers.list.items[0].digest;
		assert_true(wb_digest_equal(&layers.list.items[0].digest, &first[i % 2]));
	}
	assert_int_equal(blobs_of(f), 2); /* nothing was made of the wrong bytes */
}

static void test_what_never_arrives_whole_is_no_layer(void **state)
{
	struct fixture *f = *state;
	wb_autofree uint8_t *bytes = big_bytes();
	struct arrival a = {.f = f, .bytes = bytes, .fails = true};
	WB_AUTO(wb_layers_release) struct wb_layers layers = WB_LAYERS_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_err(pack_arriving(&layers, &a, 2, "zstd", &err), &err, WB_ERR_NET);
	assert_string_equal(err.text, "it broke off");
	assert_int_equal(a.void_layers, a.seen);
	assert_int_equal(blobs_of(f), 0);
}

/* Two files of one layer, of which the digests are known and the bytes are to come. */
struct pair {
	struct fixture *f;
	char *paths[2]; /* where the bytes are meanwhile */
	struct wb_tree tree;
	struct wb_layer_plan plan;
};

static void pair_init(struct pair *p, struct fixture *f, const size_t sizes[2])
{
	const struct wb_layer_limits limits = {0};
	struct wb_err err = WB_ERR_INIT;

	*p = (struct pair){.f = f, .tree = WB_TREE_INIT};
	wb_tree_group(&p->tree, "data", "/app/data");
	for (unsigned i = 0; i < 2; i++) {
		WB_AUTO(wb_content_release) struct wb_content c;
		wb_autofree char *name = wb_asprintf("app/data/%u", i);

		make_file(f, &c, i ? "b" : "a", sizes[i], FILL_TEXT, i);
		assert_ok(wb_content_hash(&c.digest, NULL, &c, &err), &err);
		c.digest_known = c.immutable = true;
		p->paths[i] = wb_steal(c.path);
		assert_ok(wb_tree_add_file(&p->tree, 0, name, 0644, &c, &err), &err);
	}
	assert_ok(wb_tree_finish(&p->tree, 1, &err), &err);
	wb_layer_plan_make(&p->plan, &p->tree, &limits);
	assert_int_equal(p->plan.layers.n, 1);
}

static void pair_pack(
	struct pair *p, int (*bring_pair)(void *arg, struct wb_node *const *nodes, size_t n,
				const struct wb_pack_wait *wait, struct wb_err *err))
{
	struct wb_pack_opts opts = {.jobs = 2, .supply = bring_pair, .hook_arg = p};
	WB_AUTO(wb_layers_release) struct wb_layers layers = WB_LAYERS_INIT;
	struct wb_err err = WB_ERR_INIT;
	size_t entries = 0;

	assert_ok(wb_codec_parse(&opts.codec, "zstd", 0, &err), &err);
	assert_ok(wb_pack(&layers, &p->plan, &opts, p->f->store, &err), &err);
	check_blob(p->f, &layers.list.items[0], &p->tree, &entries);
	assert_int_equal(entries, 2);
	assert_int_equal(blobs_of(p->f), 1);
	wb_layer_plan_release(&p->plan);
	wb_tree_release(&p->tree);
	free(p->paths[0]);
	free(p->paths[1]);
}

static void arrive(struct pair *p, struct wb_node *const *nodes, unsigned i,
	const struct wb_pack_wait *wait, struct wb_growing *g)
{
	struct wb_err err = WB_ERR_INIT;

	nodes[i]->content.path = wb_strdup(p->paths[i]);
	assert_ok(wait->arrived(wait->arg, nodes[i], &err), &err);
	if (g)
		wb_growing_end(g, true);
	wb_growing_unref(g);
}

static struct wb_growing *begin(
	struct wb_node *const *nodes, unsigned i, const char *path, const struct wb_pack_wait *wait)
{
	wb_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct wb_growing *g = wb_growing_new(fd);

	wait->grows(wait->arg, nodes[i], g);
	wb_growing_reach(g, nodes[i]->content.size);
	return g;
}

/* As long as a packer needs that goes on too soon. */
static void give_time(const struct wb_pack_wait *wait)
{
	struct wb_err ended = WB_ERR_INIT;

	for (int i = 0; i < 20 && !wait->goes_on(wait->arg, &ended); i++)
		usleep(10000);
}

/* The one that grows is there before the other has begun. */
static int bring_one_by_one(void *arg, struct wb_node *const *nodes, size_t n,
	const struct wb_pack_wait *wait, struct wb_err *err)
{
	struct pair *p = arg;

	assert_int_equal(n, 2);
	arrive(p, nodes, 0, wait, begin(nodes, 0, p->paths[0], wait));
	give_time(wait);
	arrive(p, nodes, 1, wait, NULL);
	return 0;
}

static void test_a_layer_waits_for_each_of_its_files(void **state)
{
	struct pair p;

	pair_init(&p, *state, (const size_t[]){3u << 20, 5});
	pair_pack(&p, bring_one_by_one);
}

/* Both grow; the one that is read first is the last to come, and other bytes come first. */
static int bring_wrong_first(void *arg, struct wb_node *const *nodes, size_t n,
	const struct wb_pack_wait *wait, struct wb_err *err)
{
	struct pair *p = arg;
	struct wb_growing *last = begin(nodes, 1, p->paths[1], wait);
	wb_autoclose int fd = open(p->paths[0], O_RDWR | O_CLOEXEC);
	char first;

	assert_int_equal(n, 2);
	assert_int_equal(pread(fd, &first, 1, 0), 1);
	assert_int_equal(pwrite(fd, "?", 1, 0), 1);
	struct wb_growing *g = begin(nodes, 0, p->paths[0], wait);

	arrive(p, nodes, 1, wait, last);
	give_time(wait);
	wb_growing_restart(g);
	assert_int_equal(pwrite(fd, &first, 1, 0), 1);
	wb_growing_reach(g, nodes[0]->content.size);
	arrive(p, nodes, 0, wait, g);
	return 0;
}

static void test_a_layer_is_of_files_that_were_all_found_good(void **state)
{
	struct pair p;

	pair_init(&p, *state, (const size_t[]){(3u << 20) + 1, 3u << 20});
	pair_pack(&p, bring_wrong_first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_is_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jobs_do_not_matter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_time_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_renamed_file_is_the_same_as_packed_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_damaged_blob_is_packed_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_content_of_another_digest_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_names_and_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packed_while_it_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_never_arrives_whole_is_no_layer, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_layer_waits_for_each_of_its_files, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_layer_is_of_files_that_were_all_found_good, setup, teardown),
	};

	return cmocka_run_group_tests_name("layers/pack", tests, NULL, NULL);
}
