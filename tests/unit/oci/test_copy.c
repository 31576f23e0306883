#include "ocitest.h"

#include "oci/copy.h"

static const struct wb_manifest_put child = {0};
static const struct wb_manifest_put v1 = {.root = true, .tag = "v1"};

/* oci:src:v1, an index of amd64, arm64 and an attestation of amd64. */
static void make_index(const char *dir, struct wb_document *root)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:src", WB_TRANSPORT_WRITE);
	static const char *const arch[] = {"amd64", "arm64", "unknown"};
	WB_AUTO(wb_descriptors_release) wb_descriptors children = {0};
	wb_autojson json_t *notes = json_pack("{s:s}", "k", "v");

	for (int i = 0; i < 3; i++) {
		struct wb_document m = WB_DOCUMENT_INIT;
		struct wb_platform p = {.os = "linux"};

		snprintf(p.arch, sizeof(p.arch), "%s", arch[i]);
		ocitest_put_image(&m, t, arch[i], arch[i], WB_CODING_ZSTD, &child);
		struct wb_descriptor *d = wb_vec_push(&children);

		wb_descriptor_copy(d, &m.desc);
		wb_descriptor_set_platform(d, &p);
		if (i == 2) {
			wb_descriptor_annotate(
				d, "vnd.docker.reference.type", "attestation-manifest");
			wb_descriptor_annotate(d, "vnd.docker.reference.digest",
				wb_digest_text(&children.items[0].digest).s);
		}
		wb_document_release(&m);
	}
	assert_ok(wb_index_build(root, children.items, children.n, notes, false, &err), &err);
	assert_ok(wb_transport_put_manifest(t, root, &v1, &err), &err);
	assert_ok(wb_transport_commit(t, &err), &err);
}

static int copy(struct wb_copy_result *r, const char *dir, const char *to, const char *from,
	const struct wb_copy_opts *opts, struct wb_err *err)
{
	static const struct wb_copy_opts plain;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *src = ocitest_must_open(dir, from, WB_TRANSPORT_READ);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *dst = ocitest_must_open(dir, to, WB_TRANSPORT_WRITE);

	if (wb_copy_image(r, dst, src, opts ? opts : &plain, err))
		return -1;
	return wb_transport_commit(dst, err);
}

static void expect_root(const char *dir, const char *place, const struct wb_digest *want)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, place, WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_true(wb_digest_equal(&got.desc.digest, want));
}

static void test_whole_index(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document root = WB_DOCUMENT_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result r = WB_COPY_RESULT_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result again = WB_COPY_RESULT_INIT;

	make_index(dir, &root);
	assert_ok(copy(&r, dir, "oci-archive:a.tar:t", "oci:src:v1", NULL, &err), &err);
	/* three configs and weights, one base layer that all share */
	assert_int_equal(r.stats.blobs, 7);
	assert_int_equal(r.stats.sent, r.stats.bytes);
	assert_true(wb_digest_equal(&r.root.desc.digest, &root.desc.digest));
	assert_ok(copy(&again, dir, "oci:back:v1", "oci-archive:a.tar:t", NULL, &err), &err);
	wb_copy_result_release(&again);
	expect_root(dir, "oci:back:v1", &root.desc.digest);
	assert_ok(copy(&again, dir, "oci:back:v2", "oci-archive:a.tar:t", NULL, &err), &err);
	assert_int_equal(again.stats.sent, 0);
	assert_int_equal(again.stats.present, 7);
	expect_root(dir, "oci:back:v2", &root.desc.digest);
	wbtest_rmdir(dir);
}

