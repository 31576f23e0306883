#include "oci/image.h"

#include <string.h>

#include "oci/mediatype.h"

static const char *const args_key[] = {
	[WB_IMAGE_ENTRYPOINT] = "Entrypoint",
	[WB_IMAGE_CMD] = "Cmd",
};

static const char *const text_key[] = {
	[WB_IMAGE_USER] = "User",
	[WB_IMAGE_WORKDIR] = "WorkingDir",
	[WB_IMAGE_STOP_SIGNAL] = "StopSignal",
};

void wb_image_release(struct wb_image *img)
{
	json_decref(img->config);
	wb_descriptors_release(&img->layers);
	wb_vec_free(&img->diff_ids);
	*img = WB_IMAGE_INIT;
}

void wb_image_copy(struct wb_image *out, const struct wb_image *img)
{
	struct wb_image copy = {.platform = img->platform};

	copy.config = json_deep_copy(img->config);
	if (!copy.config)
		abort();
	wb_vec_foreach (layer, &img->layers)
		wb_descriptor_copy(wb_vec_push(&copy.layers), layer);
	wb_vec_foreach (diff_id, &img->diff_ids)
		*wb_vec_push(&copy.diff_ids) = *diff_id;
	*out = copy;
}

void wb_image_scratch(struct wb_image *out, const struct wb_platform *platform)
{
	json_t *config = json_object(), *rootfs = json_object();

	wb_json_set_str(config, "architecture", platform->arch);
	wb_json_set_str(config, "os", platform->os);
	if (platform->variant[0])
		wb_json_set_str(config, "variant", platform->variant);
	if (platform->os_version[0])
		wb_json_set_str(config, "os.version", platform->os_version);
	wb_json_set(config, "config", json_object());
	wb_json_set_str(rootfs, "type", "layers");
	wb_json_set(rootfs, "diff_ids", json_array());
	wb_json_set(config, "rootfs", rootfs);
	wb_json_set(config, "history", json_array());
	*out = (struct wb_image){.platform = *platform, .config = config};
}

/* Absent and null mean the same to docker's own reader. */
static const json_t *member(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_null(v) ? NULL : v;
}

static int check_strings(const json_t *o, const char *key, const char *what, struct wb_err *err)
{
	const json_t *list = member(o, key);

	if (list && !json_is_array(list))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not a list", what, key);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: \"%s\" holds something that is not a string", what, key);
	return 0;
}

static int check_run_config(const json_t *config, const char *what, struct wb_err *err)
{
	const json_t *c = member(config, "config"), *labels = member(c, "Labels"), *v;
	const char *name;

	if (c && !json_is_object(c))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"config\" is not an object", what);
	if (check_strings(c, "Env", what, err) || check_strings(c, "Entrypoint", what, err) ||
		check_strings(c, "Cmd", what, err))
		return -1;
	for (size_t i = 0; i < WB_ARRAY_LEN(text_key); i++)
		if (member(c, text_key[i]) && !json_is_string(member(c, text_key[i])))
			return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not a string", what,
				text_key[i]);
	if (labels && !json_is_object(labels))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"Labels\" is not an object", what);
	json_object_foreach ((json_t *)labels, name, v) {
		if (!json_is_string(v))
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: the label \"%.80s\" is not a string", what, name);
	}
	return 0;
}

/* History entries that stand for a layer. */
static size_t history_layers(const json_t *config)
{
	const json_t *history = member(config, "history");
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(history); i++)
		n += !json_is_true(json_object_get(json_array_get(history, i), "empty_layer"));
	return n;
}

static int check_history(const struct wb_image *img, const char *what, struct wb_err *err)
{
	const json_t *history = member(img->config, "history");

	if (history && !json_is_array(history))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"history\" is not a list", what);
	for (size_t i = 0; i < json_array_size(history); i++)
		if (!json_is_object(json_array_get(history, i)))
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: \"history\" holds something that is not an object", what);
	if (history_layers(img->config) > img->layers.n)
		return wb_err_set(err, WB_ERR_FORMAT,
			"%s: its history tells of %zu layers, but it has %zu", what,
			history_layers(img->config), img->layers.n);
	return 0;
}

