#include "oci/descriptor.h"

#include <string.h>

#include "base/base64.h"
#include "base/sha256.h"
#include "oci/mediatype.h"

#define INLINE_DATA_MAX (1u << 20) /* of a descriptor's `data`, decoded */

void wb_descriptor_release(struct wb_descriptor *d)
{
	free(d->media_type);
	json_decref(d->more);
	*d = WB_DESCRIPTOR_INIT;
}

void wb_descriptors_release(wb_descriptors *v)
{
	wb_vec_foreach (d, v)
		wb_descriptor_release(d);
	wb_vec_free(v);
}

void wb_descriptor_set(struct wb_descriptor *out, const char *media_type,
	const struct wb_digest *digest, uint64_t size)
{
	*out = (struct wb_descriptor){
		.media_type = wb_strdup(media_type),
		.digest = *digest,
		.size = size,
	};
}

void wb_descriptor_of(struct wb_descriptor *out, const char *media_type, const void *p, size_t n)
{
	struct wb_digest digest;

	wb_sha256_once(&digest, p, n);
	wb_descriptor_set(out, media_type, &digest, n);
}

void wb_descriptor_copy(struct wb_descriptor *out, const struct wb_descriptor *d)
{
	struct wb_descriptor copy = *d;

	copy.media_type = wb_strdup(d->media_type);
	copy.more = d->more ? json_deep_copy(d->more) : NULL;
	if (d->more && !copy.more)
		abort();
	*out = copy;
}

/* RFC 6838 restricted names, "type/subtype" and perhaps parameters. */
static bool media_type_ok(const char *s, size_t n)
{
	const char *slash = strchr(s, '/');

	if (strlen(s) != n || n > WB_MEDIATYPE_MAX || !slash || slash == s || !slash[1])
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return false;
	return true;
}

/* "algorithm:encoded" of the descriptor grammar, whatever the algorithm. */
static bool digest_grammar(const char *s)
{
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+._-");

	return n && strchr(alnum, s[0]) && strchr(alnum, s[n - 1]) && s[n] == ':' && s[n + 1] &&
	       s[n + 1 +
		       strspn(s + n + 1, "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_-")] == '\0';
}

static int take_digest(struct wb_digest *out, const json_t *o, const char *what, struct wb_err *err)
{
	const char *text;

	if (wb_json_str(&text, o, "digest", what, err))
		return -1;
	if (strncmp(text, "sha256:", 7) && digest_grammar(text))
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s: the digest \"%.40s…\" is not of the algorithm sha256, the only one "
			"supported",
			what, text);
	if (wb_digest_parse(out, text, err))
		return wb_err_wrap(err, "%s", what);
	return 0;
}

/* `data` must be the content itself. */
static int check_data(
	const struct wb_descriptor *d, const json_t *o, const char *what, struct wb_err *err)
{
	const json_t *data = json_object_get(o, "data");
	struct wb_digest digest;
	size_t n = 0;

	if (!data)
		return 0;
	wb_autofree uint8_t *bytes =
		json_is_string(data)
			? wb_base64_decode(&n, json_string_value(data), INLINE_DATA_MAX)
			: NULL;

	if (!bytes)
		return wb_err_set(err, WB_ERR_FORMAT,
			"%s: \"data\" is not base64 of at most %u bytes", what, INLINE_DATA_MAX);
	wb_sha256_once(&digest, bytes, n);
	if (n != d->size || !wb_digest_equal(&digest, &d->digest))
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: \"data\" does not have the size and digest of the descriptor", what);
	return 0;
}

static int check_string_map(const json_t *o, const char *key, const char *what, struct wb_err *err)
{
	const json_t *map = json_object_get(o, key), *v;
	const char *name;

	if (!map || json_is_null(map))
		return 0;
	if (!json_is_object(map))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"%s\" is not an object", what, key);
	json_object_foreach ((json_t *)map, name, v) {
		if (!json_is_string(v))
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: \"%s\" \"%.80s\" is not a string", what, key, name);
	}
	return 0;
}

