#include "ocitest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/path.h"
#include "oci/layout_index.h"
#include "oci/layout_prune.h"

static const struct wb_manifest_put v1 = {.root = true, .tag = "v1"};
static const struct wb_manifest_put unnamed = {.root = true};

static void write_text(const char *dir, const char *name, const char *text)
{
	wb_autofree char *path = wb_asprintf("%s/%s", dir, name);
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_put(path, text, strlen(text), 0644, WB_FILE_REPLACE, &err), &err);
}

static void put(const char *dir, const char *place, const char *content,
	const struct wb_manifest_put *how, struct wb_document *manifest)
{
	ocitest_make(dir, place, "amd64", content, how, manifest);
}

static void test_write_and_read(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document pinned = WB_DOCUMENT_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;

	put(dir, "oci:img", "weights", &v1, &m);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:img:v1", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_true(wb_digest_equal(&got.desc.digest, &m.desc.digest));
	assert_string_equal(got.bytes, m.bytes);
	assert_ok(wb_transport_resolve(&pinned, t, wb_digest_text(&m.desc.digest).s, &err), &err);
	assert_ok(wb_image_load(&img, t, &got, &err), &err);
	assert_int_equal(img.layers.n, 2);
	wb_vec_foreach (layer, &img.layers) {
		wb_autofree char *bytes = NULL;
		uint64_t offset = 1;
		wb_autofree char *path = t->ops->blob_path(t, layer, &offset);
		bool has = false;

		assert_ok(wb_transport_has_blob(&has, t, layer, &err), &err);
		assert_true(has);
		assert_ok(wb_transport_read_blob(&bytes, t, layer, 1 << 20, "x", &err), &err);
		assert_non_null(path);
		assert_int_equal(offset, 0);
	}
	wbtest_rmdir(dir);
}

/* The one unnamed image is replaced, named ones of others stay, so do members nobody knows. */
static void test_index_kept(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_layout_index_release) struct wb_layout_index x = WB_LAYOUT_INDEX_INIT;

	put(dir, "oci:img", "one", &v1, NULL);
	wb_autofree char *path = wb_asprintf("%s/img", dir);
	wb_autofree char *text = ocitest_read(path, "index.json");

	text[strlen(text) - 1] = '\0';
	wb_autofree char *more = wb_asprintf("%s,\"x-theirs\":[true]}", text);

	write_text(path, "index.json", more);
	put(dir, "oci:img", "two", &unnamed, NULL);
	put(dir, "oci:img", "three", &unnamed, NULL);
	put(dir, "oci:img:v1", "four", &unnamed, NULL); /* the place's own tag */
	put(dir, "oci:img", "five",
		&(struct wb_manifest_put){.root = true, .tag = "v2", .name = "docker.io/a/b:v2"},
		NULL);
	put(dir, "oci:img", "six",
		&(struct wb_manifest_put){.root = true, .tag = "v2", .name = "docker.io/c/d:v2"},
		NULL);
	wb_autofree char *after = ocitest_read(path, "index.json");

	assert_contains(after, "\"x-theirs\":[true]");
	assert_ok(wb_layout_index_parse(&x, after, strlen(after), "x", &err), &err);
	assert_int_equal(x.entries.n, 4); /* unnamed, v1, a/b:v2, c/d:v2 */
	assert_non_null(wb_layout_index_find(&x, "v1", "x", &err));
	assert_non_null(wb_layout_index_find(&x, "docker.io/c/d:v2", "x", &err));
	assert_null(wb_layout_index_find(&x, "v2", "x", &err));
	assert_contains(err.text, "more than one");
	assert_null(wb_layout_index_find(&x, NULL, "x", &err));
	assert_int_equal(err.code, WB_ERR_USAGE);
	assert_null(wb_layout_index_find(&x, "v9", "x", &err));
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	assert_contains(err.hint, "v1");
	wbtest_rmdir(dir);
}

/* Freed without commit: blobs may be there, but no image is. */
static void test_abandoned(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	struct wb_document got = WB_DOCUMENT_INIT;
	struct wb_transport *t = ocitest_must_open(dir, "oci:img", WB_TRANSPORT_WRITE);

	ocitest_put_image(NULL, t, "amd64", "x", WB_CODING_NONE, &v1);
	wb_transport_free(t);
	assert_null(ocitest_open(dir, "oci:img", WB_TRANSPORT_READ, &err));
	assert_contains(err.hint, "not finished");
	put(dir, "oci:img", "x", &v1, NULL);
	t = ocitest_must_open(dir, "oci:img", WB_TRANSPORT_READ);
	assert_ok(wb_transport_resolve(&got, t, "v1", &err), &err);
	wb_document_release(&got);
	wb_transport_free(t);
	wbtest_rmdir(dir);
}