static int take_diff_ids(struct wb_image *img, const char *what, struct wb_err *err)
{
	const json_t *rootfs = member(img->config, "rootfs");
	const json_t *list = member(rootfs, "diff_ids");
	const char *type = wb_json_str_opt(rootfs, "type");

	if (!type || strcmp(type, "layers"))
		return wb_err_set(
			err, WB_ERR_FORMAT, "%s: \"rootfs\" has not the type \"layers\"", what);
	if (list && !json_is_array(list))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"diff_ids\" is not a list", what);
	if (json_array_size(list) != img->layers.n)
		return wb_err_set(err, WB_ERR_FORMAT, "%s: %zu diff_ids for %zu layers", what,
			json_array_size(list), img->layers.n);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (wb_digest_parse(wb_vec_push(&img->diff_ids), text ? text : "", err))
			return wb_err_wrap(err, "%s: diff_id %zu", what, i + 1);
	}
	return 0;
}

int wb_image_parse(struct wb_image *out, const struct wb_manifest *m, const char *config, size_t n,
	const char *what, struct wb_err *err)
{
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;

	if (!m->image)
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s: its config has the type \"%.100s\": it is an artifact, not an image",
			what, m->config.media_type);
	img.config = wb_json_parse(config, n, what, err);
	if (!img.config)
		return -1;
	if (wb_platform_from_json(&img.platform, img.config, what, err))
		return -1;
	if (!img.platform.os[0] || !img.platform.arch[0])
		return wb_err_set(err, WB_ERR_FORMAT,
			"%s: its config names no \"os\" or no \"architecture\"", what);
	wb_vec_foreach (layer, &m->layers) {
		struct wb_descriptor *d = wb_vec_push(&img.layers);

		wb_descriptor_copy(d, layer);
		free(d->media_type);
		d->media_type = wb_strdup(wb_media_to_oci(layer->media_type));
	}
	if (take_diff_ids(&img, what, err) || check_history(&img, what, err) ||
		check_run_config(img.config, what, err))
		return -1;
	*out = img;
	img = WB_IMAGE_INIT;
	return 0;
}

int wb_image_load(struct wb_image *out, struct wb_transport *t, const struct wb_document *manifest,
	struct wb_err *err)
{
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	wb_autofree char *config = NULL;

	if (wb_manifest_parse(&m, manifest, t->label, err))
		return -1;
	if (m.image && wb_transport_read_blob(
			       &config, t, &m.config, WB_OCI_CONFIG_MAX, "the image config", err))
		return -1;
	return wb_image_parse(out, &m, config, (size_t)m.config.size, t->label, err);
}

/* The member of o, made when it is not there or null. */
static json_t *ensure(json_t *o, const char *key, json_t *(*make)(void))
{
	json_t *v = json_object_get(o, key);

	if (v && !json_is_null(v))
		return v;
	v = make();
	wb_json_set(o, key, v);
	return v;
}

static json_t *history_entry(const struct wb_history *h)
{
	json_t *o = json_object();

	if (h->created)
		wb_json_set_str(o, "created", h->created);
	if (h->created_by)
		wb_json_set_str(o, "created_by", h->created_by);
	if (h->author)
		wb_json_set_str(o, "author", h->author);
	if (h->comment)
		wb_json_set_str(o, "comment", h->comment);
	return o;
}

int wb_image_add_layer(struct wb_image *img, const struct wb_descriptor *layer,
	const struct wb_digest *diff_id, const struct wb_history *history, struct wb_err *err)
{
	static const struct wb_history of_base = {.comment = "layer of the base image"};
	json_t *list = ensure(img->config, "history", json_array);

	if (img->layers.n >= WB_OCI_LAYERS_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, "an image cannot have more than %d layers",
			WB_OCI_LAYERS_MAX);
	for (size_t n = history_layers(img->config); n < img->layers.n; n++)
		wb_json_append(list, history_entry(&of_base));
	wb_json_append(list, history_entry(history));
	wb_json_append(ensure(json_object_get(img->config, "rootfs"), "diff_ids", json_array),
		json_string(wb_digest_text(diff_id).s));
	wb_descriptor_copy(wb_vec_push(&img->layers), layer);
	*wb_vec_push(&img->diff_ids) = *diff_id;
	return 0;
}

