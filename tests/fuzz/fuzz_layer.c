/* A base's layer: the tar, plain, gzip or zstd, as the build looks through it. */
#include "fuzz.h"
#include "oci/inflate.h"
#include "oci/layer_scan.h"

#define OUT_MAX (16u << 20)
#define ENTRIES_MAX 20000

struct bytes {
	struct wb_reader base;
	const uint8_t *p;
	size_t n;
};

static int read_bytes(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct bytes *b = (struct bytes *)r;

	(void)err;
	*got = b->n < n ? b->n : n;
	memcpy(p, b->p, *got);
	b->p += *got;
	b->n -= *got;
	return 0;
}

static void close_bytes(struct wb_reader *r)
{
	free(r);
}

static struct wb_reader *reader(const uint8_t *p, size_t n)
{
	struct bytes *b = wb_alloc(sizeof(*b));

	*b = (struct bytes){{read_bytes, close_bytes}, p, n};
	return &b->base;
}

struct seen {
	size_t entries;
	uint64_t left, bytes; /* left: of the file that was announced last */
};

static int entry(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	struct seen *s = arg;

	MUST(e->path && e->path[0] != '/');
	MUST(e->link || (e->type != WB_LAYER_ENTRY_HARDLINK));
	s->left = e->type == WB_LAYER_ENTRY_FILE ? e->size : 0;
	return ++s->entries > ENTRIES_MAX ? wb_err_set(err, WB_ERR_LIMIT, "enough entries") : 0;
}

static int data(void *arg, const void *p, size_t n, struct wb_err *err)
{
	struct seen *s = arg;
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum ^= ((const uint8_t *)p)[i];
	MUST(n <= s->left);
	s->left -= n;
	s->bytes += n + (sum & 0);
	return s->bytes > OUT_MAX ? wb_err_set(err, WB_ERR_LIMIT, "enough bytes") : 0;
}

static void scan(const uint8_t *p, size_t n)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = reader(p, n);
	struct seen seen = {0};
	const struct wb_layer_visitor v = {.entry = entry, .data = data, .arg = &seen};
	struct wb_err err = WB_ERR_INIT;

	if (wb_layer_scan(r, "fuzz", OUT_MAX, &v, &err))
		must_be_error(&err);
}

static void read_file(const uint8_t *p, size_t n)
{
	WB_AUTO(wb_reader_closep) struct wb_reader *r = reader(p, n);
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *text = NULL;
	size_t len = 0;

	if (wb_layer_read_file(&text, &len, r, "fuzz", OUT_MAX, "etc/passwd", 4096, &err))
		must_be_error(&err);
	else
		MUST(!text || (len <= 4096 && text[len] == '\0'));
}

static void inflate(const uint8_t *p, size_t n)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_reader_closep)
	struct wb_reader *r = wb_reader_inflate(reader(p, n), wb_coding_sniff(p, n), "fuzz", &err);
	uint8_t buf[4096];
	size_t got, total = 0;

	if (!r) {
		must_be_error(&err);
		return;
	}
	do {
		if (wb_reader_read(r, buf, sizeof(buf), &got, &err)) {
			must_be_error(&err);
			return;
		}
		MUST(got <= sizeof(buf));
		total += got;
	} while (got && total < OUT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'f': read_file(data + 1, size - 1); break;
	case 'i': inflate(data + 1, size - 1); break;
	default: scan(data + 1, size - 1); break;
	}
	return 0;
}
