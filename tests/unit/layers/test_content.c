#include "layers/layertest.h"

#include "base/sha256.h"

struct place {
	char *dir, *path;
	struct wb_content content;
};

enum { SIZE = 1500000 };

static int make_place(void **state)
{
	struct place *p = wb_zalloc(sizeof(*p));
	wb_autofree uint8_t *bytes = wb_alloc(SIZE);

	p->dir = wbtest_dir();
	p->path = layertest_path(p->dir, "file");
	layertest_fill(bytes, SIZE, 1);
	layertest_write(p->path, bytes, SIZE);
	layertest_content(&p->content, p->path);
	*state = p;
	return 0;
}

static int drop_place(void **state)
{
	struct place *p = *state;

	wb_content_release(&p->content);
	free(p->path);
	wbtest_rmdir(p->dir);
	free(p);
	return 0;
}

static void it_hashes_the_bytes(void **state)
{
	struct place *p = *state;
	wb_autofree uint8_t *bytes = wb_alloc(SIZE);
	struct wb_digest want, got;
	struct wb_err err = WB_ERR_INIT;

	layertest_fill(bytes, SIZE, 1);
	wb_sha256_once(&want, bytes, SIZE);
	assert_ok(wb_content_hash(&got, NULL, &p->content, &err), &err);
	assert_true(wb_digest_equal(&want, &got));
}

/* Each way in which a file is no longer the one that was recorded. */
static void check_changed(struct place *p)
{
	struct wb_digest d;
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_content_hash(&d, NULL, &p->content, &err), &err, WB_ERR_IO);
	assert_contains(err.text, "changed while it was being read");
	assert_contains(err.text, p->path);
	assert_contains(err.hint, "run again");
}

static void a_longer_file_is_another(void **state)
{
	struct place *p = *state;

	assert_int_equal(truncate(p->path, SIZE + 1), 0);
	check_changed(p);
}

static void a_shorter_file_is_another(void **state)
{
	struct place *p = *state;

	assert_int_equal(truncate(p->path, SIZE - 1), 0);
	check_changed(p);
}

static void a_file_written_in_place_is_another(void **state)
{
	struct place *p = *state;
	wb_autoclose int fd = open(p->path, O_WRONLY | O_CLOEXEC);
	struct timespec tick = {.tv_nsec = 20000000};

	nanosleep(&tick, NULL);
	assert_int_equal(pwrite(fd, "x", 1, 100), 1);
	check_changed(p);
}

static void a_file_that_was_replaced_is_another(void **state)
{
	struct place *p = *state;
	wb_autofree uint8_t *bytes = wb_alloc(SIZE);

	layertest_fill(bytes, SIZE, 1);
	layertest_write(p->path, bytes, SIZE);
	check_changed(p);
}

static void a_file_with_its_time_put_back_is_another(void **state)
{
	struct place *p = *state;
	const struct timespec times[2] = {p->content.mtime, p->content.mtime};
	struct timespec tick = {.tv_nsec = 20000000};

	nanosleep(&tick, NULL);
	assert_int_equal(utimensat(AT_FDCWD, p->path, times, 0), 0);
	check_changed(p); /* its ctime tells */
}

static void a_link_or_a_pipe_in_its_place_is_not_read(void **state)
{
	struct place *p = *state;
	wb_autofree char *moved = layertest_path(p->dir, "moved");
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	assert_int_equal(rename(p->path, moved), 0);
	assert_int_equal(wb_content_hash(&d, NULL, &p->content, &err), -1);
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	assert_int_equal(symlink(moved, p->path), 0);
	assert_int_equal(wb_content_hash(&d, NULL, &p->content, &err), -1);
	assert_int_equal(err.code, WB_ERR_IO);
	/* that nobody writes to: to open it is to wait */
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_int_equal(wb_content_hash(&d, NULL, &p->content, &err), -1);
	assert_int_equal(err.code, WB_ERR_IO);
}

static void a_change_while_reading_is_seen_at_the_end(void **state)
{
	struct place *p = *state;
	struct wb_err err = WB_ERR_INIT;
	struct timespec tick = {.tv_nsec = 20000000};
	wb_autoclose int fd = wb_content_open(&p->content, &err);
	wb_autoclose int writer = open(p->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(wb_content_check(&p->content, fd, &err), &err);
	nanosleep(&tick, NULL);
	assert_int_equal(pwrite(writer, "x", 1, 0), 1);
	assert_err(wb_content_check(&p->content, fd, &err), &err, WB_ERR_IO);
}

static void a_blob_of_the_store_is_known_by_its_size(void **state)
{
	struct place *p = *state;
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	p->content.immutable = true;
	assert_int_equal(utimensat(AT_FDCWD, p->path, times, 0), 0);
	assert_ok(wb_content_hash(&d, NULL, &p->content, &err), &err);
	assert_int_equal(truncate(p->path, 10), 0);
	check_changed(p);
}

static void equality_is_of_every_byte(void **state)
{
	struct place *p = *state;
	wb_autofree uint8_t *bytes = wb_alloc(SIZE);
	wb_autofree char *twin = layertest_path(p->dir, "twin");
	struct wb_err err = WB_ERR_INIT;

	layertest_fill(bytes, SIZE, 1);
	for (size_t i = 0; i < 3; i++) {
		static const size_t at[] = {0, SIZE / 2, SIZE - 1};
		WB_AUTO(wb_content_release) struct wb_content c = {0}, other = {0};
		bool equal = false;

		layertest_write(twin, bytes, SIZE);
		layertest_content(&c, twin);
		assert_ok(wb_content_equal(&equal, &p->content, &c, 2, &err), &err);
		assert_true(equal);
		bytes[at[i]] ^= 1;
		layertest_write(twin, bytes, SIZE);
		bytes[at[i]] ^= 1;
		layertest_content(&other, twin);
		assert_ok(wb_content_equal(&equal, &p->content, &other, 2, &err), &err);
		assert_false(equal);
	}
}

static void samples_reach_both_ends(void **state)
{
	struct place *p = *state;
	wb_autofree uint8_t *bytes = wb_alloc(SIZE);
	wb_autofree char *twin = layertest_path(p->dir, "twin");
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest want, got;

	layertest_fill(bytes, SIZE, 1);
	assert_ok(wb_content_sample(&want, &p->content, &err), &err);
	for (size_t i = 0; i < 3; i++) {
		static const size_t at[] = {0, SIZE - 1, SIZE};
		WB_AUTO(wb_content_release) struct wb_content c = {0};

		if (at[i] < SIZE)
			bytes[at[i]] ^= 1;
		layertest_write(twin, bytes, SIZE);
		if (at[i] < SIZE)
			bytes[at[i]] ^= 1;
		layertest_content(&c, twin);
		assert_ok(wb_content_sample(&got, &c, &err), &err);
		assert_int_equal(wb_digest_equal(&want, &got), at[i] == SIZE);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_place, drop_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_hashes_the_bytes),
		CASE(a_longer_file_is_another),
		CASE(a_shorter_file_is_another),
		CASE(a_file_written_in_place_is_another),
		CASE(a_file_that_was_replaced_is_another),
		CASE(a_file_with_its_time_put_back_is_another),
		CASE(a_link_or_a_pipe_in_its_place_is_not_read),
		CASE(a_change_while_reading_is_seen_at_the_end),
		CASE(a_blob_of_the_store_is_known_by_its_size),
		CASE(equality_is_of_every_byte),
		CASE(samples_reach_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
