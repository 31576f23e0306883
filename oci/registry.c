#include "oci/registry.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "oci/registry_internal.h"

#define WARNINGS_MAX 20
#define HUB_API "registry-1.docker.io"

/* Docker's and podman's folders of private certificate authorities, by registry. */
static char *find_ca(const char *host)
{
	static const char *const dirs[] = {"/etc/containers/certs.d", "/etc/docker/certs.d"};
	const char *home = wb_env("HOME");

	for (size_t i = 0; i <= WB_ARRAY_LEN(dirs); i++) {
		wb_autofree char *own =
			i || !home ? NULL : wb_path_join(home, ".config/containers/certs.d");
		const char *dir = i ? dirs[i - 1] : own;
		wb_autofree char *path = dir ? wb_asprintf("%s/%s/ca.crt", dir, host) : NULL;

		if (path && !access(path, R_OK))
			return wb_steal(path);
	}
	return NULL;
}

static void registry_free(struct wb_transport *t)
{
	struct wb_registry *reg = (struct wb_registry *)t;

	wb_vec_foreach (h, &reg->idle)
		wb_http_free(*h);
	wb_vec_free(&reg->idle);
	wb_vec_foreach (w, &reg->warned)
		free(*w);
	wb_vec_free(&reg->warned);
	wb_auth_free(reg->auth);
	wb_credentials_unref(reg->credentials);
	wb_reference_release(&reg->ref);
	pthread_mutex_destroy(&reg->lock);
	free(reg->ca_file);
	free(reg->pull);
	free(reg->push);
	free(reg->origin);
	free(reg);
}

static int check_image(
	struct wb_transport *t, const struct wb_descriptor *layers, size_t n, struct wb_err *err)
{
	const struct wb_registry *reg = (struct wb_registry *)t;
	wb_autofree uint64_t *sizes = wb_calloc(n, sizeof(*sizes));

	for (size_t i = 0; i < n; i++)
		sizes[i] = layers[i].size;
	return reg->o.no_limits ? 0 : wb_quirks_check_plan(reg->ref.host, sizes, n, err);
}

/* The first request goes alone: which of http and https is spoken, and whether the login is good,
 * is then known to all workers. Each by itself would send the same wrong password. */
static int announce(
	struct wb_transport *t, const struct wb_descriptor *blobs, size_t n, struct wb_err *err)
{
	bool there;

	return n ? wb_registry_has_blob(&there, t, &blobs[0], err) : 0;
}

static const struct wb_transport_ops registry_ops = {
	.name = "docker",
	.resolve = wb_registry_resolve,
	.get_manifest = wb_registry_get_manifest,
	.open_blob = wb_registry_open_blob,
	.has_blob = wb_registry_has_blob,
	.has_manifest = wb_registry_has_manifest,
	.announce = announce,
	.check_image = check_image,
	.put_blob = wb_registry_put_blob,
	.put_manifest = wb_registry_put_manifest,
	.free = registry_free,
};

struct wb_transport *wb_registry_open(const struct wb_place *p, const struct wb_registry_opts *o,
	enum wb_transport_mode mode, struct wb_err *err)
{
	static const struct wb_registry_opts plain;
	struct wb_registry *reg;

	if (p->kind != WB_PLACE_REGISTRY) {
		wb_err_set(err, WB_ERR_USAGE, "not a place in a registry");
		return NULL;
	}
	if (mode == WB_TRANSPORT_WRITE && p->reference.has_digest && p->reference.tag) {
		wb_err_set(
			err, WB_ERR_USAGE, "a tag and a digest together cannot be a destination");
		return NULL;
	}
	reg = wb_zalloc(sizeof(*reg));
	reg->o = o ? *o : plain;
	wb_reference_copy(&reg->ref, &p->reference);
	reg->t.ops = &registry_ops;
	reg->t.label = wb_place_text(p);
	reg->t.host = reg->ref.host;
	reg->t.repository = reg->ref.name;
	reg->credentials = reg->o.credentials ? wb_credentials_ref(reg->o.credentials)
	                                      : wb_credentials_new(NULL);
	reg->auth = wb_auth_new(reg->credentials, reg->ref.host, reg->ref.name);
	if (!reg->o.http.ca_file)
		reg->o.http.ca_file = reg->ca_file = find_ca(reg->ref.host);
	if (reg->o.http.tls_insecure)
		wb_warn("the certificate of \"%s\" is not checked", reg->ref.host);
	reg->o.http.insecure_http |= reg->o.plain_http;
	reg->pull = wb_asprintf("repository:%s:pull", reg->ref.name);
	reg->push = wb_asprintf("repository:%s:pull,push", reg->ref.name);
	pthread_mutex_init(&reg->lock, NULL);
	return &reg->t;
}

