#include "wbtest.h"

#include "oci/manifest.h"
#include "oci/mediatype.h"

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define DESC(type) "{\"mediaType\":\"" type "\",\"digest\":\"" EMPTY "\",\"size\":2}"
#define CONFIG DESC("application/vnd.oci.image.config.v1+json")
#define LAYER DESC("application/vnd.oci.image.layer.v1.tar+zstd")

static void document(struct wb_document *doc, const char *type, const char *text)
{
	wb_document_set(doc, type, wb_strdup(text), strlen(text));
}

static int parse(struct wb_manifest *m, const char *type, const char *text, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	document(&doc, type, text);
	return wb_manifest_parse(m, &doc, "m", err);
}

static void test_manifest(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	wb_autojson json_t *notes = json_pack("{s:s}", "k", "v");
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":" CONFIG ",\"layers\":[" LAYER "," LAYER
		"],\"annotations\":{\"k\":\"v\"}}";

	assert_ok(parse(&m, WB_MT_OCI_MANIFEST, text, &err), &err);
	assert_int_equal(m.layers.n, 2);
	assert_true(m.image);
	assert_false(m.docker);
	assert_ok(
		wb_manifest_build(&doc, &m.config, m.layers.items, m.layers.n, notes, false, &err),
		&err);
	assert_string_equal(doc.bytes, text);
	assert_int_equal(doc.desc.size, strlen(text));
}

static void test_artifact(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	assert_ok(
		parse(&m, WB_MT_OCI_MANIFEST,
			"{\"schemaVersion\":2,\"artifactType\":\"a/b\",\"config\":" DESC(
				"application/vnd.oci.empty.v1+json") ",\"layers\":[" DESC("x/y") "]"
												 "}",
			&err),
		&err);
	assert_false(m.image);
}

static void test_manifest_refuses(void **state)
{
	static const struct {
		const char *text;
		enum wb_code code;
		const char *part;
	} bad[] = {
		{"", WB_ERR_FORMAT, "JSON"},
		{"[]", WB_ERR_FORMAT, "object"},
		{"{\"schemaVersion\":1}", WB_ERR_FORMAT, "schemaVersion"},
		{"{\"schemaVersion\":2}", WB_ERR_FORMAT, "config"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG "}", WB_ERR_FORMAT, "layer"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER ",7]}",
			WB_ERR_FORMAT, "layer 2"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" DESC("x/y") "]}",
			WB_ERR_UNSUPPORTED, "layer 1"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}",
			WB_ERR_FORMAT, "at once"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"layers\":[]}",
			WB_ERR_FORMAT, "duplicate"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]} x", WB_ERR_FORMAT,
			"JSON"},
	};
	struct wb_err err = WB_ERR_INIT;
	struct wb_manifest m = WB_MANIFEST_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_err(parse(&m, WB_MT_OCI_MANIFEST, bad[i].text, &err), &err, bad[i].code);
		assert_contains(err.text, bad[i].part);
	}
}

static void test_layer_limit(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, 1 << 20, "test");
	wb_buf_must(&b, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[");
	for (int i = 0; i <= WB_OCI_LAYERS_MAX; i++)
		wb_buf_must(&b, "%s" LAYER, i ? "," : "");
	wb_buf_must(&b, "]}");
	assert_err(parse(&m, WB_MT_OCI_MANIFEST, b.data, &err), &err, WB_ERR_LIMIT);
}

#define CHILD(os, arch, more)                                                               \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" EMPTY \
	"\",\"size\":2,\"platform\":{\"architecture\":\"" arch "\",\"os\":\"" os "\"}" more "}"

static void read_index(struct wb_index *x, const char *children)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	wb_autofree char *text =
		wb_asprintf("{\"schemaVersion\":2,\"manifests\":[%s],\"x-own\":1}", children);

	document(&doc, WB_MT_OCI_INDEX, text);
	assert_ok(wb_index_parse(x, &doc, "x", &err), &err);
}

static void test_select(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_platform want;
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;

	read_index(&x, CHILD("linux", "amd64", "") "," CHILD("linux", "arm64", "") "," CHILD(
			       "unknown", "unknown",
			       ",\"annotations\":{\"vnd.docker.reference.type\":"
			       "\"attestation-manifest\",\"vnd.docker.reference.digest\":\"" EMPTY
			       "\"}") "," CHILD("linux", "s390x", ",\"artifactType\":\"a/b\""));
	assert_int_equal(x.children.n, 4);
	assert_ok(wb_platform_parse(&want, "linux/arm64/v8", &err), &err);
	assert_ptr_equal(wb_index_select(&x, &want, "x", &err), &x.children.items[1]);

	assert_ok(wb_platform_parse(&want, "linux/s390x", &err), &err);
	assert_null(wb_index_select(&x, &want, "x", &err));
	assert_int_equal(err.code, WB_ERR_NOT_FOUND);
	assert_contains(err.hint, "linux/amd64, linux/arm64;");
	assert_null(strstr(err.hint, "unknown"));

	struct wb_digest of = {{0}};

	assert_true(wb_child_is_attestation(&of, &x.children.items[2]));
	assert_string_equal(wb_digest_text(&of).s, EMPTY);
	assert_false(wb_child_is_image(&x.children.items[2]));
	assert_false(wb_child_is_image(&x.children.items[3]));
	assert_true(wb_child_is_image(&x.children.items[0]));
}

static void test_index_build(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_index_release) struct wb_index x = WB_INDEX_INIT;
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;

	read_index(&x, CHILD("linux", "amd64", ",\"x-more\":[1]"));
	assert_ok(wb_index_build(&doc, x.children.items, x.children.n, NULL, true, &err), &err);
	assert_string_equal(doc.bytes,
		"{\"schemaVersion\":2,\"mediaType\":"
		"\"application/"
		"vnd.docker.distribution.manifest.list.v2+json\",\"manifests\":[" CHILD(
			"linux", "amd64", ",\"x-more\":[1]") "]}");
}

static void test_referrers_tag(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	assert_ok(wb_digest_parse(&d, EMPTY, &err), &err);
	assert_string_equal(wb_referrers_tag(&d).s,
		"sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_artifact),
		cmocka_unit_test(test_manifest_refuses),
		cmocka_unit_test(test_layer_limit),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_index_build),
		cmocka_unit_test(test_referrers_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
