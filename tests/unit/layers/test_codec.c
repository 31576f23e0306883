/* Encoded pieces, decoded by the libraries themselves and by gzip(1). */
#include "wbtest.h"

#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/path.h"
#include "layers/codec.h"

enum content { ZEROS, TEXT, NUMBERS, NOISE, MIXED, CONTENTS };

static void fill(uint8_t *p, size_t n, enum content kind, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		uint8_t r = (uint8_t)(seed >> 24);

		switch (kind) {
		case ZEROS: p[i] = 0; break;
		case TEXT: p[i] = (uint8_t) "{\"weight\": [0, 1]}\n"[(i + (r < 4)) % 19]; break;
		case NUMBERS: p[i] = i % 2 ? (uint8_t)(0x3b + (r & 3)) : r; break;
		case NOISE: p[i] = r; break;
		case MIXED: p[i] = i / 40000 % 2 ? r : (uint8_t)'x'; break;
		case CONTENTS: fail();
		}
	}
}

static size_t unzstd(uint8_t *out, size_t room, const uint8_t *p, size_t n)
{
	size_t got = ZSTD_decompress(out, room, p, n);

	if (ZSTD_isError(got))
		fail_msg("zstd: %s", ZSTD_getErrorName(got));
	return got;
}

static size_t gunzip(uint8_t *out, size_t room, const uint8_t *p, size_t n)
{
	z_stream z = {.next_in = (Bytef *)p,
		.avail_in = (uInt)n,
		.next_out = out,
		.avail_out = (uInt)room};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0); /* one member, nothing behind it */
	inflateEnd(&z);
	return room - z.avail_out;
}

/* A whole stream of pieces: head, pieces, tail. -> its length; *total: of what it holds. */
static size_t encode_all(uint8_t *out, uint8_t *plain, size_t *total, const struct wb_codec *c,
	const size_t *sizes, size_t n_sizes)
{
	struct wb_encoder *e = wb_encoder_new(c);
	size_t at = wb_codec_head(c, out);
	uint32_t crc = 0, piece_crc;

	assert_true(at <= WB_CODEC_TRIM);
	*total = 0;
	for (size_t i = 0; i < n_sizes; i++) {
		uint8_t *p = plain + *total;
		wb_autofree uint8_t *piece = wb_alloc(wb_codec_bound(c, sizes[i]));

		fill(p, sizes[i], (enum content)(i % CONTENTS), (uint32_t)i);
		size_t n = wb_encode(e, piece, p, sizes[i], &piece_crc);

		assert_true(n <= wb_codec_bound(c, sizes[i]));
		assert_int_equal(piece_crc, wb_codec_crc(c, p, sizes[i]));
		assert_true(wb_encoder_confirms(e, piece, n, p, sizes[i]));
		crc = wb_codec_crc_join(c, crc, piece_crc, sizes[i]);
		memcpy(out + at, piece, n);
		at += n;
		*total += sizes[i];
	}
	uint8_t tail[WB_CODEC_TRIM];
	size_t n = wb_codec_tail(c, tail, crc, *total);

	memcpy(out + at, tail, n);
	wb_encoder_free(e);
	return at + n;
}

static const size_t piece_sizes[] = {512, 1, 65535, 65536, 131071, 131072, 131073, 200000,
	WB_PIECE_MAX, WB_PIECE_MAX - 1, WB_PIECE_MAX, WB_PIECE_MAX, 3, 262144, WB_PIECE_MAX};

struct codec_case {
	const char *name;
	int level;
};
static const struct codec_case cases[] = {{"auto", 0}, {"zstd", 1}, {"zstd", 3}, {"zstd", 9},
	{"gzip", 0}, {"gzip", 1}, {"gzip", 9}, {"none", 0}};

static void every_kind_of_content_comes_back(void **state)
{
	size_t room = WB_ARRAY_LEN(piece_sizes) * (WB_PIECE_MAX + 4096);
	wb_autofree uint8_t *plain = wb_alloc(room), *packed = wb_alloc(room),
			    *back = wb_alloc(room);

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_codec c;
		size_t total, got;

		assert_ok(wb_codec_parse(&c, cases[i].name, cases[i].level, &err), &err);
		size_t n = encode_all(
			packed, plain, &total, &c, piece_sizes, WB_ARRAY_LEN(piece_sizes));

		switch (c.compression) {
		case WB_COMPRESS_ZSTD: got = unzstd(back, room, packed, n); break;
		case WB_COMPRESS_GZIP: got = gunzip(back, room, packed, n); break;
		case WB_COMPRESS_NONE:
			got = n;
			memcpy(back, packed, n);
			break;
		}
		assert_int_equal(got, total);
		assert_memory_equal(back, plain, total);
	}
}

