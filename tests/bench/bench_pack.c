/* bench_pack DIR: what packing the files of DIR cannot be faster than: their digests (each byte's
 * file digest and diff_id, each encoded byte's blob digest) and their compression, on all cores,
 * by the kernels that wbuild has, from memory to memory. Files with equal bytes count once, as a
 * layer holds them once. Reading the files into memory, and finding the equal ones, is not timed.
 * Prints seconds: median of RUNS. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "layers/codec.h"
#include "layers/stream.h"

enum { RUNS = 5, STRETCH = 64 }; /* pieces of one job */

struct file {
	char *path;
	size_t size;
	uint8_t *bytes;
	struct wb_digest digest;
};

struct piece {
	const uint8_t *p;
	size_t n;
};

static WB_VEC(struct file) files;
static WB_VEC(struct piece) pieces;

static int found(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type == FTW_F && st->st_size)
		*wb_vec_push(&files) =
			(struct file){.path = wb_strdup(path), .size = (size_t)st->st_size};
	return 0;
}

static int load(void *arg, size_t index, struct wb_err *err)
{
	struct file *f = &files.items[index];
	wb_autoclose int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", f->path);
	f->bytes = wb_alloc_pages(f->size);
	if (wb_file_read_full(fd, f->bytes, f->size, 0, f->path, err))
		return -1;
	wb_sha256_once(&f->digest, f->bytes, f->size);
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return memcmp(&x->digest, &y->digest, sizeof(x->digest));
}

static void cut_large(const struct file *f)
{
	for (size_t at = 0; at < f->size; at += WB_PIECE_MAX)
		*wb_vec_push(&pieces) = (struct piece){
			f->bytes + at, f->size - at < WB_PIECE_MAX ? f->size - at : WB_PIECE_MAX};
}

/* Large files are cut as layers/stream.h says; small ones lie one after another. */
static void cut(void)
{
	struct piece gathered = {.p = NULL};
	uint8_t *small = NULL;

	qsort(files.items, files.n, sizeof(*files.items), by_digest);
	for (size_t i = 0; i < files.n; i++) {
		const struct file *f = &files.items[i];

		if (i && !by_digest(f, f - 1))
			continue;
		if (f->size > WB_STREAM_SMALL) {
			cut_large(f);
			continue;
		}
		if (!small || gathered.n + f->size > WB_PIECE_MAX) {
			if (small)
				*wb_vec_push(&pieces) = gathered;
			gathered = (struct piece){.p = small = wb_alloc_pages(WB_PIECE_MAX)};
		}
		memcpy(small + gathered.n, f->bytes, f->size);
		gathered.n += f->size;
	}
	if (small)
		*wb_vec_push(&pieces) = gathered;
}

static int pack(void *arg, size_t index, struct wb_err *err)
{
	const struct wb_codec codec = {.compression = WB_COMPRESS_ZSTD};
	struct wb_encoder *e = wb_encoder_new(&codec);
	uint8_t *out = wb_alloc_pages(wb_codec_bound(&codec, WB_PIECE_MAX));
	struct wb_sha256 file, diff, blob, *same[] = {&file, &diff};
	size_t n = 0, end = (index + 1) * STRETCH;
	uint32_t crc;

	wb_sha256_init(&file);
	wb_sha256_init(&diff);
	wb_sha256_init(&blob);
	for (size_t i = index * STRETCH; i < end && i < pieces.n; i++) {
		const struct piece *p = &pieces.items[i];

		wb_sha256_joint(same, 2, p->p, p->n, &blob, out, n);
		n = wb_encode(e, out, p->p, p->n, &crc);
	}
	wb_sha256_update(&blob, out, n);
	free(out);
	wb_encoder_free(e);
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct wb_err err = WB_ERR_INIT;
	double seconds[RUNS];

	if (argc != 2 || nftw(argv[1], found, 64, FTW_PHYS) || !files.n) {
		fprintf(stderr, "usage: bench_pack DIR (with files in it)\n");
		return 2;
	}
	if (wb_pool_run(0, files.n, load, NULL, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	cut();
	for (size_t i = 0; i < RUNS; i++) {
		double start = now();

		wb_pool_run(0, (pieces.n + STRETCH - 1) / STRETCH, pack, NULL, &err);
		seconds[i] = now() - start;
	}
	qsort(seconds, RUNS, sizeof(*seconds), by_value);
	printf("%.3f\n", seconds[RUNS / 2]);
	return 0;
}
