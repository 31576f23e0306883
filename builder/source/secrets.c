#include "builder/source/secrets.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/sealed.h"
#include "base/text.h"

struct given {
	char *name;
	struct wb_secret *value;
};

struct wb_secrets {
	char *data_dir;
	WB_VEC(struct given) list;
};

struct wb_secrets *wb_secrets_new(const char *data_dir)
{
	struct wb_secrets *s = wb_zalloc(sizeof(*s));

	s->data_dir = wb_strdup(data_dir);
	return s;
}

void wb_secrets_free(struct wb_secrets *s)
{
	if (!s)
		return;
	wb_vec_foreach (g, &s->list) {
		free(g->name);
		wb_secret_unref(g->value);
	}
	wb_vec_free(&s->list);
	free(s->data_dir);
	free(s);
}

/* Names become file names below /run/secrets. */
static bool usable_name(const char *name)
{
	return name && *name && strlen(name) < 256 && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* A secret that is a JSON object (a service account, S3 credentials, an Azure account): what is
 * secret of it is known by itself too, whoever uses it later and for what. */
static void learn_members(const struct wb_secret *s)
{
	static const char *const members[] = {"private_key", "aws_secret_access_key",
		"secret_access_key", "aws_session_token", "session_token", "account_key",
		"sas_token", "connection_string", "client_secret", "refresh_token", "token",
		"api_key", "password"};
	struct wb_err ignored = WB_ERR_INIT;

	if (*wb_secret_reveal(s) != '{')
		return;
	wb_autojson json_t *j =
		wb_json_parse(wb_secret_reveal(s), wb_secret_len(s), wb_secret_name(s), &ignored);

	for (size_t i = 0; i < WB_ARRAY_LEN(members); i++) {
		const char *value = wb_json_str_opt(j, members[i]);

		if (value)
			wb_secret_unref(
				wb_secret_new(wb_secret_name(s), value, strlen(value), true));
	}
}

struct wb_secret *wb_secrets_env(const char *variable)
{
	const char *v = wb_env(variable);

	struct wb_secret *s = v ? wb_secret_new(variable, v, strlen(v), true) : NULL;

	if (s)
		learn_members(s);
	return s;
}

struct wb_secret *wb_secrets_file(const char *name, const char *path, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, WB_SECRET_MAX, "secret");
	wb_err_clear(err);
	if (wb_file_read(&b, path, err)) {
		if (err->code == WB_ERR_NOT_FOUND)
			wb_err_clear(err);
		else
			wb_err_wrap(err, "secret \"%s\"", name);
		return NULL;
	}
	struct wb_secret *s = wb_secret_new(name, b.data, b.len, true);

	learn_members(s);
	if (wb_secret_len(s) == 0) {
		wb_secret_unref(s);
		wb_err_set(err, WB_ERR_AUTH, "secret \"%s\": \"%s\" is empty", name, path);
		return NULL;
	}
	return s;
}

struct spec {
	char *id, *src, *env;
};

static void spec_release(struct spec *sp)
{
	free(sp->id);
	free(sp->src);
	free(sp->env);
}

static int spec_field(struct spec *sp, char *field, struct wb_err *err)
{
	char *value = strchr(field, '=');

	if (!value)
		return wb_err_set(err, WB_ERR_USAGE, "--secret: \"%s\" is not KEY=VALUE", field);
	*value++ = '\0';
	char **to = !strcmp(field, "id")                                ? &sp->id
	            : !strcmp(field, "src") || !strcmp(field, "source") ? &sp->src
	            : !strcmp(field, "env")                             ? &sp->env
	                                                                : NULL;

	if (!strcmp(field, "type") && (!strcmp(value, "file") || !strcmp(value, "env")))
		return 0;
	if (!to) {
		wb_err_set(err, WB_ERR_USAGE, "--secret: unknown key \"%s\"", field);
		return wb_err_hint(
			err, "write --secret id=NAME,src=FILE or --secret id=NAME,env=VAR");
	}
	free(*to);
	*to = wb_strdup(value);
	return 0;
}

