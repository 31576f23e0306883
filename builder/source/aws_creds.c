#include "builder/source/aws_creds.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"

#define PROFILE_FILE_MAX (1u << 20)

void wb_aws_creds_release(struct wb_aws_creds *c)
{
	free(c->key_id);
	wb_secret_unref(c->key);
	wb_secret_unref(c->token);
	free(c->region);
	free(c->role_arn);
	free(c->token_file);
	*c = WB_AWS_CREDS_INIT;
}

/* The member under its right name, else without "aws_" (what other tools write). */
static const char *member(const json_t *j, const char *name, bool *other)
{
	const char *v = wb_json_str_opt(j, name);

	if (v && *v)
		return v;
	v = wb_json_str_opt(j, name + strlen("aws_"));
	if (!v || !*v)
		return NULL;
	*other = true;
	return v;
}

static int missing(struct wb_err *err, const struct wb_secret *secret, const char *key)
{
	wb_err_set(err, WB_ERR_AUTH,
		"aws_access_key_id and aws_secret_access_key are required in S3 credentials: the "
		"secret \"%s\" has no \"%s\"",
		wb_secret_name(secret), key);
	return wb_err_hint(err,
		"the secret is a JSON object with exactly these keys: aws_access_key_id, "
		"aws_secret_access_key, and where needed aws_region, aws_session_token");
}

static struct wb_secret *secret_of(const char *name, const char *value)
{
	return value ? wb_secret_new(name, value, strlen(value), true) : NULL;
}

int wb_aws_creds_parse(struct wb_aws_creds *out, const struct wb_secret *secret, struct wb_err *err)
{
	struct wb_err syntax = WB_ERR_INIT;
	wb_autojson json_t *j = wb_json_parse(
		wb_secret_reveal(secret), wb_secret_len(secret), wb_secret_name(secret), &syntax);
	bool other = false;

	if (!json_is_object(j)) {
		wb_err_set(err, WB_ERR_AUTH, "the secret \"%s\" is not a JSON object",
			wb_secret_name(secret));
		return wb_err_hint(err, "write {\"aws_access_key_id\": …, "
					"\"aws_secret_access_key\": …, \"aws_region\": …}");
	}
	const char *id = member(j, "aws_access_key_id", &other);
	const char *key = member(j, "aws_secret_access_key", &other);
	const char *token = member(j, "aws_session_token", &other);
	const char *region = member(j, "aws_region", &other);

	if (!id || !key)
		return missing(err, secret, id ? "aws_secret_access_key" : "aws_access_key_id");
	if (other)
		wb_note("the secret \"%s\" leaves \"aws_\" out of its key names; the platform asks "
			"for aws_access_key_id, aws_secret_access_key and aws_region",
			wb_secret_name(secret));
	*out = (struct wb_aws_creds){.key_id = wb_strdup(id), .region = wb_strdup(region)};
	out->key = secret_of("aws_secret_access_key", key);
	out->token = secret_of("aws_session_token", token);
	return 0;
}

/* One section of an INI file as the AWS tools write it: name = value lines, # and ; comments. */
struct profile {
	const char *section; /* "default", or "profile x" in the config file */
	char *key_id, *key, *token, *region, *role_arn, *token_file;
	bool found, helper;
};

static void profile_release(struct profile *p)
{
	free(p->key_id);
	if (p->key)
		wb_wipe(p->key, strlen(p->key));
	free(p->key);
	free(p->token);
	free(p->region);
	free(p->role_arn);
	free(p->token_file);
}

