#include "builder/build/place.h"

#include <string.h>

#include "base/json.h"
#include "base/path.h"
#include "oci/registry.h"

#define PLACES_MAX 8 /* repositories remembered for one blob of one host */

struct wb_place_memory {
	struct wb_store *store;
	struct wb_quirks_memory *quirks;
	struct wb_credentials *credentials;
	char *journal_dir;
};

struct wb_place_memory *wb_place_memory_new(struct wb_store *s)
{
	struct wb_place_memory *m = wb_zalloc(sizeof(*m));
	wb_autofree char *quirks = wb_path_join(wb_store_path(s), "registries.json");

	m->store = s;
	m->quirks = wb_quirks_memory_new(quirks);
	m->credentials = wb_credentials_new(NULL);
	m->journal_dir = wb_path_join(wb_store_path(s), "uploads");
	return m;
}

void wb_place_memory_free(struct wb_place_memory *m)
{
	if (!m)
		return;
	wb_quirks_memory_free(m->quirks);
	wb_credentials_unref(m->credentials);
	free(m->journal_dir);
	free(m);
}

void wb_place_memory_learn(struct wb_place_memory *m, const char *host, const char *repository)
{
	WB_AUTO(wb_credential_release) struct wb_credential found = WB_CREDENTIAL_INIT;
	struct wb_err ignored = WB_ERR_INIT; /* the transport will say it */

	(void)wb_credentials_get(&found, m->credentials, host, repository, &ignored);
}

/* The record of a blob in a host: ["newest/repository", …]. */
static char *push_key(const char *host, const struct wb_digest *d)
{
	return wb_asprintf("%s %s", host, wb_digest_text(d).s);
}

static void recall(void *arg, const char *host, const struct wb_digest *d,
	void (*each)(void *each_arg, const char *repository), void *each_arg)
{
	struct wb_place_memory *m = arg;
	wb_autofree char *key = push_key(host, d);
	wb_autojson json_t *list = wb_store_index_get(m->store, "push", key);
	size_t i;
	json_t *name;

	json_array_foreach (list, i, name)
		if (json_is_string(name))
			each(each_arg, json_string_value(name));
}

static void remember(void *arg, const char *host, const char *repository, const struct wb_digest *d)
{
	struct wb_place_memory *m = arg;
	wb_autofree char *key = push_key(host, d);
	wb_autojson json_t *old = wb_store_index_get(m->store, "push", key);
	wb_autojson json_t *list = json_array();
	const char *first = json_string_value(json_array_get(old, 0));
	struct wb_err ignored = WB_ERR_INIT; /* the next push asks the registry instead */
	size_t i;
	json_t *name;

	if (first && !strcmp(first, repository))
		return;
	wb_json_append(list, json_string(repository));
	json_array_foreach (old, i, name) {
		const char *other = json_string_value(name);

		if (other && strcmp(other, repository) && json_array_size(list) < PLACES_MAX)
			wb_json_append(list, json_string(other));
	}
	wb_store_index_put(m->store, "push", key, list, &ignored);
}

static struct wb_transport *open_registry(const struct wb_place *p, enum wb_transport_mode mode,
	const struct wb_place_opts *opts, struct wb_err *err)
{
	struct wb_place_memory *m = opts->memory;
	struct wb_registry_opts o = {
		.http = {.ca_file = opts->ca_file,
			.tls_insecure = opts->tls_insecure,
			.rate = opts->rate},
		.plain_http = opts->plain_http,
		.no_limits = opts->no_limits,
		.mount_from = opts->mount_from,
	};

	if (m) {
		o.credentials = m->credentials;
		o.quirks = m->quirks;
		o.journal_dir = m->journal_dir;
		o.places = (struct wb_blob_places){recall, remember, m};
	}
	return wb_registry_open(p, &o, mode, err);
}

struct wb_transport *wb_place_open(const struct wb_place *p, enum wb_transport_mode mode,
	const struct wb_place_opts *opts, struct wb_err *err)
{
	switch (p->kind) {
	case WB_PLACE_LAYOUT: return wb_layout_open(p, mode, err);
	case WB_PLACE_ARCHIVE: return wb_archive_open(p, mode, err);
	case WB_PLACE_DOCKER_ARCHIVE: return wb_docker_archive_open(p, mode, err);
	case WB_PLACE_REGISTRY: break;
	}
	return open_registry(p, mode, opts, err);
}
