#include "builder/source/gcp_token.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "builder/source/aws_creds.h"
#include "builder/source/secrets.h"

#define SCOPE "https://www.googleapis.com/auth/devstorage.read_only"
#define TOKEN_MAX (1u << 20)
#define LIFETIME 3600
#define LIFETIME_MAX 86400 /* as many seconds as we believe */

void wb_gcp_creds_release(struct wb_gcp_creds *c)
{
	free(c->email);
	free(c->key_id);
	free(c->token_uri);
	wb_secret_unref(c->key);
	free(c->client_id);
	wb_secret_unref(c->client_secret);
	wb_secret_unref(c->refresh_token);
	free(c->audience);
	free(c->impersonate_url);
	free(c->token_file);
	free(c->token_field);
	free(c->base_url);
	wb_secret_unref(c->bearer);
	*c = WB_GCP_CREDS_INIT;
}

static char *text_of(const json_t *j, const char *key)
{
	return wb_strdup(wb_json_str_opt(j, key));
}

static struct wb_secret *secret_of(const json_t *j, const char *key)
{
	const char *v = wb_json_str_opt(j, key);

	return v && *v ? wb_secret_new(key, v, strlen(v), false) : NULL;
}

static int lacks(struct wb_err *err, const char *name, const char *key)
{
	wb_err_set(err, WB_ERR_AUTH, "the secret \"%s\" has no \"%s\"", name, key);
	return wb_err_hint(err, "it is the JSON key file of a service account, as the console "
				"under IAM & Admin, Service Accounts gives it");
}

static int parse_external(struct wb_gcp_creds *c, const json_t *j, struct wb_err *err)
{
	const json_t *source = json_object_get(j, "credential_source");
	const json_t *format = json_object_get(source, "format");

	c->kind = WB_GCP_EXTERNAL;
	c->audience = text_of(j, "audience");
	c->token_uri = text_of(j, "token_url");
	c->impersonate_url = text_of(j, "service_account_impersonation_url");
	c->token_file = text_of(source, "file");
	c->token_field = text_of(format, "subject_token_field_name");
	if (c->audience && c->token_uri && c->token_file)
		return 0;
	return wb_err_set(err, WB_ERR_UNSUPPORTED,
		"this external_account needs audience, token_url and a credential_source with "
		"\"file\"");
}

static int parse_kind(struct wb_gcp_creds *c, const json_t *j, const char *name, struct wb_err *err)
{
	const char *type = wb_json_str_opt(j, "type");

	c->base_url = text_of(j, "gcs_base_url");
	c->no_token = json_is_true(json_object_get(j, "disable_oauth"));
	if (type && !strcmp(type, "external_account"))
		return parse_external(c, j, err);
	if (type && !strcmp(type, "authorized_user")) {
		c->kind = WB_GCP_USER;
		c->client_id = text_of(j, "client_id");
		c->client_secret = secret_of(j, "client_secret");
		c->refresh_token = secret_of(j, "refresh_token");
		c->token_uri = text_of(j, "token_uri");
		if (!c->client_id || !c->client_secret || !c->refresh_token)
			return lacks(err, name, "refresh_token");
	} else {
		c->kind = WB_GCP_SERVICE_ACCOUNT;
		c->email = text_of(j, "client_email");
		c->key_id = text_of(j, "private_key_id");
		c->key = secret_of(j, "private_key");
		c->token_uri = text_of(j, "token_uri");
		if (!c->no_token && !c->email)
			return lacks(err, name, "client_email");
		if (!c->no_token && !c->key)
			return lacks(err, name, "private_key");
	}
	if (!c->token_uri)
		c->token_uri = wb_strdup("https://oauth2.googleapis.com/token");
	return 0;
}

int wb_gcp_creds_parse(struct wb_gcp_creds *out, const struct wb_secret *secret, struct wb_err *err)
{
	WB_AUTO(wb_gcp_creds_release) struct wb_gcp_creds c = WB_GCP_CREDS_INIT;
	struct wb_err syntax = WB_ERR_INIT;
	const char *name = wb_secret_name(secret);
	wb_autojson json_t *j =
		wb_json_parse(wb_secret_reveal(secret), wb_secret_len(secret), name, &syntax);

	if (!json_is_object(j))
		return wb_err_set(err, WB_ERR_AUTH,
			"the secret \"%s\" is not the JSON key file of a service account", name);
	if (parse_kind(&c, j, name, err))
		return -1;
	*out = c;
	c = WB_GCP_CREDS_INIT;
	return 0;
}

int wb_gcp_creds_environment(struct wb_gcp_creds *out, struct wb_err *err)
{
	const char *path = wb_env("GOOGLE_APPLICATION_CREDENTIALS"), *home = wb_env("HOME");
	wb_autofree char *own = NULL;

	if (!path && home)
		path = own =
			wb_asprintf("%s/.config/gcloud/application_default_credentials.json", home);
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *secret =
		path ? wb_secrets_file("GOOGLE_APPLICATION_CREDENTIALS", path, err) : NULL;

	if (secret)
		return wb_gcp_creds_parse(out, secret, err);
	if (path && err->code != WB_OK)
		return -1;
	if (path && !own)
		return wb_err_set(err, WB_ERR_AUTH,
			"GOOGLE_APPLICATION_CREDENTIALS names \"%s\", which does not exist", path);
	return 0;
}

