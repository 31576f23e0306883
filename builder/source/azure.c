/* azure:// and az://: Azure Blob Storage, with Shared Key, a SAS token, or nothing for public
 * containers. */
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "builder/source/azure_sign.h"
#include "builder/source/kind.h"
#include "builder/source/xml.h"

struct azure {
	struct wb_azure_creds creds;
	char *endpoint; /* without a slash at its end */
	char *scope;
	bool secret_missing;
};

/* A secret that is only a key says nothing of where: the environment's connection string may. */
static int own_endpoint(struct azure *s, struct wb_err *err)
{
	WB_AUTO(wb_azure_creds_release) struct wb_azure_creds env = WB_AZURE_CREDS_INIT;

	if (s->creds.endpoint)
		return 0;
	if (wb_azure_creds_environment(&env, err))
		return -1;
	if (!s->creds.account)
		s->creds.account = wb_strdup(env.account);
	/* Of another account than the address names it is dropped again (find_account). */
	if (s->creds.account && env.account && !strcmp(s->creds.account, env.account))
		s->creds.endpoint = wb_steal(env.endpoint);
	return 0;
}

static int find_credentials(struct azure *s, const struct wb_remote *r, struct wb_err *err)
{
	const struct wb_auth *auth = &r->src->auth;
	WB_AUTO(wb_secret_unrefp) struct wb_secret *secret = NULL;

	if (auth->method == WB_AUTH_AWS_OIDC || auth->method == WB_AUTH_GCP_OIDC)
		return wb_err_set(err, WB_ERR_CONFIG, "this auth_method does not fit azure://");
	wb_err_clear(err);
	if (auth->secret_name)
		secret = wb_secrets_find(r->o.secrets, auth->secret_name, err);
	if (secret)
		return wb_azure_creds_parse(&s->creds, secret, err) || own_endpoint(s, err) ? -1
		                                                                            : 0;
	if (err->code != WB_OK || wb_azure_creds_environment(&s->creds, err))
		return -1;
	s->secret_missing =
		auth->secret_name && auth->secret_explicit && !s->creds.key && !s->creds.sas;
	return 0;
}

static int find_account(struct azure *s, const struct wb_remote *r, struct wb_err *err)
{
	const char *written = r->src->uri.account;

	if (written && *written) {
		bool other = s->creds.account && strcmp(s->creds.account, written) != 0;

		if (other && s->creds.endpoint) {
			free(s->creds.endpoint);
			s->creds.endpoint = NULL;
		}
		free(s->creds.account);
		s->creds.account = wb_strdup(written);
	}
	if (!s->creds.account) {
		wb_err_set(err, WB_ERR_CONFIG, "%s does not say which storage account",
			r->src->uri.text);
		return wb_err_hint(err, "write azure://ACCOUNT/CONTAINER/PATH");
	}
	s->endpoint = s->creds.endpoint
	                      ? wb_endpoint(s->creds.endpoint, "the storage account", err)
	                      : wb_asprintf("https://%s.blob.core.windows.net", s->creds.account);
	if (!s->endpoint)
		return -1;
	s->scope = wb_asprintf("%s/%s", s->endpoint, r->src->uri.bucket);
	return 0;
}

static int azure_open(struct wb_remote *r, struct wb_err *err)
{
	struct azure *s = wb_zalloc(sizeof(*s));

	r->state = s;
	if (find_credentials(s, r, err))
		return -1;
	if (s->secret_missing)
		return wb_secrets_missing(err, r->src->auth.secret_name);
	return find_account(s, r, err);
}

static void azure_free(void *state)
{
	struct azure *s = state;

	wb_azure_creds_release(&s->creds);
	free(s->endpoint);
	free(s->scope);
	free(s);
}

static const char *path_of(const char *url)
{
	return url + strcspn(url, ":") + 3 + strcspn(url + strcspn(url, ":") + 3, "/?");
}

