/* Layers that want more of the reader than they are worth. */
#include "ocitest.h"

#include <stdio.h>

#include "oci/layer_scan.h"
#include "oci/tarfile.h"

struct pieces {
	struct wb_reader base;
	const char *head, *piece;
	size_t head_len, piece_len, at;
	uint64_t times;
};

static int pieces_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct pieces *s = (struct pieces *)r;

	if (s->head && s->at == s->head_len) {
		s->head = NULL;
		s->at = 0;
	}
	if (!s->head && s->at == s->piece_len && s->times) {
		s->times--;
		s->at = 0;
	}
	const char *from = s->head ? s->head : s->piece;
	size_t left = (s->head ? s->head_len : s->times ? s->piece_len : s->at) - s->at;

	*got = n < left ? n : left;
	memcpy(p, from + s->at, *got);
	s->at += *got;
	return 0;
}

static void pieces_close(struct wb_reader *r)
{
}

struct seen {
	size_t entries;
	uint64_t bytes;
};

static int on_entry(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	struct seen *seen = arg;

	seen->entries++;
	return 0;
}

static int on_data(void *arg, const void *p, size_t n, struct wb_err *err)
{
	struct seen *seen = arg;

	seen->bytes += n;
	return 0;
}

static int scan(struct seen *seen, const char *head, size_t head_len, const char *piece,
	size_t piece_len, uint64_t times, uint64_t most, struct wb_err *err)
{
	struct pieces s = {.base = {pieces_read, pieces_close},
		.head = head,
		.piece = piece,
		.head_len = head_len,
		.piece_len = piece_len,
		.times = times};
	const struct wb_layer_visitor v = {.entry = on_entry, .data = on_data, .arg = seen};

	*seen = (struct seen){0};
	return wb_layer_scan(&s.base, "layer", most, &v, err);
}

static void test_expansion(void **state)
{
	static const char zeros[1 << 16];
	uint8_t head[512];
	struct wb_err err = WB_ERR_INIT;
	struct seen seen;

	wb_tarfile_header(head, "zeros", false, 64 << 20);
	assert_ok(
		scan(&seen, (char *)head, 512, zeros, sizeof(zeros), 1025, 65u << 20, &err), &err);
	assert_int_equal(seen.entries, 1);
	assert_int_equal(seen.bytes, 64 << 20);
	/* in the file, and behind the tar's end */
	assert_err(scan(&seen, (char *)head, 512, zeros, sizeof(zeros), 1025, 32u << 20, &err),
		&err, WB_ERR_LIMIT);
	assert_contains(err.text, "expands to more than 33.6 MB");
	assert_err(
		scan(&seen, (char *)head, 512, zeros, sizeof(zeros), UINT64_MAX, 65u << 20, &err),
		&err, WB_ERR_LIMIT);
	assert_true(wb_layer_expansion(1000, 5) == 1100005);
	assert_true(wb_layer_expansion(UINT64_MAX / 2, 5) == UINT64_MAX);
}

static void pax_header(char out[1024], const char *records)
{
	memset(out, 0, 1024);
	wb_tarfile_header((uint8_t *)out, "pax", false, strlen(records));
	out[156] = 'x';
	unsigned sum = 0;

	memset(out + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)out[i];
	snprintf(out + 148, 8, "%06o", sum);
	memcpy(out + 512, records, strlen(records));
}

/* A map of a sparse file: libarchive makes a list of it while it reads the header. */
static void test_sparse_map(void **state)
{
	static const char map[] = "0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n";
	char head[1536];
	struct wb_err err = WB_ERR_INIT;
	struct seen seen;

	pax_header(head, "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
			 "21 GNU.sparse.name=x\n27 GNU.sparse.realsize=10\n");
	wb_tarfile_header((uint8_t *)head + 1024, "x", false, UINT64_C(1) << 32);

	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, 1 << 20, "head");
	assert_ok(wb_buf_add(&b, head, sizeof(head), &err), &err);
	assert_ok(wb_buf_puts(&b, "1000000000\n", &err), &err);
	assert_err(scan(&seen, b.data, b.len, map, sizeof(map) - 1, 1 << 26, UINT64_MAX, &err),
		&err, WB_ERR_LIMIT);
	assert_contains(err.text, "the headers of one entry are larger than 8.4 MB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_sparse_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