static const char * override(const char *variable, const char *otherwise)
{
	return wb_env(variable) ? wb_env(variable) : otherwise;
}

/* What the config says; where the token comes from may be told by an external_account file, which
 * is how Google's own tools are set up for it. */
int wb_gcp_creds_oidc(struct wb_gcp_creds *out, const struct wb_auth *auth, struct wb_err *err)
{
	WB_AUTO(wb_gcp_creds_release) struct wb_gcp_creds c = WB_GCP_CREDS_INIT;
	const char *iam = override("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
		"https://iamcredentials.googleapis.com/");
	const char *sts =
		override("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", "https://sts.googleapis.com/");

	if (wb_env("GOOGLE_APPLICATION_CREDENTIALS") && wb_gcp_creds_environment(&c, err))
		return -1;
	if (c.kind != WB_GCP_EXTERNAL)
		wb_gcp_creds_release(&c);
	c.kind = WB_GCP_EXTERNAL;
	free(c.audience);
	c.audience = wb_asprintf("//iam.googleapis.com/%s", auth->gcp_provider);
	if (!c.token_uri)
		c.token_uri = wb_asprintf("%sv1/token", sts);
	if (!c.impersonate_url)
		c.impersonate_url =
			wb_asprintf("%sv1/projects/-/serviceAccounts/%s:generateAccessToken", iam,
				auth->gcp_service_account);
	*out = c;
	c = WB_GCP_CREDS_INIT;
	return 0;
}

char *wb_gcp_jwt(const struct wb_gcp_creds *c, int64_t now, struct wb_err *err)
{
	wb_autojson json_t *head = json_object(), *claims = json_object();

	wb_json_set_str(head, "alg", "RS256");
	wb_json_set_str(head, "typ", "JWT");
	if (c->key_id)
		wb_json_set_str(head, "kid", c->key_id);
	wb_json_set_str(claims, "iss", c->email);
	wb_json_set_str(claims, "scope", SCOPE);
	wb_json_set_str(claims, "aud", c->token_uri);
	wb_json_set_u64(claims, "iat", (uint64_t)now);
	wb_json_set_u64(claims, "exp", (uint64_t)now + LIFETIME);
	wb_autofree char *h = wb_json_dump(head), *p = wb_json_dump(claims);
	wb_autofree char *h64 = wb_base64url(h, strlen(h)), *p64 = wb_base64url(p, strlen(p));
	wb_autofree char *text = wb_asprintf("%s.%s", h64, p64);
	wb_autofree char *signature = wb_rs256_sign(c->key, text, err);

	return signature ? wb_asprintf("%s.%s", text, signature) : NULL;
}

/* One POST whose answer is JSON. body is wiped. */
static json_t *post(struct wb_http *http, const char *url, char *body, bool form,
	struct wb_secret *authorization, const char *doing, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	const char *headers[] = {form ? "Content-Type: application/x-www-form-urlencoded"
				      : "Content-Type: application/json",
		"Accept: application/json", NULL};

	p.method = WB_HTTP_POST;
	p.url = url;
	p.headers = headers;
	p.body = body;
	p.body_len = strlen(body);
	p.authorization = authorization;
	p.idempotent = true;
	p.no_redirect = true; /* the body holds the secret */
	p.body_limit = TOKEN_MAX;
	int rc = wb_http_perform(&res, http, &p, err);

	wb_wipe(body, strlen(body));
	if (rc)
		return NULL;
	if (res.response.status != 200) {
		wb_http_status_err(err, &res.response, doing);
		err->code = WB_ERR_AUTH;
		return NULL;
	}
	return wb_json_parse(res.response.body.data, res.response.body.len, doing, err);
}

static void keep_token(struct wb_gcp_creds *c, const char *token, uint64_t lifetime)
{
	char *line = wb_asprintf("Bearer %s", token);
	/* Registered bare: that is how it could show up. */
	struct wb_secret *bare = wb_secret_new_session("access token", token, strlen(token), false);

	wb_secret_unref(bare);
	wb_secret_unref(c->bearer);
	c->bearer = wb_secret_new_brief("access token", line, strlen(line));
	c->expires = (int64_t)time(NULL) + (int64_t)lifetime;
	wb_wipe(line, strlen(line));
	free(line);
}

static int keep_answer(struct wb_gcp_creds *c, const json_t *j, struct wb_err *err)
{
	uint64_t lifetime = wb_json_u64_opt(j, "expires_in", LIFETIME);
	const char *token;

	if (wb_json_str(&token, j, "access_token", "token answer", err))
		return -1;
	keep_token(c, token, lifetime < LIFETIME_MAX ? lifetime : LIFETIME_MAX);
	return 0;
}

