/* s3://, r2:// and cw://: the S3 protocol. Endpoints other than AWS's own are addressed by path,
 * and AWS by host name unless the bucket's name has dots (its certificates cover one level).
 * Requests are signed where there are credentials; a bucket may be public. */
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "builder/source/aws_creds.h"
#include "builder/source/kind.h"
#include "builder/source/sigv4.h"
#include "builder/source/xml.h"

struct s3 {
	struct wb_aws_creds creds;
	char *endpoint; /* not AWS's: "https://host", or NULL */
	char *region;
	char *scope; /* of etags: endpoint and bucket */
	bool secret_missing;
};

/* *out stays NULL for AWS itself. */
static int find_endpoint(char **out, const struct wb_uri *u, struct wb_err *err)
{
	static const char *const r2[] = {"R2_ENDPOINT_URL", NULL},
				 *const cw[] = {"CW_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", NULL},
				 *const aws[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL};
	const char *const *names = u->scheme == WB_SCHEME_R2   ? r2
	                           : u->scheme == WB_SCHEME_CW ? cw
	                                                       : aws;

	while (*names && !wb_env(*names))
		names++;
	if (*names) {
		*out = wb_endpoint(wb_env(*names), *names, err);
		return *out ? 0 : -1;
	}
	if (u->scheme == WB_SCHEME_R2)
		*out = wb_asprintf("https://%s.r2.cloudflarestorage.com", u->account);
	else if (u->scheme == WB_SCHEME_CW)
		*out = wb_strdup("https://cwobject.com");
	return 0;
}

static const char *default_region(enum wb_scheme scheme)
{
	return scheme == WB_SCHEME_R2 ? "auto" : scheme == WB_SCHEME_CW ? "default" : "us-east-1";
}

/* The secret that the config names, the environment, the legacy file; in this order. */
static int find_credentials(struct s3 *s, const struct wb_remote *r, struct wb_err *err)
{
	const struct wb_auth *auth = &r->src->auth;
	WB_AUTO(wb_secret_unrefp) struct wb_secret *secret = NULL;

	if (auth->method == WB_AUTH_GCP_OIDC)
		return wb_err_set(err, WB_ERR_CONFIG, "auth_method GCP_OIDC does not fit %s://",
			wb_scheme_name(r->src->uri.scheme));
	if (auth->method == WB_AUTH_AWS_OIDC) {
		s->creds.role_arn = wb_strdup(auth->aws_role_arn);
		s->creds.region = wb_strdup(auth->aws_region);
		s->creds.token_file = wb_strdup(wb_env("AWS_WEB_IDENTITY_TOKEN_FILE"));
		return 0;
	}
	wb_err_clear(err);
	if (auth->secret_name)
		secret = wb_secrets_find(r->o.secrets, auth->secret_name, err);
	if (secret)
		return wb_aws_creds_parse(&s->creds, secret, err);
	if (err->code != WB_OK || wb_aws_creds_environment(&s->creds, err))
		return -1;
	if (s->creds.key_id || s->creds.role_arn)
		return 0;
	secret = wb_secrets_legacy(r->o.secrets, "s3_credentials.json", err);
	if (err->code != WB_OK)
		return -1;
	if (!secret) {
		s->secret_missing = auth->secret_name && auth->secret_explicit;
		return 0;
	}
	wb_aws_creds_release(&s->creds);
	return wb_aws_creds_parse(&s->creds, secret, err);
}

static int s3_open(struct wb_remote *r, struct wb_err *err)
{
	struct s3 *s = wb_zalloc(sizeof(*s));
	const struct wb_uri *u = &r->src->uri;

	r->state = s;
	if (find_endpoint(&s->endpoint, u, err) || find_credentials(s, r, err))
		return -1;
	if (s->secret_missing)
		return wb_secrets_missing(err, r->src->auth.secret_name);
	/* A region that was set for AWS says nothing about others. */
	bool aws = u->scheme == WB_SCHEME_S3;

	s->region = wb_strdup(s->creds.region && (aws || r->src->auth.secret_name)
				      ? s->creds.region
				      : default_region(u->scheme));
	s->scope = wb_asprintf("%s/%s", s->endpoint ? s->endpoint : "s3", u->bucket);
	return 0;
}