static int spec_parse(struct spec *sp, const char *text, struct wb_err *err)
{
	wb_autofree char *copy = wb_strdup(text);

	for (char *rest = copy, *field; (field = strsep(&rest, ","));)
		if (spec_field(sp, field, err))
			return -1;
	if (!usable_name(sp->id))
		return wb_err_set(err, WB_ERR_USAGE, "--secret: no usable id in \"%s\"", text);
	if (sp->src && sp->env)
		return wb_err_set(err, WB_ERR_USAGE, "--secret id=%s: either src or env", sp->id);
	return 0;
}

int wb_secrets_add(struct wb_secrets *s, const char *text, struct wb_err *err)
{
	WB_AUTO(spec_release) struct spec sp = {0};

	if (spec_parse(&sp, text, err))
		return -1;
	WB_AUTO(wb_secret_unrefp) struct wb_secret *value = NULL;

	if (!sp.src)
		value = wb_secrets_env(sp.env ? sp.env : sp.id);
	if (value && sp.env)
		wb_sealed_variable(sp.env);
	if (!value && sp.env)
		return wb_err_set(err, WB_ERR_USAGE,
			"--secret id=%s: the variable \"%s\" is not set", sp.id, sp.env);
	if (!value) {
		const char *path = sp.src ? sp.src : sp.id;

		value = wb_secrets_file(sp.id, path, err);
		if (!value && err->code == WB_OK)
			return wb_err_set(
				err, WB_ERR_USAGE, "--secret id=%s: no file \"%s\"", sp.id, path);
		if (!value)
			return -1;
	}
	struct given *g = wb_vec_push(&s->list);

	g->name = wb_steal(sp.id);
	g->value = wb_steal(value);
	return 0;
}

/* hf_access_token is looked for as written and as HF_ACCESS_TOKEN; what cannot stand in a
 * variable's name becomes "_". */
static struct wb_secret *from_environment(const char *name)
{
	wb_autofree char *variable = wb_asprintf("WBUILD_SECRET_%s", name);
	struct wb_secret *s = wb_secrets_env(variable);

	if (s)
		return s;
	for (char *p = variable; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
	return wb_secrets_env(variable);
}

struct wb_secret *wb_secrets_find(const struct wb_secrets *s, const char *name, struct wb_err *err)
{
	static const char *const folders[] = {"/run/secrets", "/secrets"};

	wb_err_clear(err);
	if (!usable_name(name)) {
		wb_err_set(err, WB_ERR_CONFIG, "\"%s\" cannot be the name of a secret",
			name ? name : "");
		return NULL;
	}
	for (size_t i = s ? s->list.n : 0; i; i--) /* the last one wins */
		if (!strcmp(s->list.items[i - 1].name, name))
			return wb_secret_ref(s->list.items[i - 1].value);
	for (size_t i = 0; i < WB_ARRAY_LEN(folders); i++) {
		wb_autofree char *path = wb_path_join(folders[i], name);
		struct wb_secret *found = wb_secrets_file(name, path, err);

		if (found || err->code != WB_OK)
			return found;
	}
	return from_environment(name);
}

struct wb_secret *wb_secrets_legacy(
	const struct wb_secrets *s, const char *file, struct wb_err *err)
{
	wb_err_clear(err);
	if (!s || !s->data_dir)
		return NULL;
	wb_autofree char *path = wb_path_join(s->data_dir, file);

	return wb_secrets_file(file, path, err);
}

int wb_secrets_missing(struct wb_err *err, const char *name)
{
	wb_err_set(err, WB_ERR_AUTH, "the secret \"%s\" was not found", name);
	return wb_err_hint(err,
		"give it with --secret id=%s,src=FILE, in WBUILD_SECRET_%s, or as /run/secrets/%s",
		name, name, name);
}
