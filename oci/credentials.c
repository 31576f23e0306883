#include "oci/credentials.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "oci/credhelper.h"

struct answer {
	char *key; /* host "/" repository */
	struct wb_credential credential;
};

struct wb_credentials {
	atomic_uint refs;
	char *auth_file; /* or NULL */
	pthread_mutex_t lock;
	WB_VEC(struct answer) answers;
};

struct wb_credentials *wb_credentials_new(const char *auth_file)
{
	struct wb_credentials *c = wb_zalloc(sizeof(*c));

	atomic_init(&c->refs, 1);
	c->auth_file = wb_strdup(auth_file ? auth_file : wb_env("REGISTRY_AUTH_FILE"));
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

struct wb_credentials *wb_credentials_ref(struct wb_credentials *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void wb_credentials_unref(struct wb_credentials *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	wb_vec_foreach (a, &c->answers) {
		free(a->key);
		wb_credential_release(&a->credential);
	}
	wb_vec_free(&c->answers);
	pthread_mutex_destroy(&c->lock);
	free(c->auth_file);
	free(c);
}

/* One search through the places, in order. */
struct search {
	const char *host, *repository;
	struct wb_credential found;
	char *note; /* the first reason why a place that should have had one did not */
};

static void search_release(struct search *s)
{
	wb_credential_release(&s->found);
	free(s->note);
}

static void ask_helper(struct search *s, const char *suffix)
{
	struct wb_err why = WB_ERR_INIT;
	struct wb_credential got = WB_CREDENTIAL_INIT;
	const char *server = wb_host_is_hub(s->host) ? WB_HUB_AUTH_KEY : s->host;

	if (wb_credhelper_get(&got, suffix, server, &why)) {
		wb_debug("%s", why.text);
		if (!s->note)
			s->note = wb_strdup(why.text);
		return;
	}
	if (got.kind != WB_CREDENTIAL_NONE) {
		s->found = got;
		return;
	}
	if (!s->note)
		s->note = wb_strdup(got.origin);
	wb_credential_release(&got);
}

static int search_json(
	struct search *s, const char *p, size_t n, const char *name, struct wb_err *err)
{
	wb_autojson json_t *file = wb_authfile_parse(p, n, name, err);

	if (!file)
		return -1;
	const char *helpers[] = {wb_authfile_helper(file, s->host), wb_authfile_store(file)};

	for (size_t i = 0; i < WB_ARRAY_LEN(helpers); i++) {
		if (helpers[i] && *helpers[i] && s->found.kind == WB_CREDENTIAL_NONE)
			ask_helper(s, helpers[i]);
	}
	if (s->found.kind != WB_CREDENTIAL_NONE)
		return 0;
	return wb_authfile_find(&s->found, file, s->host, s->repository, name, err);
}

/* A file that is not there is no error unless it was asked for by name. */
static int search_file(struct search *s, const char *path, bool wanted, struct wb_err *err)
{
	WB_AUTO(wb_buf_release) struct wb_buf b = WB_BUF_INIT;

	wb_buf_init(&b, WB_AUTHFILE_MAX, "a registry login file");
	if (!wanted && access(path, F_OK))
		return 0;
	if (wb_file_read(&b, path, err))
		return wb_err_hint(err, "it holds the registry logins; make it readable, or point "
					"REGISTRY_AUTH_FILE or DOCKER_CONFIG elsewhere");
	if (!b.len) /* as some tools leave it after logging out */
		return 0;
	int rc = search_json(s, b.data, b.len, path, err);

	wb_wipe(b.data, b.len);
	return rc;
}

static int search_below(struct search *s, const char *dir, const char *name, struct wb_err *err)
{
	if (!dir || s->found.kind != WB_CREDENTIAL_NONE)
		return 0;
	wb_autofree char *path = wb_path_join(dir, name);

	return search_file(s, path, false, err);
}

static int search_places(struct search *s, const struct wb_credentials *c, struct wb_err *err)
{
	const char *inline_json = wb_env("DOCKER_AUTH_CONFIG");
	const char *home = wb_env("HOME");
	const char *config = wb_env("XDG_CONFIG_HOME");
	wb_autofree char *home_config = home ? wb_path_join(home, ".config") : NULL;

	if (c->auth_file)
		return search_file(s, c->auth_file, true, err);
	if (inline_json &&
		search_json(s, inline_json, strlen(inline_json), "DOCKER_AUTH_CONFIG", err))
		return -1;
	if (search_below(s, wb_env("DOCKER_CONFIG"), "config.json", err) ||
		search_below(s, wb_env("XDG_RUNTIME_DIR"), "containers/auth.json", err) ||
		search_below(s, config ? config : home_config, "containers/auth.json", err))
		return -1;
	/* DOCKER_CONFIG stands in for ~/.docker and is not looked at beside it. */
	if (!wb_env("DOCKER_CONFIG") && search_below(s, home, ".docker/config.json", err))
		return -1;
	return search_below(s, home, ".dockercfg", err);
}

int wb_credentials_get(struct wb_credential *out, struct wb_credentials *c, const char *host,
	const char *repository, struct wb_err *err)
{
	wb_autofree char *key = wb_asprintf("%s/%s", host, repository ? repository : "");
	WB_AUTO(search_release) struct search s = {.host = host, .repository = repository};
	int rc = 0;

	/* Held over the whole search: several workers that start together ask a helper once. */
	pthread_mutex_lock(&c->lock);
	const struct answer *known = NULL;

	wb_vec_foreach (a, &c->answers)
		if (!strcmp(a->key, key))
			known = a;
	if (!known) {
		rc = search_places(&s, c, err);
		if (!rc) {
			struct answer *a = wb_vec_push(&c->answers);

			a->key = wb_steal(key);
			a->credential = s.found;
			if (a->credential.kind == WB_CREDENTIAL_NONE)
				a->credential.origin = wb_steal(s.note);
			s.found = WB_CREDENTIAL_INIT;
			known = a;
		}
	}
	if (known)
		wb_credential_copy(out, &known->credential);
	pthread_mutex_unlock(&c->lock);
	return rc;
}
