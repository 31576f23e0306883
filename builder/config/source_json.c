#include "builder/config/source_json.h"

#include <string.h>

#include "builder/config/model.h"

/* --- writing ------------------------------------------------------------------------------ */

static void set(json_t *o, const char *key, const char *value)
{
	if (value)
		wb_json_set_str(o, key, value);
}

static json_t *uri_to_json(const struct wb_uri *u)
{
	json_t *o = json_object();

	wb_json_set_u64(o, "scheme", u->scheme);
	wb_json_set_u64(o, "hfKind", u->hf_kind);
	set(o, "text", u->text);
	set(o, "repo", u->repo);
	set(o, "revision", u->revision);
	set(o, "account", u->account);
	set(o, "bucket", u->bucket);
	set(o, "path", u->path);
	set(o, "url", u->url);
	return o;
}

static json_t *auth_to_json(const struct wb_auth *a)
{
	json_t *o = json_object();

	wb_json_set_u64(o, "method", a->method);
	wb_json_set_u64(o, "explicit", a->secret_explicit);
	set(o, "secret", a->secret_name);
	set(o, "awsRole", a->aws_role_arn);
	set(o, "awsRegion", a->aws_region);
	set(o, "gcpAccount", a->gcp_service_account);
	set(o, "gcpProvider", a->gcp_provider);
	return o;
}

static void set_patterns(json_t *o, const char *key, const struct wb_patterns *p)
{
	if (!p->set)
		return;
	json_t *list = json_array();

	wb_vec_foreach (pattern, &p->list)
		wb_json_append(list, json_string(pattern->text));
	wb_json_set(o, key, list);
}

json_t *wb_source_to_json(const struct wb_source *s)
{
	json_t *o = json_object();

	wb_json_set_u64(o, "kind", s->kind);
	wb_json_set(o, "uri", uri_to_json(&s->uri));
	set(o, "mount", s->mount);
	wb_json_set_u64(o, "layout", s->layout);
	wb_json_set_u64(o, "useVolume", s->use_volume);
	set(o, "volumeFolder", s->volume_folder);
	wb_json_set(o, "auth", auth_to_json(&s->auth));
	wb_json_set_u64(o, "dialect", s->dialect);
	set_patterns(o, "allow", &s->allow);
	set_patterns(o, "ignore", &s->ignore);
	return o;
}

/* --- reading ------------------------------------------------------------------------------ */

#define WHAT "a source"

static char *get(const json_t *o, const char *key)
{
	return wb_strdup(wb_json_str_opt(o, key));
}

static int get_enum(
	unsigned *out, const json_t *o, const char *key, uint64_t last, struct wb_err *err)
{
	uint64_t v;

	if (wb_json_u64(&v, o, key, WHAT, err))
		return -1;
	if (v > last)
		return wb_err_set(
			err, WB_ERR_FORMAT, WHAT ": \"%s\" is %llu", key, (unsigned long long)v);
	*out = (unsigned)v;
	return 0;
}

static int uri_from_json(struct wb_uri *out, const json_t *o, struct wb_err *err)
{
	unsigned scheme = 0, hf_kind = 0;

	if (get_enum(&scheme, o, "scheme", WB_SCHEME_FILE, err) ||
		get_enum(&hf_kind, o, "hfKind", WB_HF_SPACE, err))
		return -1;
	out->scheme = (enum wb_scheme)scheme;
	out->hf_kind = (enum wb_hf_kind)hf_kind;
	out->text = get(o, "text");
	out->repo = get(o, "repo");
	out->revision = get(o, "revision");
	out->account = get(o, "account");
	out->bucket = get(o, "bucket");
	out->path = get(o, "path");
	out->url = get(o, "url");
	return out->text ? 0 : wb_err_set(err, WB_ERR_FORMAT, WHAT ": no \"text\"");
}

static int auth_from_json(struct wb_auth *out, const json_t *o, struct wb_err *err)
{
	unsigned method = 0;

	if (get_enum(&method, o, "method", WB_AUTH_GCP_OIDC, err))
		return -1;
	out->method = (enum wb_auth_method)method;
	out->secret_explicit = wb_json_u64_opt(o, "explicit", 0) != 0;
	out->secret_name = get(o, "secret");
	out->aws_role_arn = get(o, "awsRole");
	out->aws_region = get(o, "awsRegion");
	out->gcp_service_account = get(o, "gcpAccount");
	out->gcp_provider = get(o, "gcpProvider");
	return 0;
}

static int get_patterns(
	struct wb_patterns *out, const json_t *o, const char *key, struct wb_err *err)
{
	const json_t *list = json_object_get(o, key);

	out->set = list != NULL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text)
			return wb_err_set(
				err, WB_ERR_FORMAT, WHAT ": \"%s\" is no list of texts", key);
		wb_vec_push(&out->list)->text = wb_strdup(text);
	}
	return 0;
}

static int fill(struct wb_source *s, const json_t *j, struct wb_err *err)
{
	unsigned kind = 0, layout = 0, dialect = 0;

	if (get_enum(&kind, j, "kind", WB_ENTRY_TRAINING, err) ||
		get_enum(&layout, j, "layout", WB_LAYOUT_FILE, err) ||
		get_enum(&dialect, j, "dialect", WB_GLOB_FNMATCH, err))
		return -1;
	s->kind = (enum wb_entry_kind)kind;
	s->layout = (enum wb_layout_kind)layout;
	s->dialect = (enum wb_glob_dialect)dialect;
	s->use_volume = wb_json_u64_opt(j, "useVolume", 0) != 0;
	s->mount = get(j, "mount");
	s->volume_folder = get(j, "volumeFolder");
	if (!s->mount || *s->mount != '/')
		return wb_err_set(err, WB_ERR_FORMAT, WHAT ": no \"mount\"");
	if (uri_from_json(&s->uri, json_object_get(j, "uri"), err) ||
		auth_from_json(&s->auth, json_object_get(j, "auth"), err) ||
		get_patterns(&s->allow, j, "allow", err))
		return -1;
	return get_patterns(&s->ignore, j, "ignore", err);
}

int wb_source_from_json(struct wb_source *out, const json_t *j, struct wb_err *err)
{
	struct wb_source s = {0};

	if (fill(&s, j, err)) {
		wb_source_release(&s);
		return -1;
	}
	*out = s;
	return 0;
}
