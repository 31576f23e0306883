#include "layers/manifest.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "base/path.h"
#include "base/text.h"

#define WHAT "bundle manifest"
#define NO_SOURCE "has a source that is not in the list of sources"

/* ---- reading ----
 *
 * Members may come in any order, so each object is gathered first and then looked at. */

/* Each name at most once: a second one would let two readers see two manifests. */
#define ONCE(seen, bit, j)                                                                   \
	do {                                                                                 \
		if ((seen) & (bit))                                                          \
			(j)->wrong = (j)->wrong ? (j)->wrong : "a name that is there twice"; \
		(seen) |= (bit);                                                             \
	} while (0)

/* A text member: where its value goes. */
struct slot {
	const char *name;
	char **value;
};

/* One file as it is written. */
struct raw {
	char *path, *path_hex, *type, *mode, *sha256, *target, *target_hex;
	uint64_t size, source;
	bool has_type, has_size, has_source, has_states, states_good; /* good: an array */
	size_t bad_states;
	WB_VEC(struct wb_digest) states;
	unsigned seen;
};

static void raw_clear(struct raw *r)
{
	free(r->path);
	free(r->path_hex);
	free(r->type);
	free(r->mode);
	free(r->sha256);
	free(r->target);
	free(r->target_hex);
	wb_vec_free(&r->states);
	*r = (struct raw){0};
}

static void read_raw_states(struct raw *r, struct wb_jread *j)
{
	r->has_states = true;
	r->states_good = wb_jread_array(j);
	while (r->states_good && wb_jread_element(j)) {
		const char *hex = wb_jread_string(j);
		struct wb_digest *d = wb_vec_push(&r->states);

		if (!hex || !wb_digest_parse_hex(d, hex, strlen(hex)))
			r->bad_states++;
	}
}

static void read_raw_member(struct raw *r, const char *name, struct wb_jread *j)
{
	const struct slot slots[] = {{"path", &r->path}, {"pathHex", &r->path_hex},
		{"type", &r->type}, {"mode", &r->mode}, {"sha256", &r->sha256},
		{"target", &r->target}, {"targetHex", &r->target_hex}};

	for (unsigned i = 0; i < WB_ARRAY_LEN(slots); i++)
		if (!strcmp(name, slots[i].name)) {
			ONCE(r->seen, 1u << i, j);
			free(*slots[i].value);
			*slots[i].value = wb_strdup(wb_jread_string(j));
			r->has_type |= slots[i].value == &r->type;
			return;
		}
	if (!strcmp(name, "size")) {
		ONCE(r->seen, 1u << 8, j);
		r->has_size = wb_jread_u64(j, &r->size);
	} else if (!strcmp(name, "source")) {
		ONCE(r->seen, 1u << 9, j);
		r->has_source = wb_jread_u64(j, &r->source);
	} else if (!strcmp(name, "states")) {
		ONCE(r->seen, 1u << 10, j);
		read_raw_states(r, j);
	} else {
		wb_jread_skip(j);
	}
}

/* The text or, where the bytes are not UTF-8 and JSON cannot hold them, what the hex form stands
 * for. NULL when there is none or it is not in its one right form. */
static char *take_bytes(char **text, const char *hex)
{
	size_t n = hex ? strlen(hex) : 0;

	if (*text)
		return hex ? NULL : wb_steal(*text);
	if (!n || n % 2)
		return NULL;
	wb_autofree char *bytes = wb_zalloc(n / 2 + 1);

	if (!wb_unhex((uint8_t *)bytes, hex, n / 2, false) || strlen(bytes) != n / 2 ||
		wb_utf8_valid(bytes, n / 2))
		return NULL;
	return wb_steal(bytes);
}

static bool parse_mode(unsigned *out, const char *s)
{
	unsigned mode = 0;

	if (!s || strlen(s) != 4)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '7')
			return false;
		mode = mode * 8 + (unsigned)(*s - '0');
	}
	*out = mode;
	return true;
}

static const char *check_file(struct wb_bundle_entry *e, struct raw *r)
{
	if (!r->has_size)
		return "has no size";
	e->size = r->size;
	if (!parse_mode(&e->mode, r->mode))
		return "has no mode of four octal digits";
	if (!r->sha256 || !wb_digest_parse_hex(&e->digest, r->sha256, strlen(r->sha256)))
		return "has no sha256 of 64 lower-case hex digits";
	if (r->has_states && !wb_states_count(e->size))
		return "has states but only one chunk";
	if (r->has_states && (!r->states_good || r->bad_states))
		return "has a state that is not 64 lower-case hex digits";
	if (r->states.n != wb_states_count(e->size))
		return "does not have one state for each chunk of its size but the last";
	e->states = wb_steal(r->states.items);
	return NULL;
}

