#include "wbtest.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/path.h"
#include "builder/volume/bptr.h"

#define HEX64 "abababababababababababababababababababababababababababababababab"
#define HEX40 "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define HUB "https://huggingface.co/o/r/resolve/" HEX40
#define POINTER(resolution, name, more) \
	"{\"resolution\": {" resolution "}, \"file_name\": \"" name "\", \"size\": 7" more "}"
#define POINTERS(list) "{\"pointers\": [" list "], \"models\": null}"

static void add(struct wb_volumes *v, const char *text)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_bptr_add(v, text, strlen(text), "manifest", &err), &err);
}

static void refuse(const char *text, const char *why)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_bptr_add(&v, text, strlen(text), "manifest", &err), &err, WB_ERR_FORMAT);
	assert_contains(err.text, "manifest");
	assert_contains(err.text, why);
}

static void test_hub(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;

	add(&v, POINTERS(POINTER("\"resolution_type\": \"http\", \"url\": \"" HUB "/sub/a%20b\"",
			"/app/model_cache/m/a b",
			", \"hashtype\": \"etag\", \"hash\": \"" HEX64
			"\"") "," POINTER("\"url\": \"" HUB "/c\", \"expiration_timestamp\": 1",
			"/app/model_cache/m/c",
			", \"hash\": \"" HEX40 "\", \"runtime_secret_name\": \"mine\"")));
	assert_int_equal(v.list.n, 2);
	const struct wb_volume *a = v.list.items[0], *c = v.list.items[1];

	assert_int_equal(a->src->uri.scheme, WB_SCHEME_HF);
	assert_string_equal(a->src->uri.repo, "o/r");
	assert_string_equal(a->listing.revision, HEX40);
	assert_string_equal(a->listing.files.items[0].path, "sub/a b");
	assert_string_equal(a->src->mount, "/app/model_cache/m/a b");
	assert_true(a->listing.files.items[0].known.has_sha256);
	assert_string_equal(a->listing.files.items[0].identity, "sha256:" HEX64);
	assert_string_equal(a->src->auth.secret_name, "hf_access_token");
	assert_false(a->src->auth.secret_explicit);
	assert_true(c->listing.files.items[0].known.has_git_sha1);
	assert_string_equal(c->src->auth.secret_name, "mine");
}

/* Truss's tokens are the hub's: they are not told to other hosts. */
static void test_other_hosts_get_no_token(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;

	add(&v, POINTERS(POINTER("\"url\": \"https://huggingface.co.example/o/r/resolve/x/f\"",
			"/f", ", \"runtime_secret_name\": \"hf_access_token\"")));
	assert_int_equal(v.list.items[0]->src->uri.scheme, WB_SCHEME_HTTP);
	assert_null(v.list.items[0]->src->auth.secret_name);
}

static void test_buckets(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	const char md5[] = "00112233445566778899aabbccddeeff";

	add(&v, "pointers:\n"
		"- resolution: {resolution_type: s3, bucket_name: bkt, key: a/b/c, region: null}\n"
		"  file_name: /x/c\n"
		"  hash: _00112233445566778899aabbccddeeff_\n"
		"  hashtype: etag\n"
		"  size: 3\n"
		"- resolution: {resolution_type: gcs, bucket_name: bkt, path: d}\n"
		"  file_name: y/d\n"
		"  hash: 00112233445566778899aabbccddeeff\n"
		"  hashtype: md5\n"
		"  size: 0\n"
		"- resolution: {resolution_type: azure, account_name: acct, container_name: cont,\n"
		"    blob_name: e/f}\n"
		"  file_name: /z/f\n"
		"  hash: 0x8D\n"
		"  size: 1\n"
		"  uid: azure:x\n");
	assert_int_equal(v.list.n, 3);
	const struct wb_volume *s3 = v.list.items[0], *gcs = v.list.items[1],
			       *azure = v.list.items[2];

	assert_string_equal(s3->listing.root, "a/b/");
	assert_string_equal(s3->listing.files.items[0].path, "c");
	assert_true(s3->listing.files.items[0].known.has[WB_HASH_MD5]);
	assert_string_equal(s3->listing.files.items[0].etag, md5);
	assert_string_equal(gcs->listing.root, "");
	assert_true(gcs->listing.files.items[0].known.has[WB_HASH_MD5]);
	assert_string_equal(gcs->src->mount, "/app/data/y/d");
	assert_int_equal(azure->src->uri.scheme, WB_SCHEME_AZURE);
	assert_string_equal(azure->listing.files.items[0].etag, "");
	assert_string_equal(azure->listing.files.items[0].identity, "truss:azure:x:0x8D:1");
}

