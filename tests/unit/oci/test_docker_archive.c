#include "ocitest.h"

#include <fcntl.h>

#include "oci/copy.h"
#include "oci/docker_manifest.h"

static const struct wb_manifest_put v1 = {.root = true, .tag = "v1"};
static const struct wb_manifest_put named = {.root = true, .name = "docker.io/library/model:v1"};

static void put(const char *dir, const char *place, const struct wb_manifest_put *how,
	struct wb_document *m)
{
	ocitest_make(dir, place, "amd64", "weights", how, m);
}

/* gzip and zstd layers go in, and come out plain under the same diff_ids and config. */
static void test_round_trip(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest before = WB_MANIFEST_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest after = WB_MANIFEST_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_copy_result_release) struct wb_copy_result r = WB_COPY_RESULT_INIT;
	const struct wb_copy_opts opts = {0};

	put(dir, "docker-archive:d.tar", &named, &m);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t =
		ocitest_must_open(dir, "docker-archive:d.tar:model:v1", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_ok(wb_manifest_parse(&before, &m, "x", &err), &err);
	assert_ok(wb_manifest_parse(&after, &got, "x", &err), &err);
	assert_true(wb_digest_equal(&before.config.digest, &after.config.digest));
	assert_ok(wb_image_load(&img, t, &got, &err), &err);
	for (size_t i = 0; i < 2; i++) {
		wb_autofree char *tar = NULL;

		assert_string_equal(after.layers.items[i].media_type, WB_MT_OCI_LAYER);
		assert_true(wb_digest_equal(&after.layers.items[i].digest, &img.diff_ids.items[i]));
		assert_ok(
			wb_transport_read_blob(&tar, t, &after.layers.items[i], 1 << 20, "x", &err),
			&err);
	}
	WB_AUTO(wb_transport_freep)
	struct wb_transport *dst = ocitest_must_open(dir, "oci:back:v1", WB_TRANSPORT_WRITE);

	assert_ok(wb_copy_image(&r, dst, t, &opts, &err), &err);
	assert_ok(wb_transport_commit(dst, &err), &err);
	assert_int_equal(r.stats.blobs, 3);
	wbtest_rmdir(dir);
}

static void test_deterministic(void **state)
{
	char *dir = wbtest_dir();
	wb_autofree char *a = wb_asprintf("%s/a.tar", dir), *b = wb_asprintf("%s/b.tar", dir);
	const char *const cmp[] = {"cmp", a, b, NULL};

	put(dir, "docker-archive:a.tar", &named, NULL);
	put(dir, "docker-archive:b.tar", &named, NULL);
	assert_int_equal(ocitest_run(cmp, NULL), 0);
	wbtest_rmdir(dir);
}

/* One layer in two codings is one member; what was written for the second leaves no bytes. */
static void test_same_layer_twice(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct ocitest_layer gzip, zstd;
	struct wb_platform p = {.os = "linux", .arch = "amd64"};
	const struct wb_history h = {.created_by = "x"};
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document config = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_image_release) struct wb_image again = WB_IMAGE_INIT;
	struct wb_transport *t = ocitest_must_open(dir, "docker-archive:d.tar", WB_TRANSPORT_WRITE);

	ocitest_layer(&gzip, "f", "same", WB_CODING_GZIP);
	ocitest_layer(&zstd, "f", "same", WB_CODING_ZSTD);
	wb_image_scratch(&img, &p);
	assert_ok(wb_image_add_layer(&img, &gzip.desc, &gzip.diff_id, &h, &err), &err);
	assert_ok(wb_image_add_layer(&img, &zstd.desc, &zstd.diff_id, &h, &err), &err);
	assert_ok(wb_transport_put_bytes(t, &gzip.desc, gzip.bytes, &err), &err);
	assert_ok(wb_transport_put_bytes(t, &zstd.desc, zstd.bytes, &err), &err);
	assert_ok(wb_transport_put_bytes(t, &zstd.desc, zstd.bytes, &err), &err);
	assert_ok(wb_image_finish(&m, &config, &img, NULL, false, &err), &err);
	assert_ok(wb_transport_put_bytes(t, &config.desc, config.bytes, &err), &err);
	assert_ok(wb_transport_put_manifest(t, &m, &v1, &err), &err);
	assert_ok(wb_transport_commit(t, &err), &err);
	wb_transport_free(t);
	ocitest_layer_release(&gzip);
	ocitest_layer_release(&zstd);
	t = ocitest_must_open(dir, "docker-archive:d.tar", WB_TRANSPORT_READ);
	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_ok(wb_image_load(&again, t, &got, &err), &err);
	assert_int_equal(again.layers.n, 2);
	wb_transport_free(t);
	wbtest_rmdir(dir);
}