static void s3_free(void *state)
{
	struct s3 *s = state;

	wb_aws_creds_release(&s->creds);
	free(s->endpoint);
	free(s->region);
	free(s->scope);
	free(s);
}

/* *base: scheme and host; *path: what of the bucket goes into the path. */
static void address(char **base, char **path, const struct s3 *s, const struct wb_remote *r)
{
	const char *bucket = r->src->uri.bucket;
	bool own = r->src->uri.scheme == WB_SCHEME_CW && wb_str_ends(s->endpoint, "//cwobject.com");

	if (own) { /* only knows buckets by host name */
		*base = wb_asprintf("https://%s.cwobject.com", bucket);
		*path = wb_strdup("");
	} else if (s->endpoint) {
		*base = wb_strdup(s->endpoint);
		*path = wb_asprintf("/%s", bucket);
	} else if (strchr(bucket, '.')) {
		*base = wb_asprintf("https://s3.%s.amazonaws.com", s->region);
		*path = wb_asprintf("/%s", bucket);
	} else {
		*base = wb_asprintf("https://%s.s3.%s.amazonaws.com", bucket, s->region);
		*path = wb_strdup("");
	}
}

/* A web identity's credentials are fetched when they are first needed and when they run out. */
static int ready(struct s3 *s, struct wb_remote *r, struct wb_err *err)
{
	if (!s->creds.role_arn)
		return 0;
	if (s->creds.key && (!s->creds.expires || s->creds.expires > (int64_t)time(NULL) + 60))
		return 0;
	return wb_sts_assume(&s->creds, r->o.http,
		strcmp(s->region, "auto") && strcmp(s->region, "default") ? s->region : "us-east-1",
		err);
}

static void sign(struct wb_remote_request *rq, const struct s3 *s, const char *method,
	const char *base, const char *path, const char *query, const char *headers)
{
	const char *host = strstr(base, "://") + 3;
	char date[17];
	struct wb_sigv4 sig = {.method = method,
		.host = host,
		.path = path,
		.query = query,
		.headers = headers,
		.region = s->region,
		.service = "s3",
		.now = time(NULL)};

	wb_sigv4_date(date, sig.now);
	wb_remote_header(rq, "x-amz-date: %s", date);
	wb_remote_header(rq, "x-amz-content-sha256: " WB_SIGV4_EMPTY);
	rq->authorization = wb_sigv4_sign(&sig, s->creds.key_id, s->creds.key, s->creds.token);
	if (!s->creds.token)
		return;
	char *line = wb_asprintf("x-amz-security-token: %s", wb_secret_reveal(s->creds.token));

	wb_remote_secret_header(rq, wb_secret_new_brief("token", line, strlen(line)));
	wb_wipe(line, strlen(line));
	free(line);
}

static int make(struct wb_remote_request *rq, struct wb_remote *r, const char *key,
	const char *query, const struct wb_remote_want *want, struct wb_err *err)
{
	struct s3 *s = r->state;
	wb_autofree char *base = NULL, *bucket = NULL;
	wb_autofree char *encoded = wb_url_encode(key, strlen(key), "/");
	/* AWS tells its checksums when asked, and of whole objects only. */
	bool checksums = *key && want->start < 0;

	if (ready(s, r, err))
		return -1;
	address(&base, &bucket, s, r);
	wb_autofree char *path = wb_asprintf("%s/%s", bucket, encoded);

	rq->url = wb_asprintf("%s%s%s%s", base, path, *query ? "?" : "", query);
	if (checksums)
		wb_remote_header(rq, "x-amz-checksum-mode: ENABLED");
	if (s->creds.key_id)
		sign(rq, s, want->head ? "HEAD" : "GET", base, path, query,
			checksums ? "x-amz-checksum-mode:ENABLED\n" : "");
	return 0;
}

struct object {
	struct wb_page *page;
	struct wb_buf key, etag;
	uint64_t size;
	bool have_size, encoded;
};

/* encoding-type=url writes spaces as "+". */
static char *decoded(const char *key)
{
	wb_autofree char *copy = wb_strdup(key);

	for (char *p = copy; *p; p++)
		if (*p == '+')
			*p = ' ';
	return wb_url_decode(copy, strlen(copy));
}

