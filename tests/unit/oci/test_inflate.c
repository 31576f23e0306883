#include "ocitest.h"

#include "oci/inflate.h"

struct bytes {
	struct wb_reader base;
	const char *p;
	size_t n, step;
	bool fails;
};

static int bytes_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct bytes *b = (struct bytes *)r;

	if (!b->n && b->fails)
		return wb_err_set(err, WB_ERR_NET, "the line went dead");
	if (n > b->step)
		n = b->step;
	if (n > b->n)
		n = b->n;
	memcpy(p, b->p, n);
	b->p += n;
	b->n -= n;
	*got = n;
	return 0;
}

static void bytes_close(struct wb_reader *r)
{
	free(r);
}

static struct wb_reader *from(const char *p, size_t n, size_t step, bool fails)
{
	struct bytes *b = wb_zalloc(sizeof(*b));

	*b = (struct bytes){.base = {.read = bytes_read, .close = bytes_close},
		.p = p,
		.n = n,
		.step = step,
		.fails = fails};
	return &b->base;
}

static int inflate(char *out, size_t size, size_t *n, struct wb_reader *in,
	enum wb_media_coding coding, struct wb_err *err)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = wb_reader_inflate(in, coding, "t", err);
	size_t got = 0;

	*n = 0;
	if (!r)
		return -1;
	do {
		if (wb_reader_read(r, out + *n, size - *n < 1000 ? size - *n : 1000, &got, err))
			return -1;
		*n += got;
	} while (got);
	return wb_reader_read(r, out, 1, &got, err); /* the end stays the end */
}

/* Two streams behind each other, in pieces of any size. */
static void test_streams(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char plain[30000], out[70000];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * i >> 7);
	for (int coding = WB_CODING_GZIP; coding <= WB_CODING_ZSTD; coding++) {
		size_t packed, n;
		wb_autofree char *one = ocitest_compress(
			plain, sizeof(plain), (enum wb_media_coding)coding, &packed);
		wb_autofree char *two = wb_zalloc(packed * 2);

		memcpy(two, one, packed);
		memcpy(two + packed, one, packed);
		assert_int_equal(wb_coding_sniff(one, packed), coding);
		for (size_t step = 1; step < 100000; step = step * 7 + 1) {
			assert_ok(inflate(out, sizeof(out), &n, from(two, packed * 2, step, false),
					  (enum wb_media_coding)coding, &err),
				&err);
			assert_int_equal(n, 2 * sizeof(plain));
			assert_memory_equal(out, plain, sizeof(plain));
			assert_memory_equal(out + sizeof(plain), plain, sizeof(plain));
		}
		/* cut short, whether at a read error or at the end */
		assert_err(inflate(out, sizeof(out), &n, from(two, packed - 20, 100, true),
				   (enum wb_media_coding)coding, &err),
			&err, WB_ERR_NET);
		assert_err(inflate(out, sizeof(out), &n, from(two, packed - 20, 100, false),
				   WB_CODING_ZSTD, &err),
			&err, WB_ERR_FORMAT);
	}
}

/* A blob that is right only in the part that the decoder needs is still refused. */
static void test_trailing(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	char out[100];
	size_t packed, n;
	wb_autofree char *one = ocitest_compress("hello", 5, WB_CODING_GZIP, &packed);
	wb_autofree char *more = wb_zalloc(packed + 4);

	memcpy(more, one, packed);
	wb_descriptor_of(&d, WB_MT_OCI_LAYER_GZIP, one, packed);
	assert_err(inflate(out, sizeof(out), &n,
			   wb_reader_verify(from(more, packed + 4, 7, false), &d, "v"),
			   WB_CODING_GZIP, &err),
		&err, WB_ERR_INTEGRITY);
	assert_ok(inflate(out, sizeof(out), &n,
			  wb_reader_verify(from(one, packed, 7, false), &d, "v"), WB_CODING_GZIP,
			  &err),
		&err);
	assert_int_equal(n, 5);
	wb_descriptor_release(&d);
}

/* Packed twice is unpacked once. */
static void test_once(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	size_t first, second, n;
	char out[1000];
	wb_autofree char *one = ocitest_compress("hello", 5, WB_CODING_GZIP, &first);
	wb_autofree char *two = ocitest_compress(one, first, WB_CODING_GZIP, &second);

	assert_ok(
		inflate(out, sizeof(out), &n, from(two, second, 100, false), WB_CODING_GZIP, &err),
		&err);
	assert_int_equal(n, first);
	assert_memory_equal(out, one, first);
}

static void test_garbage(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char out[1000];
	size_t n;

	assert_err(inflate(out, sizeof(out), &n, from("not gzip at all", 15, 15, false),
			   WB_CODING_GZIP, &err),
		&err, WB_ERR_FORMAT);
	assert_err(inflate(out, sizeof(out), &n, from("not zstd at all", 15, 15, false),
			   WB_CODING_ZSTD, &err),
		&err, WB_ERR_FORMAT);
	assert_ok(inflate(out, sizeof(out), &n, from("plain", 5, 2, false), WB_CODING_NONE, &err),
		&err);
	assert_int_equal(n, 5);
	assert_int_equal(wb_coding_sniff("\x51\x2a\x4d\x18", 4), WB_CODING_ZSTD);
	assert_int_equal(wb_coding_sniff("\x1f", 1), WB_CODING_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