static const char *check_symlink(struct wb_bundle_entry *e, struct raw *r)
{
	e->mode = 0777;
	e->target = take_bytes(&r->target, r->target_hex);
	if (!e->target || !*e->target)
		return "is a symlink without a target";
	return strlen(e->target) < PATH_MAX ? NULL : "has a target longer than 4095 bytes";
}

static const char *check_type(struct wb_bundle_entry *e, struct raw *r)
{
	if (r->has_type && !r->type)
		return "has a type that is not text";
	if (!r->type || !strcmp(r->type, "file")) {
		e->type = WB_BUNDLE_FILE;
		return check_file(e, r);
	}
	if (!strcmp(r->type, "symlink")) {
		e->type = WB_BUNDLE_SYMLINK;
		return check_symlink(e, r);
	}
	if (strcmp(r->type, "dir"))
		return "has a type other than \"file\", \"symlink\" and \"dir\"";
	e->type = WB_BUNDLE_DIR;
	return parse_mode(&e->mode, r->mode) ? NULL : "has no mode of four octal digits";
}

/* A path's content follows it directly in this order, so a look at the entry before is enough. */
static const char *check_order(const struct wb_bundle_entry *e, const struct wb_bundle_entry *prev)
{
	size_t n = strlen(prev->path);
	int order = wb_path_cmp(prev->path, e->path);

	if (order == 0)
		return "is there twice";
	if (order > 0)
		return "is not in order";
	if (prev->type != WB_BUNDLE_DIR && !strncmp(prev->path, e->path, n) && e->path[n] == '/')
		return "lies below a path that is not a directory";
	return NULL;
}

static const char *check_entry(
	struct wb_bundle_entry *e, const struct wb_bundle_entry *prev, struct raw *r)
{
	const char *why;

	e->path = take_bytes(&r->path, r->path_hex);
	if (!e->path)
		return "has no path";
	why = wb_path_unsafe(e->path, strlen(e->path));
	if (!why && prev)
		why = check_order(e, prev);
	if (!why)
		why = check_type(e, r);
	if (!why && (!r->has_source || r->source > UINT_MAX))
		why = NO_SOURCE;
	e->source = (unsigned)r->source;
	return why;
}

static int bad_entry(
	const struct wb_bundle_entry *e, size_t index, const char *why, struct wb_err *err)
{
	wb_autofree char *name = wb_text_quote(e->path ? e->path : "", 200);

	return wb_err_set(err, WB_ERR_FORMAT, WHAT ": file %zu (\"%s\") %s", index, name, why);
}

static int read_entries(struct wb_bundle_manifest *m, struct wb_jread *j, struct wb_err *err)
{
	if (!wb_jread_array(j))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": \"files\" is not a list");
	while (wb_jread_element(j)) {
		WB_AUTO(raw_clear) struct raw r = {0};
		size_t i = m->entries.n;
		struct wb_bundle_entry *e = wb_vec_push(&m->entries);
		const char *name, *why = "is not an object";

		if (wb_jread_object(j)) {
			while ((name = wb_jread_member(j)))
				read_raw_member(&r, name, j);
			why = j->wrong ? NULL : check_entry(e, i ? e - 1 : NULL, &r);
		}
		if (why && !j->wrong)
			return bad_entry(e, i, why, err);
	}
	return 0;
}

static bool safe_absolute(const char *path)
{
	if (!path || *path != '/')
		return false;
	return !path[1] || !wb_path_unsafe(path + 1, strlen(path + 1));
}

static void read_source(struct wb_bundle_source *s, struct wb_jread *j)
{
	const struct slot slots[] = {
		{"label", &s->label}, {"revision", &s->revision}, {"mount", &s->mount}};
	unsigned seen = 0;
	const char *name;

	while ((name = wb_jread_member(j))) {
		unsigned i = 0;

		while (i < WB_ARRAY_LEN(slots) && strcmp(name, slots[i].name))
			i++;
		if (i < WB_ARRAY_LEN(slots)) {
			ONCE(seen, 1u << i, j);
			free(*slots[i].value);
			*slots[i].value = wb_strdup(wb_jread_string(j));
		} else if (!strcmp(name, "shared")) {
			s->shared = wb_jread_true(j);
		} else {
			wb_jread_skip(j);
		}
	}
}