static int add_object(struct object *o, struct wb_err *err)
{
	struct wb_page *page = o->page;
	wb_autofree char *key = o->encoded ? decoded(o->key.data) : wb_strdup(o->key.data);
	const char *path = wb_prefix_path(page->prefix, key, o->size);

	if (!o->have_size || !o->key.len)
		return wb_err_set(err, WB_ERR_FORMAT, "an object without key or size");
	struct wb_remote_file *f = path ? wb_listing_add(page->l, path, o->size, err) : NULL;

	if (path && !f)
		return -1;
	if (f) {
		free(f->etag);
		f->etag = wb_etag_text(o->etag.data);
		wb_known_md5_hex(&f->known, f->etag);
		wb_autofree char *own = wb_asprintf(
			"s3:%s/%s:%s:%llu", page->scope, key, f->etag, (unsigned long long)o->size);
		/* "<md5 of md5s>-<parts>" is about content too. */
		wb_autofree char *multi =
			wb_asprintf("s3-parts:%s:%llu", f->etag, (unsigned long long)o->size);

		/* Without an etag nothing tells when the object was replaced. */
		f->identity = wb_known_identity(&f->known, o->size,
			strchr(f->etag, '-') ? multi
			: *f->etag           ? own
					     : NULL);
	}
	/* The next one may say less, and must not be taken for this one. */
	o->have_size = false;
	wb_buf_clear(&o->key);
	wb_buf_clear(&o->etag);
	return 0;
}

static int keep(struct wb_buf *b, const char *text, struct wb_err *err)
{
	wb_buf_clear(b);
	return wb_buf_puts(b, text, err);
}

static int page_element(const char *path, const char *text, void *arg, struct wb_err *err)
{
	struct object *o = arg;

	if (!wb_str_starts(path, "ListBucketResult/"))
		return 0;
	path += strlen("ListBucketResult/");
	if (!strcmp(path, "Contents/Key"))
		return keep(&o->key, text, err);
	if (!strcmp(path, "Contents/ETag"))
		return keep(&o->etag, text, err);
	if (!strcmp(path, "Contents/Size"))
		o->have_size = wb_parse_u64(&o->size, text);
	else if (!strcmp(path, "EncodingType"))
		o->encoded = !strcmp(text, "url");
	else if (!strcmp(path, "Contents"))
		return add_object(o, err);
	if (!strcmp(path, "NextContinuationToken") && *text) {
		free(o->page->next);
		o->page->next = wb_strdup(text);
	}
	return 0;
}

int wb_s3_page_parse(struct wb_page *page, const char *p, size_t n, struct wb_err *err)
{
	struct object o = {.page = page};

	/* Said after the objects by some servers, so it is looked for first. */
	o.encoded = memmem(p, n, "<EncodingType>url</EncodingType>", 32) != NULL;
	wb_buf_init(&o.key, WB_XML_TEXT_MAX, "object key");
	wb_buf_init(&o.etag, 1024, "etag");
	int rc = wb_xml_parse(p, n, "object listing", page_element, &o, err);

	wb_buf_release(&o.key);
	wb_buf_release(&o.etag);
	return rc;
}

static int make_list(
	struct wb_remote_request *rq, struct wb_remote *r, void *arg, struct wb_err *err)
{
	const struct wb_list_call *c = arg;
	const struct wb_remote_want whole = {.start = -1, .end = -1};
	wb_autofree char *prefix =
		wb_url_encode(c->prefix->prefix, strlen(c->prefix->prefix), NULL);
	wb_autofree char *token = c->token ? wb_url_encode(c->token, strlen(c->token), NULL) : NULL;
	wb_autofree char *query = wb_asprintf("%s%s%sencoding-type=url&list-type=2%s&prefix=%s",
		token ? "continuation-token=" : "", token ? token : "", token ? "&" : "",
		c->prefix->exact ? "&max-keys=1" : "", prefix);

	return make(rq, r, "", query, &whole, err);
}

static int s3_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	const struct s3 *s = r->state;
	const struct wb_lister how = {make_list, wb_s3_page_parse, s->scope};

	return wb_list_prefix(out, r, r->src->uri.path, &how, err);
}

static int s3_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	wb_autofree char *key = wb_asprintf("%s%s", r->root, f->path);

	if (make(out, r, key, "", want, err))
		return -1;
	/* Else parts of two versions could be put together. */
	if (*f->etag && !strpbrk(f->etag, "\"\r\n"))
		wb_remote_header(out, "If-Match: \"%s\"", f->etag);
	return 0;
}

