#include "wbtest.h"

#include "layers/manifest.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEAD                                                                                       \
	"{\"version\":2,\"chunkSize\":4194304,\"sources\":[\n"                                     \
	"{\"label\":\"data\",\"mount\":\"/app/data\",\"shared\":true},\n"                          \
	"{\"label\":\"hf://o/r\",\"revision\":\"abc\",\"mount\":\"/root/.cache/huggingface/hub\"}" \
	"],\n\"hfCache\":\"/root/.cache/huggingface/hub\",\n\"files\":["
#define TAIL "]}\n"
#define FILE_A(path, size)                                                                \
	"{\"path\":\"" path "\",\"mode\":\"0644\",\"size\":" #size ",\"sha256\":\"" HEX_A \
	"\",\"source\":0}"
#define TWO_STATES                                                                        \
	"{\"path\":\"app/data/w\",\"mode\":\"0755\",\"size\":8388609,\"sha256\":\"" HEX_A \
	"\",\"states\":[\"" HEX_A "\",\"" HEX_B "\"],\"source\":0}"
#define LINK "{\"path\":\"app/data/x\",\"type\":\"symlink\",\"target\":\"../y \\\"z\",\"source\":1}"
#define DIR "{\"path\":\"app/data/z\",\"type\":\"dir\",\"mode\":\"0755\",\"source\":0}"
#define NOT_UTF8 "{\"pathHex\":\"7aff\",\"type\":\"symlink\",\"targetHex\":\"c3\",\"source\":0}"

static const char good[] = HEAD "\n" FILE_A("app/data/a", 0) ",\n" FILE_A(
	"app/data/b", 4194304) ",\n" TWO_STATES ",\n" LINK ",\n" DIR ",\n" NOT_UTF8 TAIL;

static void test_round_trip(void **state)
{
	struct wb_bundle_manifest m;
	struct wb_err err;

	assert_ok(wb_bundle_manifest_parse(&m, good, strlen(good), &err), &err);
	assert_int_equal(m.entries.n, 6);
	assert_int_equal(m.sources.n, 2);
	assert_string_equal(m.hf_cache, "/root/.cache/huggingface/hub");
	assert_null(m.sources.items[0].revision);
	assert_true(m.sources.items[0].shared);
	assert_false(m.sources.items[1].shared);
	assert_string_equal(m.sources.items[1].revision, "abc");

	const struct wb_bundle_entry *e = m.entries.items;
	assert_string_equal(e[0].path, "app/data/a");
	assert_int_equal(e[0].mode, 0644);
	assert_int_equal(e[1].size, WB_CHUNK_SIZE);
	assert_null(e[1].states);
	assert_int_equal(wb_states_count(e[2].size), 2);
	assert_int_equal(e[2].states[1].bytes[31], 0xbb);
	assert_int_equal(e[2].mode, 0755);
	assert_int_equal(e[3].type, WB_BUNDLE_SYMLINK);
	assert_string_equal(e[3].target, "../y \"z");
	assert_int_equal(e[3].source, 1);
	assert_int_equal(e[4].type, WB_BUNDLE_DIR);
	assert_string_equal(e[5].path, "z\xff");
	assert_string_equal(e[5].target, "\xc3");

	wb_autofree char *text = wb_bundle_manifest_dump(&m);
	assert_string_equal(text, good);
	wb_bundle_manifest_release(&m);
	assert_null(m.entries.items);
}

static void test_empty(void **state)
{
	static const char text[] = "{\"version\":2,\"chunkSize\":4194304,\"sources\":[],\n"
				   "\"files\":[]}\n";
	struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT, back;
	wb_autofree char *dumped = wb_bundle_manifest_dump(&m);
	struct wb_err err;

	assert_string_equal(dumped, text);
	assert_ok(wb_bundle_manifest_parse(&back, text, strlen(text), &err), &err);
	assert_int_equal(back.entries.n, 0);
	assert_null(back.hf_cache);
	wb_bundle_manifest_release(&back);
}

