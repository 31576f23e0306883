#include "wbtest.h"

#include "oci/descriptor.h"
#include "oci/mediatype.h"

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static int read_text(struct wb_descriptor *out, const char *text, struct wb_err *err)
{
	wb_autojson json_t *o = wb_json_parse(text, strlen(text), "test", err);

	return o ? wb_descriptor_from_json(out, o, "layer 1", err) : -1;
}

static void test_round_trip(void **state)
{
	static const char text[] =
		"{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"" EMPTY "\","
		"\"size\":2,\"x-unknown\":{\"b\":[1,2.5,null],\"a\":true},"
		"\"annotations\":{\"z\":\"1\",\"a\":\"2\"},\"data\":\"e30=\","
		"\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\","
		"\"os.features\":[\"q\"]},\"artifactType\":\"a/b\",\"urls\":[\"https://h/x\"]}";
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;

	assert_ok(read_text(&d, text, &err), &err);
	assert_string_equal(d.media_type, WB_MT_OCI_EMPTY);
	assert_int_equal(d.size, 2);
	assert_true(d.has_platform);
	assert_string_equal(wb_platform_text(&d.platform).s, "linux/arm64/v8");
	assert_string_equal(wb_descriptor_annotation(&d, "z"), "1");
	assert_null(wb_descriptor_annotation(&d, "none"));
	assert_string_equal(wb_descriptor_artifact_type(&d), "a/b");

	WB_AUTO(wb_descriptor_release) struct wb_descriptor copy = WB_DESCRIPTOR_INIT;

	wb_descriptor_copy(&copy, &d);
	wb_descriptor_annotate(&d, "z", NULL);
	wb_autojson json_t *back = wb_descriptor_to_json(&copy);
	wb_autofree char *out = wb_json_dump(back);

	assert_string_equal(out, text);
}

static void test_annotate(void **state)
{
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	struct wb_platform p = {.os = "linux", .arch = "amd64"};

	wb_descriptor_of(&d, WB_MT_OCI_EMPTY, "{}", 2);
	assert_string_equal(wb_digest_text(&d.digest).s, EMPTY);
	wb_descriptor_annotate(&d, "k", NULL);
	wb_descriptor_annotate(&d, "k", "v");
	wb_descriptor_annotate(&d, "k", "w");
	assert_string_equal(wb_descriptor_annotation(&d, "k"), "w");
	wb_descriptor_annotate(&d, "k", NULL);
	assert_null(wb_descriptor_annotation(&d, "k"));
	wb_descriptor_set_platform(&d, &p);
	wb_autojson json_t *o = wb_descriptor_to_json(&d);
	wb_autofree char *text = wb_json_dump(o);

	assert_string_equal(text,
		"{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"" EMPTY
		"\",\"size\":2,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}");
}

static void test_refuses(void **state)
{
#define D(rest) "{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2" rest "}"
	static const struct {
		const char *text;
		enum wb_code code;
		const char *part;
	} bad[] = {
		{"[]", WB_ERR_FORMAT, "not an object"},
		{"{}", WB_ERR_FORMAT, "mediaType"},
		{"{\"mediaType\":\"plain\",\"digest\":\"" EMPTY "\",\"size\":2}", WB_ERR_FORMAT,
			"media type"},
		{"{\"mediaType\":\"a/\\u001b[31m\",\"digest\":\"" EMPTY "\",\"size\":2}",
			WB_ERR_FORMAT, "media type"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"sha256:44\",\"size\":2}", WB_ERR_FORMAT,
			"not a digest"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"sha256:"
		 "44136FA355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}",
			WB_ERR_FORMAT, "not a digest"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"blake3:00ff\",\"size\":2}",
			WB_ERR_UNSUPPORTED, "blake3"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"../../x\",\"size\":2}", WB_ERR_FORMAT,
			"not a digest"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":-1}", WB_ERR_FORMAT,
			"size"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":2.0}", WB_ERR_FORMAT,
			"size"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" EMPTY "\",\"size\":9000000000000000000}",
			WB_ERR_LIMIT, "size"},
		{D(",\"annotations\":{\"a\":1}"), WB_ERR_FORMAT, "annotations"},
		{D(",\"annotations\":[]"), WB_ERR_FORMAT, "annotations"},
		{D(",\"urls\":[1]"), WB_ERR_FORMAT, "urls"},
		{D(",\"platform\":\"linux\""), WB_ERR_FORMAT, "platform"},
		{D(",\"artifactType\":{}"), WB_ERR_FORMAT, "artifactType"},
		{D(",\"data\":\"e30\""), WB_ERR_FORMAT, "base64"},
		{D(",\"data\":\"e31=\""), WB_ERR_FORMAT, "base64"},
		{D(",\"data\":7"), WB_ERR_FORMAT, "base64"},
		{D(",\"data\":\"e30K\""), WB_ERR_INTEGRITY, "data"},
		{D(",\"size\":3"), WB_ERR_FORMAT, "duplicate"},
	};
	struct wb_err err = WB_ERR_INIT;
	struct wb_descriptor d = WB_DESCRIPTOR_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_err(read_text(&d, bad[i].text, &err), &err, bad[i].code);
		assert_contains(err.text, bad[i].part);
	}
	assert_null(d.media_type);
#undef D
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_annotate),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