static void test_platforms(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct wb_platform p[2];
	WB_AUTO(wb_document_release) struct wb_document root = WB_DOCUMENT_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result one = WB_COPY_RESULT_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result two = WB_COPY_RESULT_INIT;
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;

	make_index(dir, &root);
	assert_ok(wb_platform_parse(&p[0], "linux/amd64", &err), &err);
	assert_ok(wb_platform_parse(&p[1], "linux/arm64", &err), &err);
	struct wb_copy_opts opts = {.platforms = p, .n_platforms = 1};

	assert_ok(copy(&one, dir, "oci:one", "oci:src:v1", &opts, &err), &err);
	assert_string_equal(one.root.desc.media_type, WB_MT_OCI_MANIFEST);
	assert_int_equal(one.stats.blobs, 3);
	opts.n_platforms = 2;
	assert_ok(copy(&two, dir, "oci:two", "oci:src:v1", &opts, &err), &err);
	assert_ok(wb_index_parse(&x, &two.root, "x", &err), &err);
	assert_int_equal(x.children.n, 3); /* the attestation goes with its image */
	assert_contains(two.root.bytes, "\"annotations\":{\"k\":\"v\"}");
	opts.platforms = &p[1];
	opts.n_platforms = 1;
	wb_copy_result_release(&two);
	assert_ok(copy(&two, dir, "oci:two", "oci:src:v1", &opts, &err), &err);
	assert_ok(wb_platform_parse(&p[0], "linux/s390x", &err), &err);
	opts.platforms = p;
	assert_err(copy(&two, dir, "oci:two", "oci:src:v1", &opts, &err), &err, WB_ERR_NOT_FOUND);
	wbtest_rmdir(dir);
}

