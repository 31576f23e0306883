#include "builder/source/source.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "builder/source/kind.h"

#define ETAG_MAX 256 /* bytes; S3's have 38 */

static const struct wb_kind *kind_of(enum wb_scheme scheme)
{
	switch (scheme) {
	case WB_SCHEME_HF: return &wb_kind_hf;
	case WB_SCHEME_S3:
	case WB_SCHEME_R2:
	case WB_SCHEME_CW: return &wb_kind_s3;
	case WB_SCHEME_GS: return &wb_kind_gcs;
	case WB_SCHEME_AZURE: return &wb_kind_azure;
	case WB_SCHEME_BT: return &wb_kind_bt;
	case WB_SCHEME_HTTP: return &wb_kind_https;
	case WB_SCHEME_FILE: break;
	}
	return NULL;
}

/* Names the source, and says where in the config it is, unless that is known already. */
static int place(struct wb_err *err, const struct wb_remote *r)
{
	if (err->code == WB_ERR_CANCELLED)
		return -1;
	if (!strstr(err->text, r->src->uri.text))
		wb_err_wrap(err, "%s", r->src->uri.text);
	if (!err->line && r->config_file && r->src->pos.line) {
		snprintf(err->file, sizeof(err->file), "%s", r->config_file);
		err->line = r->src->pos.line;
		err->column = r->src->pos.column;
	}
	return -1;
}

struct wb_remote *wb_remote_open(
	const struct wb_source *src, const struct wb_remote_opts *o, struct wb_err *err)
{
	const struct wb_kind *kind = kind_of(src->uri.scheme);

	assert(kind);
	struct wb_remote *r = wb_zalloc(sizeof(*r));

	r->kind = kind;
	r->src = src;
	r->o = *o;
	r->config_file = wb_strdup(o->config_file);
	r->revision = wb_strdup("");
	r->root = wb_strdup("");
	if (kind->open(r, err)) {
		place(err, r);
		wb_remote_free(r);
		return NULL;
	}
	return r;
}

void wb_remote_free(struct wb_remote *r)
{
	if (!r)
		return;
	if (r->state)
		r->kind->free(r->state);
	free(r->config_file);
	free(r->revision);
	free(r->root);
	free(r);
}

const struct wb_source *wb_remote_source(const struct wb_remote *r)
{
	return r->src;
}

void wb_remote_pin(struct wb_remote *r, const char *revision, const char *root)
{
	free(r->revision);
	free(r->root);
	r->revision = wb_strdup(revision ? revision : "");
	r->root = wb_strdup(root ? root : "");
}

int wb_remote_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;

	wb_remote_pin(r, NULL, NULL);
	if (r->kind->list(&l, r, err) || wb_listing_finish(&l, r, err))
		return place(err, r);
	wb_remote_pin(r, l.revision, l.root);
	*out = l;
	l = WB_LISTING_INIT;
	return 0;
}

int wb_remote_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	WB_AUTO(wb_remote_request_release) struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;

	if (r->kind->request(&rq, r, f, want, err))
		return place(err, r);
	*out = rq;
	rq = WB_REMOTE_REQUEST_INIT;
	return 0;
}

void wb_remote_request_fill(struct wb_http_params *p, const struct wb_remote_request *rq,
	const struct wb_remote_want *want)
{
	p->method = want->head ? WB_HTTP_HEAD : WB_HTTP_GET;
	p->url = rq->url;
	p->headers = (const char *const *)rq->headers.items;
	p->authorization = rq->authorization;
	p->secret_headers = rq->secret_headers.items;
	p->range_start = want->start;
	p->range_end = want->end;
}

void wb_remote_request_release(struct wb_remote_request *rq)
{
	free(rq->url);
	wb_vec_foreach (h, &rq->headers)
		free(*h);
	wb_vec_free(&rq->headers);
	wb_secret_unref(rq->authorization);
	wb_vec_foreach (s, &rq->secret_headers)
		wb_secret_unref(*s);
	wb_vec_free(&rq->secret_headers);
	*rq = WB_REMOTE_REQUEST_INIT;
}

/* The lists end with NULL, as struct wb_http_params wants them; n does not count it. */
void wb_remote_header(struct wb_remote_request *rq, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*wb_vec_push(&rq->headers) = wb_vasprintf(fmt, ap);
	va_end(ap);
	wb_vec_push(&rq->headers);
	rq->headers.n--;
}

void wb_remote_secret_header(struct wb_remote_request *rq, struct wb_secret *steal)
{
	*wb_vec_push(&rq->secret_headers) = steal;
	wb_vec_push(&rq->secret_headers);
	rq->secret_headers.n--;
}