/* query: encoded; params: its canonical form. */
static int make(struct wb_remote_request *rq, struct wb_remote *r, const char *name,
	const char *query, const char *params, const struct wb_remote_want *want,
	const char *if_match, struct wb_err *err)
{
	const struct azure *s = r->state;
	wb_autofree char *encoded = wb_url_encode(name, strlen(name), "/");
	wb_autofree char *plain = wb_asprintf(
		"%s/%s%s%s", s->endpoint, r->src->uri.bucket, *name ? "/" : "", encoded);
	wb_autofree char *range = want->start < 0
	                                  ? wb_strdup("")
	                                  : wb_asprintf("bytes=%lld-%lld", (long long)want->start,
						    (long long)want->end);
	const char *sas = s->creds.key || !s->creds.sas ? "" : wb_secret_reveal(s->creds.sas);
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	rq->url = wb_asprintf("%s%s%s%s%s", plain, *query || *sas ? "?" : "", query,
		*query && *sas ? "&" : "", sas);
	wb_remote_header(rq, "x-ms-version: " WB_AZURE_VERSION);
	wb_remote_header(rq, "x-ms-date: %s", date);
	if (*if_match)
		wb_remote_header(rq, "If-Match: %s", if_match);
	if (!s->creds.key)
		return 0;
	struct wb_azure_sign sig = {.method = want->head ? "HEAD" : "GET",
		.date = date,
		.if_match = if_match,
		.range = range,
		.path = path_of(plain),
		.params = params};

	rq->authorization = wb_azure_sign(&s->creds, &sig, err);
	return rq->authorization ? 0 : -1;
}

struct blob {
	struct wb_page *page;
	struct wb_buf name, etag, md5;
	uint64_t size;
	bool have_size, directory;
};

static int add_blob(struct blob *b, struct wb_err *err)
{
	struct wb_page *page = b->page;

	if (!b->have_size || !b->name.len)
		return wb_err_set(err, WB_ERR_FORMAT, "a blob without name or size");
	const char *path =
		b->directory ? NULL : wb_prefix_path(page->prefix, b->name.data, b->size);
	struct wb_remote_file *f = path ? wb_listing_add(page->l, path, b->size, err) : NULL;

	if (path && !f)
		return -1;
	if (f) {
		wb_known_base64(&f->known, WB_HASH_MD5, b->md5.data);
		free(f->etag);
		f->etag = wb_etag_text(b->etag.data);
		wb_autofree char *own = wb_asprintf("azure:%s/%s:%s:%llu", page->scope,
			b->name.data, f->etag, (unsigned long long)b->size);

		f->identity = wb_known_identity(&f->known, b->size, *f->etag ? own : NULL);
	}
	b->have_size = b->directory = false;
	wb_buf_clear(&b->name);
	wb_buf_clear(&b->etag);
	wb_buf_clear(&b->md5);
	return 0;
}

static int keep(struct wb_buf *to, const char *text, struct wb_err *err)
{
	wb_buf_clear(to);
	return wb_buf_puts(to, text, err);
}

static int page_element(const char *path, const char *text, void *arg, struct wb_err *err)
{
	struct blob *b = arg;

	if (!strcmp(path, "EnumerationResults/NextMarker") && *text) {
		free(b->page->next);
		b->page->next = wb_strdup(text);
	}
	if (!wb_str_starts(path, "EnumerationResults/Blobs/Blob"))
		return 0;
	path += strlen("EnumerationResults/Blobs/Blob");
	if (!*path)
		return add_blob(b, err);
	if (!strcmp(path, "/Name"))
		return keep(&b->name, text, err);
	if (!strcmp(path, "/Properties/Etag"))
		return keep(&b->etag, text, err);
	if (!strcmp(path, "/Properties/Content-MD5"))
		return keep(&b->md5, text, err);
	if (!strcmp(path, "/Properties/Content-Length"))
		b->have_size = wb_parse_u64(&b->size, text);
	else if (!strcmp(path, "/Properties/ResourceType"))
		b->directory = !strcmp(text, "directory");
	return 0;
}

