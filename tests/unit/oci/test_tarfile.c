#include "ocitest.h"

#include <fcntl.h>
#include <sys/mman.h>

/* A tar built in memory, as a file. */
struct tar {
	int fd;
	uint64_t end;
};

static void add(struct tar *t, const void *p, size_t n)
{
	assert_int_equal(pwrite(t->fd, p, n, (off_t)t->end), n);
	t->end += n;
}

static void resum(uint8_t h[512])
{
	unsigned sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

static void member(struct tar *t, const char *name, char type, const char *link, const char *data)
{
	uint8_t h[512];
	static const char zeros[512];
	size_t n = strlen(data);

	wb_tarfile_header(h, name, false, n);
	h[156] = (uint8_t)type;
	if (link)
		memcpy(h + 157, link, strlen(link));
	resum(h);
	add(t, h, 512);
	add(t, data, n);
	add(t, zeros, (size_t)wb_tarfile_padding(n));
}

static struct tar new_tar(void)
{
	struct tar t = {.fd = memfd_create("tar", MFD_CLOEXEC)};

	assert_true(t.fd >= 0);
	return t;
}

static void finish(struct tar *t)
{
	assert_int_equal(ftruncate(t->fd, (off_t)t->end + 1024), 0);
}

static int load(struct wb_tarfile_index *x, struct tar *t, struct wb_err *err)
{
	int rc = wb_tarfile_index_read(x, t->fd, "test.tar", err);

	close(t->fd);
	return rc;
}

static void expect_bytes(const struct wb_tarfile_index *x, const char *name, uint64_t size)
{
	const struct wb_tarfile_member *m = wb_tarfile_find(x, name);

	assert_non_null(m);
	assert_int_equal(m->size, size);
}

static void test_index(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_tarfile_index_release) struct wb_tarfile_index x = WB_TARFILE_INDEX_INIT;
	struct tar t = new_tar();
	char longname[300];

	memset(longname, 'n', 299);
	longname[299] = '\0';
	member(&t, "./z", '0', NULL, "zz");
	member(&t, "d/", '5', NULL, "");
	member(&t, "d/", '5', NULL, "");
	member(&t, "d/sym", '2', "../z", "");
	member(&t, "d/hard", '1', "z", "");
	member(&t, "loop", '2', "loop", "");
	member(&t, "dangling", '2', "none", "");
	member(&t, "e/d/deep", '2', "../../d/sym", "");
	member(&t, "x", 'x', NULL, "14 path=p/a=x\n10 size=3\n");
	member(&t, "short", '0', NULL, "123");
	member(&t, "L", 'L', NULL, longname);
	member(&t, "cut", '0', NULL, "1");
	member(&t, "g", 'g', NULL, "12 comment=x\n");
	member(&t, "fifo", '6', NULL, "");
	member(&t, "old", '\0', NULL, "o");
	finish(&t);
	assert_ok(load(&x, &t, &err), &err);
	expect_bytes(&x, "z", 2);
	expect_bytes(&x, "./z", 2);
	expect_bytes(&x, "/d/sym", 2);
	expect_bytes(&x, "d/hard", 2);
	expect_bytes(&x, "e/d/deep", 2);
	expect_bytes(&x, "p/a=x", 3);
	expect_bytes(&x, longname, 1);
	expect_bytes(&x, "old", 1);
	assert_null(wb_tarfile_find(&x, "loop"));
	assert_null(wb_tarfile_find(&x, "dangling"));
	assert_null(wb_tarfile_find(&x, "d"));
	assert_null(wb_tarfile_find(&x, "fifo"));
	assert_null(wb_tarfile_find(&x, "short"));
	assert_null(wb_tarfile_find(&x, ""));
}

static void expect_refused(struct tar t, enum wb_code code, const char *part)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_tarfile_index x = WB_TARFILE_INDEX_INIT;

	assert_err(load(&x, &t, &err), &err, code);
	assert_contains(err.text, part);
}

