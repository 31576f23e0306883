#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "oci/manifest.h"
#include "oci/mediatype.h"
#include "oci/registry_internal.h"

#define ACCEPT                                                                    \
	"Accept: " WB_MT_OCI_INDEX ", " WB_MT_OCI_MANIFEST ", " WB_MT_DOCKER_LIST \
	", " WB_MT_DOCKER_MANIFEST

static const char *const accept_headers[] = {ACCEPT, NULL};

static char *digest_path(const struct wb_digest *d)
{
	return wb_asprintf("manifests/%s", wb_digest_text(d).s);
}

/* The type as the header has it, without parameters; NULL where it says nothing of use. */
static char *type_of(const struct wb_http_result *r)
{
	const char *type = wb_http_result_header(r, "Content-Type");

	if (!type)
		return NULL;
	wb_autofree char *bare = wb_strndup(type, strcspn(type, "; \t"));
	static const char *const vague[] = {
		"", "text/plain", "application/json", "application/octet-stream"};

	for (size_t i = 0; i < WB_ARRAY_LEN(vague); i++)
		if (!strcasecmp(bare, vague[i]))
			return NULL;
	return wb_steal(bare);
}

/* A registry that names the digest must name the one of the bytes it sent. */
static int check_named(const struct wb_document *doc, const struct wb_http_result *r,
	const char *label, struct wb_err *err)
{
	const char *named = wb_http_result_header(r, "Docker-Content-Digest");
	struct wb_digest d;
	struct wb_err ignored = WB_ERR_INIT;

	if (!named || wb_digest_parse(&d, named, &ignored) ||
		wb_digest_equal(&d, &doc->desc.digest))
		return 0;
	return wb_err_set(err, WB_ERR_INTEGRITY,
		"%s: the manifest that came has the digest %s, the registry says %s", label,
		wb_digest_text(&doc->desc.digest).s, named);
}

/* GET of manifests/…; *found false (and no error) for a 404 when found is given. */
static int fetch(struct wb_document *out, bool *found, struct wb_registry *reg, const char *path,
	struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http *h = wb_registry_engine(reg, err);
	wb_autofree char *url = h ? wb_registry_url(reg, h, err, "%s", path) : NULL;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	int rc = -1;

	p.url = url;
	p.headers = accept_headers;
	p.body_limit = WB_OCI_MANIFEST_MAX;
	if (url)
		rc = wb_registry_call(&r, reg, h, &p, reg->pull, err);
	wb_registry_engine_back(reg, h);
	if (rc)
		return wb_err_wrap(err, "%s", reg->t.label);
	if (found)
		*found = r.response.status != 404;
	if (found && !*found)
		return 0;
	if (r.response.status != 200) {
		wb_autofree char *doing = wb_asprintf("reading %s (%s)", reg->t.label, path);

		return wb_registry_status_err(err, reg, &r.response, doing);
	}
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	wb_autofree char *type = type_of(&r);
	size_t n = r.response.body.len;

	wb_document_set(&doc, type ? type : "", wb_buf_steal(&r.response.body), n);
	if (!type) {
		free(doc.desc.media_type);
		doc.desc.media_type = NULL;
	}
	if (check_named(&doc, &r, reg->t.label, err))
		return -1;
	*out = doc;
	doc = WB_DOCUMENT_INIT;
	return 0;
}

int wb_registry_resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	wb_autofree char *own = reg->ref.has_digest
	                                ? wb_strdup(wb_digest_text(&reg->ref.digest).s)
	                                : wb_strdup(reg->ref.tag ? reg->ref.tag : "latest");
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_digest d;

	if (!ref)
		ref = own;
	if (!wb_tag_valid(ref) && wb_digest_parse(&d, ref, &ignored)) {
		wb_autofree char *shown = wb_text_quote(ref, 140);

		return wb_err_set(err, WB_ERR_USAGE, "%s: \"%s\" is neither a tag nor a digest",
			t->label, shown);
	}
	wb_autofree char *path = wb_asprintf("manifests/%s", ref);

	if (fetch(out, NULL, reg, path, err))
		return -1;
	if (!wb_tag_valid(ref) && !wb_digest_equal(&out->desc.digest, &d)) {
		wb_err_set(err, WB_ERR_INTEGRITY, "%s: the manifest that came has the digest %s",
			t->label, wb_digest_text(&out->desc.digest).s);
		wb_document_release(out);
		return -1;
	}
	return 0;
}

int wb_registry_get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err)
{
	wb_autofree char *path = digest_path(&d->digest);

	if (fetch(out, NULL, (struct wb_registry *)t, path, err))
		return -1;
	if (!out->desc.media_type)
		out->desc.media_type = wb_strdup(d->media_type);
	return 0;
}

int wb_registry_has_manifest(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	struct wb_http *h = wb_registry_engine(reg, err);
	wb_autofree char *path = digest_path(&d->digest);
	wb_autofree char *url = h ? wb_registry_url(reg, h, err, "%s", path) : NULL;
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	int rc = -1;

	p.method = WB_HTTP_HEAD;
	p.url = url;
	p.headers = accept_headers;
	if (url)
		rc = wb_registry_call(&r, reg, h, &p, reg->pull, err);
	wb_registry_engine_back(reg, h);
	if (!rc)
		*out = r.response.status == 200;
	return rc;
}

/* --- writing --- */

