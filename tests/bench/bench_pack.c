/* bench_pack DIR [OUT]: what packing the files of DIR cannot be faster than: their digests (each
 * byte's file digest and diff_id, each encoded byte's blob digest) and their compression, on all
 * cores, by the kernels that wbuild has. Files with equal bytes count once, as a layer holds them
 * once; finding the equal ones is not timed. With OUT, each piece of a large file is read from the
 * page cache, and what it became is written to the file OUT, which is made durable; without, all of
 * it is from memory to memory. Prints seconds: median of RUNS. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "layers/codec.h"
#include "layers/stream.h"
#include "bench.h"

enum { RUNS = 5, STRETCH = 64 }; /* pieces of one job */

struct file {
	char *path;
	int fd;
	size_t size;
	uint8_t *bytes;
	struct wb_digest digest;
};

struct piece {
	const uint8_t *p;
	size_t n;
	const struct file *from; /* NULL: of several small files */
	size_t at;
};

struct output {
	int fd;
	const char *path;
	atomic_uint_fast64_t at;
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

	f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", f->path);
	f->bytes = wb_alloc_pages(f->size);
	if (wb_file_read_full(f->fd, f->bytes, f->size, 0, f->path, err))
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
		*wb_vec_push(&pieces) = (struct piece){f->bytes + at,
			f->size - at < WB_PIECE_MAX ? f->size - at : WB_PIECE_MAX, f, at};
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

static int write_out(struct output *o, const uint8_t *p, size_t n, struct wb_err *err)
{
	uint64_t at = atomic_fetch_add(&o->at, n);

	for (size_t done = 0; done < n;) {
		ssize_t got = pwrite(o->fd, p + done, n - done, (off_t)(at + done));

		if (got < 0)
			return wb_err_sys(err, errno, "cannot write \"%s\"", o->path);
		done += (size_t)got;
	}
	sync_file_range(o->fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE);
	return 0;
}

/* The pieces of one job; the blob's digest of each is taken beside the next one's. */
static int pack_pieces(struct output *o, struct wb_encoder *e, uint8_t *in, uint8_t *out,
	size_t index, struct wb_err *err)
{
	struct wb_sha256 file, diff, blob, *same[] = {&file, &diff};
	size_t n = 0, end = (index + 1) * STRETCH;
	uint32_t crc;

	wb_sha256_init(&file);
	wb_sha256_init(&diff);
	wb_sha256_init(&blob);
	for (size_t i = index * STRETCH; i < end && i < pieces.n; i++) {
		const struct piece *p = &pieces.items[i];
		const uint8_t *bytes = p->p;

		if (o && p->from) {
			if (wb_file_read_full(p->from->fd, in, p->n, p->at, p->from->path, err))
				return -1;
			bytes = in;
		}
		wb_sha256_joint(same, 2, bytes, p->n, &blob, out, n);
		n = wb_encode(e, out, bytes, p->n, &crc);
		if (o && write_out(o, out, n, err))
			return -1;
	}
	wb_sha256_update(&blob, out, n);
	return 0;
}

static int pack(void *arg, size_t index, struct wb_err *err)
{
	const struct wb_codec codec = {.compression = WB_COMPRESS_ZSTD};
	struct wb_encoder *e = wb_encoder_new(&codec);
	uint8_t *in = wb_alloc_pages(WB_PIECE_MAX);
	uint8_t *out = wb_alloc_pages(wb_codec_bound(&codec, WB_PIECE_MAX));
	int rc = pack_pieces(arg, e, in, out, index, err);

	free(in);
	free(out);
	wb_encoder_free(e);
	return rc;
}

static int pack_all(const char *path, struct wb_err *err)
{
	size_t jobs = (pieces.n + STRETCH - 1) / STRETCH;
	struct output o = {.path = path};

	if (!path)
		return wb_pool_run(0, jobs, pack, NULL, err);
	o.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (o.fd < 0)
		return wb_err_sys(err, errno, "cannot make \"%s\"", path);
	size_t most = 0;

	for (size_t i = 0; i < pieces.n; i++)
		most += pieces.items[i].n;
	fallocate(o.fd, 0, 0, (off_t)most); /* faster where it can be had */
	if (wb_pool_run(0, jobs, pack, &o, err))
		return -1;
	if (ftruncate(o.fd, (off_t)atomic_load(&o.at)) || fsync(o.fd) || close(o.fd))
		return wb_err_sys(err, errno, "cannot write \"%s\"", path);
	return 0;
}

int main(int argc, char **argv)
{
	struct wb_err err = WB_ERR_INIT;
	double seconds[RUNS];

	if (argc < 2 || argc > 3 || nftw(argv[1], found, 64, FTW_PHYS) || !files.n) {
		fprintf(stderr, "usage: bench_pack DIR [OUT] (with files in DIR)\n");
		return 2;
	}
	if (wb_pool_run(0, files.n, load, NULL, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	cut();
	for (size_t i = 0; i < RUNS; i++) {
		double start = bench_now();

		if (pack_all(argv[2], &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		seconds[i] = bench_now() - start;
		if (argv[2])
			unlink(argv[2]);
	}
	printf("%.3f\n", bench_median(seconds, RUNS));
	return 0;
}
