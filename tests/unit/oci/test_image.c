#include "wbtest.h"

#include "oci/image.h"
#include "oci/mediatype.h"

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define DESC(type) "{\"mediaType\":\"" type "\",\"digest\":\"" EMPTY "\",\"size\":2}"

#define DOCKER_CONFIG DESC("application/vnd.docker.container.image.v1+json")
#define DOCKER_LAYER DESC("application/vnd.docker.image.rootfs.diff.tar.gzip")

static const char docker_manifest[] =
	"{\"schemaVersion\":2,\"mediaType\":"
	"\"application/vnd.docker.distribution.manifest.v2+json\",\"config\":" DOCKER_CONFIG
	",\"layers\":[" DOCKER_LAYER "]}";

static int parse_as(
	struct wb_image *out, const char *manifest, const char *config, struct wb_err *err)
{
	WB_AUTO(wb_document_release) struct wb_document doc = WB_DOCUMENT_INIT;
	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;

	wb_document_set(&doc, WB_MT_DOCKER_MANIFEST, wb_strdup(manifest), strlen(manifest));
	assert_ok(wb_manifest_parse(&m, &doc, "base", err), err);
	return wb_image_parse(out, &m, config, strlen(config), "base", err);
}

static int parse(struct wb_image *out, const char *config, struct wb_err *err)
{
	return parse_as(out, docker_manifest, config, err);
}

static void add(struct wb_image *img, const char *created_by)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_descriptor_release) struct wb_descriptor d = WB_DESCRIPTOR_INIT;
	const struct wb_history h = {.created = "1970-01-01T00:00:00Z", .created_by = created_by};

	wb_descriptor_of(&d, WB_MT_OCI_LAYER_ZSTD, created_by, strlen(created_by));
	assert_ok(wb_image_add_layer(img, &d, &d.digest, &h, &err), &err);
}

/* A docker base: its own members survive an edit byte for byte, its layer becomes OCI's type. */
static void test_docker_base(void **state)
{
	static const char config[] =
		"{\"architecture\":\"arm64\",\"config\":{\"Env\":[\"PATH=/bin\",\"A=1\"],"
		"\"Healthcheck\":{\"Interval\":30000000000},\"OnBuild\":null,\"Labels\":null},"
		"\"container_config\":{\"Hostname\":\"x\"},\"docker_version\":\"20.1\","
		"\"history\":[{\"created_by\":\"base\"},{\"empty_layer\":true}],"
		"\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" EMPTY
		"\"]},\"variant\":\"v8\"}";
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_document_release) struct wb_document manifest = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document out = WB_DOCUMENT_INIT;

	assert_ok(parse(&img, config, &err), &err);
	assert_string_equal(wb_platform_text(&img.platform).s, "linux/arm64/v8");
	assert_string_equal(img.layers.items[0].media_type, WB_MT_OCI_LAYER_GZIP);
	wb_autofree char *same = wb_json_dump(img.config);

	assert_string_equal(same, config);
	wb_image_set_env(&img, "PATH", "/sbin");
	wb_image_set_env(&img, "B", "2=3");
	wb_image_set_label(&img, "l", "v");
	add(&img, "weights");
	assert_ok(wb_image_finish(&manifest, &out, &img, NULL, false, &err), &err);
	assert_string_equal(out.desc.media_type, WB_MT_OCI_CONFIG);
	assert_contains(out.bytes, "\"Env\":[\"PATH=/sbin\",\"A=1\",\"B=2=3\"]");
	assert_contains(out.bytes, "\"Healthcheck\":{\"Interval\":30000000000},\"OnBuild\":null,"
				   "\"Labels\":{\"l\":\"v\"}}");
	assert_contains(out.bytes, "\"container_config\":{\"Hostname\":\"x\"}");
	assert_contains(out.bytes, "[{\"created_by\":\"base\"},{\"empty_layer\":true},{\"created\":"
				   "\"1970-01-01T00:00:00Z\",\"created_by\":\"weights\"}]");
	assert_contains(manifest.bytes, WB_MT_OCI_LAYER_GZIP);
	assert_null(strstr(manifest.bytes, "docker"));

	WB_AUTO(wb_manifest_release) struct wb_manifest m = WB_MANIFEST_INIT;
	WB_AUTO(wb_image_release) struct wb_image again = WB_IMAGE_INIT;

	assert_ok(wb_manifest_parse(&m, &manifest, "again", &err), &err);
	assert_ok(wb_image_parse(&again, &m, out.bytes, out.desc.size, "again", &err), &err);
	assert_int_equal(again.diff_ids.n, 2);
}

