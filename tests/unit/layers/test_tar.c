/* Tar headers, judged by two readers that are not ours. */
#include "wbtest.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/path.h"
#include "layers/tar.h"

enum { MAX_ENTRIES = 40 };

struct tarball {
	char *dir, *path;
	int fd;
	struct wb_tar_entry entries[MAX_ENTRIES];
	char *names[MAX_ENTRIES], *links[MAX_ENTRIES];
	size_t n;
};

static int make_tarball(void **state)
{
	struct tarball *t = wb_zalloc(sizeof(*t));

	t->dir = wbtest_dir();
	t->path = wb_path_join(t->dir, "x.tar");
	t->fd = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	*state = t;
	return 0;
}

static int drop_tarball(void **state)
{
	struct tarball *t = *state;

	close(t->fd);
	for (size_t i = 0; i < t->n; i++) {
		free(t->names[i]);
		free(t->links[i]);
	}
	free(t->path);
	wbtest_rmdir(t->dir);
	free(t);
	return 0;
}

/* A name of n bytes whose components have at most 255. */
static char *long_name(size_t n, char fill)
{
	char *name = wb_zalloc(n + 1);

	memset(name, fill, n);
	for (size_t i = 255; i + 1 < n; i += 256)
		name[i] = '/';
	return name;
}

/* Content is a hole: sizes may be anything. Takes name and link. */
static void add(struct tarball *t, enum wb_tar_type type, char *name, char *link, uint64_t size)
{
	uint8_t header[WB_TAR_HEADER_MAX];
	struct wb_tar_entry *e = &t->entries[t->n];
	struct wb_err err = WB_ERR_INIT;

	t->names[t->n] = name;
	t->links[t->n] = link;
	t->n++;
	*e = (struct wb_tar_entry){.type = type,
		.name = name,
		.link = link,
		.mode = 0640,
		.uid = 12,
		.gid = 2097152 + 5, /* one more than seven octal digits hold */
		.size = size,
		.mtime = 1700000000};
	size_t n = wb_tar_header(header, e);

	assert_true(n <= sizeof(header));
	assert_int_equal(n % WB_TAR_BLOCK, 0);
	assert_ok(wb_file_write_full(t->fd, header, n, "tar", &err), &err);
	if (type == WB_TAR_FILE) {
		off_t end = lseek(t->fd, (off_t)(size + wb_tar_padding(size)), SEEK_CUR);

		assert_int_equal(ftruncate(t->fd, end), 0);
	}
}

static void finish(struct tarball *t)
{
	static const uint8_t end[2 * WB_TAR_BLOCK];
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_write_full(t->fd, end, sizeof(end), "tar", &err), &err);
}

static void check_libarchive(const struct tarball *t)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	size_t i = 0;

	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_filename(a, t->path, 65536), ARCHIVE_OK);
	for (; archive_read_next_header(a, &e) == ARCHIVE_OK; i++) {
		const struct wb_tar_entry *want = &t->entries[i];
		const char *name = archive_entry_pathname(e);
		size_t n = strlen(want->name);

		assert_true(i < t->n);
		assert_memory_equal(name, want->name, n);
		assert_string_equal(name + n, want->type == WB_TAR_DIR ? "/" : "");
		if (want->type == WB_TAR_FILE)
			assert_true((uint64_t)archive_entry_size(e) == want->size);
		if (want->type == WB_TAR_SYMLINK)
			assert_string_equal(archive_entry_symlink(e), want->link);
		if (want->type == WB_TAR_HARDLINK)
			assert_string_equal(archive_entry_hardlink(e), want->link);
		assert_int_equal(archive_entry_perm(e), 0640);
		assert_int_equal(archive_entry_uid(e), 12);
		assert_int_equal(archive_entry_gid(e), 2097157);
		assert_int_equal(archive_entry_mtime(e), 1700000000);
	}
	assert_int_equal(i, t->n);
	archive_read_free(a);
}

/* Python's tarfile prints what it sees, one entry a line. */
static void check_python(const struct tarball *t)
{
	wb_autofree char *cmd = wb_asprintf(
		"python3 -c 'import sys, tarfile\n"
		"for m in tarfile.open(sys.argv[1], errors=\"surrogateescape\"):\n"
		"    n = m.name.encode(errors=\"surrogateescape\").hex()\n"
		"    l = m.linkname.encode(errors=\"surrogateescape\").hex()\n"
		"    print(m.type.decode(), m.size, m.mode, m.uid, m.gid, m.mtime, n, l or 0)' "
		"%s",
		t->path);
	wb_autofree char *line = wb_alloc(32768);
	FILE *p = popen(cmd, "r");
	size_t i = 0;

	assert_non_null(p);
	for (; fgets(line, 32768, p); i++) {
		const struct wb_tar_entry *e = &t->entries[i];
		wb_autofree char *name = wb_alloc(2 * strlen(e->name) + 1);
		wb_autofree char *link = wb_alloc(2 * strlen(e->link ? e->link : "") + 2);

		assert_true(i < t->n);
		for (size_t k = 0; e->name[k]; k++)
			snprintf(name + 2 * k, 3, "%02x", (unsigned char)e->name[k]);
		for (size_t k = 0; e->link && e->link[k]; k++)
			snprintf(link + 2 * k, 3, "%02x", (unsigned char)e->link[k]);
		if (!e->link)
			snprintf(link, 2, "0");
		wb_autofree char *want = wb_asprintf("%c %llu %u 12 2097157 1700000000 %s %s\n",
			e->type, (unsigned long long)(e->type == WB_TAR_FILE ? e->size : 0), 0640u,
			name, link);

		assert_string_equal(line, want);
	}
	assert_int_equal(pclose(p), 0);
	assert_int_equal(i, t->n);
}

