#include "oci/inflate.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#define CHUNK (256u << 10)
#define MAGIC 4 /* bytes that tell a coding */

enum wb_media_coding wb_coding_sniff(const void *p, size_t n)
{
	const unsigned char *b = p;

	if (n >= 2 && b[0] == 0x1f && b[1] == 0x8b)
		return WB_CODING_GZIP;
	if (n >= 4 && !memcmp(b, "\x28\xb5\x2f\xfd", 4))
		return WB_CODING_ZSTD;
	if (n >= 4 && (b[0] & 0xf0) == 0x50 && !memcmp(b + 1, "\x2a\x4d\x18", 3))
		return WB_CODING_ZSTD; /* starts with a skippable frame */
	return WB_CODING_NONE;
}

struct inflater {
	struct wb_reader base;
	struct wb_reader *inner;
	struct archive *a;
	enum wb_media_coding coding;
	bool begun;
	struct wb_err inner_err; /* what inner said, while libarchive was asking */
	bool empty;              /* nothing was in the stream */
	bool end;                /* of the decompressed stream */
	char *name;
	char chunk[CHUNK];
};

/* The next bytes of the blob, at least `least` of them unless it ends. */
static int fill(struct inflater *f, size_t *n, size_t least)
{
	size_t got = 0;

	*n = 0;
	do {
		if (wb_reader_read(
			    f->inner, f->chunk + *n, sizeof(f->chunk) - *n, &got, &f->inner_err))
			return -1;
		*n += got;
	} while (got && *n < least);
	return 0;
}

static la_ssize_t feed(struct archive *a, void *arg, const void **p)
{
	struct inflater *f = arg;
	size_t n;

	/* libarchive takes what has no gzip header for an empty stream. */
	if (fill(f, &n, f->begun ? 1 : MAGIC) ||
		(!f->begun && wb_coding_sniff(f->chunk, n) != f->coding &&
			wb_err_set(&f->inner_err, WB_ERR_FORMAT,
				"%s: a layer is not compressed as its type says", f->name))) {
		archive_set_error(a, EIO, "%s", f->inner_err.text);
		return -1;
	}
	f->begun = true;
	*p = f->chunk;
	return (la_ssize_t)n;
}

static int fail(struct inflater *f, struct wb_err *err)
{
	if (f->inner_err.code) {
		*err = f->inner_err;
		return -1;
	}
	const char *why = archive_error_string(f->a);

	return wb_err_set(err, WB_ERR_FORMAT, "%s: a layer cannot be decompressed: %s", f->name,
		why ? why : "damaged data");
}

/* Bytes after the compressed stream are still part of the blob: a verifying inner reader must see
 * them before it can agree. */
static int drain(struct inflater *f, struct wb_err *err)
{
	size_t got = 0;

	do {
		if (wb_reader_read(f->inner, f->chunk, sizeof(f->chunk), &got, err))
			return -1;
	} while (got);
	f->end = true;
	return 0;
}

static int inflate_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct inflater *f = (struct inflater *)r;
	la_ssize_t k = f->end || f->empty ? 0 : archive_read_data(f->a, p, n);

	/* Its decoders may take an error of the input for the input's end. */
	if (k < 0 || f->inner_err.code)
		return fail(f, err);
	if (k == 0 && !f->end && drain(f, err))
		return -1;
	*got = (size_t)k;
	return 0;
}

static void inflate_close(struct wb_reader *r)
{
	struct inflater *f = (struct inflater *)r;

	archive_read_free(f->a);
	wb_reader_close(f->inner);
	free(f->name);
	free(f);
}

/* Exactly the decoder that the layer's type names: bidding would undo a layer that is compressed
 * twice, or take a tar for something else. */
static int start(struct inflater *f)
{
	int filter = f->coding == WB_CODING_GZIP ? ARCHIVE_FILTER_GZIP : ARCHIVE_FILTER_ZSTD;
	struct archive_entry *e;

	if (archive_read_append_filter(f->a, filter) ||
		archive_read_set_format(f->a, ARCHIVE_FORMAT_RAW) ||
		archive_read_open(f->a, f, NULL, feed, NULL))
		return -1;
	int rc = archive_read_next_header(f->a, &e);

	f->empty = rc == ARCHIVE_EOF;
	return (rc == ARCHIVE_OK || f->empty) && !f->inner_err.code ? 0 : -1;
}

struct wb_reader *wb_reader_inflate(
	struct wb_reader *r, enum wb_media_coding coding, const char *name, struct wb_err *err)
{
	if (coding == WB_CODING_NONE)
		return r;
	struct inflater *f = wb_zalloc(sizeof(*f));

	f->base = (struct wb_reader){.read = inflate_read, .close = inflate_close};
	f->inner = r;
	f->coding = coding;
	f->name = wb_strdup(name);
	f->a = archive_read_new();
	if (!f->a)
		abort();
	if (start(f)) {
		fail(f, err);
		inflate_close(&f->base);
		return NULL;
	}
	return &f->base;
}
