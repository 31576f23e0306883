/* A registry in this process for unit tests: distribution-spec's requests over tests/unit/httpd.h,
 * kept in memory, with the misbehaviours that real ones were seen with as switches. */
#ifndef WB_TESTS_UNIT_OCI_FAKEREGISTRY_H
#define WB_TESTS_UNIT_OCI_FAKEREGISTRY_H

#include "wbtest.h"

#include "base/digest.h"
#include "base/sha256.h"
#include "httpd.h"

struct fake_blob {
	char *key, *type; /* "REPOSITORY DIGEST-OR-TAG" */
	char *data;
	size_t n;
};

struct fake_upload {
	unsigned id;
	char *data;
	size_t n;
	bool gone;
};

struct fake {
	struct httpd s;
	pthread_mutex_t lock;
	WB_VEC(struct fake_blob) blobs, manifests;
	WB_VEC(struct fake_upload) uploads;

	/* Misbehaviour. */
	bool patch_405, patch_416; /* chunks are refused */
	bool early_201;            /* a first chunk is answered as if it were all */
	bool range_stays;          /* Range always names the end of the first chunk */
	bool status_inflated;      /* the session says that it has more than it has */
	bool loses_sessions;       /* an interruption ends the session */
	bool other_location;       /* Location is absolute, with a query that matters */
	bool single_post;
	bool refuses_mounts;
	bool no_referrers; /* no API, no OCI-Subject */
	size_t body_max;   /* larger ones get 413 */
	/* The nth PATCH or PUT with a body (1-based) is cut off after half of it arrived; 0: none.
	 * cut_every: all of them. */
	unsigned cut_at;
	bool cut_every;
	int fail_status; /* this many times, for PATCH and PUT of uploads */
	unsigned fail_times;
	const char *fail_body, *fail_headers;
	bool short_blobs; /* a GET of a blob is cut off after half of what was asked for */
	bool ignore_range;
	const char *wrong_bytes; /* GET of blobs gives these instead */
	const char *wrong_type;  /* of manifests */
	/* "basic", "bearer" (tokens from /token) or NULL. user:password are "me:pw". */
	const char *auth;
	unsigned token_uses; /* a token is good for so many requests; 0: for ever */
	const char *warning;
	const char *challenges; /* header lines of every refusal, instead of its own */
	bool never_in;          /* a token is given and not accepted */
	int head_status;        /* of blobs */
	bool wrong_range;       /* of blobs: Content-Range names another part */
	bool no_location;       /* of upload sessions */
	const char *bad_location;
	int post_status; /* of a POST with the whole blob */
	bool manifests_403;

	/* What happened. */
	unsigned patches, puts, posts, mounts, heads, gets, deletes, tokens, refusals;
	uint64_t bytes_in;
	char *token_query, last_auth[512];
	unsigned token_left;
};

/* The answer to a HEAD has no body. */
static inline void fake_text(
	int fd, const struct httpd_request *r, int status, const char *headers, const char *body)
{
	if (!strcmp(r->method, "HEAD")) {
		wb_autofree char *head =
			wb_asprintf("HTTP/1.1 %d X\r\n%s\r\n", status, headers ? headers : "");

		httpd_write(fd, head, strlen(head));
		return;
	}
	httpd_reply(fd, status, headers, body, strlen(body));
}

static inline struct fake_blob *fake_find(struct fake *f, bool manifest, const char *key)
{
	for (size_t i = 0; i < (manifest ? f->manifests.n : f->blobs.n); i++) {
		struct fake_blob *b = manifest ? &f->manifests.items[i] : &f->blobs.items[i];

		if (!strcmp(b->key, key))
			return b;
	}
	return NULL;
}

static inline void fake_add(struct fake *f, bool manifest, const char *repository, const char *name,
	const char *type, const void *data, size_t n)
{
	wb_autofree char *key = wb_asprintf("%s %s", repository, name);
	struct fake_blob *b = fake_find(f, manifest, key);

	if (!b) {
		b = manifest ? wb_vec_push(&f->manifests) : wb_vec_push(&f->blobs);
		b->key = wb_steal(key);
	}
	free(b->data);
	free(b->type);
	b->data = wb_alloc(n + 1);
	memcpy(b->data, data, n);
	b->data[n] = '\0';
	b->n = n;
	b->type = wb_strdup(type);
}

static inline char *fake_param(const char *target, const char *name)
{
	wb_autofree char *want = wb_asprintf("%s=", name);
	const char *p = strchr(target, '?');

	while (p) {
		p++;
		if (!strncmp(p, want, strlen(want))) {
			p += strlen(want);
			return wb_strndup(p, strcspn(p, "&"));
		}
		p = strchr(p, '&');
	}
	return NULL;
}