static void test_foreign_folder(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;

	write_text(dir, "precious.txt", "x");
	wb_autofree char *place = wb_asprintf("oci:%s", "../");
	WB_AUTO(wb_place_release) struct wb_place p = WB_PLACE_INIT;

	p.path = wb_strdup(dir);
	p.kind = WB_PLACE_LAYOUT;
	assert_null(wb_layout_open(&p, WB_TRANSPORT_WRITE, &err));
	assert_int_equal(err.code, WB_ERR_USAGE);
	assert_contains(err.text, "precious.txt");
	assert_null(wb_layout_open(&p, WB_TRANSPORT_READ, &err));
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	write_text(dir, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	assert_null(wb_layout_open(&p, WB_TRANSPORT_READ, &err));
	assert_int_equal(err.code, WB_ERR_UNSUPPORTED);
	wbtest_rmdir(dir);
}

/* An index that is there and cannot be read is not an empty one: the images in it would go. */
static void test_unreadable(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;

	put(dir, "oci:img:v1", "one", &v1, NULL);
	wb_autofree char *index = wb_asprintf("%s/img/index.json", dir);
	wb_autofree char *mark = wb_asprintf("%s/img/oci-layout", dir);

	assert_int_equal(unlink(index), 0);
	assert_int_equal(symlink("index.json", index), 0);
	assert_null(ocitest_open(dir, "oci:img:v2", WB_TRANSPORT_WRITE, &err));
	assert_contains(err.text, "index.json");
	assert_int_equal(err.errnum, ELOOP);
	assert_int_equal(unlink(index), 0);
	assert_int_equal(unlink(mark), 0);
	assert_int_equal(symlink("oci-layout", mark), 0);
	assert_null(ocitest_open(dir, "oci:img:v2", WB_TRANSPORT_WRITE, &err));
	assert_contains(err.text, "oci-layout");
	assert_int_equal(err.errnum, ELOOP);
	wbtest_rmdir(dir);
}

/* Wrong bytes under a right name are found, whatever their size. */
static void test_damaged(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	struct wb_document got = WB_DOCUMENT_INIT;
	char *out = NULL;

	put(dir, "oci:img", "weights", &v1, &m);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:img", WB_TRANSPORT_READ);

	assert_ok(wb_image_load(&img, t, &m, &err), &err);
	const struct wb_descriptor *layer = &img.layers.items[1];
	uint64_t offset;
	wb_autofree char *path = t->ops->blob_path(t, layer, &offset);
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, "!", 1, (off_t)layer->size / 2), 1);
	assert_err(
		wb_transport_read_blob(&out, t, layer, 1 << 20, "x", &err), &err, WB_ERR_INTEGRITY);
	assert_int_equal(pwrite(fd, "!", 1, (off_t)layer->size), 1);
	assert_err(
		wb_transport_read_blob(&out, t, layer, 1 << 20, "x", &err), &err, WB_ERR_INTEGRITY);
	close(fd);
	assert_err(
		wb_transport_read_blob(&out, t, layer, 10, "the thing", &err), &err, WB_ERR_LIMIT);
	assert_contains(err.text, "the thing");

	wb_autofree char *manifest =
		wb_asprintf("%s/img/blobs/sha256/%s", dir, wb_digest_hex(&m.desc.digest).s);

	assert_int_equal(truncate(manifest, 10), 0);
	assert_err(wb_transport_resolve(&got, t, NULL, &err), &err, WB_ERR_INTEGRITY);
	assert_int_equal(unlink(manifest), 0);
	assert_err(wb_transport_resolve(&got, t, NULL, &err), &err, WB_ERR_NOT_FOUND);
	assert_int_equal(mkfifo(manifest, 0600), 0);
	assert_err(wb_transport_resolve(&got, t, NULL, &err), &err, WB_ERR_FORMAT);
	wbtest_rmdir(dir);
}

