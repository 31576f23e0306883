/* gs://: the JSON API of Google Cloud Storage, which tells MD5 (of objects that were not composed),
 * CRC-32C and the generation of every object. A generation is immutable, so nothing can change
 * between listing and download. */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "builder/source/gcp_token.h"
#include "builder/source/kind.h"

struct gcs {
	struct wb_gcp_creds creds;
	char *base; /* without a slash at its end */
	bool secret_missing;
};

static char *find_base(const struct gcs *s, struct wb_err *err)
{
	const char *e = wb_env("STORAGE_EMULATOR_HOST"), *own = s->creds.base_url;

	if (!e)
		return wb_endpoint(
			own ? own : "https://storage.googleapis.com", "gcs_base_url", err);
	wb_autofree char *full = wb_asprintf("%s%s", strstr(e, "://") ? "" : "http://", e);

	return wb_endpoint(full, "STORAGE_EMULATOR_HOST", err);
}

static int find_credentials(struct gcs *s, const struct wb_remote *r, struct wb_err *err)
{
	const struct wb_auth *auth = &r->src->auth;
	WB_AUTO(wb_secret_unrefp) struct wb_secret *secret = NULL;

	if (auth->method == WB_AUTH_AWS_OIDC)
		return wb_err_set(err, WB_ERR_CONFIG, "auth_method AWS_OIDC does not fit gs://");
	wb_err_clear(err);
	if (auth->method == WB_AUTH_GCP_OIDC)
		return wb_gcp_creds_oidc(&s->creds, auth, err);
	if (auth->secret_name)
		secret = wb_secrets_find(r->o.secrets, auth->secret_name, err);
	if (secret)
		return wb_gcp_creds_parse(&s->creds, secret, err);
	if (err->code != WB_OK || wb_gcp_creds_environment(&s->creds, err))
		return -1;
	if (s->creds.kind != WB_GCP_NONE)
		return 0;
	secret = wb_secrets_legacy(r->o.secrets, "service_account.json", err);
	if (secret)
		return wb_gcp_creds_parse(&s->creds, secret, err);
	s->secret_missing = auth->secret_name && auth->secret_explicit;
	return err->code == WB_OK ? 0 : -1;
}

static int gcs_open(struct wb_remote *r, struct wb_err *err)
{
	struct gcs *s = wb_zalloc(sizeof(*s));

	r->state = s;
	if (find_credentials(s, r, err))
		return -1;
	if (s->secret_missing)
		return wb_secrets_missing(err, r->src->auth.secret_name);
	s->base = find_base(s, err);
	return s->base ? 0 : -1;
}

static void gcs_free(void *state)
{
	struct gcs *s = state;

	wb_gcp_creds_release(&s->creds);
	free(s->base);
	free(s);
}

static int authorize(struct wb_remote_request *rq, struct wb_remote *r, struct wb_err *err)
{
	struct gcs *s = r->state;

	if (wb_gcp_token(&s->creds, r->o.http, err))
		return -1;
	rq->authorization = s->creds.bearer ? wb_secret_ref(s->creds.bearer) : NULL;
	return 0;
}

static int add_object(struct wb_page *page, const json_t *item, struct wb_err *err)
{
	const char *name = wb_json_str_opt(item, "name"),
		   *size_text = wb_json_str_opt(item, "size");
	const char *etag = wb_json_str_opt(item, "etag"), *encoding;
	const char *generation = wb_json_str_opt(item, "generation");
	uint64_t size, number;

	if (!name || !size_text || !wb_parse_u64(&size, size_text))
		return wb_err_set(err, WB_ERR_FORMAT, "an object without name or size");
	const char *path = wb_prefix_path(page->prefix, name, size);

	if (!path)
		return 0;
	struct wb_remote_file *f = wb_listing_add(page->l, path, size, err);

	if (!f)
		return -1;
	wb_known_base64(&f->known, WB_HASH_MD5, wb_json_str_opt(item, "md5Hash"));
	wb_known_base64(&f->known, WB_HASH_CRC32C, wb_json_str_opt(item, "crc32c"));
	free(f->etag);
	f->etag = wb_etag_text(etag);
	free(f->version);
	f->version = wb_strdup(
		generation && strlen(generation) <= 20 && wb_parse_u64(&number, generation)
			? generation
			: "");
	encoding = wb_json_str_opt(item, "contentEncoding");
	f->encoded = encoding && strstr(encoding, "gzip");
	wb_autofree char *own = wb_asprintf("gs:%s/%s#%s:%s:%llu", page->scope, name, f->version,
		f->etag, (unsigned long long)size);

	f->identity = wb_known_identity(&f->known, size, *f->version || *f->etag ? own : NULL);
	return 0;
}

