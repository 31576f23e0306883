#include "oci/layer_scan.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/sha256.h"
#include "base/text.h"
#include "oci/inflate.h"

#define READ_SIZE (256u << 10)
#define MAGIC 4 /* bytes that tell a coding */
/* Of one entry, long names and maps of sparse files included, of which libarchive keeps what it is
 * given. */
#define HEADERS_MAX (8u << 20)
#define GZIP_MOST 1100 /* times smaller, and no more */

/* A blob whose first bytes were looked at, and whose errors name it. What is inside stays its
 * owner's. */
struct peeked {
	struct wb_reader base;
	struct wb_reader *inner;
	const char *what;
	uint8_t head[MAGIC];
	size_t at, n;
};

static int peeked_read(struct wb_reader *r, void *p, size_t n, size_t *got, struct wb_err *err)
{
	struct peeked *k = (struct peeked *)r;
	size_t left = k->n - k->at;

	if (!left)
		return wb_reader_read(k->inner, p, n, got, err) ? wb_err_wrap(err, "%s", k->what)
		                                                : 0;
	*got = n < left ? n : left;
	memcpy(p, k->head + k->at, *got);
	k->at += *got;
	return 0;
}

static void peeked_close(struct wb_reader *r)
{
}

static int peek(struct peeked *k, struct wb_reader *inner, const char *what, struct wb_err *err)
{
	size_t got;

	*k = (struct peeked){.base = {peeked_read, peeked_close}, .inner = inner, .what = what};
	do {
		if (wb_reader_read(inner, k->head + k->n, MAGIC - k->n, &got, err))
			return wb_err_wrap(err, "%s", what);
		k->n += got;
	} while (got && k->n < MAGIC);
	return 0;
}

/* libarchive pulls from a wb_reader; the first error is kept, because libarchive's own text would
 * hide it. */
struct source {
	struct wb_reader *reader; /* of the plain tar; its errors name the blob */
	const char *what;
	uint8_t *buf;
	uint64_t count, limit, expanded_max; /* limit: for now */
	struct wb_sha256 *sha;               /* of all that was read, or NULL */
	struct wb_err error;
};

static int too_much(struct source *s, struct wb_err *err)
{
	if (s->count > s->expanded_max)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: it expands to more than %s", s->what,
			wb_size_text(s->expanded_max).s);
	return wb_err_set(err, WB_ERR_LIMIT, "%s: the headers of one entry are larger than %s",
		s->what, wb_size_text(HEADERS_MAX).s);
}

/* The next bytes of the tar, in s->buf; none at its end. */
static int read_more(struct source *s, size_t *got, struct wb_err *err)
{
	if (wb_reader_read(s->reader, s->buf, READ_SIZE, got, err))
		return -1;
	if (s->sha)
		wb_sha256_update(s->sha, s->buf, *got);
	s->count += *got;
	return s->count > s->limit || s->count > s->expanded_max ? too_much(s, err) : 0;
}

static la_ssize_t pull(struct archive *a, void *arg, const void **p)
{
	struct source *s = arg;
	size_t got = 0;

	if (read_more(s, &got, &s->error)) {
		archive_set_error(a, ARCHIVE_FATAL, "%s", s->error.text);
		return -1;
	}
	*p = s->buf;
	return (la_ssize_t)got;
}

static const char *clean_path(char *path)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		path[--n] = '\0';
	for (;;) {
		if (path[0] == '/')
			path++;
		else if (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))
			path++;
		else
			return path;
	}
}

static enum wb_layer_entry_type entry_type(struct archive_entry *e)
{
	if (archive_entry_hardlink(e))
		return WB_LAYER_ENTRY_HARDLINK;
	switch (archive_entry_filetype(e)) {
	case AE_IFDIR: return WB_LAYER_ENTRY_DIR;
	case AE_IFREG: return WB_LAYER_ENTRY_FILE;
	case AE_IFLNK: return WB_LAYER_ENTRY_SYMLINK;
	default: return WB_LAYER_ENTRY_OTHER;
	}
}

static int read_error(const struct source *s, struct archive *a, struct wb_err *err)
{
	if (s->error.code) {
		*err = s->error;
		return -1;
	}
	const char *text = archive_error_string(a);

	return wb_err_set(err, WB_ERR_FORMAT, "%s: not a readable tar: %s", s->what,
		text ? text : "unknown reason");
}

static void fill_entry(struct wb_layer_entry *out, struct archive_entry *e, char *name)
{
	const char *hardlink = archive_entry_hardlink(e);
	int64_t size = archive_entry_size(e);

	*out = (struct wb_layer_entry){
		.type = entry_type(e),
		.path = clean_path(name),
		.link = hardlink ? hardlink : archive_entry_symlink(e),
		.mode = archive_entry_perm(e),
		.uid = (unsigned)archive_entry_uid(e),
		.gid = (unsigned)archive_entry_gid(e),
		.size = size > 0 && !hardlink ? (uint64_t)size : 0,
	};
}

static int pass_data(struct archive *a, const struct source *s, const struct wb_layer_visitor *v,
	struct wb_err *err)
{
	wb_autofree char *buf = wb_alloc(READ_SIZE);

	for (;;) {
		la_ssize_t n = archive_read_data(a, buf, READ_SIZE);

		if (n == 0)
			return 0;
		if (n < 0)
			return read_error(s, a, err);
		if (wb_cancel_check(err) || v->data(v->arg, buf, (size_t)n, err))
			return -1;
	}
}

/* The next entry. 1: there is none. */
static int next_entry(struct archive_entry **e, struct archive *a, struct source *s, bool first,
	struct wb_err *err)
{
	/* What is left of the one before is not header. */
	s->limit = UINT64_MAX;
	int rc = first ? ARCHIVE_OK : archive_read_data_skip(a);