static int read_sources(struct wb_bundle_manifest *m, struct wb_jread *j, struct wb_err *err)
{
	if (!wb_jread_array(j))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": \"sources\" is not a list");
	while (wb_jread_element(j)) {
		struct wb_bundle_source *s = wb_vec_push(&m->sources);

		if (wb_jread_object(j))
			read_source(s, j);
		if (!j->wrong && (!s->label || !safe_absolute(s->mount)))
			return wb_err_set(err, WB_ERR_FORMAT,
				WHAT ": source %zu needs a label and an absolute mount path",
				m->sources.n - 1);
	}
	return 0;
}

static int read_hf_cache(struct wb_bundle_manifest *m, struct wb_jread *j, struct wb_err *err)
{
	const char *cache = wb_jread_string(j);

	if (j->wrong)
		return 0; /* also for a second one: told at the end */
	if (!safe_absolute(cache))
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": \"hfCache\" is not an absolute path");
	m->hf_cache = wb_strdup(cache);
	return 0;
}

struct head {
	uint64_t version, chunk;
	unsigned seen;
};

static int read_member(struct wb_bundle_manifest *m, struct head *h, const char *name,
	struct wb_jread *j, struct wb_err *err)
{
	static const char *const names[] = {
		"version", "chunkSize", "sources", "files", "hfCache", NULL};
	unsigned i = 0;

	while (names[i] && strcmp(name, names[i]))
		i++;
	if (names[i])
		ONCE(h->seen, 1u << i, j);
	switch (i) {
	case 0:
		if (!wb_jread_u64(j, &h->version))
			h->version = 0;
		break;
	case 1:
		if (!wb_jread_u64(j, &h->chunk))
			h->chunk = 0;
		break;
	case 2: return read_sources(m, j, err);
	case 3: return read_entries(m, j, err);
	case 4: return read_hf_cache(m, j, err);
	default: wb_jread_skip(j);
	}
	return 0;
}

static int check_head(const struct head *h, struct wb_err *err)
{
	static const char *const needed[] = {"version", "chunkSize", "sources", "files"};

	for (unsigned i = 0; i < 2; i++)
		if (!(h->seen & 1u << i))
			return wb_err_set(
				err, WB_ERR_FORMAT, WHAT ": \"%s\" is missing", needed[i]);
	if (h->version == 1) {
		wb_err_set(err, WB_ERR_UNSUPPORTED, WHAT ": version 1, of an earlier wbuild");
		return wb_err_hint(err, "build the image again");
	}
	if (h->version != WB_MANIFEST_VERSION || h->chunk != WB_CHUNK_SIZE)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			WHAT ": version %llu with chunks of %llu bytes; this program reads version "
			     "%d with chunks of %u",
			(unsigned long long)h->version, (unsigned long long)h->chunk,
			WB_MANIFEST_VERSION, WB_CHUNK_SIZE);
	for (unsigned i = 2; i < WB_ARRAY_LEN(needed); i++)
		if (!(h->seen & 1u << i))
			return wb_err_set(
				err, WB_ERR_FORMAT, WHAT ": \"%s\" is missing", needed[i]);
	return 0;
}

static int read_all(struct wb_bundle_manifest *m, struct wb_jread *j, struct wb_err *err)
{
	struct head h = {0};
	const char *name;
	int rc = 0;

	if (!wb_jread_object(j))
		return wb_jread_end(j, WHAT, err)
		               ? -1
		               : wb_err_set(err, WB_ERR_FORMAT, WHAT ": not an object");
	while (!rc && (name = wb_jread_member(j)))
		rc = read_member(m, &h, name, j, err);
	/* what is not JSON, or of another version, explains everything else */
	if (j->wrong || !rc)
		if (wb_jread_end(j, WHAT, err))
			return -1;
	if ((rc && h.seen & 1 && h.version != WB_MANIFEST_VERSION) || !rc)
		if (check_head(&h, err))
			return -1;
	for (size_t i = 0; !rc && i < m->entries.n; i++)
		if (m->entries.items[i].source >= m->sources.n)
			return bad_entry(&m->entries.items[i], i, NO_SOURCE, err);
	return rc;
}

int wb_bundle_manifest_parse(
	struct wb_bundle_manifest *out, const char *text, size_t n, struct wb_err *err)
{
	WB_AUTO(wb_bundle_manifest_release) struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	WB_AUTO(wb_jread_release) struct wb_jread j;

	wb_jread_init(&j, text, n);
	if (n > WB_MANIFEST_BYTES_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, WHAT " is larger than the limit of %u bytes",
			WB_MANIFEST_BYTES_MAX);
	if (read_all(&m, &j, err))
		return -1;
	*out = m;
	m = WB_BUNDLE_MANIFEST_INIT;
	return 0;
}