/* An empty layer cannot be, but an empty gzip member must not need one. */
static void no_piece_at_all_is_a_stream(void **state)
{
	const struct wb_codec c = {WB_COMPRESS_GZIP, 0};
	uint8_t packed[64], back[8];
	size_t total;
	size_t n = encode_all(packed, back, &total, &c, NULL, 0);

	assert_int_equal(gunzip(back, sizeof(back), packed, n), 0);
}

static void gzip_itself_agrees(void **state)
{
	const struct wb_codec c = {WB_COMPRESS_GZIP, 0};
	size_t room = WB_ARRAY_LEN(piece_sizes) * (WB_PIECE_MAX + 4096), total;
	wb_autofree uint8_t *plain = wb_alloc(room), *packed = wb_alloc(room);
	wb_autofree char *dir = wbtest_dir(), *path = wb_path_join(dir, "x.gz");
	wb_autofree char *test = wb_asprintf("gzip -t %s", path);
	wb_autofree char *python = wb_asprintf(
		"python3 -c 'import gzip, sys; print(len(gzip.open(sys.argv[1]).read()))' %s",
		path);
	struct wb_err err = WB_ERR_INIT;
	size_t n = encode_all(packed, plain, &total, &c, piece_sizes, WB_ARRAY_LEN(piece_sizes));
	char line[32] = "";

	assert_ok(wb_file_put(path, packed, n, 0600, 0, &err), &err);
	FILE *p = popen(test, "r");

	assert_int_equal(pclose(p), 0);
	p = popen(python, "r");
	assert_non_null(fgets(line, sizeof(line), p));
	assert_int_equal(pclose(p), 0);
	assert_int_equal(strtoul(line, NULL, 10), total);
	assert_ok(wb_remove_tree(dir, &err), &err);
}

/* What does not shrink costs next to nothing. */
static void sizes_are_bounded(void **state)
{
	static const size_t sizes[] = {
		0, 1, 2, 100, 4096, 65534, 65535, 65536, 131072, 131073, 1000000, WB_PIECE_MAX};
	wb_autofree uint8_t *p = wb_alloc(WB_PIECE_MAX);

	for (size_t k = 0; k < WB_ARRAY_LEN(cases); k++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_codec c;

		assert_ok(wb_codec_parse(&c, cases[k].name, cases[k].level, &err), &err);
		struct wb_encoder *e = wb_encoder_new(&c);

		for (size_t i = 0; i < WB_ARRAY_LEN(sizes) * CONTENTS; i++) {
			size_t n = sizes[i / CONTENTS];
			wb_autofree uint8_t *out = wb_alloc(wb_codec_bound(&c, n));
			uint32_t crc;

			fill(p, n, (enum content)(i % CONTENTS), 99);
			if (!n && c.compression != WB_COMPRESS_NONE)
				continue;
			size_t got = wb_encode(e, out, p, n, &crc);

			assert_true(got <= wb_codec_bound(&c, n));
			if (got > n + n / 500 + 32)
				fail_msg("%s %d: %zu bytes became %zu", cases[k].name,
					cases[k].level, n, got);
		}
		wb_encoder_free(e);
	}
}

static void noise_is_stored_raw(void **state)
{
	const struct wb_codec c = {WB_COMPRESS_ZSTD, 0};
	struct wb_encoder *e = wb_encoder_new(&c);
	wb_autofree uint8_t *p = wb_alloc(WB_PIECE_MAX);
	wb_autofree uint8_t *out = wb_alloc(wb_codec_bound(&c, WB_PIECE_MAX));
	uint32_t crc;

	fill(p, WB_PIECE_MAX, NOISE, 5);
	assert_int_equal(wb_encode(e, out, p, WB_PIECE_MAX, &crc), WB_PIECE_MAX + 9 + 8 * 3);
	assert_memory_equal(out + 12, p, 1000);
	fill(p, WB_PIECE_MAX, NUMBERS, 5);
	assert_in_range(wb_encode(e, out, p, WB_PIECE_MAX, &crc), 1, WB_PIECE_MAX * 8 / 10);
	wb_encoder_free(e);
}