static inline char *fake_digest(const void *p, size_t n)
{
	struct wb_digest d;

	wb_sha256_once(&d, p, n);
	return wb_strdup(wb_digest_text(&d).s);
}

/* --- logins --- */

static inline bool fake_token(int fd, const struct httpd_request *r, struct fake *f)
{
	char auth[512];
	wb_autofree char *body = NULL;

	if (strncmp(r->target, "/token", 6))
		return false;
	f->tokens++;
	f->token_left = f->token_uses;
	free(f->token_query);
	f->token_query = wb_asprintf(
		"%s%s%s", r->target, r->body_len ? "|" : "", r->body_len ? r->body : "");
	const char *a = httpd_header(r, "Authorization", auth, sizeof(auth));
	bool posted = strstr(f->token_query, "refresh_token=idtoken");

	if (!posted && (!a || strcmp(a, "Basic bWU6cHc="))) {
		fake_text(fd, r, 401, NULL,
			"{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"wrong "
			"password\"}]}");
		return true;
	}
	body = wb_asprintf("{\"token\":\"tok-%u\",\"expires_in\":300}", f->tokens);
	fake_text(fd, r, 200, NULL, body);
	return true;
}

static inline bool fake_let_in(int fd, const struct httpd_request *r, struct fake *f)
{
	char auth[512];
	const char *a = httpd_header(r, "Authorization", auth, sizeof(auth));
	wb_autofree char *token = wb_asprintf("Bearer tok-%u", f->tokens);
	wb_autofree char *bearer = wb_asprintf("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:"
					       "%u/token\",service=\"fake\"\r\n",
		f->s.port);

	snprintf(f->last_auth, sizeof(f->last_auth), "%s", a ? a : "");
	if (!f->auth)
		return true;
	if (!strcmp(f->auth, "basic")) {
		if (a && !strcmp(a, "Basic bWU6cHc="))
			return true;
		f->refusals++;
		fake_text(fd, r, 401, "WWW-Authenticate: Basic realm=\"fake\"\r\n",
			"{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication "
			"required\"}]}");
		return false;
	}
	if (a && f->tokens && !f->never_in && !strcmp(a, token) &&
		(!f->token_uses || f->token_left)) {
		f->token_left -= f->token_uses ? 1 : 0;
		return true;
	}
	f->refusals++;
	if (f->challenges) {
		fake_text(fd, r, 401, f->challenges, "{}");
		return false;
	}
	fake_text(fd, r, 401, bearer, "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}");
	return false;
}

/* --- blobs --- */

static inline bool fake_get_blob(
	int fd, const struct httpd_request *r, struct fake *f, const char *key)
{
	struct fake_blob *b = fake_find(f, false, key);
	char value[64];
	const char *range = httpd_header(r, "Range", value, sizeof(value));
	unsigned long long from = 0;

	if (!b) {
		fake_text(fd, r, 404, NULL,
			"{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"no such blob\"}]}");
		return true;
	}
	if (!strcmp(r->method, "HEAD") && f->head_status) {
		fake_text(fd, r, f->head_status, NULL, "");
		return true;
	}
	if (!strcmp(r->method, "HEAD")) {
		wb_autofree char *head =
			wb_asprintf("HTTP/1.1 200 X\r\nContent-Length: %zu\r\n\r\n", b->n);

		httpd_write(fd, head, strlen(head));
		return true;
	}
	const char *data = f->wrong_bytes ? f->wrong_bytes : b->data;
	size_t n = f->wrong_bytes ? strlen(f->wrong_bytes) : b->n;

	if (range && !f->ignore_range && sscanf(range, "bytes=%llu-", &from) != 1)
		from = 0;
	if (from && from >= n) {
		fake_text(fd, r, 416, NULL, "");
		return true;
	}
	wb_autofree char *head = wb_asprintf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
					     "Content-Range: bytes %llu-%zu/%zu\r\n\r\n",
		from ? 206 : 200, n - (size_t)from, from + f->wrong_range, n - 1, n);
	size_t rest = n - (size_t)from;
	bool cut = f->short_blobs && rest > 1000;

	httpd_write(fd, head, strlen(head));
	httpd_write(fd, data + from, cut ? rest / 2 : rest);
	return !cut;
}

static inline void fake_session(int fd, struct fake *f, int status, const struct fake_upload *u)
{
	size_t have = u->n;
	wb_autofree char *location =
		f->other_location
			? wb_asprintf("http://127.0.0.1:%u/v2/up/blobs/uploads/%u?key=a%%2Fb",
				  f->s.port, u->id)
			: wb_asprintf("/v2/up/blobs/uploads/%u", u->id);

	if (f->range_stays && have > 1000)
		have = 1000;
	if (f->status_inflated && status == 204)
		have += 10;
	wb_autofree char *headers = wb_asprintf("%s%s\r\nRange: 0-%zu\r\n",
		f->no_location ? "X-Location: " : "Location: ",
		f->bad_location ? f->bad_location : location, have ? have - 1 : 0);

	httpd_reply(fd, status, headers, "", 0);
}