/* ---- writing ----
 *
 * With a line for each file, because a person or a diff will look at it. */

static void add(struct wb_buf *b, const char *p, size_t n)
{
	struct wb_err err = WB_ERR_INIT;

	if (wb_buf_add(b, p, n, &err))
		abort(); /* the limit is SIZE_MAX / 2 */
}

static void add_text(struct wb_buf *b, const char *s)
{
	add(b, s, strlen(s));
}

/* `"key":"text"`, or `"keyHex":"…"` where the bytes are not UTF-8. */
static void add_bytes(struct wb_buf *b, const char *key, const char *s)
{
	size_t n = strlen(s);
	bool utf8 = wb_utf8_valid(s, n);

	add_text(b, "\"");
	add_text(b, key);
	add_text(b, utf8 ? "\":" : "Hex\":");
	if (utf8) {
		wb_json_text_quote(b, s);
		return;
	}
	wb_autofree char *hex = wb_alloc(2 * n + 1);

	wb_hex(hex, (const uint8_t *)s, n);
	wb_json_text_quote(b, hex);
}

static void add_states(struct wb_buf *b, const struct wb_bundle_entry *e)
{
	add_text(b, ",\"states\":[");
	for (size_t i = 0; i < wb_states_count(e->size); i++) {
		add_text(b, i ? ",\"" : "\"");
		add(b, wb_digest_hex(&e->states[i]).s, WB_DIGEST_HEX);
		add_text(b, "\"");
	}
	add_text(b, "]");
}

static void add_entry(struct wb_buf *b, const struct wb_bundle_entry *e)
{
	add_text(b, "{");
	add_bytes(b, "path", e->path);
	switch (e->type) {
	case WB_BUNDLE_FILE:
		assert(!e->states == !wb_states_count(e->size));
		wb_buf_must(b, ",\"mode\":\"%04o\",\"size\":%llu,\"sha256\":\"%s\"", e->mode,
			(unsigned long long)e->size, wb_digest_hex(&e->digest).s);
		if (e->states)
			add_states(b, e);
		break;
	case WB_BUNDLE_SYMLINK:
		add_text(b, ",\"type\":\"symlink\",");
		add_bytes(b, "target", e->target);
		break;
	case WB_BUNDLE_DIR: wb_buf_must(b, ",\"type\":\"dir\",\"mode\":\"%04o\"", e->mode); break;
	}
	wb_buf_must(b, ",\"source\":%u}", e->source);
}

static void add_source(struct wb_buf *b, const struct wb_bundle_source *s)
{
	add_text(b, "{\"label\":");
	wb_json_text_quote(b, s->label);
	if (s->revision) {
		add_text(b, ",\"revision\":");
		wb_json_text_quote(b, s->revision);
	}
	add_text(b, ",\"mount\":");
	wb_json_text_quote(b, s->mount);
	add_text(b, s->shared ? ",\"shared\":true}" : "}");
}

char *wb_bundle_manifest_dump(const struct wb_bundle_manifest *m)
{
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, SIZE_MAX / 2, WHAT);
	wb_buf_must(&b, "{\"version\":%d,\"chunkSize\":%u,\"sources\":[", WB_MANIFEST_VERSION,
		WB_CHUNK_SIZE);
	for (size_t i = 0; i < m->sources.n; i++) {
		add_text(&b, i ? ",\n" : "\n");
		add_source(&b, &m->sources.items[i]);
	}
	add_text(&b, "]");
	if (m->hf_cache) {
		add_text(&b, ",\n\"hfCache\":");
		wb_json_text_quote(&b, m->hf_cache);
	}
	add_text(&b, ",\n\"files\":[");
	for (size_t i = 0; i < m->entries.n; i++) {
		add_text(&b, i ? ",\n" : "\n");
		add_entry(&b, &m->entries.items[i]);
	}
	add_text(&b, "]}\n");
	return wb_buf_steal(&b);
}

void wb_bundle_manifest_release(struct wb_bundle_manifest *m)
{
	wb_vec_foreach (e, &m->entries) {
		free(e->path);
		free(e->states);
		free(e->target);
	}
	wb_vec_foreach (s, &m->sources) {
		free(s->label);
		free(s->revision);
		free(s->mount);
	}
	wb_vec_free(&m->entries);
	wb_vec_free(&m->sources);
	free(m->hf_cache);
	*m = WB_BUNDLE_MANIFEST_INIT;
}
