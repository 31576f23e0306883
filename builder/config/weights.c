/* `weights`: address, mount, authentication and filters of each entry. */
#include "builder/config/model.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/text.h"
#include "builder/config/glob.h"
#include "builder/config/uri.h"

#define PATTERN_MAX 1024

bool wb_model_uri(struct wb_uri *out, const struct wb_read *r, const char *key, const char *text,
	bool allow_path)
{
	struct wb_err err = WB_ERR_INIT;

	if (wb_uri_parse(out, text, allow_path, &err) == 0)
		return true;
	wb_read_error(
		r, "bad-source", wb_read_pos(r, key), *err.hint ? err.hint : NULL, "%s", err.text);
	return false;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += n;
	}
	return false;
}

/* Why nothing may be put there, or NULL. path is normalised. */
static const char *refused_place(const char *path)
{
	static const char *const kernel[] = {"/proc", "/sys", "/dev"};

	if (!strcmp(path, "/"))
		return "the root of the image would be hidden by it";
	if (wb_path_within(path, "/.wbuild"))
		return "\"/.wbuild\" is where wbuild keeps its own files";
	for (size_t i = 0; i < WB_ARRAY_LEN(kernel); i++)
		if (wb_path_within(path, kernel[i]))
			return "the kernel's file systems are mounted there";
	return wb_path_unsafe(path + 1, strlen(path + 1));
}

char *wb_model_mount(const struct wb_read *r, const char *key, const char *value)
{
	struct wb_pos pos = wb_read_pos(r, key);

	if (*value != '/') {
		wb_autofree char *hint = wb_asprintf("write \"/%s\"", value + strspn(value, "./"));

		wb_read_error(r, "mount-path", pos, hint,
			"%s must be an absolute path (start with /), got: %s", key, value);
		return NULL;
	}
	wb_autofree char *path = wb_path_normalize("/", value);
	const char *why = has_dotdot(value) ? "it has a \"..\" in it" : refused_place(path);

	if (!why)
		return wb_steal(path);
	wb_read_error(r, "mount-path", pos, NULL, "\"%s\" cannot be \"%s\": %s%s",
		wb_read_name(r, key).s, value, wb_str_starts(why, "has ") ? "it " : "", why);
	return NULL;
}

static void check_pattern(const struct wb_read *r, const struct wb_yaml_node *n, const char *s)
{
	if (!*s)
		wb_read_warn(r, "pattern-matches-nothing", n->pos, NULL,
			"an empty pattern matches nothing");
	else if (*s == '/' || wb_str_starts(s, "./"))
		wb_read_warn(r, "pattern-matches-nothing", n->pos, "leave out the start",
			"the pattern \"%s\" matches nothing: paths do not start with \"%s\"", s,
			*s == '/' ? "/" : "./");
	else if (strchr(s, '{') && strchr(s, ',') && strchr(s, '}'))
		wb_read_warn(r, "pattern-braces", n->pos, "write one pattern for each",
			"braces have no meaning in the pattern \"%s\": it matches that very name",
			s);
}

static void add_pattern(struct wb_patterns *out, const struct wb_read *r,
	const struct wb_yaml_node *n, const char *name)
{
	const char *s = wb_read_text(r, n, name);

	if (!s)
		return;
	if (strlen(s) > PATTERN_MAX) {
		wb_read_error(r, "pattern-too-long", n->pos, NULL,
			"a pattern in \"%s\" is longer than %d bytes", name, PATTERN_MAX);
		return;
	}
	check_pattern(r, n, s);
	*wb_vec_push(&out->list) = (struct wb_pattern){.text = wb_strdup(s), .pos = n->pos};
}

void wb_model_patterns(struct wb_patterns *out, const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);
	struct wb_key_text name = wb_read_name(r, key);

	if (!n)
		return;
	if (n->kind == WB_YAML_SCALAR && wb_yaml_type(n) == WB_YAML_STRING) {
		out->set = true;
		add_pattern(out, r, n, name.s);
		wb_read_note(r, "pattern-string", n->pos, "truss push wants a list: [\"…\"]",
			"\"%s\" is one string, taken as a list of one pattern", name.s);
		return;
	}
	if (!wb_read_list(r, key))
		return;
	out->set = true;
	for (size_t i = 0; i < n->n; i++)
		add_pattern(out, r, n->items[i], name.s);
	if (!n->n && !strcmp(key, "allow_patterns"))
		wb_read_warn(r, "empty-allow-list", n->pos, "remove the key to take all files",
			"\"%s\" is an empty list, which keeps no file", name.s);
}

static const char *const auth_fields[] = {"auth_secret_name", "aws_oidc_role_arn",
	"aws_oidc_region", "gcp_oidc_service_account", "gcp_oidc_workload_id_provider"};

static const struct method {
	const char *name;
	enum wb_auth_method method;
	unsigned required; /* bits of auth_fields; the others are forbidden */
} methods[] = {
	{"CUSTOM_SECRET", WB_AUTH_CUSTOM_SECRET, 1},
	{"AWS_OIDC", WB_AUTH_AWS_OIDC, 2 | 4},
	{"GCP_OIDC", WB_AUTH_GCP_OIDC, 8 | 16},
};

