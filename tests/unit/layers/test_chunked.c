/* The table of contents behind a layer's tar: what it says is looked up in the layer itself. */
#include "layertest.h"

#include <zstd.h>

#include "base/base64.h"
#include "base/crc64.h"
#include "base/sha256.h"
#include "layers/chunked.h"
#include "layers/pack.h"

#define MIB ((size_t)1 << 20)

struct fixture {
	char *dir;
	struct wb_store *store;
	struct wb_tree tree;
	struct wb_layers layers;
	/* of the only layer: */
	uint8_t *blob, *tar;
	size_t blob_n, tar_n;
	json_t *table;
	char *split;
};

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	struct wb_err err = WB_ERR_INIT;

	f->dir = wbtest_dir();
	wb_autofree char *cache = wb_path_join(f->dir, "cache");

	f->store = wb_store_open(cache, &err);
	assert_non_null(f->store);
	wb_tree_group(&f->tree, "data", "/app");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_layers_release(&f->layers);
	wb_tree_release(&f->tree);
	wb_store_close(f->store);
	wbtest_rmdir(f->dir);
	free(f->blob);
	free(f->tar);
	json_decref(f->table);
	free(f->split);
	free(f);
	return 0;
}

static void pack(struct fixture *f, const char *compression)
{
	const struct wb_layer_limits limits = {0};
	struct wb_pack_opts opts = {.jobs = 3, .stream.mtime = 1700000000};
	struct wb_layer_plan plan;
	struct wb_err err = WB_ERR_INIT;

	wb_layers_release(&f->layers);
	assert_ok(wb_codec_parse(&opts.codec, compression, 0, &err), &err);
	wb_layer_plan_make(&plan, &f->tree, &limits);
	assert_ok(wb_pack(&f->layers, &plan, &opts, f->store, &err), &err);
	wb_layer_plan_release(&plan);
	assert_int_equal(f->layers.list.n, 1);
}

/* All frames from p on; the caller frees. */
static uint8_t *decode(size_t *n, const uint8_t *p, size_t size, size_t most)
{
	uint8_t *out = wb_zalloc(most + 1);

	*n = ZSTD_decompress(out, most, p, size);
	assert_false(ZSTD_isError(*n));
	return out;
}

static uint64_t le64(const uint8_t *p)
{
	uint64_t v = 0;

	for (size_t i = 8; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static char *decode_part(
	struct fixture *f, const struct wb_chunked_part *part, const uint8_t *footer)
{
	const uint8_t *p = f->blob + part->at;
	size_t n;
	char *text = (char *)decode(&n, p, part->n, part->raw);

	assert_int_equal(n, part->raw);
	assert_memory_equal(p - 8, "\x50\x2a\x4d\x18", 4);
	assert_int_equal(le64(p - 8) >> 32, part->n);
	assert_int_equal(le64(footer), part->at);
	assert_int_equal(le64(footer + 8), part->n);
	assert_int_equal(le64(footer + 16), part->raw);
	return text;
}

static void load(struct fixture *f)
{
	const struct wb_layer *l = &f->layers.list.items[0];
	wb_autofree char *path = wb_store_blob_path(f->store, &l->digest);
	struct wb_err err = WB_ERR_INIT;
	wb_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct wb_digest d;

	f->blob_n = l->size;
	f->blob = wb_alloc(f->blob_n);
	assert_ok(wb_file_read_full(fd, f->blob, f->blob_n, -1, path, &err), &err);
	f->tar = decode(&f->tar_n, f->blob, f->blob_n, l->tar_size);
	wb_sha256_once(&d, f->tar, f->tar_n);
	assert_true(wb_digest_equal(&d, &l->diff_id));

	const uint8_t *footer = f->blob + f->blob_n - 64;
	wb_autofree char *table = decode_part(f, &l->table.table, footer);

	assert_memory_equal(footer - 8, "\x50\x2a\x4d\x18\x40\0\0\0", 8);
	assert_int_equal(le64(footer + 24), 1);
	assert_memory_equal(footer + 56, "GNUlInUx", 8);
	f->split = decode_part(f, &l->table.split, footer + 32);
	wb_sha256_once(&d, f->blob + l->table.table.at, l->table.table.n);
	assert_true(wb_digest_equal(&d, &l->table.digest));
	f->table = wb_json_parse(table, strlen(table), "table", &err);
	assert_non_null(f->table);
	wb_sha256_once(&d, f->blob + l->table.split.at, l->table.split.n);
	assert_string_equal(wb_json_str_opt(f->table, "tarSplitDigest"), wb_digest_text(&d).s);
	assert_int_equal(wb_json_u64_opt(f->table, "version", 0), 1);
}

static void sample(struct fixture *f)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *deep = wb_zalloc(151);

	memset(deep, 'd', 150);
	wb_autofree char *name = wb_asprintf("app/%s/big", deep);

	layertest_add(&f->tree, 0, f->dir, "app/a.bin", (3 * MIB) + 5, 1);
	layertest_add(&f->tree, 0, f->dir, "app/b.bin", WB_STREAM_SMALL + 1, 2);
	layertest_add(&f->tree, 0, f->dir, "app/copy.bin", (3 * MIB) + 5, 1);
	layertest_add(&f->tree, 0, f->dir, "app/empty", 0, 3);
	layertest_add(&f->tree, 0, f->dir, name, MIB, 4);
	assert_ok(wb_tree_add_symlink(&f->tree, 0, "app/link \"\xc3\xa4\"", "a.bin", &err), &err);
	assert_ok(wb_tree_add_dir(&f->tree, 0, "app/nothing", &err), &err);
	assert_ok(wb_tree_finish(&f->tree, 2, &err), &err);
}

static const json_t *entry(struct fixture *f, const char *name)
{
	const json_t *list = json_object_get(f->table, "entries");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(wb_json_str_opt(json_array_get(list, i), "name"), name))
			return json_array_get(list, i);
	fail_msg("no entry \"%s\"", name);
	return NULL;
}