static int check_members(const json_t *o, const char *what, struct wb_err *err)
{
	const json_t *urls = json_object_get(o, "urls");
	const json_t *artifact = json_object_get(o, "artifactType");

	if (artifact && !json_is_string(artifact))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"artifactType\" is not a string", what);
	if (urls && !json_is_null(urls) && !json_is_array(urls))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: \"urls\" is not a list", what);
	for (size_t i = 0; i < json_array_size(urls); i++)
		if (!json_is_string(json_array_get(urls, i)))
			return wb_err_set(err, WB_ERR_FORMAT,
				"%s: a member of \"urls\" is not a string", what);
	return check_string_map(o, "annotations", what, err);
}

/* Everything but the three members that are fields. */
static json_t *take_more(const json_t *o)
{
	json_t *more = json_object(), *v;
	const char *key;

	json_object_foreach ((json_t *)o, key, v) {
		if (strcmp(key, "mediaType") && strcmp(key, "digest") && strcmp(key, "size"))
			wb_json_set(more, key, json_deep_copy(v));
	}
	if (json_object_size(more))
		return more;
	json_decref(more);
	return NULL;
}

static int read_fields(
	struct wb_descriptor *d, const json_t *o, const char *what, struct wb_err *err)
{
	const json_t *platform = json_object_get(o, "platform");
	const char *type;

	if (wb_json_str(&type, o, "mediaType", what, err))
		return -1;
	if (!media_type_ok(type, json_string_length(json_object_get(o, "mediaType"))))
		return wb_err_set(
			err, WB_ERR_FORMAT, "%s: \"%.80s\" is not a media type", what, type);
	if (take_digest(&d->digest, o, what, err) || wb_json_u64(&d->size, o, "size", what, err))
		return -1;
	if (d->size > WB_BLOB_SIZE_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: a size of %llu bytes is not believable",
			what, (unsigned long long)d->size);
	if (platform && !json_is_null(platform)) {
		if (wb_platform_from_json(&d->platform, platform, what, err))
			return -1;
		d->has_platform = true;
	}
	d->media_type = wb_strdup(type);
	return 0;
}

int wb_descriptor_from_json(
	struct wb_descriptor *out, const json_t *o, const char *what, struct wb_err *err)
{
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;

	if (!json_is_object(o))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: the descriptor is not an object", what);
	if (read_fields(&d, o, what, err) || check_members(o, what, err) ||
		check_data(&d, o, what, err))
		return -1;
	d.more = take_more(o);
	*out = d;
	d = WB_DESCRIPTOR_INIT;
	return 0;
}

json_t *wb_descriptor_to_json(const struct wb_descriptor *d)
{
	json_t *o = json_object(), *v;
	const char *key;

	wb_json_set_str(o, "mediaType", d->media_type);
	wb_json_set_str(o, "digest", wb_digest_text(&d->digest).s);
	wb_json_set_u64(o, "size", d->size);
	json_object_foreach (d->more, key, v)
		wb_json_set(o, key, json_deep_copy(v));
	return o;
}

const char *wb_descriptor_annotation(const struct wb_descriptor *d, const char *name)
{
	return wb_json_str_opt(json_object_get(d->more, "annotations"), name);
}

void wb_descriptor_annotate(struct wb_descriptor *d, const char *name, const char *value)
{
	json_t *map = json_object_get(d->more, "annotations");

	if (!value) {
		json_object_del(map, name);
		if (map && !json_object_size(map))
			json_object_del(d->more, "annotations");
		return;
	}
	if (!d->more)
		d->more = json_object();
	if (!json_is_object(map)) {
		map = json_object();
		wb_json_set(d->more, "annotations", map);
	}
	wb_json_set_str(map, name, value);
}

void wb_descriptor_set_platform(struct wb_descriptor *d, const struct wb_platform *p)
{
	if (!d->more)
		d->more = json_object();
	d->platform = *p;
	d->has_platform = true;
	wb_json_set(d->more, "platform", wb_platform_to_json(p));
}

const char *wb_descriptor_artifact_type(const struct wb_descriptor *d)
{
	return wb_json_str_opt(d->more, "artifactType");
}