struct wb_refusal wb_refusal_of(const struct wb_http_req *req)
{
	return (struct wb_refusal){
		.response = wb_http_response(req),
		.code = wb_http_header(req, "X-Error-Code"),
		.message = wb_http_header(req, "X-Error-Message"),
		.region = wb_http_header(req, "x-amz-bucket-region"),
	};
}

struct wb_refusal wb_refusal_of_result(const struct wb_http_result *res)
{
	return (struct wb_refusal){
		.response = &res->response,
		.code = wb_http_result_header(res, "X-Error-Code"),
		.message = wb_http_result_header(res, "X-Error-Message"),
		.region = wb_http_result_header(res, "x-amz-bucket-region"),
	};
}

int wb_remote_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	wb_autofree char *doing = path ? wb_asprintf("\"%s\"", path) : wb_strdup("listing");

	wb_http_status_err(err, refusal->response, doing);
	if (r->kind->refused)
		r->kind->refused(err, r, path, refusal);
	return place(err, r);
}

bool wb_remote_refresh(struct wb_remote *r, const struct wb_refusal *refusal)
{
	return r->kind->refresh && r->kind->refresh(r, refusal);
}

int wb_remote_get(struct wb_http_result *out, struct wb_remote *r, wb_remote_make *make, void *arg,
	uint64_t limit, struct wb_err *err)
{
	const struct wb_remote_want whole = {.start = -1, .end = -1};

	for (int tries = 0;; tries++) {
		WB_AUTO(wb_remote_request_release)
		struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
		WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
		struct wb_http_params p = WB_HTTP_PARAMS_INIT;

		if (make(&rq, r, arg, err))
			return -1;
		wb_remote_request_fill(&p, &rq, &whole);
		p.body_limit = limit;
		if (wb_http_perform(&res, r->o.http, &p, err))
			return -1;
		if (res.response.status < 300) {
			*out = res;
			res = WB_HTTP_RESULT_INIT;
			return 0;
		}
		struct wb_refusal refusal = wb_refusal_of_result(&res);

		if (tries || !wb_remote_refresh(r, &refusal))
			return wb_remote_refused(err, r, NULL, &refusal);
	}
}

bool wb_remote_head_helps(const struct wb_remote *r, const struct wb_remote_file *f)
{
	return r->kind->head_helps && !f->known.has_sha256;
}

/* S3 gives checksums of the whole object or of its parts' checksums ("…-5", COMPOSITE). */
static void learn_s3(struct wb_known *k, const struct wb_http_req *req)
{
	static const struct {
		const char *header;
		enum wb_hash_kind kind;
	} crcs[] = {{"x-amz-checksum-crc32", WB_HASH_CRC32},
		{"x-amz-checksum-crc32c", WB_HASH_CRC32C},
		{"x-amz-checksum-crc64nvme", WB_HASH_CRC64NVME},
		{"x-amz-checksum-sha1", WB_HASH_SHA1}};
	const char *type = wb_http_header(req, "x-amz-checksum-type");
	const char *sse = wb_http_header(req, "x-amz-server-side-encryption");
	const char *sha256 = wb_http_header(req, "x-amz-checksum-sha256");
	size_t n = 0;

	/* The etag is no MD5 then, whatever it looks like. */
	if ((sse && wb_str_starts(sse, "aws:kms")) ||
		wb_http_header(req, "x-amz-server-side-encryption-customer-algorithm"))
		k->has[WB_HASH_MD5] = false;
	if (type && !strcmp(type, "COMPOSITE"))
		return;
	for (size_t i = 0; i < WB_ARRAY_LEN(crcs); i++)
		wb_known_base64(k, crcs[i].kind, wb_http_header(req, crcs[i].header));
	wb_autofree uint8_t *bytes = sha256 ? wb_base64_decode(&n, sha256, 32) : NULL;

	if (bytes && n == 32) {
		memcpy(k->sha256.bytes, bytes, 32);
		k->has_sha256 = true;
	}
}

/* x-goog-hash: crc32c=n03x6A==,md5=… (or one header for each). */
static void learn_goog(struct wb_known *k, const struct wb_http_req *req)
{
	const char *v;

	for (unsigned i = 0; (v = wb_http_header_nth(req, "x-goog-hash", i)); i++) {
		wb_autofree char *copy = wb_strdup(v);

		for (char *rest = copy, *item; (item = strsep(&rest, ", "));) {
			if (wb_str_starts(item, "crc32c="))
				wb_known_base64(k, WB_HASH_CRC32C, item + 7);
			else if (wb_str_starts(item, "md5="))
				wb_known_base64(k, WB_HASH_MD5, item + 4);
		}
	}
}