static void check_type(struct fixture *f, const char *name, const char *type, const char *link)
{
	const json_t *o = entry(f, name);
	const char *target = wb_json_str_opt(o, "linkName");

	assert_string_equal(wb_json_str_opt(o, "type"), type);
	assert_string_equal(target ? target : "", link);
	assert_string_equal(wb_json_str_opt(o, "modtime"), "2023-11-14T22:13:20Z");
	assert_null(json_object_get(o, "digest"));
	assert_null(json_object_get(o, "size"));
	assert_null(json_object_get(o, "offset"));
}

/* The frames that the table gives are the file's content, whole and alone. */
static void check_file(struct fixture *f, const char *name, size_t size, uint32_t seed)
{
	const json_t *o = entry(f, name);
	uint64_t from = wb_json_u64_opt(o, "offset", 0), to = wb_json_u64_opt(o, "endOffset", 0);
	wb_autofree uint8_t *want = wb_alloc(size);
	struct wb_digest d;
	size_t n;

	layertest_fill(want, size, seed);
	assert_true(from && from < to && to <= f->layers.list.items[0].table.table.at);
	wb_autofree uint8_t *got = decode(&n, f->blob + from, to - from, size);

	assert_int_equal(n, size);
	assert_memory_equal(got, want, size);
	wb_sha256_once(&d, want, size);
	assert_string_equal(wb_json_str_opt(o, "type"), "reg");
	assert_string_equal(wb_json_str_opt(o, "digest"), wb_digest_text(&d).s);
	assert_int_equal(wb_json_u64_opt(o, "size", 0), size);
	assert_int_equal(wb_json_u64_opt(o, "mode", 0), 0644);
}

static void table_says_what_the_tar_does(void **state)
{
	struct fixture *f = *state;
	wb_autofree char *deep = wb_zalloc(151);

	sample(f);
	pack(f, "zstd");
	load(f);
	memset(deep, 'd', 150);
	wb_autofree char *dir = wb_asprintf("app/%s/", deep), *big = wb_asprintf("%sbig", dir);

	assert_int_equal(json_array_size(json_object_get(f->table, "entries")), 9);
	check_file(f, "app/a.bin", (3 * MIB) + 5, 1);
	check_file(f, "app/b.bin", WB_STREAM_SMALL + 1, 2);
	check_file(f, big, MIB, 4);
	check_type(f, "app/", "dir", "");
	check_type(f, dir, "dir", "");
	check_type(f, "app/nothing/", "dir", "");
	check_type(f, "app/empty", "reg", "");
	check_type(f, "app/copy.bin", "hardlink", "app/a.bin");
	check_type(f, "app/link \"\xc3\xa4\"", "symlink", "a.bin");
}