static void test_put_from_file(void **state)
{
	char *dir = wbtest_dir();
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor lie = WB_DESCRIPTOR_INIT;
	wb_autofree char *file = wb_asprintf("%s/blob", dir);
	struct wb_put_result how;
	struct stat a, b;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:img", WB_TRANSPORT_WRITE);

	write_text(dir, "blob", "0123456789");
	wb_descriptor_of(&d, "a/b", "0123456789", 10);
	wb_descriptor_of(&lie, "a/b", "012345678x", 10);
	struct wb_blob_source src = {.path = file, .whole_file = true};

	assert_err(wb_transport_put_blob(&how, t, &lie, &src, NULL, &err), &err, WB_ERR_INTEGRITY);
	wb_autofree char *none =
		wb_asprintf("%s/img/blobs/sha256/%s", dir, wb_digest_hex(&lie.digest).s);

	assert_int_not_equal(access(none, F_OK), 0);
	src.trusted = src.allow_link = true;
	assert_ok(wb_transport_put_blob(&how, t, &d, &src, NULL, &err), &err);
	assert_int_equal(how.how, WB_PUT_CLONED);
	wb_autofree char *blob =
		wb_asprintf("%s/img/blobs/sha256/%s", dir, wb_digest_hex(&d.digest).s);

	assert_int_equal(stat(file, &a), 0);
	assert_int_equal(stat(blob, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_ok(wb_transport_put_blob(&how, t, &d, &src, NULL, &err), &err);
	assert_int_equal(how.how, WB_PUT_PRESENT);

	/* a part of a file, and a file that is too short */
	WB_AUTO(wb_descriptor_release) struct wb_descriptor part = WB_DESCRIPTOR_INIT;
	const struct wb_blob_source middle = {.path = file, .offset = 3};

	wb_descriptor_of(&part, "a/b", "3456", 4);
	assert_ok(wb_transport_put_blob(&how, t, &part, &middle, NULL, &err), &err);
	assert_int_equal(how.how, WB_PUT_SENT);
	part.size = 8;
	assert_err(
		wb_transport_put_blob(&how, t, &part, &middle, NULL, &err), &err, WB_ERR_INTEGRITY);
	wbtest_rmdir(dir);
}

/* A foreign reader agrees; skipped aloud where there is none. */
static bool there(const char *dir, const struct wb_digest *d)
{
	wb_autofree char *path = wb_asprintf("%s/img/blobs/sha256/%s", dir, wb_digest_hex(d).s);

	return !access(path, F_OK);
}

/* The layers of a manifest that ocitest_put_image() made. */
static void layers_of(wb_descriptors *out, const struct wb_document *manifest)
{
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_manifest_parse(&m, manifest, "test", &err), &err);
	wb_vec_foreach (layer, &m.layers)
		wb_descriptor_copy(wb_vec_push(out), layer);
	wb_descriptor_copy(wb_vec_push(out), &m.config);
}

static size_t left(const char *dir, const wb_descriptors *blobs)
{
	size_t n = 0;

	wb_vec_foreach (d, blobs)
		n += there(dir, &d->digest);
	return n;
}

static void test_replaced_image_goes(void **state)
{
	static const struct wb_manifest_put v2 = {.root = true, .tag = "v2"};
	char *dir = wbtest_dir();
	WB_AUTO(wb_document_release) struct wb_document one = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document two = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document three = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptors_release) wb_descriptors of_one = {0};
	WB_AUTO(wb_descriptors_release) wb_descriptors of_two = {0};
	struct wb_err err = WB_ERR_INIT;

	put(dir, "oci:img", "first", &v1, &one);
	put(dir, "oci:img", "second", &v2, &two);
	layers_of(&of_one, &one);
	layers_of(&of_two, &two);
	write_text(dir, "img/blobs/sha256/.wbtmp.dead", "x");
	write_text(dir, "img/blobs/sha256/somebody-elses", "x");
	put(dir, "oci:img", "third", &v1, &three);

	assert_false(there(dir, &one.desc.digest));
	assert_true(left(dir, &of_one) < of_one.n);
	assert_true(there(dir, &two.desc.digest));
	assert_int_equal(left(dir, &of_two), of_two.n); /* what the two shared stays too */
	assert_true(there(dir, &three.desc.digest));
	wb_autofree char *temp = wb_asprintf("%s/img/blobs/sha256/.wbtmp.dead", dir);
	wb_autofree char *other = wb_asprintf("%s/img/blobs/sha256/somebody-elses", dir);

	assert_int_equal(access(temp, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:img:v2", WB_TRANSPORT_READ);
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	wbtest_rmdir(dir);
}

/* What a build that was killed wrote is in no image, then or later: nothing but its time tells it
 * from what somebody else put there. */
static void test_what_a_killed_build_left_goes(void **state)
{
	static const struct wb_manifest_put v2 = {.root = true, .tag = "v2"};
	char *dir = wbtest_dir();
	WB_AUTO(wb_document_release) struct wb_document one = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document two = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor ours = WB_DESCRIPTOR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor theirs = WB_DESCRIPTOR_INIT;
	struct wb_err err = WB_ERR_INIT;

	wb_descriptor_of(&ours, "a/b", "ours", 4);
	wb_descriptor_of(&theirs, "a/b", "theirs", 6);
	put(dir, "oci:img", "first", &v1, &one);
	wb_autofree char *name =
		wb_asprintf("img/blobs/sha256/%s", wb_digest_hex(&theirs.digest).s);

	write_text(dir, name, "theirs");
	{
		WB_AUTO(wb_transport_freep)
		struct wb_transport *t = ocitest_must_open(dir, "oci:img", WB_TRANSPORT_WRITE);

		assert_ok(wb_transport_put_bytes(t, &ours, "ours", &err), &err);
	}
	assert_true(there(dir, &ours.digest));
	put(dir, "oci:img", "second", &v2, &two);
	assert_false(there(dir, &ours.digest));
	assert_true(there(dir, &theirs.digest));
	assert_true(there(dir, &one.desc.digest));
	wbtest_rmdir(dir);
}

/* A blob of the right size that was written into since is written anew. */
static void test_a_changed_blob_is_replaced(void **state)
{
	char *dir = wbtest_dir();
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	struct wb_err err = WB_ERR_INIT;
	struct stat st;
	bool has = false;

	wb_descriptor_of(&d, "a/b", "0123456789", 10);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:img", WB_TRANSPORT_WRITE);
	wb_autofree char *name = wb_asprintf("img/blobs/sha256/%s", wb_digest_hex(&d.digest).s);
	wb_autofree char *path = wb_path_join(dir, name);

	assert_ok(wb_transport_put_bytes(t, &d, "0123456789", &err), &err);
	write_text(dir, name, "0123456780");
	assert_ok(wb_transport_has_blob(&has, t, &d, &err), &err);
	assert_false(has);
	assert_ok(wb_transport_put_bytes(t, &d, "0123456789", &err), &err);
	write_text(dir, name, "0123456789"); /* somebody else's, and right */
	assert_ok(wb_transport_has_blob(&has, t, &d, &err), &err);
	assert_true(has);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, WB_LAYOUT_MTIME);
	wbtest_rmdir(dir);
}

/* Somebody who reads the old image can go on. */
static void test_replaced_image_in_use_stays(void **state)
{
	char *dir = wbtest_dir();
	WB_AUTO(wb_document_release) struct wb_document one = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document two = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptors_release) wb_descriptors of_one = {0};

	put(dir, "oci:img", "first", &v1, &one);
	layers_of(&of_one, &one);
	struct wb_transport *reader = ocitest_must_open(dir, "oci:img:v1", WB_TRANSPORT_READ);

	put(dir, "oci:img", "second", &v1, &two);
	assert_int_equal(left(dir, &of_one), of_one.n);
	wb_transport_free(reader);
	wbtest_rmdir(dir);
}

