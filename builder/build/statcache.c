#include "builder/build/statcache.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "base/text.h"

/* A change within one tick of the clock leaves ctime as it was; file systems with whole seconds
 * tick slowly. */
#define TICK_NS 100000000LL
#define COARSE_TICK_NS 2000000000LL

struct record {
	char *path;
	uint64_t dev, ino, size;
	int64_t mtime, ctime; /* ns since the epoch */
	struct wb_digest digest;
	UT_hash_handle hh;
};

struct wb_statcache {
	char *dir;
	struct record *by_path;
	int64_t walked_at;
	size_t known, asked;
};

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static bool read_record(struct record *out, const json_t *row)
{
	const char *path = json_string_value(json_array_get(row, 0));
	const char *hex = json_string_value(json_array_get(row, 6));

	if (!path || !hex || !wb_digest_parse_hex(&out->digest, hex, strlen(hex)))
		return false;
	out->dev = (uint64_t)json_integer_value(json_array_get(row, 1));
	out->ino = (uint64_t)json_integer_value(json_array_get(row, 2));
	out->size = (uint64_t)json_integer_value(json_array_get(row, 3));
	out->mtime = json_integer_value(json_array_get(row, 4));
	out->ctime = json_integer_value(json_array_get(row, 5));
	out->path = wb_strdup(path);
	return true;
}

struct wb_statcache *wb_statcache_load(struct wb_store *s, const char *dir)
{
	struct wb_statcache *c = wb_zalloc(sizeof(*c));
	wb_autojson json_t *rows = wb_store_index_get(s, "stat", dir);
	struct timespec now;
	json_t *row;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	c->walked_at = ns(&now);
	c->dir = wb_strdup(dir);
	json_array_foreach (rows, i, row) {
		struct record *r = wb_zalloc(sizeof(*r)), *twin = NULL;

		if (read_record(r, row))
			HASH_FIND_STR(c->by_path, r->path, twin);
		if (!r->path || twin) {
			free(r->path);
			free(r);
			continue;
		}
		HASH_ADD_KEYPTR(hh, c->by_path, r->path, strlen(r->path), r);
		c->known++;
	}
	return c;
}

void wb_statcache_free(struct wb_statcache *c)
{
	struct record *r, *next;

	if (!c)
		return;
	HASH_ITER (hh, c->by_path, r, next) {
		HASH_DELETE(hh, c->by_path, r);
		free(r->path);
		free(r);
	}
	free(c->dir);
	free(c);
}

void wb_statcache_lookup(struct wb_statcache *c, struct wb_content *content)
{
	struct record *r;

	c->asked++;
	HASH_FIND_STR(c->by_path, content->path, r);
	if (!r || r->dev != content->dev || r->ino != content->ino || r->size != content->size ||
		r->mtime != ns(&content->mtime) || r->ctime != ns(&content->ctime))
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

static json_t *write_record(const struct wb_content *content)
{
	json_t *row = json_array();

	wb_json_append(row, json_string(content->path));
	wb_json_append(row, json_integer((json_int_t)content->dev));
	wb_json_append(row, json_integer((json_int_t)content->ino));
	wb_json_append(row, json_integer((json_int_t)content->size));
	wb_json_append(row, json_integer(ns(&content->mtime)));
	wb_json_append(row, json_integer(ns(&content->ctime)));
	wb_json_append(row, json_string(wb_digest_hex(&content->digest).s));
	return row;
}

static bool same_record(struct wb_statcache *c, const struct wb_content *content)
{
	struct wb_content probe = *content;

	probe.digest_known = false;
	wb_statcache_lookup(c, &probe);
	return probe.digest_known && wb_digest_equal(&probe.digest, &content->digest);
}

int wb_statcache_save(
	struct wb_statcache *c, const struct wb_tree *t, struct wb_store *s, struct wb_err *err)
{
	wb_autojson json_t *rows = json_array();
	size_t fresh = 0;

	wb_vec_foreach (it, &t->nodes) {
		struct wb_content content = (*it)->content;

		if ((*it)->type != WB_NODE_FILE || content.immutable ||
			!wb_path_within(content.path, c->dir))
			continue;
		if ((*it)->same && (*it)->same->content.digest_known) {
			content.digest = (*it)->same->content.digest;
			content.digest_known = true;
		}
		if (!content.digest_known || !settled(c, &content) ||
			!wb_utf8_valid(content.path, strlen(content.path)))
			continue;
		fresh += !same_record(c, &content);
		wb_json_append(rows, write_record(&content));
	}
	if (!fresh && json_array_size(rows) == c->known)
		return 0;
	return wb_store_index_put(s, "stat", c->dir, rows, err);
}
