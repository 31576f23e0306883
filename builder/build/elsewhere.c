#include "builder/build/elsewhere.h"

#include <string.h>

#include "base/log.h"

struct wb_elsewhere {
	const struct wb_lockfile *lock;
	WB_VEC(struct wb_transport *) registries;
};

void wb_elsewhere_free(struct wb_elsewhere *e)
{
	if (!e)
		return;
	wb_vec_foreach (t, &e->registries)
		wb_transport_free(*t);
	wb_vec_free(&e->registries);
	free(e);
}

static struct wb_transport *open_registry(
	const struct wb_reference *tag, const struct wb_place_opts *opts)
{
	WB_AUTO(wb_place_release)
	struct wb_place place = {.kind = WB_PLACE_REGISTRY, .has_reference = true};
	struct wb_err err = WB_ERR_INIT;

	wb_reference_copy(&place.reference, tag);
	wb_reference_default_tag(&place.reference);
	return wb_place_open(&place, WB_TRANSPORT_WRITE, opts, &err);
}

struct wb_elsewhere *wb_elsewhere_new(const struct wb_lockfile *lock, const char *packer,
	const struct wb_output *outputs, size_t n_outputs, const struct wb_reference *tags,
	size_t n_tags, const struct wb_place_opts *place)
{
	if (!lock->packer || strcmp(lock->packer, packer) || !n_tags)
		return NULL;
	for (size_t i = 0; i < n_outputs; i++)
		if (outputs[i].kind != WB_OUTPUT_REGISTRY)
			return NULL;
	struct wb_elsewhere *e = wb_zalloc(sizeof(*e));

	e->lock = lock;
	for (size_t i = 0; i < n_tags; i++) {
		struct wb_transport *t = open_registry(&tags[i], place);

		if (!t) {
			wb_elsewhere_free(e);
			return NULL;
		}
		*wb_vec_push(&e->registries) = t;
	}
	return e;
}

bool wb_elsewhere_has(struct wb_elsewhere *e, struct wb_layer *l)
{
	const struct wb_lock_layer *locked = e ? wb_lockfile_layer(e->lock, l->key) : NULL;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;

	struct wb_chunked table;

	if (!locked || !wb_chunked_parse(&table, locked->contents, locked->size))
		return false;
	wb_descriptor_set(&d, locked->media_type, &locked->digest, locked->size);
	wb_vec_foreach (t, &e->registries) {
		struct wb_err err = WB_ERR_INIT;
		bool there = false;

		if (wb_transport_has_blob(&there, *t, &d, &err) || !there)
			return false;
	}
	wb_debug("layer %s is in the registry: neither fetched nor packed",
		wb_digest_text(&locked->digest).s);
	l->digest = locked->digest;
	l->diff_id = locked->diff_id;
	l->size = locked->size;
	l->table = table;
	return true;
}