static void no_access(struct wb_err *err, const struct wb_remote *r)
{
	const struct s3 *s = r->state;
	const char *scheme = wb_scheme_name(r->src->uri.scheme);

	err->code = WB_ERR_AUTH;
	if (s->creds.key_id) {
		wb_err_hint(err, "the credentials are valid, but need s3:ListBucket on the bucket "
				 "and s3:GetObject on its objects");
		return;
	}
	int status = err->http_status;

	wb_err_set(err, WB_ERR_AUTH,
		"secret_id is required: the %s:// source has no auth: block, there are no "
		"credentials "
		"in the environment, and the bucket is not public",
		scheme);
	err->http_status = status;
	wb_err_hint(err,
		"add auth: { auth_method: CUSTOM_SECRET, auth_secret_name: NAME } and give "
		"it with --secret id=NAME,src=FILE, or set AWS_ACCESS_KEY_ID and "
		"AWS_SECRET_ACCESS_KEY");
}

static void s3_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	const struct s3 *s = r->state;
	const char *body = refusal->response->body.data ? refusal->response->body.data : "";

	bool key = strstr(body, "<Code>InvalidAccessKeyId<") ||
	           strstr(body, "<Code>XAdminUserNotFound<"); /* versitygw's name for it */

	if (key || strstr(body, "<Code>SignatureDoesNotMatch<")) {
		err->code = WB_ERR_AUTH;
		wb_err_hint(err, "check %s of the credentials",
			key ? "aws_access_key_id" : "aws_secret_access_key");
	} else if (strstr(body, "<Code>ExpiredToken<") ||
		   strstr(body, "<Code>TokenRefreshRequired<")) {
		err->code = WB_ERR_AUTH;
		wb_err_hint(err, "the session token has expired: get new credentials");
	} else if (strstr(body, "<Code>InvalidToken<")) {
		err->code = WB_ERR_AUTH;
		wb_err_hint(err, "check aws_session_token of the credentials");
	} else if (strstr(body, "<Code>RequestTimeTooSkewed<")) {
		wb_err_hint(err, "this machine's clock is wrong");
	} else if (err->http_status == 412) {
		wb_err_set(err, WB_ERR_NET, "\"%s\" was replaced while it was fetched",
			path ? path : "");
		wb_err_hint(err, "run it again");
	} else if (err->http_status == 301 || refusal->region) {
		wb_err_hint(err, "the bucket is in the region \"%s\", not \"%s\": set aws_region",
			refusal->region ? refusal->region : "?", s->region);
	}
	if ((err->http_status == 403 || err->http_status == 401) && !*err->hint)
		no_access(err, r);
}

/* The region that a server wants instead: from its header, else from the error's own member. */
static char *other_region(const struct wb_refusal *refusal)
{
	const char *body = refusal->response->body.data ? refusal->response->body.data : "";
	const char *in_body = strstr(body, "<Region>");
	wb_autofree char *region = refusal->region ? wb_strdup(refusal->region)
	                           : in_body ? wb_strndup(in_body + 8, strcspn(in_body + 8, "<"))
	                                     : NULL;

	if (!region || !*region || strlen(region) > 64 ||
		strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region))
		return NULL;
	return wb_steal(region);
}

/* A bucket of another region, or credentials that STS can renew. */
static bool s3_refresh(struct wb_remote *r, const struct wb_refusal *refusal)
{
	struct s3 *s = r->state;
	const char *body = refusal->response->body.data ? refusal->response->body.data : "";
	wb_autofree char *region = other_region(refusal);

	if (region && strcmp(region, s->region) != 0) {
		wb_debug("%s is in the region %s", r->src->uri.text, region);
		free(s->region);
		s->region = wb_steal(region);
		return true;
	}
	if (s->creds.role_arn && strstr(body, "<Code>ExpiredToken<")) {
		s->creds.expires = 1;
		return true;
	}
	return false;
}

const struct wb_kind wb_kind_s3 = {
	.open = s3_open,
	.list = s3_list,
	.request = s3_request,
	.refused = s3_refused,
	.refresh = s3_refresh,
	.free = s3_free,
	.head_helps = true,
};
