#include "wbtest.h"

#include "builder/volume/list.h"

#define HEX64 "abababababababababababababababababababababababababababababababab"
#define HEX40 "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define SOURCE(more) "{\"source\": \"hf://o/r@main\", \"mount\": \"/m\", " more "}"
#define LIST(sources) "{\"version\": 1, \"sources\": [" sources "]}"
#define FILES(files) LIST(SOURCE("\"files\": [" files "]"))

static void refuse(const char *text, enum wb_code code, const char *why)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_volumes_parse(&v, text, strlen(text), &err), &err, code);
	assert_contains(err.text, why);
}

static void test_reads_what_it_writes(void **state)
{
	static const char text[] = LIST(
		"{\"source\": \"hf://o/r@main\", \"mount\": \"/app/model_cache/m\", "
		"\"revision\": \"" HEX40 "\", \"secret\": \"hf_access_token\", \"files\": ["
		"{\"path\": \"a/b\", \"size\": 7, \"sha256\": \"" HEX64 "\", \"identity\": \"i\"},"
		"{\"path\": \"c\", \"size\": 0, \"git-sha1\": \"" HEX40 "\"}]},"
		"{\"source\": \"s3://bkt/pre\", \"mount\": \"/s\", \"root\": \"pre/\", "
		"\"secret\": \"aws\", \"secret_required\": true, \"files\": ["
		"{\"path\": \"k\", \"etag\": \"e-2\", \"version\": \"v\", \"encoded\": true, "
		"\"crc32c\": \"01020304\"}]}");
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	WB_AUTO(wb_volumes_release) struct wb_volumes again = WB_VOLUMES_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_volumes_parse(&v, text, strlen(text), &err), &err);
	assert_int_equal(v.list.n, 2);
	const struct wb_volume *hub = v.list.items[0], *s3 = v.list.items[1];

	assert_string_equal(hub->src->uri.repo, "o/r");
	assert_string_equal(hub->src->auth.secret_name, "hf_access_token");
	assert_false(hub->src->auth.secret_explicit);
	assert_string_equal(hub->listing.revision, HEX40);
	assert_int_equal(hub->listing.files.items[0].size, 7);
	assert_true(hub->listing.files.items[0].known.has_sha256);
	assert_true(hub->listing.files.items[1].known.has_git_sha1);
	wb_autofree char *path = wb_volume_path(hub, &hub->listing.files.items[0]);

	assert_string_equal(path, "/app/model_cache/m/a/b");
	assert_true(s3->src->auth.secret_explicit);
	assert_string_equal(s3->listing.root, "pre/");
	assert_true(s3->listing.files.items[0].encoded);
	assert_true(s3->listing.files.items[0].size == WB_SIZE_UNKNOWN);
	assert_int_equal(s3->listing.files.items[0].known.value[WB_HASH_CRC32C][3], 4);

	wb_autofree char *one = wb_volumes_dump(&v);

	assert_ok(wb_volumes_parse(&again, one, strlen(one), &err), &err);
	wb_autofree char *two = wb_volumes_dump(&again);

	assert_string_equal(one, two);
}

static void test_refuses(void **state)
{
	refuse("{\"version\": 2, \"sources\": []}", WB_ERR_UNSUPPORTED, "version 2");
	refuse("{\"version\": 1}", WB_ERR_FORMAT, "sources");
	refuse("{\"version\": 1", WB_ERR_FORMAT, "not valid JSON");
	refuse(LIST(SOURCE("\"files\": 1")), WB_ERR_FORMAT, "not a list");
	refuse(LIST("{\"source\": \"./x\", \"mount\": \"/m\", \"files\": []}"), WB_ERR_FORMAT,
		"./x");
	refuse(LIST("{\"source\": \"hf://o/r\", \"mount\": \"/\", \"files\": []}"), WB_ERR_FORMAT,
		"no place");
	refuse(LIST("{\"source\": \"hf://o/r\", \"mount\": \"/a/../b\", \"files\": []}"),
		WB_ERR_FORMAT, "no place");
	refuse(FILES("{\"path\": \"../x\"}"), WB_ERR_FORMAT, "../x");
	refuse(FILES("{\"path\": \"b\"}, {\"path\": \"a\"}"), WB_ERR_FORMAT, "out of order");
	refuse(FILES("{\"path\": \"a\"}, {\"path\": \"a\"}"), WB_ERR_FORMAT, "there twice");
	refuse(FILES("{\"path\": \"a\"}, {\"path\": \"a/b\"}"), WB_ERR_FORMAT, "lies in a file");
	refuse(FILES("{\"path\": \"a\", \"sha256\": \"12\"}"), WB_ERR_FORMAT, "not a digest");
	refuse(FILES("{\"path\": \"a\", \"size\": -1}"), WB_ERR_FORMAT, "size");
	refuse(FILES("{\"path\": \"a\", \"etag\": \"x\\ny\"}"), WB_ERR_FORMAT, "control");
	refuse(LIST(SOURCE("\"files\": [{\"path\": \"a\"}]") ","
							     "{\"source\": \"hf://o/s\", "
							     "\"mount\": \"/\\u006d\", \"files\": "
							     "[{\"path\": \"a\"}]}"),
		WB_ERR_FORMAT, "another source's");
}

static void test_no_credentials(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_non_null(
		wb_volumes_add(&v, "https://h.example/f?X-Amz-Signature=5ecret", "/f", &err));
	wb_autofree char *text = wb_volumes_dump(&v);

	assert_null(strstr(text, "5ecret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_what_it_writes),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_no_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
