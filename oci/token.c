#include "oci/token.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"

#define CLIENT "wbuild"

void wb_token_release(struct wb_token *t)
{
	wb_secret_unref(t->header);
	*t = WB_TOKEN_INIT;
}

static bool token_ok(const char *t)
{
	size_t n = strlen(t);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)t[i] <= 0x20 || (unsigned char)t[i] >= 0x7f)
			return false;
	return n && n <= WB_TOKEN_MAX;
}

static struct wb_secret *bearer(const char *token)
{
	char *value = wb_asprintf("Bearer %s", token);
	struct wb_secret *s = wb_secret_new_session("registry token", value, strlen(value), false);
	struct wb_secret *bare =
		wb_secret_new_session("registry token", token, strlen(token), false);

	wb_secret_unref(bare); /* the redactor is to know it by itself as well */
	wb_wipe(value, strlen(value));
	free(value);
	return s;
}

struct wb_secret *wb_basic_header(const char *user, const struct wb_secret *password)
{
	char *plain = wb_asprintf("%s:%s", user, wb_secret_reveal(password));
	char *encoded = wb_base64_encode(plain, strlen(plain));
	char *value = wb_asprintf("Basic %s", encoded);
	struct wb_secret *s = wb_secret_new_session("registry login", value, strlen(value), false);
	struct wb_secret *bare =
		wb_secret_new_session("registry login", encoded, strlen(encoded), false);

	wb_secret_unref(bare);
	wb_wipe(plain, strlen(plain));
	wb_wipe(encoded, strlen(encoded));
	wb_wipe(value, strlen(value));
	free(plain);
	free(encoded);
	free(value);
	return s;
}

int wb_token_parse(
	struct wb_token *out, const char *reply, size_t n, const char *server, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT; /* not shown: it may quote the token */
	wb_autojson json_t *o = wb_json_parse(reply, n, "token", &why);
	const char *token = wb_json_str_opt(o, "token");
	const json_t *lifetime = json_object_get(o, "expires_in");

	if (!token || !*token)
		token = wb_json_str_opt(o, "access_token");
	if (!token || !token_ok(token))
		return wb_err_set(err, WB_ERR_FORMAT,
			"the token server \"%s\" answered without a usable token", server);
	out->lifetime_s = WB_TOKEN_LIFETIME_DEFAULT;
	if (json_is_integer(lifetime) && json_integer_value(lifetime) > 0)
		out->lifetime_s = (uint64_t)json_integer_value(lifetime);
	if (out->lifetime_s > WB_TOKEN_LIFETIME_MAX)
		out->lifetime_s = WB_TOKEN_LIFETIME_MAX;
	out->header = bearer(token);
	return 0;
}

static void add_field(struct wb_buf *b, const char *name, const char *value)
{
	wb_autofree char *encoded = wb_url_encode(value, strlen(value), NULL);

	wb_buf_must(b, "%s%s=%s", b->len ? "&" : "", name, encoded);
}

static char *next_scope(const char **p)
{
	const char *start = *p + strspn(*p, " ");
	size_t n = strcspn(start, " ");

	*p = start + n;
	return n ? wb_strndup(start, n) : NULL;
}

static char *get_url(
	const struct wb_challenge *c, const struct wb_credential *cred, const char *scopes)
{
	WB_AUTO(wb_buf_release) struct wb_buf q = WB_BUF_INIT;
	const char *p = scopes;
	char *scope;

	wb_buf_init(&q, WB_TOKEN_REPLY_MAX, "a token request");
	if (c->service)
		add_field(&q, "service", c->service);
	while ((scope = next_scope(&p))) {
		add_field(&q, "scope", scope);
		free(scope);
	}
	add_field(&q, "client_id", CLIENT);
	if (cred->kind == WB_CREDENTIAL_BASIC)
		add_field(&q, "account", cred->username);
	return wb_asprintf("%s%s%s", c->realm, strchr(c->realm, '?') ? "&" : "?", q.data);
}

static int get(struct wb_http_result *out, struct wb_http *h, const struct wb_challenge *c,
	const struct wb_credential *cred, const char *scopes, struct wb_err *err)
{
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	wb_autofree char *url = get_url(c, cred, scopes);

	p.url = url;
	p.body_limit = WB_TOKEN_REPLY_MAX;
	if (cred->kind == WB_CREDENTIAL_BASIC)
		p.authorization = wb_basic_header(cred->username, cred->secret);
	int rc = wb_http_perform(out, h, &p, err);

	wb_secret_unref(p.authorization);
	return rc;
}