/* Exactly the method's own fields must be there. */
static bool check_fields(const struct wb_read *r, const struct method *m, unsigned given)
{
	wb_autofree char *missing = NULL;

	for (size_t i = 0; i < WB_ARRAY_LEN(auth_fields); i++) {
		wb_autofree char *before = wb_steal(missing);

		if (m->required & ~given & 1u << i)
			missing = wb_asprintf(
				"%s%s%s", before ? before : "", before ? ", " : "", auth_fields[i]);
		else
			missing = wb_steal(before);
	}
	if (missing)
		wb_read_error(r, "auth-fields", r->map->pos, NULL,
			"%s must be provided when auth_method is %s", missing, m->name);
	for (size_t i = 0; i < WB_ARRAY_LEN(auth_fields); i++)
		if (given & ~m->required & 1u << i)
			wb_read_error(r, "auth-fields", wb_read_pos(r, auth_fields[i]), NULL,
				"%s cannot be specified when auth_method is %s", auth_fields[i],
				m->name);
	return given == m->required;
}

static const struct method *find_method(const struct wb_read *r, unsigned given)
{
	const char *name = wb_read_str(r, "auth_method");

	for (size_t i = 0; name && i < WB_ARRAY_LEN(methods); i++)
		if (!strcasecmp(name, methods[i].name))
			return &methods[i];
	if (name && !strcasecmp(name, "AWS_ASSUME_ROLE"))
		wb_read_error(r, "auth-method", wb_read_pos(r, "auth_method"),
			"use AWS_OIDC, or CUSTOM_SECRET",
			"auth_method AWS_ASSUME_ROLE works with the platform's own AWS account "
			"only");
	else if (name)
		wb_read_error(r, "auth-method", wb_read_pos(r, "auth_method"), NULL,
			"\"%s\" is \"%s\", but Input should be 'CUSTOM_SECRET', 'AWS_OIDC' or "
			"'GCP_OIDC'",
			wb_read_name(r, "auth_method").s, name);
	else if (!wb_read_node(r, "auth_method") && given == 1) {
		wb_read_warn(r, "auth-method", r->map->pos, "add auth_method: CUSTOM_SECRET",
			"\"%s\" is missing: field required by truss push, taken as CUSTOM_SECRET",
			wb_read_name(r, "auth_method").s);
		return &methods[0];
	} else if (!wb_read_node(r, "auth_method"))
		wb_read_error(r, "missing-key", r->map->pos, NULL,
			"\"%s\" is missing: field required", wb_read_name(r, "auth_method").s);
	return NULL;
}

static void read_auth_block(struct wb_auth *a, const struct wb_read *r)
{
	static const char *const keys[] = {"auth_method", "auth_secret_name", "aws_oidc_role_arn",
		"aws_oidc_region", "gcp_oidc_service_account", "gcp_oidc_workload_id_provider",
		"aws_assume_role_arn", "aws_assume_role_region", "<<", NULL};
	const char *values[WB_ARRAY_LEN(auth_fields)];
	unsigned given = 0;

	wb_read_unknown(r, keys);
	for (size_t i = 0; i < WB_ARRAY_LEN(auth_fields); i++) {
		values[i] = wb_read_str(r, auth_fields[i]);
		given |= values[i] && *values[i] ? 1u << i : 0;
	}
	const struct method *m = find_method(r, given);

	if (!m || !check_fields(r, m, given))
		return;
	a->method = m->method;
	a->pos = r->map->pos;
	a->secret_name = given & 1 ? wb_strdup(values[0]) : NULL;
	a->secret_explicit = given & 1;
	a->aws_role_arn = wb_strdup(values[1]);
	a->aws_region = wb_strdup(values[2]);
	a->gcp_service_account = wb_strdup(values[3]);
	a->gcp_provider = wb_strdup(values[4]);
}

static void read_auth(struct wb_auth *a, const struct wb_read *r)
{
	const char *top = wb_read_str(r, "auth_secret_name");
	struct wb_read block;
	bool has_block = wb_read_enter(&block, r, "auth");

	if (has_block && top && *top && wb_read_node(&block, "auth_secret_name")) {
		wb_read_error(r, "auth-twice", wb_read_pos(r, "auth_secret_name"), NULL,
			"auth_secret_name cannot be specified both at the top level and in auth "
			"section. Please use only one location.");
		return;
	}
	if (has_block)
		read_auth_block(a, &block);
	if (!top || !*top)
		return;
	if (has_block && (a->method == WB_AUTH_AWS_OIDC || a->method == WB_AUTH_GCP_OIDC)) {
		wb_read_error(r, "auth-fields", wb_read_pos(r, "auth_secret_name"), NULL,
			"auth_secret_name cannot be specified when auth_method is %s",
			a->method == WB_AUTH_AWS_OIDC ? "AWS_OIDC" : "GCP_OIDC");
		return;
	}
	free(a->secret_name);
	*a = (struct wb_auth){.method = WB_AUTH_CUSTOM_SECRET,
		.secret_name = wb_strdup(top),
		.secret_explicit = true,
		.pos = wb_read_pos(r, "auth_secret_name")};
}