/* A source that lost or changed a blob: an error, and no image in the destination. */
static void test_bad_source(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document root = WB_DOCUMENT_INIT;
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	struct wb_copy_result r = WB_COPY_RESULT_INIT;

	make_index(dir, &root);
	assert_ok(wb_index_parse(&x, &root, "x", &err), &err);
	struct wb_transport *t = ocitest_must_open(dir, "oci:src", WB_TRANSPORT_READ);

	assert_ok(wb_transport_get_manifest(&doc, t, &x.children.items[0], &err), &err);
	assert_ok(wb_manifest_parse(&m, &doc, "m", &err), &err);
	uint64_t offset;
	wb_autofree char *path = t->ops->blob_path(t, &m.layers.items[1], &offset);

	wb_transport_free(t);
	wb_autofree char *bytes = wb_zalloc((size_t)m.layers.items[1].size);

	assert_ok(wb_file_put(
			  path, bytes, (size_t)m.layers.items[1].size, 0644, WB_FILE_REPLACE, &err),
		&err);
	assert_err(copy(&r, dir, "oci:dst", "oci:src:v1", NULL, &err), &err, WB_ERR_INTEGRITY);
	assert_err(copy(&r, dir, "oci-archive:d.tar", "oci:src:v1", NULL, &err), &err,
		WB_ERR_INTEGRITY);
	assert_null(ocitest_open(dir, "oci:dst", WB_TRANSPORT_READ, &err));
	assert_null(ocitest_open(dir, "oci-archive:d.tar", WB_TRANSPORT_READ, &err));
	assert_int_equal(unlink(path), 0);
	assert_err(copy(&r, dir, "oci:dst", "oci:src:v1", NULL, &err), &err, WB_ERR_NOT_FOUND);
	wb_autofree char *manifest = wb_asprintf(
		"%s/src/blobs/sha256/%s", dir, wb_digest_hex(&x.children.items[1].digest).s);

	assert_int_equal(unlink(manifest), 0);
	assert_err(copy(&r, dir, "oci:dst", "oci:src:v1", NULL, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.hint, "--platform");
	wbtest_rmdir(dir);
}

/* Two repositories of one registry: blobs are offered for mounting, and children that the
 * destination has are not looked into. */
struct spy {
	struct wb_transport_ops ops;
	int (*put_blob)(struct wb_put_result *, struct wb_transport *, const struct wb_descriptor *,
		const struct wb_blob_source *, const struct wb_put_opts *, struct wb_err *);
	size_t mounts;
};

static struct spy spy;

static int spy_put(struct wb_put_result *out, struct wb_transport *t, const struct wb_descriptor *d,
	const struct wb_blob_source *src, const struct wb_put_opts *opts, struct wb_err *err)
{
	if (opts->mount_from && !strcmp(opts->mount_from, "theirs"))
		__atomic_add_fetch(&spy.mounts, 1, __ATOMIC_SEQ_CST);
	return spy.put_blob(out, t, d, src, opts, err);
}

static void test_one_registry(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	const struct wb_copy_opts opts = {.jobs = 8};
	WB_AUTO(wb_document_release) struct wb_document root = WB_DOCUMENT_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result r = WB_COPY_RESULT_INIT;

	make_index(dir, &root);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *src = ocitest_must_open(dir, "oci:src", WB_TRANSPORT_READ);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *dst = ocitest_must_open(dir, "oci:dst", WB_TRANSPORT_WRITE);

	src->host = dst->host = "h.example";
	src->repository = "theirs";
	dst->repository = "ours";
	spy.ops = *dst->ops;
	spy.put_blob = spy.ops.put_blob;
	spy.ops.put_blob = spy_put;
	dst->ops = &spy.ops;
	assert_ok(wb_copy_image(&r, dst, src, &opts, &err), &err);
	assert_int_equal(spy.mounts, 7);
	wb_copy_result_release(&r);
	assert_ok(wb_copy_image(&r, dst, src, &opts, &err), &err);
	assert_int_equal(r.stats.blobs, 0);
	wbtest_rmdir(dir);
}

struct seen {
	size_t started, ended;
	uint64_t done;
};

static void on_start(void *arg, const struct wb_descriptor *d)
{
	__atomic_add_fetch(&((struct seen *)arg)->started, 1, __ATOMIC_SEQ_CST);
}

static void on_progress(void *arg, const struct wb_descriptor *d, uint64_t done)
{
	assert_true(done <= d->size);
	if (done == d->size)
		__atomic_add_fetch(&((struct seen *)arg)->done, 1, __ATOMIC_SEQ_CST);
}

static void on_end(void *arg, const struct wb_descriptor *d, const struct wb_put_result *how)
{
	__atomic_add_fetch(&((struct seen *)arg)->ended, 1, __ATOMIC_SEQ_CST);
}

static void test_watch(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct seen seen = {0};
	const struct wb_copy_watch watch = {
		.start = on_start, .progress = on_progress, .end = on_end, .arg = &seen};
	const struct wb_manifest_put names[] = {
		{.root = true, .tag = "a"}, {.root = true, .tag = "b"}};
	const struct wb_copy_opts opts = {
		.watch = &watch, .names = names, .n_names = 2, .ref = "v1"};
	WB_AUTO(wb_document_release) struct wb_document root = WB_DOCUMENT_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result r = WB_COPY_RESULT_INIT;

	make_index(dir, &root);
	assert_ok(copy(&r, dir, "oci:dst", "oci:src", &opts, &err), &err);
	assert_int_equal(seen.started, 7);
	assert_int_equal(seen.ended, 7);
	assert_true(seen.done >= 7);
	expect_root(dir, "oci:dst:a", &root.desc.digest);
	expect_root(dir, "oci:dst:b", &root.desc.digest);
	wbtest_rmdir(dir);
}

/* An index that names itself at the end of a chain cannot be made (digests); a deep chain can. */
static void test_deep(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct wb_copy_result r = WB_COPY_RESULT_INIT;
	struct wb_document doc = WB_DOCUMENT_INIT;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:src", WB_TRANSPORT_WRITE);

	ocitest_put_image(&doc, t, "amd64", "x", WB_CODING_NONE, &child);
	for (int i = 0; i < 8; i++) {
		struct wb_document up = WB_DOCUMENT_INIT;

		assert_ok(wb_index_build(&up, &doc.desc, 1, NULL, false, &err), &err);
		assert_ok(wb_transport_put_manifest(t, &up, i == 7 ? &v1 : &child, &err), &err);
		wb_document_release(&doc);
		doc = up;
	}
	wb_document_release(&doc);
	assert_ok(wb_transport_commit(t, &err), &err);
	assert_err(copy(&r, dir, "oci:dst", "oci:src", NULL, &err), &err, WB_ERR_LIMIT);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_index),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_bad_source),
		cmocka_unit_test(test_one_registry),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
