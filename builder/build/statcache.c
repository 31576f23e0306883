#include "builder/build/statcache.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/path.h"

/* A change within one tick of the clock leaves ctime as it was; file systems with whole seconds
 * tick slowly. */
#define TICK_NS 100000000LL
#define COARSE_TICK_NS 2000000000LL

#define NOTE_MAX (1u << 30)
#define NOTE_HEAD "stat 1"
#define FIELDS_MAX 192 /* a record without its path */

/* A note is a list of texts that each end with a NUL: NOTE_HEAD, then for every file two, "DEV INO
 * SIZE MTIME CTIME SHA256" and its path. The paths are bytes, so it is not JSON; and a model may
 * have a hundred thousand files, so reading it must cost next to nothing. */
struct record {
	const char *path; /* in the note */
	uint64_t dev, ino, size;
	int64_t mtime, ctime; /* ns since the epoch */
	struct wb_digest digest;
	UT_hash_handle hh;
};

struct wb_statcache {
	char *dir;
	struct wb_buf note;
	WB_VEC(struct record) records;
	struct record *by_path;
	int64_t walked_at;
};

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* The text at *at, which moves behind it; NULL at the end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at, *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

static bool read_number(uint64_t *out, const char **text)
{
	const char *p = *text;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (!wb_mul_u64(&v, v, 10) || !wb_add_u64(&v, v, (uint64_t)(*p - '0')))
			return false;
	if (p == *text || *p != ' ')
		return false;
	*text = p + 1;
	*out = v;
	return true;
}

static bool read_time(int64_t *out, const char **text)
{
	uint64_t v;
	bool negative = **text == '-';

	*text += negative;
	if (!read_number(&v, text) || v > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static bool read_record(struct record *out, const char *fields, const char *path)
{
	out->path = path;
	return read_number(&out->dev, &fields) && read_number(&out->ino, &fields) &&
	       read_number(&out->size, &fields) && read_time(&out->mtime, &fields) &&
	       read_time(&out->ctime, &fields) &&
	       wb_digest_parse_hex(&out->digest, fields, strlen(fields));
}

static void read_note(struct wb_statcache *c)
{
	const char *at = c->note.data, *end = at + c->note.len;
	const char *head = next_text(&at, end), *fields, *path;

	if (!head || strcmp(head, NOTE_HEAD))
		return;
	while ((fields = next_text(&at, end)) && (path = next_text(&at, end)))
		if (!read_record(wb_vec_push(&c->records), fields, path))
			c->records.n--;
	/* not before: growing moves them */
	wb_vec_foreach (r, &c->records) {
		struct record *twin;

		HASH_FIND_STR(c->by_path, r->path, twin);
		if (!twin)
			HASH_ADD_KEYPTR(hh, c->by_path, r->path, strlen(r->path), r);
	}
}

struct wb_statcache *wb_statcache_load(struct wb_store *s, const char *dir)
{
	struct wb_statcache *c = wb_zalloc(sizeof(*c));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	c->walked_at = ns(&now);
	c->dir = wb_strdup(dir);
	wb_buf_init(&c->note, NOTE_MAX, "stat record");
	if (wb_store_note_get(&c->note, s, "stat", dir))
		read_note(c);
	return c;
}

void wb_statcache_free(struct wb_statcache *c)
{
	if (!c)
		return;
	HASH_CLEAR(hh, c->by_path);
	wb_vec_free(&c->records);
	wb_buf_release(&c->note);
	free(c->dir);
	free(c);
}

static const struct record *find(const struct wb_statcache *c, const struct wb_content *content)
{
	struct record *r;

	HASH_FIND_STR(c->by_path, content->path, r);
	if (!r || r->dev != content->dev || r->ino != content->ino || r->size != content->size ||
		r->mtime != ns(&content->mtime) || r->ctime != ns(&content->ctime))
		return NULL;
	return r;
}

void wb_statcache_lookup(const struct wb_statcache *c, struct wb_content *content)
{
	const struct record *r = find(c, content);

	if (!r)
		return;
	content->digest = r->digest;
	content->digest_known = true;
}

static bool settled(const struct wb_statcache *c, const struct wb_content *content)
{
	int64_t changed = ns(&content->ctime);
	bool coarse = content->ctime.tv_nsec == 0 && content->mtime.tv_nsec == 0;

	return changed + (coarse ? COARSE_TICK_NS : TICK_NS) <= c->walked_at;
}

/* The digest to remember of a file below dir, NULL when there is none. */
static const struct wb_digest *digest_of(const struct wb_statcache *c, const struct wb_node *node)
{
	const struct wb_node *holder = node->same ? node->same : node;

	if (node->type != WB_NODE_FILE || !node->content.path || node->content.immutable ||
		!holder->content.digest_known || !settled(c, &node->content) ||
		!wb_path_within(node->content.path, c->dir))
		return NULL;
	return &holder->content.digest;
}

/* Would the note come out as it was read? */
static bool is_current(const struct wb_statcache *c, const struct wb_tree *t)
{
	size_t n = 0;

	wb_vec_foreach (it, &t->nodes) {
		const struct wb_digest *d = digest_of(c, *it);
		const struct record *r = d ? find(c, &(*it)->content) : NULL;

		if (d && (!r || !wb_digest_equal(&r->digest, d)))
			return false;
		n += d != NULL;
	}
	return n == c->records.n;
}

static int add_record(struct wb_buf *out, const struct wb_content *content,
	const struct wb_digest *d, struct wb_err *err)
{
	char fields[FIELDS_MAX];
	int n = snprintf(fields, sizeof(fields),
		"%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %s",
		(uint64_t)content->dev, (uint64_t)content->ino, content->size, ns(&content->mtime),
		ns(&content->ctime), wb_digest_hex(d).s);

	if (wb_buf_add(out, fields, (size_t)n + 1, err))
		return -1;
	return wb_buf_add(out, content->path, strlen(content->path) + 1, err);
}

int wb_statcache_save(const struct wb_statcache *c, const struct wb_tree *t, struct wb_store *s,
	struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf note = WB_BUF_INIT;

	if (is_current(c, t))
		return 0;
	wb_buf_init(&note, NOTE_MAX, "stat record");
	if (wb_buf_add(&note, NOTE_HEAD, sizeof(NOTE_HEAD), err))
		return -1;
	wb_vec_foreach (it, &t->nodes) {
		const struct wb_digest *d = digest_of(c, *it);

		if (d && add_record(&note, &(*it)->content, d, err))
			return -1;
	}
	return wb_store_note_put(s, "stat", c->dir, note.data, note.len, err);
}
