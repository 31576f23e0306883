#include "ocitest.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/pool.h"

static const struct wb_manifest_put v1 = {.root = true, .tag = "v1"};

static void put(const char *dir, const char *place, const char *content, struct wb_document *m)
{
	ocitest_make(dir, place, "arm64", content, &v1, m);
}

static void digest_of(struct wb_digest *out, const char *dir, const char *name)
{
	wb_autofree char *path = wb_asprintf("%s/%s", dir, name);
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf b;
	struct wb_descriptor d = WB_DESCRIPTOR_INIT;

	wb_buf_init(&b, 1 << 20, "test");
	assert_ok(wb_file_read(&b, path, &err), &err);
	wb_descriptor_of(&d, "a/b", b.data, b.len);
	*out = d.digest;
	wb_descriptor_release(&d);
}

static void test_write_and_read(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	struct wb_digest first, second;

	put(dir, "oci-archive:a.tar", "weights", &m);
	put(dir, "oci-archive:b.tar", "weights", NULL);
	digest_of(&first, dir, "a.tar");
	digest_of(&second, dir, "b.tar");
	assert_true(wb_digest_equal(&first, &second));
	put(dir, "oci-archive:b.tar", "other", NULL); /* replaced whole */
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci-archive:a.tar:v1", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_true(wb_digest_equal(&got.desc.digest, &m.desc.digest));
	assert_ok(wb_image_load(&img, t, &got, &err), &err);
	assert_int_equal(img.layers.n, 2);
	wb_vec_foreach (layer, &img.layers) {
		wb_autofree char *bytes = NULL, *again = wb_zalloc((size_t)layer->size);
		uint64_t offset = 0;
		wb_autofree char *path = t->ops->blob_path(t, layer, &offset);
		wb_autoclose int fd = open(path, O_RDONLY);

		assert_ok(wb_transport_read_blob(&bytes, t, layer, 1 << 20, "x", &err), &err);
		assert_int_equal(pread(fd, again, (size_t)layer->size, (off_t)offset), layer->size);
		assert_memory_equal(bytes, again, layer->size);
	}
	wbtest_rmdir(dir);
}

/* Blobs in any order, from many threads: the archive is laid out as announced. */
struct parallel {
	struct wb_transport *t;
	struct wb_descriptor d[40];
	char *bytes[40];
	bool backwards;
};

static int put_one(void *arg, size_t i, struct wb_err *err)
{
	struct parallel *p = arg;
	size_t k = p->backwards ? WB_ARRAY_LEN(p->d) - 1 - i : i;

	return wb_transport_put_bytes(p->t, &p->d[k], p->bytes[k], err);
}

static void write_parallel(struct parallel *p, const char *dir, const char *place, unsigned threads)
{
	struct wb_err err = WB_ERR_INIT;

	p->t = ocitest_must_open(dir, place, WB_TRANSPORT_WRITE);
	assert_ok(wb_transport_announce(p->t, p->d, WB_ARRAY_LEN(p->d), &err), &err);
	assert_ok(wb_pool_run(threads, WB_ARRAY_LEN(p->d), put_one, p, &err), &err);
	assert_ok(wb_transport_commit(p->t, &err), &err);
	wb_transport_free(p->t);
}

static void test_parallel(void **state)
{
	char *dir = wbtest_dir();
	struct parallel p = {0};
	struct wb_digest a, b, c;

	for (size_t i = 0; i < WB_ARRAY_LEN(p.d); i++) {
		size_t n = i * 731;

		p.bytes[i] = wb_zalloc(n + 1);
		memset(p.bytes[i], 'a' + (int)i % 26, n);
		wb_descriptor_of(&p.d[i], WB_MT_OCI_LAYER, p.bytes[i], n);
	}
	write_parallel(&p, dir, "oci-archive:a.tar", 1);
	write_parallel(&p, dir, "oci-archive:b.tar", 8);
	p.backwards = true;
	write_parallel(&p, dir, "oci-archive:c.tar", 3);
	digest_of(&a, dir, "a.tar");
	digest_of(&b, dir, "b.tar");
	digest_of(&c, dir, "c.tar");
	assert_true(wb_digest_equal(&a, &b));
	assert_true(wb_digest_equal(&a, &c));
	for (size_t i = 0; i < WB_ARRAY_LEN(p.d); i++) {
		free(p.bytes[i]);
		wb_descriptor_release(&p.d[i]);
	}
	wbtest_rmdir(dir);
}

static void test_no_trace(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	struct wb_document got = WB_DOCUMENT_INIT;
	struct wb_transport *t = ocitest_must_open(dir, "oci-archive:a.tar", WB_TRANSPORT_WRITE);

	wb_descriptor_of(&d, "a/b", "x", 1);
	assert_ok(wb_transport_announce(t, &d, 1, &err), &err);
	assert_err(wb_transport_put_bytes(t, &d, "y", &err), &err, WB_ERR_INTEGRITY);
	assert_err(wb_transport_commit(t, &err), &err, WB_ERR_IO);
	assert_err(wb_transport_resolve(&got, t, "v1", &err), &err, WB_ERR_UNSUPPORTED);
	wb_transport_free(t);
	assert_int_equal(rmdir(dir), 0); /* empty: not even a temporary */
	wb_descriptor_release(&d);
	free(dir);
}

static void test_refuses(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_asprintf("%s/a.tar", dir);
	struct wb_document got = WB_DOCUMENT_INIT;
	struct stat st;

	assert_null(ocitest_open(dir, "oci-archive:a.tar", WB_TRANSPORT_READ, &err));
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	put(dir, "oci-archive:a.tar", "weights", NULL);
	assert_int_equal(stat(path, &st), 0);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci-archive:a.tar", WB_TRANSPORT_READ);

	assert_err(wb_transport_resolve(&got, t, "v2", &err), &err, WB_ERR_NOT_FOUND);
	/* cut anywhere, it is refused when opened or, cut inside the padding, still whole */
	for (off_t n = st.st_size - 1; n > 0; n -= 997) {
		assert_int_equal(truncate(path, n), 0);
		struct wb_transport *cut =
			ocitest_open(dir, "oci-archive:a.tar", WB_TRANSPORT_READ, &err);

		if (cut)
			assert_ok(wb_transport_resolve(&got, cut, "v1", &err), &err);
		wb_document_release(&got);
		wb_transport_free(cut);
	}
	wbtest_rmdir(dir);
}

static void test_skopeo(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;

	put(dir, "oci-archive:a.tar", "weights", &m);
	wb_autofree char *src = wb_asprintf("oci-archive:%s/a.tar:v1", dir);
	wb_autofree char *mid = wb_asprintf("oci:%s/copy:v1", dir);
	wb_autofree char *dst = wb_asprintf("oci-archive:%s/b.tar:v1", dir);

	ocitest_skopeo_copy(dir, src, mid, true);
	ocitest_skopeo_copy(dir, mid, dst, true);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci-archive:b.tar:v1", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_true(wb_digest_equal(&got.desc.digest, &m.desc.digest));
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_no_trace),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_skopeo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
