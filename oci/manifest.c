#include "oci/manifest.h"

#include <stdio.h>
#include <string.h>

#include "oci/mediatype.h"

static int check_schema(const json_t *j, const char *what, struct wb_err *err)
{
	if (!json_is_object(j))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: not a JSON object", what);
	const json_t *v = json_object_get(j, "schemaVersion");

	if (!json_is_integer(v) || json_integer_value(v) != 2)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"schemaVersion\" is not 2", what);
	if (json_object_get(j, "manifests") &&
		(json_object_get(j, "layers") || json_object_get(j, "config")))
		return wb_err_set(
			err, WB_ERR_FORMAT, "%s: it is a manifest and an index at once", what);
	return 0;
}

/* A list of descriptors, each named "<what>: <word> <i>" in errors. */
static int take_list(wb_descriptors *out, const json_t *list, size_t limit, const char *word,
	const char *what, struct wb_err *err)
{
	if (!json_is_array(list))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: the list of %ss is missing", what, word);
	if (json_array_size(list) > limit)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: %zu %ss, more than the limit of %zu",
			what, json_array_size(list), word, limit);
	for (size_t i = 0; i < json_array_size(list); i++) {
		wb_autofree char *name = wb_asprintf("%s: %s %zu", what, word, i + 1);

		if (wb_descriptor_from_json(wb_vec_push(out), json_array_get(list, i), name, err))
			return -1;
	}
	return 0;
}

static int check_layers(const struct wb_manifest *m, const char *what, struct wb_err *err)
{
	wb_vec_foreach (layer, &m->layers) {
		if (wb_media_classify(layer->media_type).kind != WB_MEDIA_LAYER)
			return wb_err_set(err, WB_ERR_UNSUPPORTED,
				"%s: layer %zu has the type \"%.100s\", which is not an image "
				"layer",
				what, (size_t)(layer - m->layers.items) + 1, layer->media_type);
	}
	return 0;
}

int wb_manifest_parse(struct wb_manifest *out, const struct wb_document *doc, const char *what,
	struct wb_err *err)
{
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	m.json = wb_json_parse(doc->bytes, doc->desc.size, what, err);
	if (!m.json || check_schema(m.json, what, err))
		return -1;
	wb_autofree char *name = wb_asprintf("%s: config", what);

	if (wb_descriptor_from_json(&m.config, json_object_get(m.json, "config"), name, err) ||
		take_list(&m.layers, json_object_get(m.json, "layers"), WB_OCI_LAYERS_MAX, "layer",
			what, err))
		return -1;
	m.docker = wb_media_classify(doc->desc.media_type).docker;
	m.image = wb_media_classify(m.config.media_type).kind == WB_MEDIA_CONFIG;
	if (m.image && check_layers(&m, what, err))
		return -1;
	*out = m;
	m = WB_MANIFEST_INIT;
	return 0;
}

void wb_manifest_release(struct wb_manifest *m)
{
	json_decref(m->json);
	wb_descriptor_release(&m->config);
	wb_descriptors_release(&m->layers);
	*m = WB_MANIFEST_INIT;
}

static int finish(
	struct wb_document *out, json_t *j, const char *type, const char *word, struct wb_err *err)
{
	char *text = wb_json_dump(j);

	wb_document_set(out, type, text, strlen(text));
	if (out->desc.size <= WB_OCI_MANIFEST_MAX)
		return 0;
	wb_err_set(err, WB_ERR_LIMIT, "the %s is %llu bytes, more than the %u that registries take",
		word, (unsigned long long)out->desc.size, WB_OCI_MANIFEST_MAX);
	wb_document_release(out);
	return -1;
}

static json_t *start(const char *type)
{
	json_t *j = json_object();

	wb_json_set_u64(j, "schemaVersion", 2);
	wb_json_set_str(j, "mediaType", type);
	return j;
}

static void add_list(json_t *j, const char *key, const struct wb_descriptor *d, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		wb_json_append(list, wb_descriptor_to_json(&d[i]));
	wb_json_set(j, key, list);
}

static void add_annotations(json_t *j, const json_t *annotations)
{
	if (json_object_size(annotations))
		wb_json_set(j, "annotations", json_deep_copy(annotations));
}