/* A layer that is not what the config says; a layer that does not decompress; one never put. */
static void test_wrong_layers(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct ocitest_layer good, other;
	struct wb_platform p = {.os = "linux", .arch = "amd64"};
	const struct wb_history h = {.created_by = "x"};
	struct wb_descriptor bad = WB_DESCRIPTOR_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document config = WB_DOCUMENT_INIT;
	struct wb_transport *t = ocitest_must_open(dir, "docker-archive:d.tar", WB_TRANSPORT_WRITE);

	ocitest_layer(&good, "f", "good", WB_CODING_ZSTD);
	ocitest_layer(&other, "f", "other", WB_CODING_NONE);
	wb_image_scratch(&img, &p);
	assert_ok(wb_image_add_layer(&img, &good.desc, &other.diff_id, &h, &err), &err);
	assert_ok(wb_image_finish(&m, &config, &img, NULL, false, &err), &err);
	assert_err(wb_transport_put_manifest(t, &m, &v1, &err), &err, WB_ERR_NOT_FOUND);
	assert_ok(wb_transport_put_bytes(t, &config.desc, config.bytes, &err), &err);
	assert_err(wb_transport_put_manifest(t, &m, &v1, &err), &err, WB_ERR_NOT_FOUND);
	assert_ok(wb_transport_put_bytes(t, &good.desc, good.bytes, &err), &err);
	assert_err(wb_transport_put_manifest(t, &m, &v1, &err), &err, WB_ERR_INTEGRITY);

	wb_descriptor_of(&bad, WB_MT_OCI_LAYER_ZSTD, "\x28\xb5\x2f\xfdgarbage", 11);
	assert_err(wb_transport_put_bytes(t, &bad, "\x28\xb5\x2f\xfdgarbage", &err), &err,
		WB_ERR_FORMAT);
	wb_descriptor_release(&bad);
	wb_descriptor_of(&bad, "application/x-other", "x", 1);
	assert_err(wb_transport_put_bytes(t, &bad, "x", &err), &err, WB_ERR_UNSUPPORTED);
	wb_descriptor_release(&bad);
	wb_transport_free(t);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
	ocitest_layer_release(&good);
	ocitest_layer_release(&other);
}

static void test_index_needs_platform(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct wb_document doc[2] = {{.bytes = NULL}}, root = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptors_release) wb_descriptors children = {0};
	WB_AUTO(wb_copy_result_release) struct wb_copy_result r = WB_COPY_RESULT_INIT;
	static const char *const arch[] = {"amd64", "arm64"};
	const struct wb_manifest_put child = {0};
	struct wb_platform p;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *src = ocitest_must_open(dir, "oci:src", WB_TRANSPORT_WRITE);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *dst =
		ocitest_must_open(dir, "docker-archive:d.tar:a/b", WB_TRANSPORT_WRITE);

	for (int i = 0; i < 2; i++) {
		struct wb_platform own = {.os = "linux"};

		snprintf(own.arch, sizeof(own.arch), "%s", arch[i]);
		ocitest_put_image(&doc[i], src, arch[i], arch[i], WB_CODING_ZSTD, &child);
		wb_descriptor_copy(wb_vec_push(&children), &doc[i].desc);
		wb_descriptor_set_platform(&children.items[i], &own);
		wb_document_release(&doc[i]);
	}
	assert_ok(wb_index_build(&root, children.items, 2, NULL, false, &err), &err);
	assert_ok(wb_transport_put_manifest(src, &root, &v1, &err), &err);
	assert_ok(wb_transport_commit(src, &err), &err);
	struct wb_copy_opts opts = {0};

	assert_err(wb_copy_image(&r, dst, src, &opts, &err), &err, WB_ERR_UNSUPPORTED);
	assert_contains(err.hint, "--platform");
	assert_ok(wb_platform_parse(&p, "linux/arm64", &err), &err);
	opts.platforms = &p;
	opts.n_platforms = 1;
	assert_ok(wb_copy_image(&r, dst, src, &opts, &err), &err);
	assert_ok(wb_transport_commit(dst, &err), &err);
	assert_true(wb_digest_equal(&r.root.desc.digest, &children.items[1].digest));
	wb_document_release(&root);
	wbtest_rmdir(dir);
}

/* As docker's older versions lay it out: a folder for each layer, some of them links, and layers
 * compressed by other tools. */