/* One line of the tar-split against the tar at *at. */
static void check_line(struct fixture *f, size_t *at, size_t number, const char *line, size_t n)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autojson json_t *o = wb_json_parse(line, n, "line", &err);
	uint64_t size = wb_json_u64_opt(o, "size", 0);
	const char *payload = wb_json_str_opt(o, "payload");
	size_t got = 0;
	wb_autofree uint8_t *bytes = payload ? wb_base64_decode(&got, payload, MIB) : NULL;

	assert_int_equal(wb_json_u64_opt(o, "position", 99), number);
	/* headers and contents alternate, and the end of the tar comes last */
	assert_int_equal(wb_json_u64_opt(o, "type", 0), number % 2 ? 1 : 2);
	if (number % 2 == 0) {
		assert_true(got > 0 && got <= f->tar_n - *at);
		assert_memory_equal(f->tar + *at, bytes, got);
		*at += got;
		return;
	}
	assert_int_equal(got, size ? 8 : 0);
	assert_true(size <= f->tar_n - *at);
	(void)entry(f, wb_json_str_opt(o, "name"));
	if (size) {
		uint64_t crc = wb_crc64(0, f->tar + *at, size);

		for (size_t i = 0; i < 8; i++)
			assert_int_equal(bytes[i], (uint8_t)(crc >> (56 - 8 * i)));
	}
	*at += size;
}

static void split_gives_the_tar(void **state)
{
	struct fixture *f = *state;
	size_t at = 0, number = 0;

	sample(f);
	pack(f, "zstd");
	load(f);
	for (const char *line = f->split, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		check_line(f, &at, number++, line, (size_t)(end - line));
	}
	assert_int_equal(number, 2 * 9 + 1);
	assert_int_equal(at, f->tar_n);
}

static void annotations(void **state)
{
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	const struct wb_chunked none = {0}, c = {.digest.bytes = {0xab},
						    .table = {.at = 108, .n = 20, .raw = 44},
						    .split = {.at = 136, .n = 30, .raw = 55}};

	(void)state;
	wb_descriptor_set(&d, "x/y", &c.digest, 238);
	wb_chunked_annotate(&d, &none);
	assert_null(d.more);
	wb_chunked_annotate(&d, &c);
	assert_string_equal(
		wb_descriptor_annotation(&d, "io.github.containers.zstd-chunked.manifest-checksum"),
		wb_digest_text(&c.digest).s);
	assert_string_equal(
		wb_descriptor_annotation(&d, "io.github.containers.zstd-chunked.manifest-position"),
		"108:20:44:1");
	assert_string_equal(
		wb_descriptor_annotation(&d, "io.github.containers.zstd-chunked.tarsplit-position"),
		"136:30:55");
}

static void no_table_where_it_cannot_be(void **state)
{
	struct fixture *f = *state;

	layertest_add(&f->tree, 0, f->dir, "app/a.bin", MIB, 1);
	layertest_add(&f->tree, 0, f->dir, "app/small", 1, 2);
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_tree_finish(&f->tree, 2, &err), &err);
	pack(f, "zstd");
	assert_int_equal(f->layers.list.items[0].table.table.n, 0);
}

static void no_table_in_gzip(void **state)
{
	struct fixture *f = *state;

	sample(f);
	pack(f, "gzip");
	assert_int_equal(f->layers.list.items[0].table.table.n, 0);
	pack(f, "none");
	assert_int_equal(f->layers.list.items[0].table.table.n, 0);
}

static bool fits(struct wb_node *const *nodes, size_t n)
{
	const struct wb_codec zstd = {.compression = WB_COMPRESS_ZSTD};
	struct wb_planned_layer l = {0};

	for (size_t i = 0; i < n; i++)
		*wb_vec_push(&l.nodes) = nodes[i];
	bool yes = wb_chunked_fits(&l, &zstd);

	wb_vec_free(&l.nodes);
	return yes;
}

static void what_fits(void **state)
{
	struct wb_node large = {.path = (char[]){"l"}, .content.size = WB_STREAM_SMALL + 1},
		       small = {.path = (char[]){"s"}, .content.size = WB_STREAM_SMALL},
		       empty = {.path = (char[]){"e"}},
		       same = {.path = (char[]){"h"}, .same = &large, .content.size = 1},
		       odd = {.path = (char[]){"\xff"}, .content.size = MIB},
		       link = {.type = WB_NODE_SYMLINK,
			       .path = (char[]){"x"},
			       .target = (char[]){"\xff"}};

	(void)state;
	assert_true(fits((struct wb_node *[]){&large}, 1));
	assert_true(fits((struct wb_node *[]){&large, &empty, &same}, 3));
	assert_false(fits((struct wb_node *[]){&large, &small}, 2));
	assert_false(fits((struct wb_node *[]){&empty}, 1));
	assert_false(fits((struct wb_node *[]){&odd}, 1));
	assert_false(fits((struct wb_node *[]){&large, &link}, 2));
	assert_false(fits(NULL, 0));
}

