#include "oci/quirks.h"

#include <fnmatch.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#define MIB (UINT64_C(1) << 20)
#define GB UINT64_C(1000000000)
#define BODY_FLOOR MIB /* no lesson makes requests smaller than this */

struct row {
	const char *pattern;
	struct wb_quirks q;
};

/* Limits are those that the vendor documents or that users ran into (docs/registries.md). Where a
 * field says nothing, the registry behaves as the distribution specification says. */
static const struct row table[] = {
	{"ghcr.io", {.name = "GitHub Container Registry",
			    .source = "GitHub's documentation",
			    .method = WB_UPLOAD_WHOLE, /* 416 for a PATCH above 4 MiB */
			    .session = WB_SESSION_NONE,
			    .layer_max = 10 * GB,
			    .request_secs = 600}},
	{"public.ecr.aws", {.name = "Amazon ECR Public",
				   .source = "the service's quotas",
				   .method = WB_UPLOAD_WHOLE,
				   .session = WB_SESSION_NONE,
				   .layer_max = 10000 * MIB}},
	{"*.dkr.ecr*.amazonaws.com*",
		{.name = "Amazon ECR",
			.source = "the service's quotas",
			.method = WB_UPLOAD_WHOLE, /* 201 after a first PATCH, 416 on resuming */
			.session = WB_SESSION_NONE,
			.layer_max = 52000 * MIB,
			.layers_max = 500}},
	{"*.pkg.dev", {.name = "Google Artifact Registry",
			      .method = WB_UPLOAD_WHOLE,
			      .session = WB_SESSION_NONE}},
	{"gcr.io", {.name = "Google Container Registry",
			   .method = WB_UPLOAD_WHOLE,
			   .session = WB_SESSION_NONE}},
	{"*.gcr.io", {.name = "Google Container Registry",
			     .method = WB_UPLOAD_WHOLE,
			     .session = WB_SESSION_NONE}},
	{"*.azurecr.io", {.name = "Azure Container Registry",
				 .source = "Azure's documentation",
				 .method = WB_UPLOAD_WHOLE,
				 .session = WB_SESSION_NONE,
				 .layer_max = 200 * 1024 * MIB}},
	{"quay.io", {.name = "Quay",
			    .source = "the size at which it refuses uploads",
			    .method = WB_UPLOAD_CHUNKS,
			    .session = WB_SESSION_UNKNOWN,
			    .layer_max = 20 * GB}},
	{"*.jfrog.io", {.name = "Artifactory",
			       .method = WB_UPLOAD_WHOLE,
			       .session = WB_SESSION_NONE,
			       .no_mount = true}},
	{"docker.io", {.name = "Docker Hub", .method = WB_UPLOAD_CHUNKS}},
	{"registry-1.docker.io", {.name = "Docker Hub", .method = WB_UPLOAD_CHUNKS}},
	{"registry.gitlab.com", {.name = "GitLab", .method = WB_UPLOAD_CHUNKS}},
};