static void add_member(struct archive *a, const char *name, const char *p, size_t n)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_size(e, (la_int64_t)n);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, p, n), n);
	archive_entry_free(e);
}

static void add_symlink(struct archive *a, const char *name, const char *target)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFLNK);
	archive_entry_set_symlink(e, target);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	archive_entry_free(e);
}

static void write_foreign(const char *dir, const char *manifest)
{
	wb_autofree char *path = wb_asprintf("%s/f.tar", dir);
	struct archive *a = archive_write_new();
	struct ocitest_layer plain, gzip;

	ocitest_layer(&plain, "f", "plain", WB_CODING_NONE);
	ocitest_layer(&gzip, "g", "gzip", WB_CODING_GZIP);
	wb_autofree char *config = wb_asprintf(
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[\"%s\",\"%s\",\"%s\"]}}",
		wb_digest_text(&plain.diff_id).s, wb_digest_text(&gzip.diff_id).s,
		wb_digest_text(&plain.diff_id).s);

	archive_write_set_format_gnutar(a);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	add_member(a, "./manifest.json", manifest, strlen(manifest));
	add_member(a, "c.json", config, strlen(config));
	add_member(a, "1/layer.tar", plain.bytes, (size_t)plain.desc.size);
	add_member(a, "2/layer.tar", gzip.bytes, (size_t)gzip.desc.size);
	add_symlink(a, "3/layer.tar", "../1/layer.tar");
	archive_write_free(a);
	ocitest_layer_release(&plain);
	ocitest_layer_release(&gzip);
}

#define LAYERS "\"Layers\":[\"1/layer.tar\",\"2/layer.tar\",\"3/layer.tar\"]"

static void test_foreign_writer(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;

	write_foreign(dir, "[{\"Config\":\"c.json\",\"RepoTags\":null," LAYERS "}]");
	struct wb_transport *t = ocitest_must_open(dir, "docker-archive:f.tar", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_ok(wb_image_load(&img, t, &got, &err), &err);
	assert_int_equal(img.layers.n, 3);
	assert_string_equal(img.layers.items[1].media_type, WB_MT_OCI_LAYER_GZIP);
	wb_vec_foreach (layer, &img.layers) {
		wb_autofree char *bytes = NULL;

		assert_ok(wb_transport_read_blob(&bytes, t, layer, 1 << 20, "x", &err), &err);
	}
	/* By digest there is what was resolved, and its blobs; nothing else. */
	WB_AUTO(wb_document_release) struct wb_document again = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor other = WB_DESCRIPTOR_INIT;
	struct wb_reader *r = NULL;
	bool there = false;

	assert_ok(wb_transport_get_manifest(&again, t, &got.desc, &err), &err);
	assert_string_equal(again.bytes, got.bytes);
	assert_ok(wb_transport_has_blob(&there, t, &img.layers.items[0], &err), &err);
	assert_true(there);
	wb_descriptor_of(&other, WB_MT_OCI_MANIFEST, "{}", 2);
	assert_ok(wb_transport_has_blob(&there, t, &other, &err), &err);
	assert_false(there);
	assert_err(wb_transport_get_manifest(&again, t, &other, &err), &err, WB_ERR_NOT_FOUND);
	assert_err(wb_transport_open_blob(&r, t, &other, &err), &err, WB_ERR_NOT_FOUND);
	wb_transport_free(t);
	wb_document_release(&got);

	write_foreign(dir, "[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"b/c:2\"]," LAYERS
			   "},{\"Config\":\"none.json\",\"RepoTags\":[\"d:1\"],\"Layers\":[]}]");
	t = ocitest_must_open(dir, "docker-archive:f.tar", WB_TRANSPORT_READ);
	assert_err(wb_transport_resolve(&got, t, NULL, &err), &err, WB_ERR_USAGE);
	assert_contains(err.hint, "a:1, b/c:2, d:1");
	assert_err(wb_transport_resolve(&got, t, "d:1", &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "none.json");
	assert_err(wb_transport_resolve(&got, t, "x", &err), &err, WB_ERR_NOT_FOUND);
	assert_ok(wb_transport_resolve(&got, t, "docker.io/b/c:2", &err), &err);
	wb_document_release(&got);
	wb_transport_free(t);

	write_foreign(dir, "[{\"Config\":\"c.json\",\"Layers\":[\"../../etc/passwd\"]}]");
	t = ocitest_must_open(dir, "docker-archive:f.tar", WB_TRANSPORT_READ);
	assert_err(wb_transport_resolve(&got, t, NULL, &err), &err, WB_ERR_NOT_FOUND);
	wb_transport_free(t);
	wbtest_rmdir(dir);
}

/* Archives that no docker wrote. */
static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"[{\"Config\":\"c.json\",\"Layers\":[\"1/layer.tar\"]}]", /* fewer than diff_ids */
		"[{\"Config\":\"1/layer.tar\",\"Layers\":[]}]",
		"[{\"Config\":\"3/layer.tar\",\"Layers\":[]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"c.json\",\"1\",\"/\"]}]",
	};
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = wb_asprintf("%s/f.tar", dir);

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		write_foreign(dir, bad[i]);
		struct wb_transport *t =
			ocitest_must_open(dir, "docker-archive:f.tar", WB_TRANSPORT_READ);

		WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
		WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;

		wb_err_clear(&err);
		if (!wb_transport_resolve(&got, t, NULL, &err) &&
			!wb_image_load(&img, t, &got, &err))
			fail_msg("%s: taken", bad[i]);
		assert_contains(err.text, "f.tar");
		wb_transport_free(t);
	}
	write_foreign(dir, "not JSON");
	assert_null(ocitest_open(dir, "docker-archive:f.tar", WB_TRANSPORT_READ, &err));
	assert_int_equal(err.code, WB_ERR_FORMAT);
	assert_ok(wb_file_put(path, "no tar", 6, 0644, WB_FILE_REPLACE, &err), &err);
	assert_null(ocitest_open(dir, "docker-archive:f.tar", WB_TRANSPORT_READ, &err));
	assert_null(ocitest_open(dir, "docker-archive:none.tar", WB_TRANSPORT_READ, &err));
	assert_contains(err.text, "none.tar");
	wbtest_rmdir(dir);
}