static inline void fake_append(struct fake_upload *u, const char *p, size_t n)
{
	u->data = wb_realloc(u->data, u->n + n + 1, 1);
	memcpy(u->data + u->n, p, n);
	u->n += n;
}

static inline bool fake_cuts(struct fake *f, const struct httpd_request *r)
{
	unsigned nth = f->patches + f->puts;

	return r->body_len && (f->cut_every || (f->cut_at && f->cut_at == nth));
}

static inline bool fake_finish(
	int fd, const struct httpd_request *r, struct fake *f, struct fake_upload *u)
{
	wb_autofree char *want = fake_param(r->target, "digest");
	wb_autofree char *got = fake_digest(u->data ? u->data : "", u->n);

	u->gone = true;
	if (!want || strcmp(want, got)) {
		fake_text(fd, r, 400, NULL,
			"{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"digest did not "
			"match\"}]}");
		return true;
	}
	fake_add(f, false, "up", want, NULL, u->data ? u->data : "", u->n);
	fake_text(fd, r, 201, NULL, "");
	return true;
}

static inline bool fake_patch(
	int fd, const struct httpd_request *r, struct fake *f, struct fake_upload *u)
{
	char value[64];
	const char *range = httpd_header(r, "Content-Range", value, sizeof(value));
	unsigned long long from = 0, to = 0;

	if (f->patch_405 || f->patch_416) {
		fake_text(fd, r, f->patch_405 ? 405 : 416, NULL, "");
		return true;
	}
	if (range && (sscanf(range, "%llu-%llu", &from, &to) != 2 || from != u->n ||
			     to - from + 1 != r->body_len)) {
		fake_text(fd, r, 416, NULL, "");
		return true;
	}
	if (f->early_201) {
		fake_text(fd, r, 201, NULL, "");
		return true;
	}
	fake_append(u, r->body, r->body_len);
	fake_session(fd, f, 202, u);
	return true;
}

static inline bool fake_upload(int fd, const struct httpd_request *r, struct fake *f, unsigned id)
{
	struct fake_upload *u = id && id <= f->uploads.n ? &f->uploads.items[id - 1] : NULL;
	bool patch = !strcmp(r->method, "PATCH"), put = !strcmp(r->method, "PUT");

	if (!u || u->gone) {
		fake_text(fd, r, 404, NULL, "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\"}]}");
		return true;
	}
	f->patches += patch;
	f->puts += put;
	f->bytes_in += r->body_len;
	if (f->other_location && !strstr(r->target, "key=a%2Fb")) {
		fake_text(fd, r, 400, NULL, "the query was lost");
		return true;
	}
	if (f->body_max && r->body_len > f->body_max) {
		fake_text(fd, r, 413, NULL, "too large");
		return true;
	}
	if (fake_cuts(f, r)) {
		fake_append(u, r->body, r->body_len / 2);
		u->gone = f->loses_sessions;
		return false;
	}
	if (patch)
		return fake_patch(fd, r, f, u);
	if (put) {
		fake_append(u, r->body, r->body_len);
		return fake_finish(fd, r, f, u);
	}
	if (!strcmp(r->method, "DELETE")) {
		f->deletes++;
		u->gone = true;
		httpd_reply(fd, 204, NULL, "", 0);
		return true;
	}
	fake_session(fd, f, 204, u);
	return true;
}

static inline bool fake_open_upload(
	int fd, const struct httpd_request *r, struct fake *f, const char *repository)
{
	wb_autofree char *mount = fake_param(r->target, "mount");
	wb_autofree char *from = fake_param(r->target, "from");
	wb_autofree char *digest = fake_param(r->target, "digest");
	wb_autofree char *key = wb_asprintf("%s %s", from ? from : "", mount ? mount : "");
	struct fake_blob *b = fake_find(f, false, key);

	f->posts++;
	f->bytes_in += r->body_len;
	if (mount)
		f->mounts++;
	if (b && !f->refuses_mounts) {
		fake_add(f, false, repository, mount, NULL, b->data, b->n);
		fake_text(fd, r, 201, NULL, "");
		return true;
	}
	if (digest && f->post_status) {
		fake_text(fd, r, f->post_status, NULL, "");
		return true;
	}
	struct fake_upload *u = wb_vec_push(&f->uploads);

	u->id = (unsigned)f->uploads.n;
	if (digest && f->single_post) {
		fake_append(u, r->body, r->body_len);
		return fake_finish(fd, r, f, u);
	}
	fake_session(fd, f, 202, u);
	return true;
}