/* "NAME=value" of that name? */
static bool is_variable(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(entry, name, n) && (entry[n] == '=' || !entry[n]);
}

void wb_image_set_env(struct wb_image *img, const char *name, const char *value)
{
	json_t *env = ensure(ensure(img->config, "config", json_object), "Env", json_array);
	wb_autofree char *entry = wb_asprintf("%s=%s", name, value);

	for (size_t i = 0; i < json_array_size(env); i++) {
		if (!is_variable(json_string_value(json_array_get(env, i)), name))
			continue;
		if (json_array_set_new(env, i, json_string(entry)))
			abort();
		return;
	}
	wb_json_append(env, json_string(entry));
}

void wb_image_set_label(struct wb_image *img, const char *name, const char *value)
{
	json_t *labels = ensure(ensure(img->config, "config", json_object), "Labels", json_object);

	if (value)
		wb_json_set_str(labels, name, value);
	else
		json_object_del(labels, name);
}

const char *wb_image_label(const struct wb_image *img, const char *name)
{
	return wb_json_str_opt(member(json_object_get(img->config, "config"), "Labels"), name);
}

void wb_image_set_args(
	struct wb_image *img, enum wb_image_args which, const char *const *argv, size_t n)
{
	json_t *c = ensure(img->config, "config", json_object);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		wb_json_append(list, json_string(argv[i]));
	if (argv) {
		wb_json_set(c, args_key[which], list);
		return;
	}
	json_decref(list);
	json_object_del(c, args_key[which]);
}

const json_t *wb_image_args(const struct wb_image *img, enum wb_image_args which)
{
	const json_t *list = member(json_object_get(img->config, "config"), args_key[which]);

	return json_array_size(list) ? list : NULL;
}

const char *wb_image_text(const struct wb_image *img, enum wb_image_text which)
{
	return wb_json_str_opt(json_object_get(img->config, "config"), text_key[which]);
}

void wb_image_set_created(struct wb_image *img, const char *rfc3339)
{
	wb_json_set_str(img->config, "created", rfc3339);
}

/* Docker's name for a layer's type. Its own daemon knows a ".zstd", containers/image does not. */
static int to_docker(struct wb_descriptor *layer, struct wb_err *err)
{
	struct wb_media m = wb_media_classify(layer->media_type);

	if (m.coding == WB_CODING_ZSTD) {
		wb_err_set(err, WB_ERR_UNSUPPORTED,
			"docker's image format has no zstd layers, and layer %s is one",
			wb_digest_text(&layer->digest).s);
		return wb_err_hint(err, "use --compression gzip, or the OCI format");
	}
	if (!m.foreign) {
		free(layer->media_type);
		layer->media_type = wb_strdup(wb_media_layer(m.coding, true));
	}
	return 0;
}

int wb_image_finish(struct wb_document *manifest, struct wb_document *config,
	const struct wb_image *img, const json_t *annotations, bool docker, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document c = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptors_release) wb_descriptors layers = {0};
	char *text = wb_json_dump(img->config);

	wb_document_set(&c, docker ? WB_MT_DOCKER_CONFIG : WB_MT_OCI_CONFIG, text, strlen(text));
	if (c.desc.size > WB_OCI_CONFIG_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, "the image config is %llu bytes, more than %u",
			(unsigned long long)c.desc.size, WB_OCI_CONFIG_MAX);
	wb_vec_foreach (layer, &img->layers) {
		struct wb_descriptor *d = wb_vec_push(&layers);

		wb_descriptor_copy(d, layer);
		if (docker && to_docker(d, err))
			return -1;
	}
	if (wb_manifest_build(manifest, &c.desc, layers.items, layers.n, annotations, docker, err))
		return -1;
	*config = c;
	c = WB_DOCUMENT_INIT;
	return 0;
}