static void test_edit(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_platform p = {.os = "linux", .arch = "amd64"};
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_image_release) struct wb_image copy = WB_IMAGE_INIT;
	const char *const argv[] = {"/.wbuild/init", "--"};

	wb_image_scratch(&img, &p);
	assert_null(wb_image_args(&img, WB_IMAGE_CMD));
	wb_image_set_env(&img, "A", "");
	wb_image_set_env(&img, "AB", "x");
	wb_image_set_env(&img, "AB", "y"); /* in its place */
	wb_image_set_args(&img, WB_IMAGE_ENTRYPOINT, argv, 2);
	assert_int_equal(json_array_size(wb_image_args(&img, WB_IMAGE_ENTRYPOINT)), 2);
	wb_image_copy(&copy, &img);
	wb_image_set_args(&img, WB_IMAGE_ENTRYPOINT, NULL, 0);
	assert_null(wb_image_args(&img, WB_IMAGE_ENTRYPOINT));
	assert_non_null(wb_image_args(&copy, WB_IMAGE_ENTRYPOINT));
	assert_null(wb_image_text(&img, WB_IMAGE_WORKDIR));
	wb_image_set_label(&img, "a", "b");
	assert_string_equal(wb_image_label(&img, "a"), "b");
	wb_image_set_label(&img, "a", NULL);
	assert_null(wb_image_label(&img, "a"));
	wb_image_set_created(&img, "1970-01-01T00:00:00Z");

	WB_AUTO(wb_document_release) struct wb_document manifest = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document config = WB_DOCUMENT_INIT;

	assert_ok(wb_image_finish(&manifest, &config, &img, NULL, false, &err), &err);
	assert_string_equal(config.bytes,
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=\",\"AB=y\"]"
		","
		"\"Labels\":{}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"history\":[],"
		"\"created\":\"1970-01-01T00:00:00Z\"}");
}

/* A base with a layer that its history does not tell of: ours must not be taken for it. */
static void test_short_history(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;

	assert_ok(parse(&img,
			  "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":"
			  "\"layers\",\"diff_ids\":[\"" EMPTY "\"]}}",
			  &err),
		&err);
	add(&img, "w");
	const json_t *history = json_object_get(img.config, "history");

	assert_int_equal(json_array_size(history), 2);
	assert_string_equal(wb_json_str_opt(json_array_get(history, 1), "created_by"), "w");
}

static void test_docker_finish(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_image_release) struct wb_image img = WB_IMAGE_INIT;
	WB_AUTO(wb_document_release) struct wb_document manifest = WB_DOCUMENT_INIT;
	WB_AUTO(wb_document_release) struct wb_document config = WB_DOCUMENT_INIT;

	assert_ok(parse(&img,
			  "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":"
			  "\"layers\",\"diff_ids\":[\"" EMPTY "\"]}}",
			  &err),
		&err);
	assert_ok(wb_image_finish(&manifest, &config, &img, NULL, true, &err), &err);
	assert_contains(manifest.bytes, WB_MT_DOCKER_LAYER_GZIP);
	assert_null(strstr(manifest.bytes, "vnd.oci"));
	add(&img, "zstd");
	assert_err(wb_image_finish(&manifest, &config, &img, NULL, true, &err), &err,
		WB_ERR_UNSUPPORTED);
	assert_contains(err.hint, "gzip");
}

static void test_refuses(void **state)
{
#define HEAD "{\"architecture\":\"amd64\",\"os\":\"linux\""
#define ROOT ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" EMPTY "\"]}"
	static const struct {
		const char *config, *part;
	} bad[] = {
		{"", "JSON"},
		{"[]", "object"},
		{"{\"os\":\"linux\"" ROOT "}", "architecture"},
		{HEAD "}", "rootfs"},
		{HEAD ",\"rootfs\":{\"type\":\"x\"}}", "rootfs"},
		{HEAD ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", "0 diff_ids for 1"},
		{HEAD ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[7]}}", "diff_id 1"},
		{HEAD ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":\"x\"}}", "diff_ids"},
		{HEAD ROOT ",\"history\":[{},{}]}", "history"},
		{HEAD ROOT ",\"history\":[1]}", "history"},
		{HEAD ROOT ",\"history\":{}}", "history"},
		{HEAD ROOT ",\"config\":7}", "config"},
		{HEAD ROOT ",\"config\":{\"Env\":{}}}", "Env"},
		{HEAD ROOT ",\"config\":{\"Env\":[1]}}", "Env"},
		{HEAD ROOT ",\"config\":{\"Entrypoint\":\"sh\"}}", "Entrypoint"},
		{HEAD ROOT ",\"config\":{\"Cmd\":[[]]}}", "Cmd"},
		{HEAD ROOT ",\"config\":{\"Labels\":{\"a\":1}}}", "label"},
		{HEAD ROOT ",\"config\":{\"Labels\":[]}}", "Labels"},
		{HEAD ROOT ",\"config\":{\"WorkingDir\":1}}", "WorkingDir"},
		{HEAD ROOT ",\"config\":{\"User\":1}}", "User"},
	};
	struct wb_err err = WB_ERR_INIT;
	struct wb_image img = WB_IMAGE_INIT;

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		assert_err(parse(&img, bad[i].config, &err), &err, WB_ERR_FORMAT);
		assert_contains(err.text, bad[i].part);
	}
	assert_err(parse_as(&img,
			   "{\"schemaVersion\":2,\"config\":" DESC(
				   "application/vnd.oci.empty.v1+json") ",\"layers\":[]}",
			   "{}", &err),
		&err, WB_ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker_base),
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_short_history),
		cmocka_unit_test(test_docker_finish),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
