#include "wbtest.h"

#include "builder/config/config.h"
#include "builder/config/uri.h"

static void same(const char *got, const char *want, const char *text, const char *field)
{
	if (!want ? got != NULL : !got || strcmp(got, want) != 0)
		fail_msg("%s: %s is \"%s\", not \"%s\"", text, field, got ? got : "(null)",
			want ? want : "(null)");
}

static void test_accepted(void **state)
{
	const struct {
		const char *text;
		enum wb_scheme scheme;
		const char *repo, *revision, *account, *bucket, *path;
	} v[] = {
		{"hf://meta-llama/Llama-3.1-8B@main", WB_SCHEME_HF, "meta-llama/Llama-3.1-8B",
			"main", NULL, NULL, NULL},
		{"hf://o/r@refs/pr/35", WB_SCHEME_HF, "o/r", "refs/pr/35", NULL, NULL, NULL},
		{"hf://gpt2", WB_SCHEME_HF, "gpt2", "", NULL, NULL, NULL},
		{"hf://datasets/squad@v1.0", WB_SCHEME_HF, "squad", "v1.0", NULL, NULL, NULL},
		{"hf://o/r@a@b", WB_SCHEME_HF, "o/r", "a@b", NULL, NULL, NULL},
		{"s3://my-bucket/models/x", WB_SCHEME_S3, NULL, NULL, NULL, "my-bucket",
			"models/x"},
		{"s3://my-bucket/models/", WB_SCHEME_S3, NULL, NULL, NULL, "my-bucket", "models/"},
		{"s3://b/user%40home/x", WB_SCHEME_S3, NULL, NULL, NULL, "b", "user@home/x"},
		{"gs://b", WB_SCHEME_GS, NULL, NULL, NULL, "b", ""},
		{"cw://b/", WB_SCHEME_CW, NULL, NULL, NULL, "b", ""},
		{"r2://abc123def.my-bucket/models/weights", WB_SCHEME_R2, NULL, NULL, "abc123def",
			"my-bucket", "models/weights"},
		{"azure://acct/cont/a/b", WB_SCHEME_AZURE, NULL, NULL, "acct", "cont", "a/b"},
		{"az://acct/cont", WB_SCHEME_AZURE, NULL, NULL, "acct", "cont", ""},
		{"az://your-private-container/path/", WB_SCHEME_AZURE, NULL, NULL, "",
			"your-private-container", "path/"},
		{"bt://proj", WB_SCHEME_BT, "proj", "", NULL, NULL, ""},
		{"bt://proj@job123/checkpoint-1", WB_SCHEME_BT, "proj", "job123", NULL, NULL,
			"checkpoint-1"},
		{"bt://proj@latest", WB_SCHEME_BT, "proj", "", NULL, NULL, ""},
		{"bt://proj/ck", WB_SCHEME_BT, "proj", "", NULL, NULL, "ck"},
		{"https://h/a/b%20c.bin?x=1#f", WB_SCHEME_HTTP, NULL, NULL, NULL, NULL, "b c.bin"},
		{"http://127.0.0.1:8/f", WB_SCHEME_HTTP, NULL, NULL, NULL, NULL, "f"},
		{"https://h/..%2f..%2fetc", WB_SCHEME_HTTP, NULL, NULL, NULL, NULL, ""},
		{"https://h/a%2fb", WB_SCHEME_HTTP, NULL, NULL, NULL, NULL, ""},
		{"file:///abs/dir", WB_SCHEME_FILE, NULL, NULL, NULL, NULL, "/abs/dir"},
		{"file://localhost/abs", WB_SCHEME_FILE, NULL, NULL, NULL, NULL, "/abs"},
		{"file://models/x", WB_SCHEME_FILE, NULL, NULL, NULL, NULL, "models/x"},
		{"./models", WB_SCHEME_FILE, NULL, NULL, NULL, NULL, "./models"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_uri u;

		if (wb_uri_parse(&u, v[i].text, true, &err))
			fail_msg("%s: %s", v[i].text, err.text);
		assert_int_equal(u.scheme, v[i].scheme);
		same(u.repo, v[i].repo, v[i].text, "repo");
		same(u.revision, v[i].revision, v[i].text, "revision");
		same(u.account, v[i].account, v[i].text, "account");
		same(u.bucket, v[i].bucket, v[i].text, "bucket");
		same(u.path, v[i].path, v[i].text, "path");
		wb_uri_release(&u);
	}
}

static void test_kinds_of_repository(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_uri u;

	assert_ok(wb_uri_parse(&u, "hf://datasets/o/r", false, &err), &err);
	assert_int_equal(u.hf_kind, WB_HF_DATASET);
	assert_string_equal(u.repo, "o/r");
	wb_uri_release(&u);
	assert_ok(wb_uri_parse(&u, "hf://spaces/o/r", false, &err), &err);
	assert_int_equal(u.hf_kind, WB_HF_SPACE);
	wb_uri_release(&u);
}

/* The texts are those that Truss users know. */
static void test_refused(void **state)
{
	const struct {
		const char *text, *part;
	} v[] = {
		{"owner/repo",
			"Source 'owner/repo' is missing a URI scheme. Supported schemes: azure://"},
		{"HF://o/r", "Unsupported source scheme 'HF://'. Supported schemes: "},
		{"ftp://h/x", "Unsupported source scheme 'ftp://'"},
		{"://x", "Unsupported source scheme '://'"},
		{"hf://", "Invalid HuggingFace URI format: 'hf://'. Expected format: "
			  "hf://owner/repo"},
		{"hf:///o/r", "Invalid HuggingFace URI format"},
		{"hf://o/r/s", "Invalid HuggingFace URI format"},
		{"hf://o/r@", "Invalid HuggingFace URI format"},
		{"hf://o/../r", "Invalid HuggingFace URI format"},
		{"hf://o/r--s", "Invalid HuggingFace URI format"},
		{"hf://o/r@x", "revision must be empty or at least 2 characters"},
		{"hf://o/r@a..b", "the revision is no name"},
		{"hf://o/r@../x", "the revision is no name"},
		{"hf://o/r@/etc", "the revision is no name"},
		{"s3://", "Invalid S3 URI format: 's3://'. Expected format: s3://bucket/path"},
		{"s3:///k", "Invalid S3 URI format"},
		{"s3://b//k", "Invalid S3 URI format"},
		{"gs://", "Invalid GS URI format: 'gs://'. Expected format: gs://bucket/path"},
		{"cw:///", "Invalid CW URI format"},
		{"s3://b/k@v1", "The @ revision syntax is only valid for HuggingFace sources "
				"(hf://). Source "
				"'s3://b/k@v1' uses S3 which does not support revisions."},
		{"r2://bucket/k", "Expected format: r2://account_id.bucket/path"},
		{"azure://acct", "Expected format: azure://account/container/path"},
		{"azure://my-container/x", "Expected format: azure://account/container/path"},
		{"azure://a@b/c", "which does not support revisions"},
		{"https://", "Invalid HTTPS URL format: 'https://'. Expected format: "
			     "https://hostname/path"},
		{"https:///x", "Invalid HTTPS URL format"},
		{"https://h/a b", "Invalid HTTPS URL format"},
		{"bt://", "Invalid BT URI format"},
		{"bt://p@/c", "Invalid BT URI format"},
		{"bt://p/../c", "Invalid BT URI format"},
		{"file://", "names no file"},
		{"hf://o/r\nx", "control character"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_uri u;

		assert_err(wb_uri_parse(&u, v[i].text, false, &err), &err, WB_ERR_CONFIG);
		assert_contains(err.text, v[i].part);
	}
}

static void test_credentials_stay_out_of_texts(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_uri u;

	assert_err(wb_uri_parse(&u, "https://user:hunter2@h/f", false, &err), &err, WB_ERR_CONFIG);
	assert_null(strstr(err.text, "hunter2"));
	assert_err(wb_uri_parse(&u, "https://user:hunter2@/f", false, &err), &err, WB_ERR_CONFIG);
	assert_null(strstr(err.text, "hunter2"));
	assert_ok(wb_uri_parse(&u, "https://h/f?sig=hunter2", false, &err), &err);
	assert_string_equal(u.text, "https://h/f?…");
	assert_string_equal(u.url, "https://h/f?sig=hunter2");
	wb_uri_release(&u);
	assert_true(wb_uri_is_signed("https://h/f?a=b&X-Amz-Signature=1"));
	assert_false(wb_uri_is_signed("https://h/f?download=true"));
}

static void test_blob_url(void **state)
{
	char *out = NULL;

	assert_true(wb_uri_from_blob_url(&out, "https://acct.blob.core.windows.net/cont/a/b"));
	assert_string_equal(out, "azure://acct/cont/a/b");
	free(out);
	assert_false(wb_uri_from_blob_url(&out, "https://acct.blob.core.windows.net/c/a?sig=1"));
	assert_false(wb_uri_from_blob_url(&out, "https://example.com/c"));
}

static void test_too_long(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	char text[6000];
	struct wb_uri u;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "s3://", 5);
	assert_err(wb_uri_parse(&u, text, false, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "4096");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_kinds_of_repository),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_credentials_stay_out_of_texts),
		cmocka_unit_test(test_blob_url),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