static void test_first_of_two_counts(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;

	add(&v, POINTERS(POINTER("\"url\": \"" HUB "/a\"", "/m/a", "") "," POINTER(
			"\"url\": \"" HUB "/b\"", "/m/a", "")));
	add(&v, POINTERS(POINTER("\"url\": \"" HUB "/c\"", "/m//a", "")));
	assert_int_equal(v.list.n, 1);
	assert_string_equal(v.list.items[0]->listing.files.items[0].path, "a");
}

static void test_models(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;

	add(&v, "{\"models\": [{\"repo_id\": \"o/r\", \"revision\": \"main\", \"kind\": \"hf\", "
		"\"volume_folder\": \"v\", \"allow_patterns\": [\"*.txt\"], "
		"\"ignore_patterns\": [], \"runtime_secret_name\": \"s\"}]}");
	assert_int_equal(v.list.n, 1);
	assert_true(v.list.items[0]->unlisted);
	assert_string_equal(v.list.items[0]->src->mount, "/app/model_cache/v");
	assert_int_equal(v.list.items[0]->src->allow.list.n, 1);
	assert_string_equal(v.list.items[0]->src->auth.secret_name, "s");
}

static void test_refuses(void **state)
{
	refuse("", "is not an object");
	refuse("[]", "is not an object");
	refuse("{\"pointers\": 1}", "not a list");
	refuse("{\"pointers\": [1]}", "pointer 0: is not an object");
	refuse("{\"pointers\": [", "not valid YAML");
	refuse(POINTERS("{\"resolution\": {\"url\": \"" HUB "/a\"}, \"size\": 1}"), "file_name");
	refuse(POINTERS("{\"resolution\": {\"url\": \"" HUB "/a\"}, \"file_name\": \"/a\"}"),
		"size");
	refuse(POINTERS(POINTER("\"url\": \"" HUB "/a\"", "/a/../../etc/passwd", "")), "file_name");
	refuse(POINTERS(POINTER("\"url\": \"" HUB "/a\"", "/", "")), "file_name");
	refuse(POINTERS(POINTER("\"resolution_type\": \"ftp\"", "/a", "")), "no resolution");
	refuse(POINTERS(POINTER("\"resolution_type\": \"s3\", \"key\": \"k\"", "/a", "")),
		"no resolution");
	refuse(POINTERS(POINTER("\"url\": \"file:///etc/passwd\"", "/a", "")), "file");
	refuse("{\"models\": [{\"repo_id\": \"o/r\", \"volume_folder\": \"v\"}]}", "models");
}

static void test_where_truss_looks(void **state)
{
	WB_AUTO(wb_volumes_release) struct wb_volumes v = WB_VOLUMES_INIT;
	wb_autofree char *root = wbtest_dir();
	wb_autofree char *dir = wb_path_join(root, "static-bptr"),
			 *bptr = wb_path_join(root, "bptr");
	wb_autofree char *late = wb_path_join(dir, "static-bptr-manifest.json");
	wb_autofree char *early = wb_path_join(bptr, "bptr-manifest");
	static const char json[] = POINTERS(POINTER("\"url\": \"" HUB "/late\"", "/m/a", ""));
	static const char yaml[] =
		"pointers: [{resolution: {url: '" HUB "/early'}, file_name: /m/a, size: 1}]\n";
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_bptr_add_all(&v, root, &err), &err);
	assert_int_equal(v.list.n, 0);
	assert_false(mkdir(dir, 0755) || mkdir(bptr, 0755));
	assert_ok(wb_file_put(late, json, strlen(json), 0644, 0, &err), &err);
	assert_ok(wb_file_put(early, yaml, strlen(yaml), 0644, 0, &err), &err);
	assert_ok(wb_bptr_add_all(&v, root, &err), &err);
	assert_int_equal(v.list.n, 1);
	assert_string_equal(v.list.items[0]->listing.files.items[0].path, "early");
	assert_ok(wb_remove_tree(root, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hub),
		cmocka_unit_test(test_other_hosts_get_no_token),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_first_of_two_counts),
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_where_truss_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