static void refuse(const char *files, const char *why)
{
	wb_autofree char *text = wb_asprintf(HEAD "%s" TAIL, files);
	struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	struct wb_err err;

	assert_err(wb_bundle_manifest_parse(&m, text, strlen(text), &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, why);
	assert_null(m.entries.items);
}

static void test_paths_refused(void **state)
{
	refuse(FILE_A("/etc/passwd", 1), "is absolute");
	refuse(FILE_A("a/../b", 1), "\"..\"");
	refuse(FILE_A("a//b", 1), "empty component");
	refuse(FILE_A("", 1), "is empty");
	refuse(FILE_A("a\\u0001", 1), "control byte");
	refuse(FILE_A("a", 1) "," FILE_A("a", 1), "twice");
	refuse(FILE_A("b", 1) "," FILE_A("a", 1), "not in order");
	refuse(FILE_A("a", 1) "," FILE_A("a/b", 1), "not a directory");
	refuse("{\"pathHex\":\"6161\",\"type\":\"dir\",\"mode\":\"0755\",\"source\":0}", "no path");
	refuse("{\"pathHex\":\"ff00ff\",\"type\":\"dir\",\"mode\":\"0755\",\"source\":0}",
		"no path");
	refuse("{\"pathHex\":\"f\",\"type\":\"dir\",\"mode\":\"0755\",\"source\":0}", "no path");
	refuse("{\"path\":\"a\",\"pathHex\":\"ff\",\"type\":\"dir\",\"mode\":\"0755\","
	       "\"source\":0}",
		"no path");
	refuse("[]", "not an object");
}

static void test_directory_content_order(void **state)
{
	/* "/" sorts before every other byte: what lies in "a" comes before "a.b". */
	static const char text[] =
		HEAD "{\"path\":\"a\",\"type\":\"dir\",\"mode\":\"0755\",\"source\":0}," FILE_A(
			"a/b", 1) "," FILE_A("a.b", 1) TAIL;
	struct wb_bundle_manifest m;
	struct wb_err err;

	assert_ok(wb_bundle_manifest_parse(&m, text, strlen(text), &err), &err);
	assert_int_equal(m.entries.n, 3);
	wb_bundle_manifest_release(&m);
}

#define WITH(members) "{\"path\":\"a\"," members ",\"source\":0}"
#define SHA ",\"sha256\":\"" HEX_A "\""
#define MODE "\"mode\":\"0644\""

static void test_members_refused(void **state)
{
	refuse(WITH(MODE SHA), "no size");
	refuse(WITH(MODE SHA ",\"size\":-1"), "no size");
	refuse(WITH(MODE SHA ",\"size\":1.5"), "no size");
	refuse(WITH("\"mode\":420,\"size\":1" SHA), "no mode");
	refuse(WITH("\"mode\":\"644\",\"size\":1" SHA), "no mode");
	refuse(WITH("\"mode\":\"0888\",\"size\":1" SHA), "no mode");
	refuse(WITH(MODE ",\"size\":1"), "no sha256");
	refuse(WITH(MODE ",\"size\":1,\"sha256\":\"AA\""), "no sha256");
	refuse(WITH(MODE ",\"size\":4194305" SHA), "one state for each");
	refuse(WITH(MODE ",\"size\":4194305" SHA ",\"states\":[\"" HEX_A "\",\"" HEX_A "\"]"),
		"one state for each");
	refuse(WITH(MODE ",\"size\":4194305" SHA ",\"states\":[1,2]"), "a state that is not");
	refuse(WITH(MODE ",\"size\":1" SHA ",\"states\":[]"), "only one chunk");
	refuse(WITH(MODE ",\"size\":9223372036854775807" SHA), "one state for each");
	refuse(WITH("\"type\":\"symlink\""), "without a target");
	refuse(WITH("\"type\":\"symlink\",\"target\":\"\""), "without a target");
	refuse(WITH("\"type\":\"fifo\""), "type other than");
	refuse(WITH("\"type\":7"), "type that is not text");
	refuse(WITH("\"type\":\"dir\""), "no mode");
	refuse("{\"path\":\"a\"," MODE ",\"size\":1" SHA ",\"source\":2}", "list of sources");
	refuse("{\"path\":\"a\"," MODE ",\"size\":1" SHA "}", "list of sources");
	refuse("{\"path\":\"a\"," MODE ",\"size\":1" SHA ",\"source\":-1}", "list of sources");
}

static void refuse_head(const char *text, enum wb_code code, const char *why)
{
	struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	struct wb_err err;

	assert_err(wb_bundle_manifest_parse(&m, text, strlen(text), &err), &err, code);
	assert_contains(err.text, why);
}

static void test_head_refused(void **state)
{
	refuse_head("", WB_ERR_FORMAT, "not valid JSON");
	refuse_head("[]", WB_ERR_FORMAT, "not an object");
	refuse_head("{}", WB_ERR_FORMAT, "\"version\" is missing");
	refuse_head("{\"version\":2,\"version\":2}", WB_ERR_FORMAT, "a name that is there twice");
	refuse_head("{\"version\":1,\"chunkSize\":4194304}", WB_ERR_UNSUPPORTED, "earlier wbuild");
	refuse_head("{\"version\":3,\"chunkSize\":4194304}", WB_ERR_UNSUPPORTED, "version 3");
	refuse_head("{\"version\":2,\"chunkSize\":1}", WB_ERR_UNSUPPORTED, "chunks of 1 bytes");
	refuse_head("{\"version\":2,\"chunkSize\":4194304}", WB_ERR_FORMAT, "\"sources\"");
	refuse_head(
		"{\"version\":2,\"chunkSize\":4194304,\"sources\":[]}", WB_ERR_FORMAT, "\"files\"");
	refuse_head("{\"version\":2,\"chunkSize\":4194304,\"sources\":[{\"label\":\"x\","
		    "\"mount\":\"rel\"}]}",
		WB_ERR_FORMAT, "source 0");
	refuse_head("{\"version\":2,\"chunkSize\":4194304,\"sources\":[{\"label\":\"x\","
		    "\"mount\":\"/a/../b\"}]}",
		WB_ERR_FORMAT, "source 0");
	refuse_head("{\"version\":2,\"chunkSize\":4194304,\"hfCache\":\"../x\"}", WB_ERR_FORMAT,
		"hfCache");
}

static void test_truncated(void **state)
{
	struct wb_bundle_manifest m = WB_BUNDLE_MANIFEST_INIT;
	struct wb_err err;

	for (size_t n = 0; n < strlen(good) - 1; n++) {
		wb_autofree char *part = wb_alloc(n);

		memcpy(part, good, n);
		assert_int_equal(wb_bundle_manifest_parse(&m, part, n, &err), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_paths_refused),
		cmocka_unit_test(test_directory_content_order),
		cmocka_unit_test(test_members_refused),
		cmocka_unit_test(test_head_refused),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