static void found_again_with_its_table(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;

	sample(f);
	pack(f, "zstd");
	wb_autofree char *text = wb_chunked_text(&f->layers.list.items[0].table);
	wb_autofree char *key = wb_strdup(f->layers.list.items[0].key);

	pack(f, "zstd");
	assert_true(f->layers.list.items[0].cached);
	wb_autofree char *again = wb_chunked_text(&f->layers.list.items[0].table);

	assert_string_equal(again, text);

	/* a record that does not fit its blob is as good as none */
	wb_autojson json_t *record = wb_store_index_get(f->store, "layer", key);

	wb_json_set_str(record, "contents", "sha256:x 1:2:3 4:5:6");
	assert_ok(wb_store_index_put(f->store, "layer", key, record, &err), &err);
	pack(f, "zstd");
	assert_false(f->layers.list.items[0].cached);
	wb_autofree char *anew = wb_chunked_text(&f->layers.list.items[0].table);

	assert_string_equal(anew, text);
}

#define HEX "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void text_is_read_strictly(void **state)
{
	/* of a blob of 108 - 8 + 28 + 38 + 72 bytes */
	static const char good[] = HEX " 108:20:44 136:30:55";
	static const char *const bad[] = {
		"",
		HEX,
		HEX " 108:20:44 136:30",
		HEX " 108:20:44 136:30:55 ",
		HEX " 108:20:44  136:30:55",
		HEX " 108:20:44 136:30:55x",
		HEX " +108:20:44 136:30:55",
		HEX " 0108:20:44 136:30:55",
		HEX " 107:20:44 136:30:55",
		HEX " 108:21:44 136:30:55",
		HEX " 108:20:44 136:29:55",
		HEX " 108:0:44 116:50:55",
		HEX " 108:20:99999999 136:30:55",
		HEX " 108:20:-1 136:30:55",
		HEX " 18446744073709551616:20:44 136:30:55",
		HEX " 108:18446744073709551615:44 136:30:55",
		" 108:20:44 136:30:55",
		"sha256:00 108:20:44 136:30:55",
	};
	struct wb_chunked c = {.split.n = 7};

	(void)state;
	assert_true(wb_chunked_parse(&c, NULL, 1));
	assert_int_equal(c.split.n, 0);
	assert_null(wb_chunked_text(&c));
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		assert_false(wb_chunked_parse(&c, bad[i], 238));
	assert_false(wb_chunked_parse(&c, good, 237));
	assert_false(wb_chunked_parse(&c, good, 0));
	assert_true(wb_chunked_parse(&c, good, 238));
	assert_int_equal(c.table.at, 108);
	assert_int_equal(c.split.raw, 55);
	wb_autofree char *text = wb_chunked_text(&c);

	assert_string_equal(text, good);
}

/* Names alone would fill it: there is a bound, and then there is no table. */
static void too_much_is_left_out(void **state)
{
	enum { MANY = 12000 };
	const struct wb_codec zstd = {.compression = WB_COMPRESS_ZSTD};
	const struct wb_stream_opts opts = {0};
	struct wb_node *nodes = wb_calloc(MANY, sizeof(*nodes));
	struct wb_planned_layer l = {0};
	struct wb_chunked c = {.table.n = 7};
	struct wb_encoder *e = wb_encoder_new(&zstd);
	char to[] = "to";
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		nodes[i].type = WB_NODE_SYMLINK;
		nodes[i].path = wb_asprintf("link-%05zu", i);
		nodes[i].target = to;
		*wb_vec_push(&l.nodes) = &nodes[i];
	}
	const struct wb_chunked_source src = {.layer = &l, .stream = &opts};

	assert_null(wb_chunked_make(&c, &n, &src, e));
	assert_int_equal(c.table.n, 7);
	l.nodes.n = 2000;
	wb_autofree uint8_t *bytes = wb_chunked_make(&c, &n, &src, e);

	assert_non_null(bytes);
	assert_true(c.split.raw > MIB); /* more than one piece */
	wb_autofree char *text = wb_chunked_text(&c);

	assert_true(wb_chunked_parse(&c, text, n));
	for (size_t i = 0; i < MANY; i++)
		free(nodes[i].path);
	free(nodes);
	wb_vec_free(&l.nodes);
	wb_encoder_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table_says_what_the_tar_does, setup, teardown),
		cmocka_unit_test_setup_teardown(split_gives_the_tar, setup, teardown),
		cmocka_unit_test(annotations),
		cmocka_unit_test_setup_teardown(no_table_where_it_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(no_table_in_gzip, setup, teardown),
		cmocka_unit_test(what_fits),
		cmocka_unit_test_setup_teardown(found_again_with_its_table, setup, teardown),
		cmocka_unit_test(text_is_read_strictly),
		cmocka_unit_test(too_much_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