/* --- manifests --- */

static inline bool fake_manifest(
	int fd, const struct httpd_request *r, struct fake *f, const char *key)
{
	struct fake_blob *b = fake_find(f, true, key);
	char type[256];

	if (!strcmp(r->method, "PUT")) {
		wb_autofree char *digest = fake_digest(r->body, r->body_len);
		wb_autofree char *headers = wb_asprintf("Docker-Content-Digest: %s\r\n%s", digest,
			strstr(r->body, "\"subject\"") && !f->no_referrers
				? "OCI-Subject: sha256:00\r\n"
				: "");
		const char *space = strchr(key, ' ');
		wb_autofree char *repository = wb_strndup(key, (size_t)(space - key));
		const char *t = httpd_header(r, "Content-Type", type, sizeof(type));

		fake_add(f, true, repository, space + 1, t, r->body, r->body_len);
		fake_add(f, true, repository, digest, t, r->body, r->body_len);
		httpd_reply(fd, 201, headers, "", 0);
		return true;
	}
	if (!b) {
		fake_text(fd, r, 404, NULL,
			"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"unknown "
			"tag\"}]}");
		return true;
	}
	wb_autofree char *digest = fake_digest(b->data, b->n);
	wb_autofree char *headers = wb_asprintf(
		"Content-Type: %s\r\nDocker-Content-Digest: %s\r\n%s",
		f->wrong_type ? f->wrong_type : b->type, digest, f->warning ? f->warning : "");

	httpd_reply(fd, 200, headers, b->data, !strcmp(r->method, "HEAD") ? 0 : b->n);
	return true;
}

static inline bool fake_route(int fd, const struct httpd_request *r, struct fake *f)
{
	wb_autofree char *path = wb_strndup(r->target, strcspn(r->target, "?"));
	char *p = path + strlen("/v2/"), *at;

	if (!strcmp(path, "/v2/")) {
		fake_text(fd, r, 200, NULL, "{}");
		return true;
	}
	if ((at = strstr(p, "/blobs/uploads/"))) {
		*at = '\0';
		at += strlen("/blobs/uploads/");
		if (f->fail_times && r->method[0] == 'P' && strcmp(r->method, "POST")) {
			f->fail_times--;
			fake_text(fd, r, f->fail_status, f->fail_headers,
				f->fail_body ? f->fail_body : "");
			return true;
		}
		return *at ? fake_upload(fd, r, f, (unsigned)atoi(at))
		           : fake_open_upload(fd, r, f, p);
	}
	if ((at = strstr(p, "/blobs/"))) {
		wb_autofree char *key =
			wb_asprintf("%.*s %s", (int)(at - p), p, at + strlen("/blobs/"));

		f->heads += !strcmp(r->method, "HEAD");
		f->gets += !strcmp(r->method, "GET");
		return fake_get_blob(fd, r, f, key);
	}
	if ((at = strstr(p, "/manifests/"))) {
		wb_autofree char *key =
			wb_asprintf("%.*s %s", (int)(at - p), p, at + strlen("/manifests/"));

		return fake_manifest(fd, r, f, key);
	}
	if (strstr(p, "/referrers/") && !f->no_referrers) {
		fake_text(fd, r, 200, NULL, "{\"schemaVersion\":2,\"manifests\":[]}");
		return true;
	}
	fake_text(fd, r, 404, NULL, "404 page not found");
	return true;
}

static inline bool fake_handle(int fd, const struct httpd_request *r, void *arg)
{
	struct fake *f = arg;
	bool more = true;

	pthread_mutex_lock(&f->lock);
	if (!fake_token(fd, r, f) && fake_let_in(fd, r, f))
		more = fake_route(fd, r, f);
	pthread_mutex_unlock(&f->lock);
	return more;
}

static inline void fake_start(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	httpd_start(&f->s, fake_handle, f);
}

/* Waits for a handler that the client no longer waits for (it was cut off). */
static inline void fake_settle(struct fake *f)
{
	pthread_mutex_lock(&f->lock);
	pthread_mutex_unlock(&f->lock);
}

static inline void fake_stop(struct fake *f)
{
	httpd_stop(&f->s);
	for (size_t i = 0; i < f->blobs.n + f->manifests.n; i++) {
		struct fake_blob *b =
			i < f->blobs.n ? &f->blobs.items[i] : &f->manifests.items[i - f->blobs.n];

		free(b->key);
		free(b->type);
		free(b->data);
	}
	for (size_t i = 0; i < f->uploads.n; i++)
		free(f->uploads.items[i].data);
	wb_vec_free(&f->blobs);
	wb_vec_free(&f->manifests);
	wb_vec_free(&f->uploads);
	free(f->token_query);
	pthread_mutex_destroy(&f->lock);
}

#endif