struct wb_http *wb_registry_engine(struct wb_registry *reg, struct wb_err *err)
{
	struct wb_http *h = NULL;

	pthread_mutex_lock(&reg->lock);
	if (reg->idle.n)
		h = reg->idle.items[--reg->idle.n];
	pthread_mutex_unlock(&reg->lock);
	return h ? h : wb_http_new(&reg->o.http, err);
}

void wb_registry_engine_back(struct wb_registry *reg, struct wb_http *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&reg->lock);
	*wb_vec_push(&reg->idle) = h;
	pthread_mutex_unlock(&reg->lock);
}

/* A server that wants TLS says so in its own way: Go's and nginx's with a 400, others by hanging
 * up. */
static int speaks_tls(bool *out, struct wb_http *h, const char *host, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	struct wb_err why = WB_ERR_INIT;
	wb_autofree char *url = wb_asprintf("http://%s/v2/", host);

	p.url = url;
	p.retries = -1;
	p.no_redirect = true;
	if (!wb_http_perform(&r, h, &p, &why)) {
		*out = r.response.status == 400 ||
		       (r.response.status >= 301 && r.response.status <= 308);
		return 0;
	}
	/* Nobody there: trying again in TLS would only blur the message. */
	if (why.code == WB_ERR_CANCELLED || strstr(why.text, "Failed to connect")) {
		*err = why;
		return -1;
	}
	*out = true;
	return 0;
}

static int find_origin(struct wb_registry *reg, struct wb_http *h, struct wb_err *err)
{
	const char *host = wb_host_is_hub(reg->ref.host) ? HUB_API : reg->ref.host;
	wb_autofree char *plain = wb_asprintf("http://%s", host);
	bool tls = !reg->o.plain_http;
	int rc = 0;

	pthread_mutex_lock(&reg->lock);
	if (!reg->origin) {
		if (tls && wb_url_host_is_loopback(plain))
			rc = speaks_tls(&tls, h, host, err);
		if (!rc)
			reg->origin = tls ? wb_asprintf("https://%s", host) : wb_steal(plain);
	}
	pthread_mutex_unlock(&reg->lock);
	return rc;
}

char *wb_registry_url(
	struct wb_registry *reg, struct wb_http *h, struct wb_err *err, const char *fmt, ...)
{
	va_list ap;

	if (find_origin(reg, h, err))
		return NULL;
	va_start(ap, fmt);
	wb_autofree char *rest = wb_vasprintf(fmt, ap);
	va_end(ap);
	return wb_asprintf("%s/v2/%s/%s", reg->origin, reg->ref.name, rest);
}

bool wb_registry_is_home(const struct wb_registry *reg, const char *url)
{
	return reg->origin && wb_url_same_origin(reg->origin, url);
}

/* Warning: 299 - "text" (distribution-spec, "Warnings"), each text once. */
static void show_warnings(struct wb_registry *reg, const struct wb_http_result *r)
{
	wb_vec_foreach (line, &r->headers) {
		if (strncasecmp(*line, "Warning:", 8))
			continue;
		const char *open = strchr(*line, '"');
		const char *close = open ? strrchr(open + 1, '"') : NULL;

		if (!close || !strstr(*line, "299"))
			continue;
		wb_autofree char *raw = wb_strndup(open + 1, (size_t)(close - open - 1));
		wb_autofree char *text = wb_text_quote(raw, 300);
		bool known = false;

		pthread_mutex_lock(&reg->lock);
		wb_vec_foreach (w, &reg->warned)
			known |= !strcmp(*w, text);
		if (!known && reg->warned.n < WARNINGS_MAX)
			*wb_vec_push(&reg->warned) = wb_strdup(text);
		else
			known = true;
		pthread_mutex_unlock(&reg->lock);
		if (!known)
			wb_warn("\"%s\" says: %s", reg->ref.host, text);
	}
}

int wb_registry_refused(struct wb_registry *reg, char *const *challenges, size_t n,
	const struct wb_secret *sent, bool again, const struct wb_http_response *r,
	struct wb_err *err)
{
	WB_AUTO(wb_challenges_release) wb_challenges list = {0};

	for (size_t i = 0; i < n; i++)
		if (wb_challenges_parse(&list, challenges[i], err))
			return -1;
	return wb_auth_refused(reg->auth, &list, sent, again, r, err);
}

static int refused(struct wb_registry *reg, const struct wb_http_result *r,
	const struct wb_secret *sent, bool again, struct wb_err *err)
{
	WB_VEC(char *) values = {0};

	wb_vec_foreach (line, &r->headers)
		if (!strncasecmp(*line, "WWW-Authenticate:", 17))
			*wb_vec_push(&values) = *line + 17 + strspn(*line + 17, " \t");
	int rc = wb_registry_refused(reg, values.items, values.n, sent, again, &r->response, err);

	wb_vec_free(&values);
	return rc;
}