static void names_of_every_length(void **state)
{
	static const size_t lengths[] = {
		1, 98, 99, 100, 101, 155, 255, 256, 257, 511, 512, 513, 1023, 4094, 4095};
	struct tarball *t = *state;

	for (size_t i = 0; i < WB_ARRAY_LEN(lengths); i++)
		add(t, WB_TAR_FILE, long_name(lengths[i], 'a'), NULL, 1);
	finish(t);
	check_libarchive(t);
	check_python(t);
}

static void folder_names_of_every_length(void **state)
{
	static const size_t lengths[] = {1, 98, 99, 100, 101, 255, 256, 512, 4094};
	struct tarball *t = *state;

	for (size_t i = 0; i < WB_ARRAY_LEN(lengths); i++)
		add(t, WB_TAR_DIR, long_name(lengths[i], 'd'), NULL, 0);
	finish(t);
	check_libarchive(t);
	check_python(t);
}

static void link_targets_of_every_length(void **state)
{
	static const size_t lengths[] = {1, 99, 100, 101, 255, 512, 4095};
	struct tarball *t = *state;

	for (size_t i = 0; i < WB_ARRAY_LEN(lengths); i++) {
		add(t, WB_TAR_SYMLINK, long_name(5, 's'), long_name(lengths[i], 't'), 0);
		add(t, WB_TAR_HARDLINK, long_name(lengths[i], 'h'), long_name(lengths[i], 't'), 0);
	}
	finish(t);
	check_libarchive(t);
	check_python(t);
}

static void names_are_bytes(void **state)
{
	struct tarball *t = *state;

	add(t, WB_TAR_FILE, wb_strdup("with space # \"quotes\" 'and' *?"), NULL, 0);
	add(t, WB_TAR_FILE, wb_strdup("\xc3\xbcml\xc3\xa4ut/\xe6\xa8\xa1\xe5\x9e\x8b"), NULL, 7);
	add(t, WB_TAR_FILE, wb_strdup("not-utf8-\xff\xfe"), NULL, 512);
	add(t, WB_TAR_FILE, wb_strdup("././@LongLink"), NULL, 3);
	finish(t);
	check_python(t);
}

/* The numbers at which the octal field ends and base 256 begins. */
static void sizes_beyond_eight_gib(void **state)
{
	static const uint64_t sizes[] = {0, 1, 511, 512, 513, (UINT64_C(8) << 30) - 1,
		UINT64_C(8) << 30, (UINT64_C(9) << 30) + 1};
	struct tarball *t = *state;

	for (size_t i = 0; i < WB_ARRAY_LEN(sizes); i++)
		add(t, WB_TAR_FILE, wb_asprintf("size-%zu", i), NULL, sizes[i]);
	finish(t);
	check_libarchive(t);
	check_python(t);
}

static void the_header_has_no_trace_of_the_machine(void **state)
{
	const struct wb_tar_entry e = {.type = WB_TAR_FILE, .name = "a", .mode = 0644, .size = 5};
	uint8_t a[WB_TAR_HEADER_MAX], b[WB_TAR_HEADER_MAX];

	memset(a, 0xaa, sizeof(a));
	memset(b, 0x55, sizeof(b));
	assert_int_equal(wb_tar_header(a, &e), 512);
	assert_int_equal(wb_tar_header(b, &e), 512);
	assert_memory_equal(a, b, 512);
	assert_memory_equal(a + 257, "ustar  ", 8);
	assert_memory_equal(a + 265, (uint8_t[64]){0}, 64); /* user and group names */
	assert_string_equal((char *)a + 100, "0000644");
	assert_string_equal((char *)a + 136, "00000000000");
}

static void padding_fills_the_block(void **state)
{
	assert_int_equal(wb_tar_padding(0), 0);
	assert_int_equal(wb_tar_padding(1), 511);
	assert_int_equal(wb_tar_padding(512), 0);
	assert_int_equal(wb_tar_padding((UINT64_C(1) << 40) + 1), 511);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_tarball, drop_tarball)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_of_every_length),
		CASE(folder_names_of_every_length),
		CASE(link_targets_of_every_length),
		CASE(names_are_bytes),
		CASE(sizes_beyond_eight_gib),
		cmocka_unit_test(the_header_has_no_trace_of_the_machine),
		cmocka_unit_test(padding_fills_the_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