static int put(struct wb_http_result *r, struct wb_registry *reg, const char *where,
	const struct wb_document *m, struct wb_err *err)
{
	struct wb_http *h = wb_registry_engine(reg, err);
	wb_autofree char *url = h ? wb_registry_url(reg, h, err, "manifests/%s", where) : NULL;
	wb_autofree char *type = wb_asprintf("Content-Type: %s", m->desc.media_type);
	const char *const headers[] = {type, NULL};
	struct wb_http_params p = WB_HTTP_PARAMS_INIT;
	int rc = -1;

	p.method = WB_HTTP_PUT;
	p.url = url;
	p.headers = headers;
	p.body = m->bytes;
	p.body_len = (size_t)m->desc.size;
	p.idempotent = true;
	if (url)
		rc = wb_registry_call(r, reg, h, &p, reg->push, err);
	wb_registry_engine_back(reg, h);
	if (rc)
		return wb_err_wrap(err, "%s", reg->t.label);
	if (r->response.status == 201 || r->response.status == 200 || r->response.status == 202)
		return 0;
	wb_autofree char *doing = wb_asprintf(
		"writing the manifest %s to %s", wb_digest_text(&m->desc.digest).s, reg->t.label);

	return wb_registry_status_err(err, reg, &r->response, doing);
}

static json_t *empty_index(void)
{
	json_t *o = json_object();

	wb_json_set_u64(o, "schemaVersion", 2);
	wb_json_set_str(o, "mediaType", WB_MT_OCI_INDEX);
	wb_json_set(o, "manifests", json_array());
	return o;
}

/* The index under the referrers tag as it is now; an empty one when there is none. */
static json_t *tagged_referrers(
	struct wb_registry *reg, const struct wb_digest *subject, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	const struct wb_digest_text tag = wb_referrers_tag(subject);
	wb_autofree char *path = wb_asprintf("manifests/%s", tag.s);
	bool found = false;

	if (fetch(&doc, &found, reg, path, err))
		return NULL;
	if (!found)
		return empty_index();
	json_t *o = wb_json_parse(doc.bytes, (size_t)doc.desc.size, path, err);

	if (o && !json_is_array(json_object_get(o, "manifests"))) {
		json_decref(o);
		wb_err_set(err, WB_ERR_FORMAT, "%s: the tag \"%s\" is not an index of referrers",
			reg->t.label, tag.s);
		return NULL;
	}
	return o;
}

static bool index_lists(const json_t *index, const struct wb_digest *d)
{
	size_t i;
	json_t *entry;

	json_array_foreach (json_object_get(index, "manifests"), i, entry) {
		const char *digest = wb_json_str_opt(entry, "digest");

		if (digest && !strcmp(digest, wb_digest_text(d).s))
			return true;
	}
	return false;
}

/* The entry for m: its type as an artifact, and its annotations (distribution-spec, "Referrers tag
 * schema"). */
static json_t *referrer_entry(const struct wb_document *m, const json_t *manifest)
{
	json_t *entry = json_object(), *annotations = json_object_get(manifest, "annotations");
	const char *artifact = wb_json_str_opt(manifest, "artifactType");

	if (!artifact || !*artifact)
		artifact = wb_json_str_opt(json_object_get(manifest, "config"), "mediaType");
	wb_json_set_str(entry, "mediaType", m->desc.media_type);
	wb_json_set_str(entry, "digest", wb_digest_text(&m->desc.digest).s);
	wb_json_set_u64(entry, "size", m->desc.size);
	if (artifact)
		wb_json_set_str(entry, "artifactType", artifact);
	if (json_is_object(annotations))
		wb_json_set(entry, "annotations", json_incref(annotations));
	return entry;
}

static int tag_referrer(struct wb_registry *reg, const struct wb_document *m,
	const json_t *manifest, const struct wb_digest *subject, struct wb_err *err)
{
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	wb_autojson json_t *index = tagged_referrers(reg, subject, err);

	if (!index)
		return -1;
	if (index_lists(index, &m->desc.digest))
		return 0;
	wb_json_append(json_object_get(index, "manifests"), referrer_entry(m, manifest));
	char *text = wb_json_dump(index);

	wb_document_set(&doc, WB_MT_OCI_INDEX, text, strlen(text));
	return put(&r, reg, wb_referrers_tag(subject).s, &doc, err);
}

int wb_registry_put_manifest(struct wb_transport *t, const struct wb_document *m,
	const struct wb_manifest_put *how, struct wb_err *err)
{
	struct wb_registry *reg = (struct wb_registry *)t;
	WB_AUTO(wb_http_result_release) struct wb_http_result r = WB_HTTP_RESULT_INIT;
	const char *tag = how->tag ? how->tag : reg->ref.tag;
	wb_autojson json_t *o = wb_json_parse(m->bytes, (size_t)m->desc.size, t->label, err);
	struct wb_digest subject, named;
	struct wb_err ignored = WB_ERR_INIT;

	if (!o)
		return -1;
	if (put(&r, reg, how->root && tag ? tag : wb_digest_text(&m->desc.digest).s, m, err))
		return -1;
	const char *says = wb_http_result_header(&r, "Docker-Content-Digest");

	if (says && !wb_digest_parse(&named, says, &ignored) &&
		!wb_digest_equal(&named, &m->desc.digest))
		return wb_err_set(err, WB_ERR_INTEGRITY,
			"%s: the registry stored the manifest %s as %s", t->label,
			wb_digest_text(&m->desc.digest).s, says);
	const char *of = wb_json_str_opt(json_object_get(o, "subject"), "digest");

	if (!of || wb_http_result_header(&r, "OCI-Subject"))
		return 0;
	if (wb_digest_parse(&subject, of, err))
		return wb_err_wrap(err, "the subject of a manifest");
	return tag_referrer(reg, m, o, &subject, err);
}