	if (rc == ARCHIVE_OK || rc == ARCHIVE_WARN || rc == ARCHIVE_EOF) {
		s->limit = s->count + HEADERS_MAX;
		rc = archive_read_next_header(a, e);
		s->limit = UINT64_MAX;
	}
	if (s->error.code || (rc != ARCHIVE_OK && rc != ARCHIVE_WARN && rc != ARCHIVE_EOF))
		return read_error(s, a, err);
	return rc == ARCHIVE_EOF;
}

static int scan(
	struct archive *a, struct source *s, const struct wb_layer_visitor *v, struct wb_err *err)
{
	struct archive_entry *e;

	for (uint64_t n = 0;; n++) {
		struct wb_layer_entry entry;
		int rc = next_entry(&e, a, s, n == 0, err);

		if (rc)
			return rc < 0 ? -1 : 0;
		if (n == WB_LAYER_ENTRIES_MAX)
			return wb_err_set(err, WB_ERR_LIMIT, "%s: more than %d entries", s->what,
				WB_LAYER_ENTRIES_MAX);
		wb_autofree char *name = wb_strdup(archive_entry_pathname(e));

		if (!name)
			return wb_err_set(
				err, WB_ERR_FORMAT, "%s: an entry without a name", s->what);
		fill_entry(&entry, e, name);
		if (wb_cancel_check(err) || v->entry(v->arg, &entry, err))
			return -1;
		if (v->data && entry.type == WB_LAYER_ENTRY_FILE && pass_data(a, s, v, err))
			return -1;
	}
}

/* libarchive stops at the end of the tar; the reader verifies at the end of the blob. */
static int drain(struct source *s, struct wb_err *err)
{
	size_t got;

	s->limit = UINT64_MAX;
	do {
		if (read_more(s, &got, err))
			return -1;
	} while (got);
	return 0;
}

static int scan_plain(struct source *s, const struct wb_layer_visitor *v, struct wb_err *err)
{
	struct archive *a = archive_read_new();
	int rc;

	archive_read_support_format_tar(a);
	archive_read_support_format_empty(a);
	if (archive_read_open(a, s, NULL, pull, NULL) != ARCHIVE_OK)
		rc = read_error(s, a, err);
	else
		rc = scan(a, s, v, err);
	archive_read_free(a);
	return rc ? rc : drain(s, err);
}

/* Bytes that cannot be read as a tar, or expanded, are often not the blob's own: say that instead,
 * which only the end of the blob tells. */
static void judge_blob(struct wb_reader *blob, uint8_t *buf, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;
	size_t got = 1;

	while (got)
		if (wb_reader_read(blob, buf, READ_SIZE, &got, &why)) {
			if (why.code == WB_ERR_INTEGRITY)
				*err = why;
			return;
		}
}

uint64_t wb_layer_expansion(uint64_t blob_size, uint64_t free)
{
	uint64_t most;

	return wb_mul_u64(&most, blob_size, GZIP_MOST) && wb_add_u64(&most, most, free)
	               ? most
	               : UINT64_MAX;
}

int wb_layer_scan(struct wb_reader *r, const char *what, uint64_t expanded_max,
	const struct wb_layer_visitor *v, struct wb_err *err)
{
	wb_autofree uint8_t *buf = wb_alloc_pages(READ_SIZE);
	struct peeked peeked;
	struct wb_sha256 sha;

	if (peek(&peeked, r, what, err))
		return -1;
	enum wb_media_coding coding = wb_coding_sniff(peeked.head, peeked.n);
	bool hash = v->diff_id && coding != WB_CODING_NONE;

	WB_AUTO(wb_reader_closep)
	struct wb_reader *plain = wb_reader_inflate(&peeked.base, coding, what, err);
	struct source s = {.reader = plain,
		.what = what,
		.buf = buf,
		.limit = HEADERS_MAX,
		.expanded_max = expanded_max,
		.sha = hash ? &sha : NULL};

	wb_sha256_init(&sha);
	int rc = plain ? scan_plain(&s, v, err) : -1;

	if (rc && err->code == WB_ERR_FORMAT)
		judge_blob(&peeked.base, buf, err);
	if (!rc && hash)
		wb_sha256_final(&sha, v->diff_id);
	return rc;
}

/* --- one file ----------------------------------------------------------------------------- */

struct wanted {
	const char *path;
	struct wb_buf bytes;
	bool inside, found;
};

static int match_entry(void *arg, const struct wb_layer_entry *e, struct wb_err *err)
{
	struct wanted *w = arg;

	w->inside = e->type == WB_LAYER_ENTRY_FILE && !strcmp(e->path, w->path);
	w->found |= w->inside;
	return 0;
}

static int keep_data(void *arg, const void *p, size_t n, struct wb_err *err)
{
	struct wanted *w = arg;

	return w->inside ? wb_buf_add(&w->bytes, p, n, err) : 0;
}

int wb_layer_read_file(char **out, size_t *n, struct wb_reader *r, const char *what,
	uint64_t expanded_max, const char *path, size_t limit, struct wb_err *err)
{
	struct wanted w = {.path = path};
	const struct wb_layer_visitor v = {.entry = match_entry, .data = keep_data, .arg = &w};

	wb_buf_init(&w.bytes, limit, path);
	int rc = wb_layer_scan(r, what, expanded_max, &v, err);

	*n = w.bytes.len;
	*out = !rc && w.found ? wb_buf_steal(&w.bytes) : NULL;
	wb_buf_release(&w.bytes);
	return rc;
}