void wb_remote_learn(struct wb_remote_file *f, const struct wb_http_req *req)
{
	const struct wb_http_response *response = wb_http_response(req);
	struct wb_known k = f->known;

	learn_s3(&k, req);
	if (response->status == 200) {
		learn_goog(&k, req);
		f->known = k;
	} else {
		/* Of a part, only that is safe which takes something away. */
		f->known.has[WB_HASH_MD5] &= k.has[WB_HASH_MD5];
	}
}

char *wb_endpoint(const char *text, const char *what, struct wb_err *err)
{
	const char *host = wb_str_starts(text, "https://")  ? text + 8
	                   : wb_str_starts(text, "http://") ? text + 7
	                                                    : "";
	size_t n = strlen(text);

	if (!*host || *host == '/') {
		wb_autofree char *safe = wb_url_redact(text);
		wb_autofree char *shown = wb_text_quote(safe, 200);

		wb_err_set(err, WB_ERR_USAGE, "%s: \"%s\" is not the address of a service", what,
			shown);
		wb_err_hint(err, "write https://HOST, or http://HOST:PORT for one on this machine");
		return NULL;
	}
	while (text[n - 1] == '/')
		n--;
	return wb_strndup(text, n);
}

char *wb_etag_text(const char *value)
{
	/* An endless one would be kept for every file of a listing. */
	if (!value || strlen(value) > ETAG_MAX || !wb_utf8_valid(value, strlen(value)))
		return wb_strdup("");
	if (wb_str_starts(value, "W/"))
		value += 2;
	size_t n = strlen(value);

	if (n >= 2 && value[0] == '"' && value[n - 1] == '"')
		return wb_strndup(value + 1, n - 2);
	return wb_strdup(value);
}

bool wb_known_md5_hex(struct wb_known *k, const char *etag)
{
	if (strlen(etag) != 32 || !wb_unhex(k->value[WB_HASH_MD5], etag, 16, true))
		return false;
	k->has[WB_HASH_MD5] = true;
	return true;
}

bool wb_known_base64(struct wb_known *k, enum wb_hash_kind kind, const char *text)
{
	size_t n = 0;
	wb_autofree uint8_t *bytes = text ? wb_base64_decode(&n, text, WB_HASH_SIZE_MAX) : NULL;

	if (!bytes || n != wb_hash_size(kind))
		return false;
	memcpy(k->value[kind], bytes, n);
	k->has[kind] = true;
	return true;
}

/* A CRC tells faults of transport, not content: it names nothing. */
char *wb_known_identity(const struct wb_known *k, uint64_t size, const char *fallback)
{
	char hex[65];

	if (k->has_sha256) {
		wb_hex(hex, k->sha256.bytes, 32);
		return wb_asprintf("sha256:%s", hex);
	}
	if (k->has_git_sha1) {
		wb_hex(hex, k->git_sha1, 20);
		return wb_asprintf("git:%s:%llu", hex, (unsigned long long)size);
	}
	if (k->has[WB_HASH_MD5]) {
		wb_hex(hex, k->value[WB_HASH_MD5], 16);
		return wb_asprintf("md5:%s:%llu", hex, (unsigned long long)size);
	}
	return wb_strdup(fallback);
}

static void key_patterns(struct wb_buf *b, const char *name, const struct wb_patterns *p)
{
	if (!p->set)
		return;
	wb_buf_must(b, "\n%s", name);
	wb_vec_foreach (pattern, &p->list)
		wb_buf_must(b, "\n %s", pattern->text);
}

char *wb_source_key(const struct wb_source *src)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, 64u << 20, "source key");
	wb_buf_must(&b, "%s", src->uri.text);
	if (src->uri.url && strchr(src->uri.url, '?')) {
		struct wb_digest d; /* a query may be a signature, and text leaves it out */

		wb_sha256_once(&d, src->uri.url, strlen(src->uri.url));
		wb_buf_must(&b, "\nquery %s", wb_digest_hex(&d).s);
	}
	if (src->layout == WB_LAYOUT_BUCKET)
		wb_buf_must(&b, "\nby whole key");
	key_patterns(&b, "allow", &src->allow);
	key_patterns(&b, "ignore", &src->ignore);
	if (src->allow.set || src->ignore.set)
		wb_buf_must(&b, "\n%s", src->dialect == WB_GLOB_FNMATCH ? "fnmatch" : "weights");
	return wb_buf_steal(&b);
}