/* A method that the scheme's servers do not know cannot work; one that they do not need is idle. */
static void check_auth_scheme(const struct wb_read *r, const struct wb_source *s)
{
	enum wb_scheme scheme = s->uri.scheme;
	bool aws = s->auth.method == WB_AUTH_AWS_OIDC, gcp = s->auth.method == WB_AUTH_GCP_OIDC;

	if ((aws && scheme != WB_SCHEME_S3) || (gcp && scheme != WB_SCHEME_GS))
		wb_read_error(r, "auth-method", s->auth.pos, NULL,
			"auth_method %s works for %s:// sources only, not for %s://",
			aws ? "AWS_OIDC" : "GCP_OIDC", aws ? "s3" : "gs", wb_scheme_name(scheme));
	else if (s->auth.method != WB_AUTH_NONE &&
		 (scheme == WB_SCHEME_FILE || scheme == WB_SCHEME_BT))
		wb_read_note(r, "auth-unused", s->auth.pos, NULL,
			"%s:// sources need no auth, it is not used", wb_scheme_name(scheme));
}

/* A bare word may be a local path (wbuild's extension) or an address that lacks its scheme. */
static bool check_bare(const struct wb_model *m, const struct wb_read *r, const char *text)
{
	struct stat st;

	if (strstr(text, "://") || strchr("./", text[0]) || !m->dir)
		return true;
	wb_autofree char *path = wb_path_join(m->dir, text);

	if (!stat(path, &st))
		return true;
	wb_autofree char *hint = wb_asprintf(
		"write \"hf://%s\" for a Hugging Face repository; there is no local \"%s\" either",
		text, text);

	wb_read_error(r, "missing-scheme", wb_read_pos(r, "source"), hint,
		"Source '%s' is missing a URI scheme. Supported schemes: azure://, bt://, cw://, "
		"file://, gs://, hf://, https://, r2://, s3://",
		text);
	return false;
}

/* https sources: the URL must name a file, and the mount either that file (the form that
 * external_data migrates to) or the folder it goes into. */
static bool check_https(const struct wb_read *r, struct wb_source *s)
{
	if (wb_uri_is_hub_page(s->uri.url)) {
		wb_read_error(r, "hf-page", wb_read_pos(r, "source"),
			"write hf://owner/repo, or the file's URL with /resolve/ in it",
			"'%s' is a page of the Hugging Face site, not a file", s->uri.text);
		return false;
	}
	if (wb_uri_mount_is_file(&s->uri, s->mount)) {
		s->layout = WB_LAYOUT_FILE;
		return true;
	}
	if (*s->uri.path)
		return true;
	wb_read_error(r, "bad-source", wb_read_pos(r, "source"), NULL,
		"the URL '%s' does not end in a usable file name", s->uri.text);
	return false;
}

static bool read_weights(struct wb_model *m, struct wb_source *s, const struct wb_read *r)
{
	static const char *const keys[] = {"source", "mount_location", "auth", "auth_secret_name",
		"allow_patterns", "ignore_patterns", "<<", NULL};
	const char *source = wb_read_str_required(r, "source");
	const char *mount = wb_read_str_required(r, "mount_location");

	wb_read_unknown(r, keys);
	wb_model_patterns(&s->allow, r, "allow_patterns");
	wb_model_patterns(&s->ignore, r, "ignore_patterns");
	read_auth(&s->auth, r);
	s->mount = mount ? wb_model_mount(r, "mount_location", mount) : NULL;
	if (!source || !check_bare(m, r, source) ||
		!wb_model_uri(&s->uri, r, "source", source, true))
		return false;
	check_auth_scheme(r, s);
	if (s->uri.scheme == WB_SCHEME_HTTP && wb_uri_is_signed(source))
		wb_read_warn(r, "signed-url", wb_read_pos(r, "source"), NULL,
			"the URL '%s' carries a signature or token, which ends up in the image "
			"with "
			"the config",
			s->uri.text);
	return s->mount && (s->uri.scheme != WB_SCHEME_HTTP || check_https(r, s));
}

void wb_model_weights(struct wb_model *m)
{
	const struct wb_yaml_node *list = wb_read_list(&m->top, "weights");

	for (size_t i = 0; list && i < list->n; i++) {
		struct wb_source s = {.kind = WB_ENTRY_WEIGHTS, .dialect = WB_GLOB_WEIGHTS};
		struct wb_read r;

		if (!wb_read_enter_item(&r, &m->top, "weights", list, i))
			continue;
		s.pos = r.map->pos;
		if (read_weights(m, &s, &r))
			*wb_vec_push(&m->c->sources) = s;
		else
			wb_source_release(&s);
	}
}
