#include "wbtest.h"

#include "oci/mediatype.h"

static void test_classify(void **state)
{
	static const struct {
		const char *type;
		struct wb_media want;
	} cases[] = {
		{WB_MT_OCI_INDEX, {.kind = WB_MEDIA_INDEX}},
		{WB_MT_DOCKER_LIST, {.kind = WB_MEDIA_INDEX, .docker = true}},
		{"Application/vnd.oci.image.manifest.v1+json; charset=utf-8",
			{.kind = WB_MEDIA_MANIFEST}},
		{WB_MT_OCI_LAYER_ZSTD, {.kind = WB_MEDIA_LAYER, .coding = WB_CODING_ZSTD}},
		{WB_MT_DOCKER_LAYER_GZIP,
			{.kind = WB_MEDIA_LAYER, .docker = true, .coding = WB_CODING_GZIP}},
		{"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
			{.kind = WB_MEDIA_LAYER,
				.docker = true,
				.foreign = true,
				.coding = WB_CODING_GZIP}},
		{"application/vnd.oci.image.layer.v1.tar+bzip2", {.kind = WB_MEDIA_OTHER}},
		{"application/vnd.docker.distribution.manifest.v1+json", {.kind = WB_MEDIA_OTHER}},
		{"", {.kind = WB_MEDIA_OTHER}},
		{NULL, {.kind = WB_MEDIA_OTHER}},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		struct wb_media m = wb_media_classify(cases[i].type);

		assert_int_equal(m.kind, cases[i].want.kind);
		assert_int_equal(m.docker, cases[i].want.docker);
		assert_int_equal(m.foreign, cases[i].want.foreign);
		assert_int_equal(m.coding, cases[i].want.coding);
	}
}

static void test_to_oci(void **state)
{
	assert_string_equal(wb_media_to_oci(WB_MT_DOCKER_MANIFEST), WB_MT_OCI_MANIFEST);
	assert_string_equal(wb_media_to_oci(WB_MT_DOCKER_LIST), WB_MT_OCI_INDEX);
	assert_string_equal(wb_media_to_oci(WB_MT_DOCKER_CONFIG), WB_MT_OCI_CONFIG);
	assert_string_equal(wb_media_to_oci("application/x-own"), "application/x-own");
	for (int coding = WB_CODING_NONE; coding <= WB_CODING_ZSTD; coding++) {
		const char *docker = wb_media_layer((enum wb_media_coding)coding, true);

		assert_string_equal(wb_media_to_oci(docker),
			wb_media_layer((enum wb_media_coding)coding, false));
	}
}

static void test_same(void **state)
{
	assert_true(wb_media_same("a/b; q=1", "A/B"));
	assert_false(wb_media_same("a/b", "a/bc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classify),
		cmocka_unit_test(test_to_oci),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