int wb_azure_page_parse(struct wb_page *page, const char *p, size_t n, struct wb_err *err)
{
	struct blob b = {.page = page};

	if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) { /* the service writes a byte order mark */
		p += 3;
		n -= 3;
	}
	wb_buf_init(&b.name, WB_XML_TEXT_MAX, "blob name");
	wb_buf_init(&b.etag, 1024, "etag");
	wb_buf_init(&b.md5, 1024, "md5");
	int rc = wb_xml_parse(p, n, "blob listing", page_element, &b, err);

	wb_buf_release(&b.name);
	wb_buf_release(&b.etag);
	wb_buf_release(&b.md5);
	return rc;
}

static int make_list(
	struct wb_remote_request *rq, struct wb_remote *r, void *arg, struct wb_err *err)
{
	const struct wb_list_call *c = arg;
	const struct wb_remote_want whole = {.start = -1, .end = -1};
	const char *prefix = c->prefix->prefix, *most = c->prefix->exact ? "1" : "5000";
	wb_autofree char *p = wb_url_encode(prefix, strlen(prefix), NULL);
	wb_autofree char *m = c->token ? wb_url_encode(c->token, strlen(c->token), NULL) : NULL;
	wb_autofree char *query =
		wb_asprintf("comp=list%s%s&maxresults=%s&prefix=%s&restype=container",
			m ? "&marker=" : "", m ? m : "", most, p);
	wb_autofree char *params = wb_asprintf("\ncomp:list%s%s\nmaxresults:%s\nprefix:%s\n"
					       "restype:container",
		m ? "\nmarker:" : "", m ? c->token : "", most, prefix);

	return make(rq, r, "", query, params, &whole, "", err);
}

static int azure_list(struct wb_listing *out, struct wb_remote *r, struct wb_err *err)
{
	const struct azure *s = r->state;
	const struct wb_lister how = {make_list, wb_azure_page_parse, s->scope};

	return wb_list_prefix(out, r, r->src->uri.path, &how, err);
}

static int azure_request(struct wb_remote_request *out, struct wb_remote *r,
	const struct wb_remote_file *f, const struct wb_remote_want *want, struct wb_err *err)
{
	wb_autofree char *name = wb_asprintf("%s%s", r->root, f->path);
	wb_autofree char *match = *f->etag && !strpbrk(f->etag, "\"\r\n")
	                                  ? wb_asprintf("\"%s\"", f->etag)
	                                  : wb_strdup("");

	return make(out, r, name, "", "", want, match, err);
}

static void azure_refused(
	struct wb_err *err, struct wb_remote *r, const char *path, const struct wb_refusal *refusal)
{
	const struct azure *s = r->state;
	const char *body = refusal->response->body.data ? refusal->response->body.data : "";
	bool anonymous = !s->creds.key && !s->creds.sas;
	int status = err->http_status;

	if (status == 412) {
		wb_err_set(err, WB_ERR_NET, "\"%s\" was replaced while it was fetched",
			path ? path : "");
		wb_err_hint(err, "run it again");
	} else if (anonymous &&
		   (status == 401 || status == 403 || status == 404 || status == 409)) {
		wb_err_set(err, WB_ERR_AUTH,
			"no credentials for the storage account \"%s\", and the container \"%s\" "
			"is "
			"not public or does not exist",
			s->creds.account, r->src->uri.bucket);
		wb_err_hint(err, "name a secret with the account_key in \"auth\", or set "
				 "AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or "
				 "AZURE_STORAGE_SAS_TOKEN");
	} else if (strstr(body, "AuthenticationFailed") || strstr(body, "AuthorizationFailure")) {
		err->code = WB_ERR_AUTH;
		wb_err_hint(err,
			s->creds.key ? "check the account_key of \"%s\""
				     : "the SAS token of \"%s\" may have expired, or lack the "
				       "read and list permissions",
			s->creds.account);
	}
	err->http_status = status;
}

const struct wb_kind wb_kind_azure = {
	.open = azure_open,
	.list = azure_list,
	.request = azure_request,
	.refused = azure_refused,
	.free = azure_free,
};