/* What OpenSSL says of an answer that is no TLS helps nobody. */
static int explain_fault(struct wb_err *err)
{
	if (strstr(err->text, "wrong version number"))
		wb_err_hint(
			err, "the registry does not speak TLS there: --plain-http goes without it");
	return -1;
}

int wb_registry_call(struct wb_http_result *out, struct wb_registry *reg, struct wb_http *h,
	struct wb_http_params *p, const char *scopes, struct wb_err *err)
{
	bool home = wb_registry_is_home(reg, p->url), again = false;

	p->is_final = wb_registry_is_final;
	for (;;) {
		WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
		WB_AUTO(wb_secret_unrefp) struct wb_secret *login = NULL;

		if (home && wb_auth_header(&login, reg->auth, h, scopes, err))
			return -1;
		p->authorization = login;
		int rc = wb_http_perform(&r, h, p, err);

		p->authorization = NULL;
		if (rc)
			return explain_fault(err);
		show_warnings(reg, &r);
		if (r.response.status != 401 || !home || r.response.redirected) {
			*out = r;
			r = WB_HTTP_RESULT_INIT;
			return 0;
		}
		if (refused(reg, &r, login, again, err))
			return -1;
		again = login != NULL;
	}
}

/* The words of an error body: {"errors":[{"code","message","detail"}]}, the first one's. */
struct said {
	char *text;
	bool disk_full, quota;
};

static void said_release(struct said *s)
{
	free(s->text);
}

static void read_body(struct said *s, const struct wb_http_response *r)
{
	struct wb_err ignored = WB_ERR_INIT;
	const struct wb_buf *b = &r->body;
	wb_autojson json_t *o = b->len ? wb_json_parse(b->data, b->len, "error", &ignored) : NULL;
	const json_t *first = json_array_get(json_object_get(o, "errors"), 0);
	const char *code = wb_json_str_opt(first, "code");
	const char *message = wb_json_str_opt(first, "message");
	const char *detail = wb_json_str_opt(first, "detail");
	/* distribution reports the errno of its disk, ENOSPC, inside the detail */
	const char *body = b->data ? b->data : "";

	s->disk_full =
		strstr(body, "no space left") || strstr(body, "\"Err\":28") || r->status == 507;
	/* with 429 it is a number of requests in so much time, which does pass */
	s->quota = r->status != 429 &&
	           (strcasestr(body, "quota") || strcasestr(body, "upper limit of"));
	wb_autofree char *raw =
		wb_asprintf("%s%s%s%s%s", code ? code : "", code && message ? ": " : "",
			message ? message : "", detail ? ": " : "", detail ? detail : "");

	if (*raw)
		s->text = wb_text_quote(raw, 300);
}

bool wb_registry_is_final(const struct wb_http_response *r)
{
	WB_AUTO(said_release) struct said s = {0};

	read_body(&s, r);
	if (s.disk_full || s.quota)
		return true;
	return r->status >= 400 && r->status < 500 && r->status != 408 && r->status != 429;
}

static void hint_for(struct wb_err *err, struct wb_registry *reg, const struct said *s)
{
	switch (err->http_status) {
	case 403: wb_auth_explain(reg->auth, err); break;
	case 413:
		wb_err_hint(err, "the registry, or a proxy before it, limits the size of a "
				 "request: raise the limit there");
		break;
	case 429:
		wb_err_hint(err, "the registry asks for patience: run the same command again "
				 "later, what has been pushed is kept");
		break;
	default: break;
	}
	if (s->quota)
		wb_err_hint(err, "delete images there, or raise the quota of the project");
	if (s->disk_full)
		wb_err_hint(err, "free some space on the registry, then run the same command "
				 "again: what has been pushed is kept");
}

int wb_registry_status_err(struct wb_err *err, struct wb_registry *reg,
	const struct wb_http_response *r, const char *doing)
{
	WB_AUTO(said_release) struct said s = {0};
	enum wb_code code = WB_ERR_NET;

	read_body(&s, r);
	if (r->status == 401 || r->status == 403)
		code = WB_ERR_AUTH;
	else if (r->status == 404 || r->status == 410)
		code = WB_ERR_NOT_FOUND;
	else if (r->status == 413 || s.quota)
		code = WB_ERR_LIMIT;
	if (s.disk_full)
		wb_err_set(err, WB_ERR_NET, "%s: the disk of \"%s\" is full (status %d)", doing,
			reg->ref.host, r->status);
	else
		wb_err_set(err, code, "%s: \"%s\" answered %d%s%s%s", doing, reg->ref.host,
			r->status, s.text ? " (" : "", s.text ? s.text : "", s.text ? ")" : "");
	err->http_status = r->status;
	hint_for(err, reg, &s);
	return -1;
}
