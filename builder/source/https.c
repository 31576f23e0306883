/* https://: one file behind an address. Its size and validator come from a GET of the first byte:
 * addresses that are signed for GET refuse HEAD. */
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "builder/source/kind.h"

struct https {
	struct wb_secret *authorization;
	bool secret_missing;
};

static int https_open(struct wb_remote *r, struct wb_err *err)
{
	struct https *s = wb_zalloc(sizeof(*s));
	const struct wb_auth *auth = &r->src->auth;

	r->state = s;
	wb_err_clear(err);
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *secret =
		auth->secret_name ? wb_secrets_find(r->o.secrets, auth->secret_name, err) : NULL;

	if (err->code != WB_OK)
		return -1;
	if (!secret && auth->secret_name && auth->secret_explicit)
		return wb_secrets_missing(err, auth->secret_name);
	if (!secret)
		return 0;
	/* "Basic …" and the like as they are; a bare token is a bearer's. */
	const char *value = wb_secret_reveal(secret);
	char *line = strchr(value, ' ') ? wb_strdup(value) : wb_asprintf("Bearer %s", value);

	if (strchr(value, ' ')) /* without its scheme it is a secret too */
		wb_secret_unref(wb_secret_new(auth->secret_name, strrchr(value, ' ') + 1,
			strlen(strrchr(value, ' ') + 1), true));
	s->authorization = wb_secret_new_session(auth->secret_name, line, strlen(line), true);
	wb_wipe(line, strlen(line));
	free(line);
	return 0;
}

static void https_free(void *state)
{
	struct https *s = state;

	wb_secret_unref(s->authorization);
	free(s);
}

static int https_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	const struct https *s = r->state;

	out->url = wb_strdup(r->src->uri.url);
	out->authorization = s->authorization ? wb_secret_ref(s->authorization) : NULL;
	return 0;
}

struct probe {
	struct wb_remote *r;
	struct wb_remote_file *f;
	struct wb_err err;
	bool done, known;
};

/* "bytes 0-0/12345"; an empty file has no first byte: 416 with a total of 0. */
static uint64_t range_total(const char *value)
{
	const char *slash = value ? strrchr(value, '/') : NULL;
	uint64_t total;

	return slash && wb_parse_u64(&total, slash + 1) ? total : WB_SIZE_UNKNOWN;
}

static void take_headers(struct probe *p, const struct wb_http_req *req)
{
	const struct wb_http_response *response = wb_http_response(req);
	const char *etag = wb_http_header(req, "ETag"),
		   *date = wb_http_header(req, "Last-Modified");
	const char *type = wb_http_header(req, "Content-Type");
	struct wb_remote_file *f = p->f;

	f->size = response->status == 200 ? response->content_length
	                                  : range_total(wb_http_header(req, "Content-Range"));
	free(f->etag);
	f->etag = etag && !wb_str_starts(etag, "W/") ? wb_etag_text(etag) : wb_strdup("");
	if (response->status == 200)
		wb_remote_learn(f, req);
	bool dated = date && wb_utf8_valid(date, strlen(date));
	const char *mark = *f->etag ? f->etag : dated ? date : NULL;

	if (mark && f->size != WB_SIZE_UNKNOWN) {
		wb_autofree char *own = wb_asprintf(
			"url:%s:%s:%llu", p->r->src->uri.url, mark, (unsigned long long)f->size);

		f->identity = wb_known_identity(&f->known, f->size, own);
	}
	if (type && wb_str_starts(type, "text/html") && !wb_str_ends(f->path, ".html"))
		wb_warn("%s answers with a web page, which is hardly \"%s\"", p->r->src->uri.text,
			f->path);
	p->known = true;
}

static int probe_headers(struct wb_http_req *req, void *arg, struct wb_err *err)
{
	struct probe *p = arg;

	take_headers(p, req);
	if (wb_http_response(req)->status == 200)
		wb_http_abort(req); /* the server knows no ranges and would send everything */
	return 0;
}

static int probe_body(
	struct wb_http_req *req, const void *data, size_t n, void *arg, struct wb_err *err)
{
	return 0;
}

static void probe_done(struct wb_http_req *req, void *arg, const struct wb_err *err)
{
	struct probe *p = arg;
	const struct wb_http_response *response = wb_http_response(req);

	p->done = true;
	if (p->known)
		return;
	p->err = *err;
	if (err->code != WB_OK)
		return;
	if (response->status == 416 && range_total(wb_http_header(req, "Content-Range")) == 0) {
		p->f->size = 0;
		return;
	}
	struct wb_refusal refusal = wb_refusal_of(req);

	wb_remote_refused(&p->err, p->r, NULL, &refusal);
}

static int https_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	const struct wb_remote_want first = {.start = 0, .end = 0};
	const char *name = *r->src->uri.path ? r->src->uri.path : wb_path_basename(r->src->mount);
	WB_AUTO(wb_remote_request_release) struct wb_remote_request rq = WB_REMOTE_REQUEST_INIT;
	struct wb_http_params params = WB_HTTP_PARAMS_INIT;
	struct probe p = {.r = r};

	p.f = wb_listing_add(out, name, WB_SIZE_UNKNOWN, err);
	if (!p.f || https_request(&rq, r, p.f, &first, err))
		return -1;
	wb_remote_request_fill(&params, &rq, &first);
	params.on_headers_done = probe_headers;
	params.on_body = probe_body;
	params.on_done = probe_done;
	params.arg = &p;
	if (!wb_http_submit(r->o.http, &params, err))
		return -1;
	while (!p.done)
		if (wb_http_run(r->o.http, true, 250, NULL, err))
			return -1;
	if (p.err.code != WB_OK)
		*err = p.err;
	return p.err.code == WB_OK ? 0 : -1;
}

static void https_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	const struct https *s = r->state;

	if (err->http_status == 401 || err->http_status == 403)
		wb_err_hint(err,
			s->authorization
				? "the secret \"%s\" is not accepted there"
				: "a signed address may have expired; for a token, name a secret "
				  "in \"auth\"",
			s->authorization ? wb_secret_name(s->authorization) : "");
}

const struct wb_kind wb_kind_https = {
	.open = https_open,
	.list = https_list,
	.request = https_request,
	.refused = https_refused,
	.free = https_free,
};
