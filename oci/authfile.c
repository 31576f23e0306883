#include "oci/authfile.h"

#include <string.h>

#include "base/base64.h"
#include "base/text.h"

#define SECRET_MAX (256u << 10) /* bytes of one encoded entry; identity tokens are a few kB */

void wb_credential_release(struct wb_credential *c)
{
	free(c->username);
	wb_secret_unref(c->secret);
	free(c->origin);
	*c = WB_CREDENTIAL_INIT;
}

void wb_credential_copy(struct wb_credential *out, const struct wb_credential *c)
{
	*out = (struct wb_credential){.kind = c->kind,
		.username = wb_strdup(c->username),
		.secret = c->secret ? wb_secret_ref(c->secret) : NULL,
		.origin = wb_strdup(c->origin)};
}

bool wb_host_is_hub(const char *host)
{
	return !strcmp(host, "docker.io") || !strcmp(host, "index.docker.io") ||
	       !strcmp(host, "registry-1.docker.io");
}

static bool all_objects(const json_t *root)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)root, key, value) {
		if (!json_is_object(value))
			return false;
	}
	return json_object_size(root) > 0;
}

json_t *wb_authfile_parse(const char *p, size_t n, const char *name, struct wb_err *err)
{
	wb_autojson json_t *root = wb_json_parse(p, n, name, err);

	if (!root)
		return NULL;
	if (!json_is_object(root)) {
		wb_err_set(err, WB_ERR_FORMAT, "%s: not a JSON object", name);
		return NULL;
	}
	if (!json_object_get(root, "auths") && !json_object_get(root, "credHelpers") &&
		all_objects(root)) {
		json_t *old = json_object();

		wb_json_set(old, "auths", wb_steal(root));
		return old;
	}
	return wb_steal(root);
}

/* How well a key fits: 0 not at all, 1 the host as old docker wrote it, 2 the host itself, more for
 * each byte of a namespace. */
static size_t key_fits(const char *key, const char *host, const char *repository)
{
	bool old = false;

	for (size_t i = 0; i < 2; i++) {
		const char *scheme = i ? "http://" : "https://";

		if (wb_str_starts(key, scheme)) {
			key += strlen(scheme);
			old = true;
		}
	}
	size_t n = strcspn(key, "/");
	wb_autofree char *key_host = wb_strndup(key, n);
	const char *path = key[n] ? key + n + 1 : "";
	size_t len = strlen(path);

	if (strcmp(key_host, host) && !(wb_host_is_hub(key_host) && wb_host_is_hub(host)))
		return 0;
	if (old || !strcmp(path, "v1/") || !strcmp(path, "v2/") || !strcmp(path, "v1") ||
		!strcmp(path, "v2"))
		return 1;
	if (!len)
		return 2;
	if (repository && !strncmp(repository, path, len) &&
		(repository[len] == '/' || !repository[len]))
		return 2 + len;
	return 0;
}

static int bad_entry(struct wb_err *err, const char *name, const char *key, const char *why)
{
	wb_autofree char *shown = wb_text_quote(key, 100);

	wb_err_set(err, WB_ERR_FORMAT, "%s: the entry for \"%s\" cannot be used: %s", name, shown,
		why);
	return wb_err_hint(err, "log in again (docker login, podman login or skopeo login)");
}

/* "user:password" in base64; the first colon divides, and some writers pad with NUL. */
static int decode_auth(struct wb_credential *c, const char *auth, const char *name, const char *key,
	struct wb_err *err)
{
	size_t n = 0;
	char *plain = (char *)wb_base64_decode(&n, auth, SECRET_MAX);
	char *colon = plain ? memchr(plain, ':', n) : NULL;
	int rc = 0;

	while (plain && n && !plain[n - 1])
		n--;
	if (!colon || memchr(plain, '\0', n)) {
		rc = bad_entry(err, name, key, "\"auth\" is not base64 of user:password");
	} else {
		c->username = wb_strndup(plain, (size_t)(colon - plain));
		c->secret = wb_secret_new(
			"registry password", colon + 1, (size_t)(plain + n - colon - 1), false);
		c->kind = WB_CREDENTIAL_BASIC;
	}
	if (plain)
		wb_wipe(plain, n);
	free(plain);
	return rc;
}

static void take_token(struct wb_credential *c, enum wb_credential_kind kind, const char *value)
{
	c->secret = wb_secret_new("registry token", value, strlen(value), true);
	c->kind = kind;
}

static int read_entry(struct wb_credential *c, const json_t *entry, const char *name,
	const char *key, struct wb_err *err)
{
	const char *registry = wb_json_str_opt(entry, "registrytoken");
	const char *identity = wb_json_str_opt(entry, "identitytoken");
	const char *auth = wb_json_str_opt(entry, "auth");
	const char *user = wb_json_str_opt(entry, "username");
	const char *password = wb_json_str_opt(entry, "password");

	if (registry && *registry) {
		take_token(c, WB_CREDENTIAL_BEARER, registry);
	} else if (identity && *identity) {
		take_token(c, WB_CREDENTIAL_IDENTITY, identity);
	} else if (auth && *auth) {
		if (decode_auth(c, auth, name, key, err))
			return -1;
	} else if (user && *user && password) {
		c->username = wb_strdup(user);
		c->secret = wb_secret_new("registry password", password, strlen(password), false);
		c->kind = WB_CREDENTIAL_BASIC;
	} else {
		return 0;
	}
	/* Some helpers of the Azure kind write the token as the password of "<token>". */
	if (c->kind == WB_CREDENTIAL_BASIC && !strcmp(c->username, "<token>"))
		c->kind = WB_CREDENTIAL_IDENTITY;
	c->origin = wb_strdup(name);
	return 0;
}

int wb_authfile_find(struct wb_credential *out, const json_t *file, const char *host,
	const char *repository, const char *name, struct wb_err *err)
{
	const json_t *best = NULL;
	const char *best_key = NULL;
	size_t best_fit = 0;
	const char *key;
	json_t *entry;

	json_object_foreach (json_object_get(file, "auths"), key, entry) {
		size_t fit = key_fits(key, host, repository);

		if (fit > best_fit && json_is_object(entry)) {
			best_fit = fit;
			best = entry;
			best_key = key;
		}
	}
	struct wb_credential c = WB_CREDENTIAL_INIT;

	if (best && read_entry(&c, best, name, best_key, err)) {
		wb_credential_release(&c);
		return -1;
	}
	*out = c;
	return 0;
}

const char *wb_authfile_helper(const json_t *file, const char *host)
{
	const char *key;
	json_t *suffix;

	json_object_foreach (json_object_get(file, "credHelpers"), key, suffix) {
		if (key_fits(key, host, NULL) && json_is_string(suffix))
			return json_string_value(suffix);
	}
	return NULL;
}

const char *wb_authfile_store(const json_t *file)
{
	return wb_json_str_opt(file, "credsStore");
}