static int post(struct wb_http_result *out, struct wb_http *h, const struct wb_challenge *c,
	const struct wb_credential *cred, const char *scopes, struct wb_err *err)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded", NULL};
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	bool refresh = cred->kind == WB_CREDENTIAL_IDENTITY;
	WB_AUTO(wb_buf_release) struct wb_buf form = WB_BUF_INIT;

	wb_buf_init(&form, WB_TOKEN_REPLY_MAX, "a token request");
	add_field(&form, "grant_type", refresh ? "refresh_token" : "password");
	if (c->service)
		add_field(&form, "service", c->service);
	add_field(&form, "client_id", CLIENT);
	if (*scopes)
		add_field(&form, "scope", scopes);
	if (!refresh)
		add_field(&form, "username", cred->username);
	add_field(&form, refresh ? "refresh_token" : "password", wb_secret_reveal(cred->secret));
	p.method = WB_HTTP_POST;
	p.url = c->realm;
	p.headers = headers;
	p.body = form.data;
	p.body_len = form.len;
	p.body_limit = WB_TOKEN_REPLY_MAX;
	p.idempotent = true;
	p.no_redirect = true; /* the body holds the secret */
	int rc = wb_http_perform(out, h, &p, err);

	wb_wipe(form.data, form.len);
	return rc;
}

static int refused(const struct wb_http_response *r, const struct wb_credential *cred,
	const char *host, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;
	wb_autofree char *as = cred->username ? wb_text_quote(cred->username, 100) : NULL;

	wb_http_status_err(&why, r, "token server");
	if (cred->kind == WB_CREDENTIAL_NONE) {
		wb_err_set(err, WB_ERR_AUTH, "\"%s\" gives no access without a login (%s)", host,
			why.text);
		wb_err_hint(err, "%s%slog in with docker login, podman login or skopeo login",
			cred->origin ? cred->origin : "", cred->origin ? "; " : "");
	} else {
		wb_err_set(err, WB_ERR_AUTH, "\"%s\" refused the login%s%s%s (%s)", host,
			as ? " of \"" : "", as ? as : "", as ? "\"" : "", why.text);
		wb_err_hint(err, "the login comes from %s: log in again",
			cred->origin ? cred->origin : "the configuration");
	}
	err->http_status = r->status;
	return -1;
}

static bool post_instead(int status, const struct wb_credential *cred)
{
	return (status == 404 || status == 405 || status == 501) &&
	       cred->kind == WB_CREDENTIAL_BASIC;
}

int wb_token_fetch(struct wb_token *out, struct wb_http *h, const struct wb_challenge *c,
	const struct wb_credential *cred, const char *scopes, const char *host, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	bool refresh = cred->kind == WB_CREDENTIAL_IDENTITY;

	if (!c->realm || !*c->realm)
		return wb_err_set(err, WB_ERR_AUTH,
			"\"%s\" asks for a token but does not say where to get one", host);
	if (refresh ? post(&r, h, c, cred, scopes, err) : get(&r, h, c, cred, scopes, err)) {
		if (err->code == WB_ERR_USAGE) /* of an address that the registry chose */
			err->code = WB_ERR_AUTH;
		return wb_err_wrap(err, "logging in to \"%s\"", host);
	}
	if (post_instead(r.response.status, cred)) {
		wb_http_result_release(&r);
		if (post(&r, h, c, cred, scopes, err))
			return wb_err_wrap(err, "logging in to \"%s\"", host);
	}
	int status = r.response.status;

	if (status == 400 || status == 401 || status == 403)
		return refused(&r.response, cred, host, err);
	if (status < 200 || status > 299) {
		wb_autofree char *doing = wb_asprintf("logging in to \"%s\"", host);

		return wb_http_status_err(err, &r.response, doing);
	}
	wb_autofree char *server = wb_url_redact(c->realm);
	int rc = wb_token_parse(out, r.response.body.data, r.response.body.len, server, err);

	wb_wipe(r.response.body.data, r.response.body.len);
	return rc;
}