static char *trimmed(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	for (n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
		;
	s[n] = '\0';
	return s;
}

static void profile_line(struct profile *p, char *line)
{
	char *eq = strchr(line, '=');

	if (!eq)
		return;
	*eq = '\0';
	const char *name = trimmed(line), *value = trimmed(eq + 1);
	const struct {
		const char *name;
		char **to;
	} keys[] = {{"aws_access_key_id", &p->key_id}, {"aws_secret_access_key", &p->key},
		{"aws_session_token", &p->token}, {"region", &p->region},
		{"role_arn", &p->role_arn}, {"web_identity_token_file", &p->token_file}};

	for (size_t i = 0; i < WB_ARRAY_LEN(keys); i++)
		if (!strcmp(name, keys[i].name) && !*keys[i].to)
			*keys[i].to = wb_strdup(value);
	p->helper |= !strcmp(name, "credential_process") || !strcmp(name, "sso_session") ||
	             !strcmp(name, "sso_start_url") || !strcmp(name, "source_profile");
}

static int profile_read(struct profile *p, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;
	bool inside = false;

	wb_buf_init(&b, PROFILE_FILE_MAX, "profile file");
	if (wb_file_read(&b, path, err)) {
		if (err->code != WB_ERR_NOT_FOUND)
			return -1;
		wb_err_clear(err);
		return 0;
	}
	for (char *rest = b.data, *line; (line = strsep(&rest, "\n"));) {
		line = trimmed(line);
		if (*line == '[') {
			line[strcspn(line, "]")] = '\0';
			inside = !strcmp(trimmed(line + 1), p->section);
			p->found |= inside;
		} else if (inside && *line != '#' && *line != ';') {
			profile_line(p, line);
		}
	}
	wb_wipe(b.data, b.len);
	return 0;
}

static char *aws_file(const char *variable, const char *name)
{
	if (wb_env(variable))
		return wb_strdup(wb_env(variable));
	return wb_env("HOME") ? wb_asprintf("%s/.aws/%s", wb_env("HOME"), name) : NULL;
}

static int profile_load(struct profile *p, const char *name, struct wb_err *err)
{
	wb_autofree char *credentials = aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	wb_autofree char *config = aws_file("AWS_CONFIG_FILE", "config");
	wb_autofree char *section =
		strcmp(name, "default") ? wb_asprintf("profile %s", name) : wb_strdup(name);

	p->section = name;
	if (credentials && profile_read(p, credentials, err))
		return -1;
	p->section = section;
	int rc = config ? profile_read(p, config, err) : 0;

	p->section = NULL;
	return rc;
}

static int from_profile(struct wb_aws_creds *out, struct wb_err *err)
{
	WB_AUTO(profile_release) struct profile p = {0};
	const char *named = wb_env("AWS_PROFILE"), *name = named ? named : "default";

	if (profile_load(&p, name, err))
		return -1;
	if (!p.found && named) {
		wb_err_set(err, WB_ERR_AUTH, "there is no profile \"%s\" (AWS_PROFILE)", name);
		return wb_err_hint(err, "see ~/.aws/credentials and ~/.aws/config, or "
					"AWS_SHARED_CREDENTIALS_FILE");
	}
	out->region = wb_steal(p.region);
	if (p.key_id && p.key) {
		out->key_id = wb_steal(p.key_id);
		out->key = secret_of("aws_secret_access_key", p.key);
		out->token = secret_of("aws_session_token", p.token);
	} else if (p.role_arn && p.token_file) {
		out->role_arn = wb_steal(p.role_arn);
		out->token_file = wb_steal(p.token_file);
	} else if (p.helper) {
		wb_err_set(err, WB_ERR_UNSUPPORTED,
			"the profile \"%s\" gets its credentials from another program or sign-in",
			name);
		return wb_err_hint(err,
			"put them in the environment first: "
			"eval \"$(aws configure export-credentials --format env)\"");
	}
	return 0;
}

int wb_aws_creds_environment(struct wb_aws_creds *out, struct wb_err *err)
{
	WB_AUTO(wb_aws_creds_release) struct wb_aws_creds c = WB_AWS_CREDS_INIT;
	const char *id = wb_env("AWS_ACCESS_KEY_ID"), *key = wb_env("AWS_SECRET_ACCESS_KEY");
	const char *region = wb_env("AWS_REGION");

	if (!region)
		region = wb_env("AWS_DEFAULT_REGION");
	if (!id != !key)
		return wb_err_set(err, WB_ERR_AUTH, "%s is set, but %s is not",
			id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	if (id) {
		c.key_id = wb_strdup(id);
		c.key = wb_secrets_env("AWS_SECRET_ACCESS_KEY");
		c.token = wb_secrets_env("AWS_SESSION_TOKEN");
	} else if (wb_env("AWS_ROLE_ARN") && wb_env("AWS_WEB_IDENTITY_TOKEN_FILE")) {
		c.role_arn = wb_strdup(wb_env("AWS_ROLE_ARN"));
		c.token_file = wb_strdup(wb_env("AWS_WEB_IDENTITY_TOKEN_FILE"));
	} else if (from_profile(&c, err)) {
		return -1;
	}
	if (region) {
		free(c.region);
		c.region = wb_strdup(region);
	}
	*out = c;
	c = WB_AWS_CREDS_INIT;
	return 0;
}
