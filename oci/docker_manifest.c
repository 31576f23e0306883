#include "oci/docker_manifest.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "oci/manifest.h"

#define TAGS_MAX 1024

static void free_strings(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

void wb_docker_manifest_release(struct wb_docker_manifest *m)
{
	wb_vec_foreach (item, &m->items) {
		free(item->config);
		free_strings(item->tags.items, item->tags.n);
		free_strings(item->layers.items, item->layers.n);
	}
	wb_vec_free(&m->items);
}

/* A list of strings, or null; each is handed to add. */
static int strings(const json_t *o, const char *key, size_t limit, const char *what,
	void (*add)(struct wb_docker_item *, const char *), struct wb_docker_item *item,
	struct wb_err *err)
{
	const json_t *list = json_object_get(o, key);

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not a list", what, key);
	if (json_array_size(list) > limit)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: \"%s\" has more than %zu members", what,
			key, limit);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text)
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: \"%s\" holds something that is not a string", what, key);
		add(item, text);
	}
	return 0;
}

static void add_tag(struct wb_docker_item *item, const char *text)
{
	*wb_vec_push(&item->tags) = wb_strdup(text);
}

static void add_layer(struct wb_docker_item *item, const char *text)
{
	*wb_vec_push(&item->layers) = wb_strdup(text);
}

static int parse_item(
	struct wb_docker_item *item, const json_t *o, const char *what, struct wb_err *err)
{
	const char *config;

	if (wb_json_str(&config, o, "Config", what, err))
		return -1;
	item->config = wb_strdup(config);
	if (strings(o, "RepoTags", TAGS_MAX, what, add_tag, item, err))
		return -1;
	return strings(o, "Layers", WB_OCI_LAYERS_MAX, what, add_layer, item, err);
}

int wb_docker_manifest_parse(struct wb_docker_manifest *out, const char *text, size_t n,
	const char *what, struct wb_err *err)
{
	WB_AUTO(wb_docker_manifest_release) struct wb_docker_manifest m = WB_DOCKER_MANIFEST_INIT;
	wb_autojson json_t *j = wb_json_parse(text, n, what, err);

	if (!j)
		return -1;
	if (!json_is_array(j))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: manifest.json is not a list", what);
	if (json_array_size(j) > WB_DOCKER_ITEMS_MAX)
		return wb_err_set(
			err, WB_ERR_LIMIT, "%s: more than %d images", what, WB_DOCKER_ITEMS_MAX);
	for (size_t i = 0; i < json_array_size(j); i++)
		if (parse_item(wb_vec_push(&m.items), json_array_get(j, i), what, err))
			return -1;
	*out = m;
	m = WB_DOCKER_MANIFEST_INIT;
	return 0;
}

char *wb_docker_manifest_dump(const struct wb_docker_manifest *m)
{
	wb_autojson json_t *list = json_array();

	wb_vec_foreach (item, &m->items) {
		json_t *o = json_object(), *tags = json_array(), *layers = json_array();

		wb_vec_foreach (tag, &item->tags)
			wb_json_append(tags, json_string(*tag));
		wb_vec_foreach (layer, &item->layers)
			wb_json_append(layers, json_string(*layer));
		wb_json_set_str(o, "Config", item->config);
		wb_json_set(o, "RepoTags", tags);
		wb_json_set(o, "Layers", layers);
		wb_json_append(list, o);
	}
	return wb_json_dump(list);
}

/* Complete form of a name in any spelling, or NULL. */
static char *complete(const char *text)
{
	WB_AUTO(wb_reference_release) struct wb_reference r = WB_REFERENCE_INIT;
	struct wb_err ignored = WB_ERR_INIT;

	if (wb_reference_parse(&r, text, &ignored))
		return NULL;
	wb_reference_default_tag(&r);
	return wb_reference_text(&r);
}

static bool has_tag(const struct wb_docker_item *item, const char *full)
{
	wb_vec_foreach (tag, &item->tags) {
		wb_autofree char *name = complete(*tag);

		if (name && !strcmp(name, full))
			return true;
	}
	return false;
}

static void hint_names(const struct wb_docker_manifest *m, struct wb_err *err)
{
	char names[400] = "";
	size_t n = 0;

	wb_vec_foreach (item, &m->items) {
		wb_vec_foreach (tag, &item->tags) {
			if (n + strlen(*tag) + 3 > sizeof(names))
				break;
			n += (size_t)snprintf(
				names + n, sizeof(names) - n, "%s%s", n ? ", " : "", *tag);
		}
	}
	if (n)
		wb_err_hint(err, "it has %s", names);
}

const struct wb_docker_item *wb_docker_manifest_find(
	const struct wb_docker_manifest *m, const char *ref, const char *what, struct wb_err *err)
{
	wb_autofree char *full = ref ? complete(ref) : NULL;

	if (!ref && m->items.n == 1)
		return &m->items.items[0];
	if (full)
		wb_vec_foreach (item, &m->items)
			if (has_tag(item, full))
				return item;
	if (ref || !m->items.n)
		wb_err_set(err, WB_ERR_NOT_FOUND, "%s has no image called \"%.200s\"", what,
			ref ? ref : "");
	else
		wb_err_set(err, WB_ERR_USAGE, "%s holds %zu images: name one", what, m->items.n);
	hint_names(m, err);
	return NULL;
}