int wb_manifest_build(struct wb_document *out, const struct wb_descriptor *config,
	const struct wb_descriptor *layers, size_t n_layers, const json_t *annotations, bool docker,
	struct wb_err *err)
{
	const char *type = docker ? WB_MT_DOCKER_MANIFEST : WB_MT_OCI_MANIFEST;
	wb_autojson json_t *j = start(type);

	wb_json_set(j, "config", wb_descriptor_to_json(config));
	add_list(j, "layers", layers, n_layers);
	add_annotations(j, annotations);
	return finish(out, j, type, "manifest", err);
}

int wb_index_parse(
	struct wb_index *out, const struct wb_document *doc, const char *what, struct wb_err *err)
{
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;

	x.json = wb_json_parse(doc->bytes, doc->desc.size, what, err);
	if (!x.json || check_schema(x.json, what, err) ||
		take_list(&x.children, json_object_get(x.json, "manifests"), WB_OCI_CHILDREN_MAX,
			"manifest", what, err))
		return -1;
	x.docker = wb_media_classify(doc->desc.media_type).docker;
	*out = x;
	x = WB_INDEX_INIT;
	return 0;
}

void wb_index_release(struct wb_index *x)
{
	json_decref(x->json);
	wb_descriptors_release(&x->children);
	*x = WB_INDEX_INIT;
}

int wb_index_build(struct wb_document *out, const struct wb_descriptor *children, size_t n,
	const json_t *annotations, bool docker, struct wb_err *err)
{
	const char *type = docker ? WB_MT_DOCKER_LIST : WB_MT_OCI_INDEX;
	wb_autojson json_t *j = start(type);

	add_list(j, "manifests", children, n);
	add_annotations(j, annotations);
	return finish(out, j, type, "index", err);
}

bool wb_child_is_attestation(struct wb_digest *of, const struct wb_descriptor *child)
{
	const char *type = wb_descriptor_annotation(child, "vnd.docker.reference.type");
	const char *digest = wb_descriptor_annotation(child, "vnd.docker.reference.digest");
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	if (!type || strcmp(type, "attestation-manifest"))
		return false;
	if (digest && !wb_digest_parse(&d, digest, &err))
		*of = d;
	return true;
}

bool wb_child_is_image(const struct wb_descriptor *child)
{
	enum wb_media_kind kind = wb_media_classify(child->media_type).kind;
	struct wb_digest of;

	if (kind != WB_MEDIA_MANIFEST && kind != WB_MEDIA_INDEX)
		return false;
	return !wb_child_is_attestation(&of, child) && !wb_descriptor_artifact_type(child) &&
	       !(child->has_platform && wb_platform_unknown(&child->platform));
}

static void list_platforms(char *out, size_t size, const struct wb_index *x)
{
	size_t n = 0;

	out[0] = '\0';
	wb_vec_foreach (child, &x->children) {
		if (!wb_child_is_image(child) || !child->has_platform || n + 110 > size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
			wb_platform_text(&child->platform).s);
	}
}

const struct wb_descriptor *wb_index_select(const struct wb_index *x,
	const struct wb_platform *want, const char *what, struct wb_err *err)
{
	const struct wb_descriptor *loose = NULL;
	char have[600];

	wb_vec_foreach (child, &x->children) {
		if (!wb_child_is_image(child) || !child->has_platform)
			continue;
		if (wb_platform_equal(&child->platform, want))
			return child;
		if (!loose && wb_platform_match(&child->platform, want))
			loose = child;
	}
	if (loose)
		return loose;
	list_platforms(have, sizeof(have), x);
	wb_err_set(err, WB_ERR_NOT_FOUND, "%s has no image for the platform \"%s\"", what,
		wb_platform_text(want).s);
	if (have[0])
		wb_err_hint(err, "it has %s; choose with --platform", have);
	return NULL;
}

struct wb_digest_text wb_referrers_tag(const struct wb_digest *subject)
{
	struct wb_digest_text t = wb_digest_text(subject);

	t.s[strlen("sha256")] = '-';
	return t;
}
