/* What holds for every transport: documents are what they are said to be, and within limits. */
#include "wbtest.h"

#include "base/sha256.h"
#include "oci/mediatype.h"
#include "oci/transport.h"

/* A place that gives out what the test wants. */
struct liar {
	struct wb_transport t;
	const char *type, *text;
	uint64_t size; /* 0: the text's */
	bool says_digest;
};

static int give(struct wb_document *out, struct liar *l)
{
	wb_document_set(out, l->type ? l->type : "", wb_strdup(l->text), strlen(l->text));
	if (!l->type) {
		free(out->desc.media_type);
		out->desc.media_type = NULL;
	}
	if (l->size)
		out->desc.size = l->size;
	if (l->says_digest)
		out->desc.digest.bytes[0] ^= 1;
	return 0;
}

static int resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err)
{
	return give(out, (struct liar *)t);
}

static int get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err)
{
	return give(out, (struct liar *)t);
}

static void liar_free(struct wb_transport *t)
{
}

static const struct wb_transport_ops ops = {
	.name = "liar", .resolve = resolve, .get_manifest = get_manifest, .free = liar_free};
static const struct wb_transport_ops writes_only = {.name = "writer", .free = liar_free};

static struct liar liar(const char *type, const char *text)
{
	return (struct liar){
		.t = {.ops = &ops, .label = (char *)"here"}, .type = type, .text = text};
}

static void documents(void **state)
{
	static const struct {
		const char *type, *text;
		enum wb_code code; /* WB_OK: taken, as `want` */
		const char *want;
	} cases[] = {
		/* Types are what the members make them where nobody says any. */
		{NULL, "{\"manifests\":[]}", WB_OK, WB_MT_OCI_INDEX},
		{NULL, "{\"layers\":[]}", WB_OK, WB_MT_OCI_MANIFEST},
		{WB_MT_DOCKER_MANIFEST, "{\"config\":{}}", WB_ERR_FORMAT, "states the type"},
		/* One document must not be two things for two readers. */
		{NULL, "{\"manifests\":[],\"layers\":[]}", WB_ERR_FORMAT,
			"a manifest and an index at once"},
		{WB_MT_OCI_MANIFEST, "{\"manifests\":[],\"config\":{}}", WB_ERR_FORMAT, "at once"},
		{NULL, "{\"fsLayers\":[]}", WB_ERR_UNSUPPORTED,
			"neither an image manifest nor an image index"},
		{NULL, "{}", WB_ERR_UNSUPPORTED, "application/octet-stream"},
		{NULL, "[]", WB_ERR_UNSUPPORTED, "neither"},
		{WB_MT_OCI_MANIFEST, "", WB_ERR_FORMAT, "not valid JSON"},
		{"text/html", "{}", WB_ERR_UNSUPPORTED, "text/html"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		struct wb_err err = WB_ERR_INIT;
		WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
		struct liar l = liar(cases[i].type, cases[i].text);

		if (cases[i].code == WB_OK) {
			assert_ok(wb_transport_resolve(&doc, &l.t, NULL, &err), &err);
			assert_string_equal(doc.desc.media_type, cases[i].want);
			continue;
		}
		assert_err(wb_transport_resolve(&doc, &l.t, NULL, &err), &err, cases[i].code);
		assert_contains(err.text, cases[i].want);
		assert_null(doc.bytes);
	}
}

static void digests_and_sizes(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	struct liar l = liar(WB_MT_OCI_INDEX, "{\"manifests\":[]}");

	wb_descriptor_of(&d, WB_MT_OCI_INDEX, l.text, strlen(l.text));
	assert_ok(wb_transport_get_manifest(&doc, &l.t, &d, &err), &err);
	wb_document_release(&doc);
	wb_autofree char *right = wb_strdup(wb_digest_text(&d.digest).s);

	assert_ok(wb_transport_resolve(&doc, &l.t, right, &err), &err);
	wb_document_release(&doc);
	d.size++;
	assert_err(wb_transport_get_manifest(&doc, &l.t, &d, &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "its descriptor says 17");
	d.size = WB_OCI_MANIFEST_MAX + 1;
	assert_err(wb_transport_get_manifest(&doc, &l.t, &d, &err), &err, WB_ERR_LIMIT);
	d.digest.bytes[5] ^= 1;
	d.size = strlen(l.text);
	assert_err(wb_transport_get_manifest(&doc, &l.t, &d, &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "is damaged");
	wb_autofree char *wrong = wb_strdup(wb_digest_text(&d.digest).s);

	assert_err(wb_transport_resolve(&doc, &l.t, wrong, &err), &err, WB_ERR_INTEGRITY);
	assert_int_equal(wb_transport_resolve(&doc, &l.t, "sha256:short", &err), -1);
	l.says_digest = true; /* the place's own word about it */
	assert_err(wb_transport_resolve(&doc, &l.t, NULL, &err), &err, WB_ERR_INTEGRITY);
	l.size = WB_OCI_MANIFEST_MAX + 1;
	assert_err(wb_transport_resolve(&doc, &l.t, NULL, &err), &err, WB_ERR_LIMIT);
}

static void ways_that_are_closed(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	struct wb_transport reader = {.ops = &ops, .label = (char *)"here"},
			    writer = {.ops = &writes_only, .label = (char *)"there"};
	bool there = true;

	wb_descriptor_of(&d, WB_MT_OCI_INDEX, "{}", 2);
	assert_err(wb_transport_resolve(&doc, &writer, NULL, &err), &err, WB_ERR_UNSUPPORTED);
	assert_contains(err.text, "there is being written");
	assert_err(wb_transport_get_manifest(&doc, &writer, &d, &err), &err, WB_ERR_UNSUPPORTED);
	assert_err(wb_transport_put_bytes(&reader, &d, "{}", &err), &err, WB_ERR_UNSUPPORTED);
	assert_contains(err.text, "here is open for reading only");
	assert_err(wb_transport_put_manifest(&reader, &doc, &(struct wb_manifest_put){0}, &err),
		&err, WB_ERR_UNSUPPORTED);
	doc.desc.size = WB_OCI_MANIFEST_MAX + 1;
	assert_err(wb_transport_put_manifest(&writer, &doc, &(struct wb_manifest_put){0}, &err),
		&err, WB_ERR_LIMIT);
	assert_ok(wb_transport_has_manifest(&there, &reader, &d, &err), &err);
	assert_false(there); /* it cannot tell */
	assert_ok(wb_transport_announce(&reader, &d, 1, &err), &err);
	assert_ok(wb_transport_check_image(&reader, &d, 1, &err), &err);
	assert_ok(wb_transport_commit(&reader, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents),
		cmocka_unit_test(digests_and_sizes),
		cmocka_unit_test(ways_that_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