static struct tar one(const char *name, char type, const char *data)
{
	struct tar t = new_tar();

	member(&t, name, type, NULL, data);
	member(&t, "after", '0', NULL, "x");
	finish(&t);
	return t;
}

static struct tar raw(const char *bytes, size_t n, size_t size)
{
	struct tar t = new_tar();

	add(&t, bytes, n);
	assert_int_equal(ftruncate(t.fd, (off_t)size), 0);
	return t;
}

static void test_refuses(void **state)
{
	struct tar t;
	uint8_t h[512];

	expect_refused(raw("", 0, 0), WB_ERR_FORMAT, "too short");
	expect_refused(raw("x", 1, 100), WB_ERR_FORMAT, "too short");
	expect_refused(raw("x", 1, 2048), WB_ERR_FORMAT, "checksum");
	expect_refused(raw("\x1f\x8b", 2, 2048), WB_ERR_UNSUPPORTED, "gzip");
	expect_refused(raw("\x28\xb5\x2f\xfd", 4, 2048), WB_ERR_UNSUPPORTED, "zstd");
	expect_refused(one("a", 'S', "x"), WB_ERR_UNSUPPORTED, "sparse");
	expect_refused(one("a", 'x', "22 GNU.sparse.major=1\n"), WB_ERR_UNSUPPORTED, "sparse");
	expect_refused(one("a", 'x', "99 path=x\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "9 path=x"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "0 a=b\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "path=x\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "8 pathx\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "10 size=-1\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "11 size=-1\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "32 size=99999999999999999999999\n"), WB_ERR_FORMAT, "PAX");
	expect_refused(one("a", 'x', "29 size=18446744073709551615\n"), WB_ERR_INTEGRITY, "early");
	expect_refused(one("after", '0', "twice"), WB_ERR_FORMAT, "twice");

	t = new_tar();
	wb_tarfile_header(h, "big", false, UINT64_C(1) << 40);
	add(&t, h, 512);
	finish(&t);
	expect_refused(t, WB_ERR_INTEGRITY, "ended early");

	t = new_tar();
	wb_tarfile_header(h, "neg", false, 1);
	memset(h + 124, 0xff, 12); /* base-256, negative */
	resum(h);
	add(&t, h, 512);
	finish(&t);
	expect_refused(t, WB_ERR_FORMAT, "size");

	t = new_tar();
	wb_tarfile_header(h, "text", false, 1);
	memcpy(h + 124, "00000000009", 11);
	resum(h);
	add(&t, h, 512);
	finish(&t);
	expect_refused(t, WB_ERR_FORMAT, "size");
}

/* What GNU tar says of our headers, small and over 8 GiB; and what libarchive does. */
static void test_large(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_tarfile_index_release) struct wb_tarfile_index x = WB_TARFILE_INDEX_INIT;
	const uint64_t size = (UINT64_C(9) << 30) + 5;
	struct tar t = new_tar();
	uint8_t h[512];

	wb_tarfile_header(h, "dir/", true, 0);
	add(&t, h, 512);
	wb_tarfile_header(h, "dir/big", false, size);
	add(&t, h, 512);
	t.end += size + wb_tarfile_padding(size);
	member(&t, "after", '0', NULL, "x");
	finish(&t);

	struct archive *a = archive_read_new();
	struct archive_entry *e;
	wb_autofree char *path = wb_asprintf("/proc/self/fd/%d", t.fd);

	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_filename(a, path, 1 << 20), ARCHIVE_OK);
	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_int_equal(archive_entry_filetype(e), AE_IFDIR);
	assert_int_equal(archive_entry_perm(e), 0755);
	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_int_equal(archive_entry_size(e), size);
	assert_string_equal(archive_entry_pathname(e), "dir/big");
	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), "after");
	assert_int_equal(archive_entry_mtime(e), 0);
	archive_read_free(a);
	assert_ok(load(&x, &t, &err), &err);
	expect_bytes(&x, "dir/big", size);
	expect_bytes(&x, "after", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
