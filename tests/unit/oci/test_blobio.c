/* Blobs into places of files: verified or trusted, by copying or in the kernel. */
#include "wbtest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "oci/blobio.h"

#define SIZE (20u << 20) /* several pieces of each way to copy */
#define AT 512

struct world {
	char *dir, *in, *out, *bytes;
	struct wb_descriptor d;
	int fd;
	uint64_t told;
};

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));
	struct wb_err err = WB_ERR_INIT;

	w->dir = wbtest_dir();
	w->in = wb_asprintf("%s/in", w->dir);
	w->out = wb_asprintf("%s/out", w->dir);
	w->bytes = wb_alloc(SIZE + 1);
	for (size_t i = 0; i < SIZE; i++)
		w->bytes[i] = (char)(i * 7 + i / 256 + i / 65536);
	assert_ok(wb_file_put(w->in, w->bytes, SIZE, 0644, 0, &err), &err);
	wb_descriptor_of(&w->d, "x/y", w->bytes, SIZE);
	w->fd = open(w->out, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	*state = w;
	return w->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	close(w->fd);
	wb_descriptor_release(&w->d);
	wbtest_rmdir(w->dir);
	free(w->in);
	free(w->out);
	free(w->bytes);
	free(w);
	return 0;
}

static void tell(void *arg, uint64_t done)
{
	((struct world *)arg)->told = done;
}

static int put(struct world *w, const struct wb_blob_source *src, struct wb_err *err)
{
	const struct wb_put_opts opts = {.progress = tell, .progress_arg = w};

	w->told = 0;
	return wb_blob_write(w->fd, AT, "out", &w->d, src, &opts, err);
}

static void check(struct world *w)
{
	struct wb_err err = WB_ERR_INIT;

	assert_int_equal(w->told, SIZE);
	assert_ok(wb_blob_check(w->fd, AT, &w->d, "out", &err), &err);
}

static void every_way(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	for (int trusted = 0; trusted < 2; trusted++) {
		const struct wb_blob_source src = {
			.path = w->in, .whole_file = true, .trusted = trusted};

		assert_int_equal(ftruncate(w->fd, 0), 0);
		assert_ok(put(w, &src, &err), &err);
		check(w);
	}
}

/* A device cannot take part in copying by the kernel: the other way is taken. */
static void between_file_systems(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	const struct wb_blob_source src = {.path = w->in, .whole_file = true, .trusted = true};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(null >= 0);
	assert_ok(wb_blob_write(null, 0, "null", &w->d, &src,
			  &(struct wb_put_opts){.progress = tell, .progress_arg = w}, &err),
		&err);
	assert_int_equal(w->told, SIZE);
	close(null);
}

static void damaged_sources(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	const struct wb_blob_source src = {.path = w->in, .whole_file = true};
	const struct wb_blob_source part = {.path = w->in, .offset = 1};
	const struct wb_blob_source missing = {.path = "/nonexistent"};
	const struct wb_blob_source folder = {.path = w->dir};
	const struct wb_blob_source fifo = {.path = w->out};

	assert_err(put(w, &part, &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "its descriptor says 20971520");
	assert_int_equal(put(w, &missing, &err), -1);
	assert_contains(err.text, "cannot open \"/nonexistent\"");
	assert_err(put(w, &folder, &err), &err, WB_ERR_IO);
	assert_contains(err.text, "is not a regular file");
	w->bytes[SIZE / 2] ^= 1;
	assert_ok(wb_file_put(w->in, w->bytes, SIZE, 0644, WB_FILE_REPLACE, &err), &err);
	assert_err(put(w, &src, &err), &err, WB_ERR_INTEGRITY);
	assert_ok(wb_file_put(w->in, w->bytes, SIZE + 1, 0644, WB_FILE_REPLACE, &err), &err);
	assert_err(put(w, &src, &err), &err, WB_ERR_INTEGRITY);
	/* Nobody writes to it: opening must not wait for somebody. */
	unlink(w->out);
	assert_int_equal(mkfifo(w->out, 0600), 0);
	assert_err(put(w, &fifo, &err), &err, WB_ERR_IO);
}

static void no_room(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	for (int trusted = 0; trusted < 2; trusted++) {
		const struct wb_blob_source src = {
			.path = w->in, .whole_file = true, .trusted = trusted};

		assert_err(
			wb_blob_write(full, 0, "full", &w->d, &src, &(struct wb_put_opts){0}, &err),
			&err, WB_ERR_IO);
		assert_contains(err.text, "cannot write \"full\"");
	}
	close(full);
}

struct endless {
	struct wb_reader r;
	uint64_t left;
};

static int endless_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	memset(p, 'x', n);
	*got = n;
	return 0;
}

static void endless_close(struct wb_reader *r)
{
	free(r);
}

static int endless_open(struct wb_reader **out, void *arg, uint64_t offset, struct wb_err *err)
{
	struct endless *e = wb_zalloc(sizeof(*e));

	e->r = (struct wb_reader){endless_read, endless_close};
	*out = &e->r;
	return 0;
}

/* A stream that never ends must not run over what comes after its place. */
static void endless_streams(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	const struct wb_blob_source src = {.open = endless_open, .trusted = true};
	struct stat st;

	assert_err(put(w, &src, &err), &err, WB_ERR_INTEGRITY);
	assert_int_equal(fstat(w->fd, &st), 0);
	assert_true(st.st_size <= AT + SIZE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_way),
		T(between_file_systems),
		T(damaged_sources),
		T(no_room),
		T(endless_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