/* The digest of a layer depends on it: what an encoder did before leaves no trace. */
static void an_encoder_has_no_memory(void **state)
{
	for (size_t k = 0; k < WB_ARRAY_LEN(cases); k++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_codec c;

		assert_ok(wb_codec_parse(&c, cases[k].name, cases[k].level, &err), &err);
		struct wb_encoder *fresh = wb_encoder_new(&c), *used = wb_encoder_new(&c);
		size_t bound = wb_codec_bound(&c, WB_PIECE_MAX);
		wb_autofree uint8_t *p = wb_alloc(WB_PIECE_MAX), *a = wb_alloc(bound),
				    *b = wb_alloc(bound);
		uint32_t crc;

		for (uint32_t i = 0; i < 10; i++) {
			fill(p, WB_PIECE_MAX - i * 1000, (enum content)(i % CONTENTS), i);
			wb_encode(used, a, p, WB_PIECE_MAX - i * 1000, &crc);
		}
		fill(p, 300000, TEXT, 77);
		size_t n = wb_encode(used, a, p, 300000, &crc);

		assert_int_equal(wb_encode(fresh, b, p, 300000, &crc), n);
		assert_memory_equal(a, b, n);
		wb_encoder_free(fresh);
		wb_encoder_free(used);
	}
}

static void other_pieces_are_not_confirmed(void **state)
{
	for (size_t k = 0; k < WB_ARRAY_LEN(cases); k++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_codec c;

		assert_ok(wb_codec_parse(&c, cases[k].name, cases[k].level, &err), &err);
		struct wb_encoder *e = wb_encoder_new(&c);
		wb_autofree uint8_t *p = wb_alloc(200000);
		wb_autofree uint8_t *out = wb_alloc(wb_codec_bound(&c, 200000) + 1);
		uint32_t crc;

		fill(p, 200000, NUMBERS, 3); /* no bit of which can be said in another way */
		size_t n = wb_encode(e, out, p, 200000, &crc);

		assert_true(wb_encoder_confirms(e, out, n, p, 200000));
		out[n] = 0;
		assert_false(wb_encoder_confirms(e, out, n + 1, p, 200000));
		assert_false(wb_encoder_confirms(e, out, n - 1, p, 200000));
		assert_false(wb_encoder_confirms(e, out, n, p, 199999));
		assert_false(wb_encoder_confirms(e, out, 0, p, 200000));
		out[n / 2] ^= 0x10;
		assert_false(wb_encoder_confirms(e, out, n, p, 200000));
		memset(out, 0xff, n);
		assert_false(wb_encoder_confirms(e, out, n, p, 200000));
		wb_encoder_free(e);
	}
}

static void names_and_levels(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_codec c = {WB_COMPRESS_NONE, 42};
	char text[96];

	assert_err(wb_codec_parse(&c, "xz", 0, &err), &err, WB_ERR_USAGE);
	assert_contains(err.text, "\"xz\"");
	assert_err(wb_codec_parse(&c, "zstd", 20, &err), &err, WB_ERR_USAGE);
	assert_err(wb_codec_parse(&c, "gzip", 10, &err), &err, WB_ERR_USAGE);
	assert_err(wb_codec_parse(&c, "none", 1, &err), &err, WB_ERR_USAGE);
	assert_err(wb_codec_parse(&c, "zstd", -1, &err), &err, WB_ERR_USAGE);
	assert_int_equal(c.level, 42);
	assert_ok(wb_codec_parse(&c, "zstd", 19, &err), &err);
	wb_codec_describe(text, sizeof(text), &c);
	assert_contains(text, "zstd:19 literals:1 libzstd:");
	assert_string_equal(wb_codec_media_type(&c), "application/vnd.oci.image.layer.v1.tar+zstd");
	assert_ok(wb_codec_parse(&c, "gzip", 0, &err), &err);
	assert_string_equal(wb_codec_media_type(&c), "application/vnd.oci.image.layer.v1.tar+gzip");
	assert_ok(wb_codec_parse(&c, "none", 0, &err), &err);
	assert_string_equal(wb_codec_media_type(&c), "application/vnd.oci.image.layer.v1.tar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_content_comes_back),
		cmocka_unit_test(no_piece_at_all_is_a_stream),
		cmocka_unit_test(gzip_itself_agrees),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(noise_is_stored_raw),
		cmocka_unit_test(an_encoder_has_no_memory),
		cmocka_unit_test(other_pieces_are_not_confirmed),
		cmocka_unit_test(names_and_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