/* Where an entry cannot be understood, nobody knows what it needs. */
static void test_doubt_keeps_all(void **state)
{
	char *dir = wbtest_dir();
	WB_AUTO(wb_document_release) struct wb_document one = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document two = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptors_release) wb_descriptors of_one = {0};

	put(dir, "oci:img", "first", &v1, &one);
	layers_of(&of_one, &one);
	wb_autofree char *index = ocitest_read(dir, "img/index.json");
	char *cut = strrchr(index, ']');
	wb_autofree char *more = wb_asprintf("%.*s,{\"mediaType\":\"application/x-strange\","
					     "\"digest\":\"%s\",\"size\":%llu}%s",
		(int)(cut - index), index, wb_digest_text(&of_one.items[0].digest).s,
		(unsigned long long)of_one.items[0].size, cut);

	write_text(dir, "img/index.json", more);
	put(dir, "oci:img", "second", &v1, &two);
	assert_int_equal(left(dir, &of_one), of_one.n);
	wbtest_rmdir(dir);
}

static void test_skopeo(void **state)
{
	char *dir = wbtest_dir();
	WB_AUTO(wb_document_release) struct wb_document m = WB_DOCUMENT_INIT;

	put(dir, "oci:img", "weights", &v1, &m);
	wb_autofree char *ref = wb_asprintf("oci:%s/img:v1", dir);
	wb_autofree char *copy = wb_asprintf("oci:%s/copy:v1", dir);
	wb_autofree char *out = wb_asprintf("%s/out", dir);
	const char *const inspect[] = {"skopeo", "inspect", ref, NULL};

	ocitest_skopeo_copy(dir, ref, copy, true);
	assert_int_equal(ocitest_run(inspect, out), 0);
	wb_autofree char *text = ocitest_read(dir, "out");

	assert_contains(text, wb_digest_text(&m.desc.digest).s);
	assert_contains(text, "amd64");

	/* and what skopeo wrote is read */
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document got = WB_DOCUMENT_INIT;
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = ocitest_must_open(dir, "oci:copy:v1", WB_TRANSPORT_READ);

	assert_ok(wb_transport_resolve(&got, t, NULL, &err), &err);
	assert_true(wb_digest_equal(&got.desc.digest, &m.desc.digest));
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_index_kept),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_foreign_folder),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_put_from_file),
		cmocka_unit_test(test_replaced_image_goes),
		cmocka_unit_test(test_what_a_killed_build_left_goes),
		cmocka_unit_test(test_a_changed_blob_is_replaced),
		cmocka_unit_test(test_replaced_image_in_use_stays),
		cmocka_unit_test(test_doubt_keeps_all),
		cmocka_unit_test(test_skopeo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
