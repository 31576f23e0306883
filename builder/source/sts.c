/* Tokens for tokens: AWS AssumeRoleWithWebIdentity, and where the web identity comes from. */
#include "builder/source/aws_creds.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "builder/source/xml.h"

static int answer_element(const char *path, const char *text, void *arg, struct wb_err *err)
{
	static const char at[] =
		"AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/"
		"Credentials/";
	struct wb_aws_creds *c = arg;
	struct tm tm = {0};

	if (!wb_str_starts(path, at))
		return 0;
	path += sizeof(at) - 1;
	if (!strcmp(path, "AccessKeyId")) {
		free(c->key_id);
		c->key_id = wb_strdup(text);
	} else if (!strcmp(path, "SecretAccessKey")) {
		wb_secret_unref(c->key);
		c->key = wb_secret_new_session("aws_secret_access_key", text, strlen(text), true);
	} else if (!strcmp(path, "SessionToken")) {
		wb_secret_unref(c->token);
		c->token = wb_secret_new_session("aws_session_token", text, strlen(text), true);
	} else if (!strcmp(path, "Expiration")) {
		const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

		c->expires = end ? (int64_t)timegm(&tm) : 0;
	}
	return 0;
}

int wb_sts_parse(struct wb_aws_creds *c, const char *p, size_t n, struct wb_err *err)
{
	WB_AUTO(wb_aws_creds_release) struct wb_aws_creds got = WB_AWS_CREDS_INIT;

	if (wb_xml_parse(p, n, "answer of STS", answer_element, &got, err))
		return -1;
	if (!got.key_id || !*got.key_id || !got.key || !got.token)
		return wb_err_set(err, WB_ERR_FORMAT, "the answer of STS holds no credentials");
	free(c->key_id);
	wb_secret_unref(c->key);
	wb_secret_unref(c->token);
	c->key_id = wb_steal(got.key_id);
	c->key = wb_steal(got.key);
	c->token = wb_steal(got.token);
	c->expires = got.expires;
	return 0;
}

/* A GitHub Actions job may ask for a token about itself (permissions: id-token: write). */
static struct wb_secret *token_of_job(
	struct wb_http *http, const char *audience, struct wb_err *err)
{
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *request = wb_secrets_env("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	const char *base = wb_env("ACTIONS_ID_TOKEN_REQUEST_URL"), *value = NULL;

	if (!base || !request)
		return NULL;
	wb_autofree char *aud = wb_url_encode(audience, strlen(audience), NULL);
	wb_autofree char *url =
		wb_asprintf("%s%caudience=%s", base, strchr(base, '?') ? '&' : '?', aud);
	wb_autofree char *line = wb_asprintf("Bearer %s", wb_secret_reveal(request));
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *authorization = wb_secret_new_brief("bearer", line, strlen(line));

	p.url = url;
	p.authorization = authorization;
	wb_wipe(line, strlen(line));
	if (wb_http_perform(&res, http, &p, err))
		return NULL;
	if (res.response.status != 200) {
		wb_http_status_err(err, &res.response, "asking the job's token endpoint");
		return NULL;
	}
	wb_autojson json_t *j =
		wb_json_parse(res.response.body.data, res.response.body.len, "job token", err);

	if (!j || wb_json_str(&value, j, "value", "job token", err))
		return NULL;
	return wb_secret_new_session("oidc token", value, strlen(value), true);
}

struct wb_secret *wb_oidc_token(struct wb_http *http, const char *file, const char *audience,
	const char *otherwise, struct wb_err *err)
{
	wb_err_clear(err);
	struct wb_secret *token =
		file ? wb_secrets_file("oidc token", file, err) : token_of_job(http, audience, err);

	if (!token && err->code == WB_OK && file)
		wb_err_set(err, WB_ERR_AUTH, "the token file \"%s\" does not exist", file);
	if (!token && err->code == WB_OK) {
		wb_err_set(err, WB_ERR_AUTH, "there is no OIDC token to sign in with");
		wb_err_hint(err,
			"%s, or run in a GitHub Actions job with \"permissions: id-token: write\"",
			otherwise);
	}
	return token;
}

static char *sts_url(const char *region)
{
	const char *e = wb_env("AWS_ENDPOINT_URL_STS");

	if (!e)
		e = wb_env("AWS_ENDPOINT_URL");
	if (e)
		return wb_asprintf("%s%s", e, wb_str_ends(e, "/") ? "" : "/");
	return wb_asprintf("https://sts.%s.amazonaws.com/", region);
}

static void explain(struct wb_err *err, const char *role)
{
	if (strstr(err->text, "ExpiredToken") || strstr(err->text, "expired"))
		wb_err_hint(err, "the web identity token has expired: get a new one");
	else
		wb_err_hint(err,
			"check that \"%s\" trusts the token's issuer, audience and subject", role);
	err->code = WB_ERR_AUTH;
}

int wb_sts_assume(
	struct wb_aws_creds *c, struct wb_http *http, const char *region, struct wb_err *err)
{
	WB_AUTO(wb_secret_unrefp)
	struct wb_secret *token = wb_oidc_token(
		http, c->token_file, "sts.amazonaws.com", "set AWS_WEB_IDENTITY_TOKEN_FILE", err);
	WB_AUTO(wb_http_result_release) struct wb_http_result res = WB_HTTP_RESULT_INIT;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded", "Accept: text/xml", NULL};

	if (!token)
		return -1;
	wb_autofree char *url = sts_url(region);
	wb_autofree char *role = wb_url_encode(c->role_arn, strlen(c->role_arn), NULL);
	wb_autofree char *jwt = wb_url_encode(wb_secret_reveal(token), wb_secret_len(token), NULL);
	wb_autofree char *body =
		wb_asprintf("Action=AssumeRoleWithWebIdentity&RoleArn=%s&"
			    "RoleSessionName=wbuild&Version=2011-06-15&WebIdentityToken=%s",
			role, jwt);

	p.method = WB_HTTP_POST;
	p.url = url;
	p.headers = headers;
	p.body = body;
	p.body_len = strlen(body);
	p.idempotent = true;
	p.no_redirect = true; /* the body holds the token */
	int rc = wb_http_perform(&res, http, &p, err);

	wb_wipe(body, strlen(body));
	wb_wipe(jwt, strlen(jwt));
	if (rc)
		return -1;
	if (res.response.status != 200) {
		wb_http_status_err(err, &res.response, "AssumeRoleWithWebIdentity");
		explain(err, c->role_arn);
		return -1;
	}
	return wb_sts_parse(c, res.response.body.data, res.response.body.len, err);
}
