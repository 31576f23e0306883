#include "oci/layout_index.h"

#include <stdio.h>
#include <string.h>

#include "oci/manifest.h"
#include "oci/mediatype.h"

void wb_layout_index_release(struct wb_layout_index *x)
{
	json_decref(x->json);
	wb_descriptors_release(&x->entries);
	*x = WB_LAYOUT_INDEX_INIT;
}

void wb_layout_index_empty(struct wb_layout_index *out)
{
	json_t *j = json_object();

	wb_json_set_u64(j, "schemaVersion", 2);
	wb_json_set_str(j, "mediaType", WB_MT_OCI_INDEX);
	*out = (struct wb_layout_index){.json = j};
}

int wb_layout_index_parse(struct wb_layout_index *out, const char *text, size_t n, const char *what,
	struct wb_err *err)
{
	WB_AUTO(wb_layout_index_release) struct wb_layout_index x = WB_LAYOUT_INDEX_INIT;

	x.json = wb_json_parse(text, n, what, err);
	if (!x.json)
		return -1;
	const json_t *list = json_object_get(x.json, "manifests");

	if (!json_is_object(x.json) || !json_is_array(list))
		return wb_err_set(err, WB_ERR_FORMAT, "%s: index.json is not an image index", what);
	if (json_array_size(list) > WB_OCI_CHILDREN_MAX)
		return wb_err_set(err, WB_ERR_LIMIT, "%s: %zu images, more than the limit of %d",
			what, json_array_size(list), WB_OCI_CHILDREN_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		wb_autofree char *name = wb_asprintf("%s: image %zu of index.json", what, i + 1);

		if (wb_descriptor_from_json(
			    wb_vec_push(&x.entries), json_array_get(list, i), name, err))
			return -1;
	}
	json_object_del(x.json, "manifests");
	*out = x;
	x = WB_LAYOUT_INDEX_INIT;
	return 0;
}

char *wb_layout_index_dump(const struct wb_layout_index *x)
{
	wb_autojson json_t *j = json_copy(x->json);
	json_t *list = json_array();

	wb_vec_foreach (d, &x->entries)
		wb_json_append(list, wb_descriptor_to_json(d));
	wb_json_set(j, "manifests", list);
	return wb_json_dump(j);
}

static const char *entry_name(const struct wb_descriptor *d)
{
	return wb_descriptor_annotation(d, WB_REF_NAME);
}

static bool has_name(const struct wb_descriptor *d, const char *name)
{
	const char *tag = entry_name(d), *full = wb_descriptor_annotation(d, WB_CONTAINERD_NAME);

	return (tag && !strcmp(tag, name)) || (full && !strcmp(full, name));
}

static void hint_names(const struct wb_layout_index *x, struct wb_err *err)
{
	char names[400] = "";
	size_t n = 0;

	wb_vec_foreach (d, &x->entries) {
		const struct wb_digest_text digest = wb_digest_text(&d->digest);
		const char *name = entry_name(d) ? entry_name(d) : digest.s;

		if (n + strlen(name) + 8 > sizeof(names)) {
			snprintf(names + n, sizeof(names) - n, ", …");
			break;
		}
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", name);
	}
	if (n)
		wb_err_hint(err, "it has %s", names);
}

static int ambiguous(
	const struct wb_layout_index *x, const char *tag, const char *what, struct wb_err *err)
{
	if (tag)
		wb_err_set(err, WB_ERR_FORMAT, "%s has more than one image called \"%.100s\"", what,
			tag);
	else
		wb_err_set(err, WB_ERR_USAGE, "%s holds more than one image: name a tag", what);
	hint_names(x, err);
	return -1;
}

const struct wb_descriptor *wb_layout_index_find(
	const struct wb_layout_index *x, const char *tag, const char *what, struct wb_err *err)
{
	const struct wb_descriptor *found = NULL;

	wb_vec_foreach (d, &x->entries) {
		if (tag && !has_name(d, tag))
			continue;
		if (found && !wb_digest_equal(&found->digest, &d->digest)) {
			ambiguous(x, tag, what, err);
			return NULL;
		}
		found = d;
	}
	if (found)
		return found;
	if (tag)
		wb_err_set(err, WB_ERR_NOT_FOUND, "%s has no image called \"%.100s\"", what, tag);
	else
		wb_err_set(err, WB_ERR_NOT_FOUND, "%s holds no image", what);
	hint_names(x, err);
	return NULL;
}

const struct wb_descriptor *wb_layout_index_find_digest(
	const struct wb_layout_index *x, const struct wb_digest *digest)
{
	wb_vec_foreach (d, &x->entries)
		if (wb_digest_equal(&d->digest, digest))
			return d;
	return NULL;
}

static void drop(struct wb_layout_index *x, size_t i)
{
	wb_descriptor_release(&x->entries.items[i]);
	memmove(&x->entries.items[i], &x->entries.items[i + 1],
		(x->entries.n - i - 1) * sizeof(x->entries.items[0]));
	x->entries.n--;
}

void wb_layout_index_put(
	struct wb_layout_index *x, const struct wb_descriptor *d, const char *tag, const char *name)
{
	for (size_t i = x->entries.n; i-- > 0;) {
		const struct wb_descriptor *old = &x->entries.items[i];
		const char *old_tag = entry_name(old);
		const char *old_name = wb_descriptor_annotation(old, WB_CONTAINERD_NAME);
		bool same_tag = tag ? old_tag && !strcmp(old_tag, tag) : !old_tag;
		bool same_name = name && old_name && !strcmp(name, old_name);
		/* "a:v1" and "b:v1" have one tag and are two images. */
		bool other_name = name && old_name && !same_name;

		if (same_name || (same_tag && !other_name))
			drop(x, i);
	}
	struct wb_descriptor *entry = wb_vec_push(&x->entries);

	wb_descriptor_copy(entry, d);
	wb_descriptor_annotate(entry, WB_REF_NAME, tag);
	wb_descriptor_annotate(entry, WB_CONTAINERD_NAME, name);
}

int wb_layout_file_check(const char *text, size_t n, const char *what, struct wb_err *err)
{
	wb_autojson json_t *j = wb_json_parse(text, n, what, err);
	const char *version;

	if (!j || wb_json_str(&version, j, "imageLayoutVersion", what, err))
		return -1;
	if (strncmp(version, "1.", 2))
		return wb_err_set(err, WB_ERR_UNSUPPORTED,
			"%s is an OCI layout of version \"%.20s\"; 1.0.0 is supported", what,
			version);
	return 0;
}