static void test_manifest_refuses(void **state)
{
	static const char *const bad[] = {"", "{}", "[1]", "[{}]", "[{\"Config\":1}]",
		"[{\"Config\":\"c\",\"Layers\":1}]", "[{\"Config\":\"c\",\"Layers\":[1]}]",
		"[{\"Config\":\"c\",\"RepoTags\":[null]}]",
		"[{\"Config\":\"c\",\"Config\":\"d\"}]"};
	struct wb_err err = WB_ERR_INIT;
	struct wb_docker_manifest m = WB_DOCKER_MANIFEST_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++)
		assert_err(wb_docker_manifest_parse(&m, bad[i], strlen(bad[i]), "x", &err), &err,
			WB_ERR_FORMAT);
	assert_ok(wb_docker_manifest_parse(&m, "[]", 2, "x", &err), &err);
	assert_null(wb_docker_manifest_find(&m, NULL, "x", &err));
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	wb_docker_manifest_release(&m);
}

static void test_skopeo(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;

	put(dir, "docker-archive:d.tar", &named, NULL);
	wb_autofree char *ours = wb_asprintf("docker-archive:%s/d.tar:model:v1", dir);
	wb_autofree char *layout = wb_asprintf("oci:%s/copy:v1", dir);
	wb_autofree char *theirs = wb_asprintf("docker-archive:%s/s.tar:model:v2", dir);

	ocitest_skopeo_copy(dir, ours, layout, false);
	ocitest_skopeo_copy(dir, layout, theirs, false);
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t =
		ocitest_must_open(dir, "docker-archive:s.tar:model:v2", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_ok(wb_image_load(&img, t, &got, &err), &err);
	wb_vec_foreach (layer, &img.layers) {
		wb_autofree char *bytes = NULL;

		assert_ok(wb_transport_read_blob(&bytes, t, layer, 1 << 20, "x", &err), &err);
	}
	wbtest_rmdir(dir);
}

static void test_repo_tags(void **state)
{
	char *dir = wbtest_dir();

	put(dir, "docker-archive:d.tar:localhost/x/y", &v1, NULL);
	wb_autofree char *text = ocitest_read(dir, "d.tar");
	bool found = false;

	for (size_t i = 0; !found && i < 20000; i++) /* the tar is read past its NULs */
		found = !strncmp(text + i, "\"RepoTags\":[\"localhost/x/y:latest\"]", 35);
	assert_true(found);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_same_layer_twice),
		cmocka_unit_test(test_wrong_layers),
		cmocka_unit_test(test_index_needs_platform),
		cmocka_unit_test(test_foreign_writer),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_manifest_refuses),
		cmocka_unit_test(test_repo_tags),
		cmocka_unit_test(test_skopeo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