static int token_of_account(struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err)
{
	wb_autofree char *jwt = wb_gcp_jwt(c, (int64_t)time(NULL), err);

	if (!jwt)
		return -1;
	wb_autofree char *body = wb_asprintf("grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-"
					     "type%%3Ajwt-bearer&assertion=%s",
		jwt);
	wb_autojson json_t *j =
		post(http, c->token_uri, body, true, NULL, "service account token", err);

	if (!j) {
		if (err->code == WB_ERR_AUTH)
			wb_err_hint(err,
				"the service account \"%s\" or its key may be deleted or disabled, "
				"or "
				"this machine's clock is wrong",
				c->email);
		return -1;
	}
	return keep_answer(c, j, err);
}

static int token_of_user(struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err)
{
	wb_autofree char *id = wb_url_encode(c->client_id, strlen(c->client_id), NULL);
	wb_autofree char *secret = wb_url_encode(
		wb_secret_reveal(c->client_secret), wb_secret_len(c->client_secret), NULL);
	wb_autofree char *refresh = wb_url_encode(
		wb_secret_reveal(c->refresh_token), wb_secret_len(c->refresh_token), NULL);
	wb_autofree char *body = wb_asprintf(
		"grant_type=refresh_token&client_id=%s&client_secret=%s&refresh_token=%s", id,
		secret, refresh);
	wb_autojson json_t *j = post(http, c->token_uri, body, true, NULL, "user token", err);

	wb_wipe(secret, strlen(secret));
	wb_wipe(refresh, strlen(refresh));
	if (!j) {
		if (err->code == WB_ERR_AUTH)
			wb_err_hint(err, "sign in again: gcloud auth application-default login");
		return -1;
	}
	return keep_answer(c, j, err);
}

/* The subject token of an external account: a file's text, or a member of its JSON. */
static struct wb_secret *subject_token(
	const struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err)
{
	wb_autofree char *audience = wb_asprintf("https:%s", c->audience);
	struct wb_secret *raw = wb_oidc_token(http, c->token_file, audience,
		"let GOOGLE_APPLICATION_CREDENTIALS name an external_account file with a token "
		"file in its credential_source",
		err);

	if (!raw || !c->token_field)
		return raw;
	wb_autojson json_t *j =
		wb_json_parse(wb_secret_reveal(raw), wb_secret_len(raw), "token file", err);
	const char *token = NULL;

	wb_secret_unref(raw);
	if (!j || wb_json_str(&token, j, c->token_field, "token file", err))
		return NULL;
	return wb_secret_new_session("oidc token", token, strlen(token), true);
}

static int impersonate(struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err)
{
	char body[] = "{\"scope\":[\"" SCOPE "\"],\"lifetime\":\"3600s\"}";
	const char *token;

	wb_autojson json_t *j = post(http, c->impersonate_url, body, false, c->bearer,
		"service account impersonation", err);

	if (!j) {
		if (err->code == WB_ERR_AUTH)
			wb_err_hint(err, "the identity needs roles/iam.workloadIdentityUser on the "
					 "service account");
		return -1;
	}
	if (wb_json_str(&token, j, "accessToken", "impersonation answer", err))
		return -1;
	keep_token(c, token, LIFETIME);
	return 0;
}

static int token_of_identity(struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err)
{
	WB_AUTO(wb_secret_unrefp) struct wb_secret *subject = subject_token(c, http, err);
	wb_autojson json_t *ask = json_object();

	if (!subject)
		return -1;
	wb_json_set_str(ask, "grantType", "urn:ietf:params:oauth:grant-type:token-exchange");
	wb_json_set_str(ask, "audience", c->audience);
	wb_json_set_str(ask, "scope", "https://www.googleapis.com/auth/cloud-platform");
	wb_json_set_str(ask, "requestedTokenType", "urn:ietf:params:oauth:token-type:access_token");
	wb_json_set_str(ask, "subjectTokenType", "urn:ietf:params:oauth:token-type:jwt");
	wb_json_set_str(ask, "subjectToken", wb_secret_reveal(subject));
	wb_autofree char *body = wb_json_dump(ask);
	wb_autojson json_t *j =
		post(http, c->token_uri, body, false, NULL, "workload identity exchange", err);

	if (!j) {
		if (err->code == WB_ERR_AUTH)
			wb_err_hint(err,
				"check that the provider \"%s\" trusts the token's issuer, "
				"audience and subject, and that it has not expired",
				c->audience);
		return -1;
	}
	if (keep_answer(c, j, err))
		return -1;
	return c->impersonate_url ? impersonate(c, http, err) : 0;
}

int wb_gcp_token(struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err)
{
	if (c->no_token || (c->bearer && c->expires > (int64_t)time(NULL) + 60))
		return 0;
	switch (c->kind) {
	case WB_GCP_NONE: return 0;
	case WB_GCP_SERVICE_ACCOUNT: return token_of_account(c, http, err);
	case WB_GCP_USER: return token_of_user(c, http, err);
	case WB_GCP_EXTERNAL: return token_of_identity(c, http, err);
	}
	return 0;
}