int wb_gcs_page_parse(struct wb_page *page, const char *p, size_t n, struct wb_err *err)
{
	wb_autojson json_t *j = wb_json_parse(p, n, "object listing", err);
	json_t *item;
	size_t i;

	if (!j)
		return -1;
	if (!json_is_object(j))
		return wb_err_set(err, WB_ERR_FORMAT, "object listing is not an object");
	json_array_foreach (json_object_get(j, "items"), i, item)
		if (add_object(page, item, err))
			return -1;
	const char *next = wb_json_str_opt(j, "nextPageToken");

	page->next = next && *next ? wb_strdup(next) : NULL;
	return 0;
}

static int make_list(
	struct wb_remote_request *rq, struct wb_remote *r, void *arg, struct wb_err *err)
{
	const struct gcs *s = r->state;
	const struct wb_list_call *c = arg;
	wb_autofree char *bucket =
		wb_url_encode(r->src->uri.bucket, strlen(r->src->uri.bucket), NULL);
	wb_autofree char *prefix =
		wb_url_encode(c->prefix->prefix, strlen(c->prefix->prefix), NULL);
	wb_autofree char *token = c->token ? wb_url_encode(c->token, strlen(c->token), NULL) : NULL;

	rq->url = wb_asprintf(
		"%s/storage/v1/b/%s/o?fields=nextPageToken,items(name,size,md5Hash,crc32c,etag,"
		"generation,contentEncoding)&maxResults=%d&prefix=%s%s%s",
		s->base, bucket, c->prefix->exact ? 1 : 1000, prefix, token ? "&pageToken=" : "",
		token ? token : "");
	return authorize(rq, r, err);
}

static int gcs_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	const struct wb_lister how = {make_list, wb_gcs_page_parse, r->src->uri.bucket};

	return wb_list_prefix(out, r, r->src->uri.path, &how, err);
}

static int gcs_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	const struct gcs *s = r->state;
	wb_autofree char *key = wb_asprintf("%s%s", r->root, f->path);
	wb_autofree char *bucket =
		wb_url_encode(r->src->uri.bucket, strlen(r->src->uri.bucket), NULL);
	wb_autofree char *name = wb_url_encode(key, strlen(key), NULL);

	out->url = wb_asprintf("%s/storage/v1/b/%s/o/%s?alt=media%s%s", s->base, bucket, name,
		*f->version ? "&generation=" : "", f->version);
	/* Else the service unpacks it on the way, and neither size nor digest fit. */
	if (f->encoded)
		wb_remote_header(out, "Accept-Encoding: gzip");
	return authorize(out, r, err);
}

static void gcs_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	const struct gcs *s = r->state;
	int status = err->http_status;

	if (status == 404 && path && s->base) {
		wb_err_set(err, WB_ERR_NOT_FOUND, "\"%s\" was replaced or removed meanwhile", path);
		wb_err_hint(err, "run it again");
	} else if (status == 401 && s->creds.kind == WB_GCP_NONE) {
		wb_err_set(err, WB_ERR_AUTH,
			"no credentials configured: need either OIDC config or secret_id (the "
			"gs:// "
			"source has no auth: block, and the bucket is not public)");
		wb_err_hint(err,
			"add auth: with auth_method CUSTOM_SECRET and auth_secret_name, or "
			"GCP_OIDC, or set GOOGLE_APPLICATION_CREDENTIALS");
	} else if (status == 403) {
		wb_err_hint(err, "%s needs roles/storage.objectViewer on the bucket",
			s->creds.email ? s->creds.email : "the identity");
	}
	err->http_status = status;
}

static bool gcs_refresh(struct wb_remote *r, const struct wb_refusal *refusal)
{
	struct gcs *s = r->state;

	if (refusal->response->status != 401 || !s->creds.bearer)
		return false;
	wb_secret_unref(s->creds.bearer);
	s->creds.bearer = NULL;
	return true;
}

const struct wb_kind wb_kind_gcs = {
	.open = gcs_open,
	.list = gcs_list,
	.request = gcs_request,
	.refused = gcs_refused,
	.refresh = gcs_refresh,
	.free = gcs_free,
};