static char *bare_host(const char *host)
{
	const char *colon = strrchr(host, ':');
	size_t n = colon && !strchr(colon, ']') ? (size_t)(colon - host) : strlen(host);
	char *bare = wb_strndup(host, n);

	for (char *p = bare; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return bare;
}

void wb_quirks_lookup(struct wb_quirks *out, const char *host)
{
	wb_autofree char *bare = bare_host(host);

	*out = (struct wb_quirks){.name = "the registry", .method = WB_UPLOAD_CHUNKS};
	for (size_t i = 0; i < WB_ARRAY_LEN(table); i++) {
		if (!fnmatch(table[i].pattern, bare, FNM_NOESCAPE)) {
			*out = table[i].q;
			return;
		}
	}
}

int wb_quirks_check_plan(const char *host, const uint64_t *sizes, size_t n, struct wb_err *err)
{
	struct wb_quirks q;

	wb_quirks_lookup(&q, host);
	if (q.layers_max && n > q.layers_max) {
		wb_err_set(err, WB_ERR_LIMIT,
			"the image has %zu layers, and %s (\"%s\") takes at most %u", n, q.name,
			host, q.layers_max);
		return wb_err_hint(err,
			"start from a base with fewer layers, or turn the check off "
			"(--registry-limits off)");
	}
	for (size_t i = 0; q.layer_max && i < n; i++) {
		if (sizes[i] <= q.layer_max)
			continue;
		wb_err_set(err, WB_ERR_LIMIT,
			"layer %zu of %zu is %s, and %s (\"%s\") takes at most %s (%s)", i + 1, n,
			wb_size_text(sizes[i]).s, q.name, host, wb_size_text(q.layer_max).s,
			q.source);
		return wb_err_hint(err,
			"a file is never split over layers: take weights with smaller shards or "
			"leave the file out (ignore_patterns), push to another registry, or turn "
			"the check off (--registry-limits off)");
	}
	return 0;
}

/* What is known of one host. */
struct known {
	char *host;
	uint64_t bits; /* 1 << lesson */
	uint64_t body_max;
	uint64_t when; /* seconds since the epoch, of the last lesson */
};

struct wb_quirks_memory {
	char *path; /* or NULL */
	pthread_mutex_t lock;
	bool loaded;
	WB_VEC(struct known) hosts;
};

struct wb_quirks_memory *wb_quirks_memory_new(const char *path)
{
	struct wb_quirks_memory *m = wb_zalloc(sizeof(*m));

	m->path = wb_strdup(path);
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

static void forget(struct wb_quirks_memory *m)
{
	wb_vec_foreach (k, &m->hosts)
		free(k->host);
	m->hosts.n = 0;
}

void wb_quirks_memory_free(struct wb_quirks_memory *m)
{
	if (!m)
		return;
	forget(m);
	wb_vec_free(&m->hosts);
	pthread_mutex_destroy(&m->lock);
	free(m->path);
	free(m);
}

static struct known *find(struct wb_quirks_memory *m, const char *host)
{
	wb_vec_foreach (k, &m->hosts)
		if (!strcmp(k->host, host))
			return k;
	return NULL;
}

static struct known *find_or_add(struct wb_quirks_memory *m, const char *host)
{
	struct known *k = find(m, host);

	if (!k) {
		k = wb_vec_push(&m->hosts);
		k->host = wb_strdup(host);
	}
	return k;
}

/* With the lock held. Entries of other processes come in here too. */
static void load(struct wb_quirks_memory *m)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	uint64_t now = (uint64_t)time(NULL);
	const char *host;
	json_t *v;

	m->loaded = true;
	if (!m->path)
		return;
	wb_buf_init(&b, WB_QUIRKS_FILE_MAX, "the file of registry quirks");
	if (wb_file_read(&b, m->path, &err))
		return;
	wb_autojson json_t *root = wb_json_parse(b.data, b.len, m->path, &err);

	if (!root || wb_json_u64_opt(root, "version", 0) != 1)
		return;
	forget(m);
	json_object_foreach (json_object_get(root, "hosts"), host, v) {
		uint64_t when = wb_json_u64_opt(v, "when", 0);

		if (when > now || now - when > WB_QUIRKS_DAYS * UINT64_C(86400))
			continue;
		struct known *k = find_or_add(m, host);

		k->when = when;
		k->bits = wb_json_u64_opt(v, "lessons", 0);
		k->body_max = wb_json_u64_opt(v, "body_max", 0);
	}
}

static void save(struct wb_quirks_memory *m)
{
	wb_autojson json_t *root = json_object();
	json_t *hosts = json_object();
	struct wb_err err = WB_ERR_INIT;

	wb_json_set_u64(root, "version", 1);
	wb_json_set(root, "hosts", hosts);
	wb_vec_foreach (k, &m->hosts) {
		json_t *v = json_object();

		wb_json_set_u64(v, "when", k->when);
		wb_json_set_u64(v, "lessons", k->bits);
		if (k->body_max)
			wb_json_set_u64(v, "body_max", k->body_max);
		wb_json_set(hosts, k->host, v);
	}
	wb_autofree char *text = wb_json_dump_indent(root);

	if (wb_file_put(m->path, text, strlen(text), 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err))
		wb_debug("registry quirks are not remembered: %s", err.text);
}

static bool learned(const struct known *k, enum wb_lesson lesson)
{
	return k->bits & UINT64_C(1) << lesson;
}

void wb_quirks_get(struct wb_quirks *out, struct wb_quirks_memory *m, const char *host)
{
	wb_quirks_lookup(out, host);
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	if (!m->loaded)
		load(m);
	const struct known *k = find(m, host);

	if (k && learned(k, WB_LESSON_CHUNKS_REFUSED))
		out->method = WB_UPLOAD_WHOLE;
	if (k && learned(k, WB_LESSON_SESSION_LOST))
		out->session = WB_SESSION_NONE;
	else if (k && learned(k, WB_LESSON_SESSION_LIES))
		out->session = WB_SESSION_COUNTED;
	else if (k && learned(k, WB_LESSON_SESSION_KEPT))
		out->session = WB_SESSION_TRUE;
	if (k && k->body_max)
		out->body_max = k->body_max;
	pthread_mutex_unlock(&m->lock);
}

/* Lessons about one thing replace each other: the registry may have been updated. */
static void apply(struct known *k, enum wb_lesson lesson, uint64_t value)
{
	const uint64_t session = UINT64_C(1) << WB_LESSON_SESSION_LIES |
	                         UINT64_C(1) << WB_LESSON_SESSION_LOST |
	                         UINT64_C(1) << WB_LESSON_SESSION_KEPT;
	uint64_t bit = UINT64_C(1) << lesson;

	if (bit & session)
		k->bits &= ~session;
	k->bits |= bit;
	if (lesson == WB_LESSON_BODY_MAX) {
		uint64_t half = value / 2 > BODY_FLOOR ? value / 2 : BODY_FLOOR;

		if (!k->body_max || half < k->body_max)
			k->body_max = half;
	}
	k->when = (uint64_t)time(NULL);
}

void wb_quirks_learn(
	struct wb_quirks_memory *m, const char *host, enum wb_lesson lesson, uint64_t value)
{
	WB_AUTO(wb_lock_release) struct wb_lock file = WB_LOCK_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	if (m->path) {
		wb_autofree char *path = wb_asprintf("%s.lock", m->path);

		if (wb_lock_acquire(&file, path, true, &err))
			wb_debug("%s", err.text);
		load(m);
	}
	apply(find_or_add(m, host), lesson, value);
	if (m->path)
		save(m);
	pthread_mutex_unlock(&m->lock);
}
