/* Pages of listings, good ones and those that nobody should believe. */
#include "source_util.h"

#include "builder/source/kind.h"

#define EMPTY_MD5 "d41d8cd98f00b204e9800998ecf8427e"

typedef int page_fn(struct wb_page *page, const char *p, size_t n, struct wb_err *err);

static int parse(page_fn *fn, struct wb_listing *l, char **next, const struct wb_prefix *p,
	const char *text, struct wb_err *err)
{
	struct wb_page page = {.l = l, .prefix = p, .scope = "here"};
	int rc = fn(&page, text, strlen(text), err);

	if (next)
		*next = page.next;
	else
		free(page.next);
	return rc;
}

static void test_s3(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	const struct wb_prefix p = {.prefix = "m/", .skip = 2};
	wb_autofree char *next = NULL;

	assert_ok(parse(wb_s3_page_parse, &l, &next, &p,
			  "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3\">"
			  "<Contents><Key>m/</Key><Size>0</Size><ETag>\"x\"</ETag></Contents>"
			  "<Contents><Key>m/a+b%2B%C3%BC.bin</Key><Size>5</Size>"
			  "<ETag>&quot;" EMPTY_MD5 "&quot;</ETag></Contents>"
			  "<Contents><Key>m/sub/</Key><Size>0</Size><ETag>e</ETag></Contents>"
			  "<Contents><Key>m/big</Key><Size>99999999999</Size><ETag>\"" EMPTY_MD5
			  "-3\"</ETag></Contents>"
			  "<Contents><Key>other/x</Key><Size>1</Size></Contents>"
			  "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
			  "<NextContinuationToken>t/1=</NextContinuationToken></ListBucketResult>",
			  &err),
		&err);
	assert_string_equal(next, "t/1=");
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.files.items[0].path, "a b+ü.bin");
	assert_string_equal(l.files.items[0].identity, "md5:" EMPTY_MD5 ":5");
	assert_true(l.files.items[0].known.has[WB_HASH_MD5]);
	assert_int_equal(l.files.items[1].size, 99999999999);
	assert_false(l.files.items[1].known.has[WB_HASH_MD5]);
	assert_string_equal(l.files.items[1].identity, "s3-parts:" EMPTY_MD5 "-3:99999999999");
}

/* A server that leaves things out: what the object before it had is not this one's. */
static void test_s3_leaves_out(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	const struct wb_prefix p = {.prefix = "", .skip = 0};

	assert_ok(parse(wb_s3_page_parse, &l, NULL, &p,
			  "<ListBucketResult><Contents><Key>a</Key><Size>5</Size><ETag>" EMPTY_MD5
			  "</ETag></Contents><Contents><Key>b</Key><Size>5</Size></Contents>"
			  "</ListBucketResult>",
			  &err),
		&err);
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.files.items[0].identity, "md5:" EMPTY_MD5 ":5");
	assert_string_equal(l.files.items[1].etag, "");
	assert_false(l.files.items[1].known.has[WB_HASH_MD5]);
	/* Else a replaced object would be taken from the store as it was. */
	assert_null(l.files.items[1].identity);
	assert_err(parse(wb_s3_page_parse, &l, NULL, &p,
			   "<ListBucketResult><Contents><Key>c</Key><Size>5</Size></Contents>"
			   "<Contents><Size>5</Size></Contents></ListBucketResult>",
			   &err),
		&err, WB_ERR_FORMAT);
}

static void test_gcs(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	const struct wb_prefix p = {.prefix = "m/x", .skip = 2, .exact = true};

	assert_ok(parse(wb_gcs_page_parse, &l, NULL, &p,
			  "{\"items\":[{\"name\":\"m/x\",\"size\":\"5\",\"generation\":\"12\","
			  "\"crc32c\":\"AAAAAA==\",\"md5Hash\":\"not base64\",\"etag\":\"C\","
			  "\"contentEncoding\":\"gzip\"},{\"name\":\"m/xy\",\"size\":\"6\"}]}",
			  &err),
		&err);
	assert_int_equal(l.files.n, 1);
	assert_string_equal(l.files.items[0].path, "x");
	assert_string_equal(l.files.items[0].version, "12");
	assert_true(l.files.items[0].encoded && l.files.items[0].known.has[WB_HASH_CRC32C]);
	assert_false(l.files.items[0].known.has[WB_HASH_MD5]);
	/* A checksum names nothing: only this place's generation does. */
	assert_string_equal(l.files.items[0].identity, "gs:here/m/x#12:C:5");
}

static void test_azure(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	const struct wb_prefix p = {.prefix = "", .skip = 0};
	wb_autofree char *next = NULL;

	assert_ok(parse(wb_azure_page_parse, &l, &next, &p,
			  "\xef\xbb\xbf<?xml version=\"1.0\"?><EnumerationResults><Blobs>"
			  "<Blob><Name>a</Name><Properties><Etag>0x8D</Etag>"
			  "<Content-Length>3</Content-Length>"
			  "<Content-MD5>1B2M2Y8AsgTpgAmY7PhCfg==</Content-MD5></Properties></Blob>"
			  "<Blob><Name>dir</Name><Properties><Content-Length>0</Content-Length>"
			  "<ResourceType>directory</ResourceType></Properties></Blob>"
			  "<Blob><Name>b</Name><Properties><Etag>0x9</Etag><Content-Length>4"
			  "</Content-Length></Properties></Blob></Blobs><NextMarker>n</NextMarker>"
			  "</EnumerationResults>",
			  &err),
		&err);
	assert_string_equal(next, "n");
	assert_int_equal(l.files.n, 2);
	assert_string_equal(l.files.items[0].identity, "md5:" EMPTY_MD5 ":3");
	assert_string_equal(l.files.items[1].identity, "azure:here/b:0x9:4");
}

static void test_bad_pages(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	const struct wb_prefix p = {.prefix = "", .skip = 0};
	static const struct {
		page_fn *fn;
		const char *text;
	} bad[] = {
		{wb_s3_page_parse, ""},
		{wb_s3_page_parse, "<ListBucketResult><Contents></ListBucketResult>"},
		{wb_s3_page_parse, "<ListBucketResult><Contents><Key>a</Key></Contents>"
				   "</ListBucketResult>"},
		{wb_s3_page_parse,
			"<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>"
			"</ListBucketResult>"},
		{wb_s3_page_parse, "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>"},
		{wb_gcs_page_parse, "[]"},
		{wb_gcs_page_parse, "{\"items\":[{\"name\":\"a\"}]}"},
		{wb_gcs_page_parse, "{\"items\":[{\"name\":\"a\",\"size\":\"1e9\"}]}"},
		{wb_azure_page_parse, "<EnumerationResults><Blobs><Blob></Blob></Blobs>"
				      "</EnumerationResults>"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;

		assert_err(parse(bad[i].fn, &l, NULL, &p, bad[i].text, &err), &err, WB_ERR_FORMAT);
	}
}

static void test_deep(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;
	const struct wb_prefix p = {.prefix = "", .skip = 0};
	char text[300];

	for (size_t i = 0; i < 99; i++)
		memcpy(text + i * 3, "<a>", 4);
	assert_err(parse(wb_s3_page_parse, &l, NULL, &p, text, &err), &err, WB_ERR_LIMIT);
}

static void test_link(void **state)
{
	static const char *const cases[][2] = {
		{"<https://h/a?c=1>; rel=\"next\"", "https://h/a?c=1"},
		{"<a>; rel=\"prev\", <b>; rel=\"next\"", "b"},
		{"<a>; rel=next", "a"},
		{"<a>; rel=\"prev\"", NULL},
		{"<a", NULL},
		{"", NULL},
		{"rel=\"next\"", NULL},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(cases); i++) {
		wb_autofree char *got = wb_link_next(cases[i][0]);

		assert_string_equal(got ? got : "-", cases[i][1] ? cases[i][1] : "-");
	}
	assert_null(wb_link_next(NULL));
}

/* Names as a hostile listing has them, through what every listing goes through. */
static void test_hostile_names(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct source_log log = {""};
	static const struct {
		const char *a, *b, *why;
	} bad[] = {
		{"../x", NULL, "../x"},
		{"/etc/passwd", NULL, "/etc/passwd"},
		{"a/../../b", NULL, "a/../../b"},
		{"a\\b", NULL, "a"},
		{"a//b", NULL, "a//b"},
		{".wh.x", NULL, ".wh.x"},
		{"d/.wh..wh..opq", NULL, ".wh."},
		{"x\x01", NULL, "x"},
		{"same", "same", "is listed twice"},
		{"dir", "dir/file", "is also a folder"},
		{"dir/file/x", "dir/file", "is also a folder"},
	};
	WB_AUTO(source_clear) struct wb_source src;

	source_make(&src, "hf://acme/tiny", NULL);
	struct wb_remote r = {.src = &src};

	wb_log_set_sink(source_sink, &log);
	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;

		wb_listing_add(&l, bad[i].a, 1, &err);
		if (bad[i].b)
			wb_listing_add(&l, bad[i].b, 1, &err);
		assert_err(wb_listing_finish(&l, &r, &err), &err, WB_ERR_FORMAT);
		assert_contains(err.text, bad[i].why);
		assert_contains(err.text, "hf://acme/tiny has a file named");
	}
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT;

	wb_listing_add(&l, "Model.bin", 1, &err);
	wb_listing_add(&l, "model.bin", 1, &err);
	assert_ok(wb_listing_finish(&l, &r, &err), &err);
	wb_log_set_sink(NULL, NULL);
	assert_contains(log.text, "\"Model.bin\" and \"model.bin\" differ in case only");
}

static int turn(struct wb_pages *p, unsigned n, size_t files, struct wb_err *err)
{
	char token[16];

	snprintf(token, sizeof(token), "t%u", n);
	return wb_pages_turn(p, token, files, err);
}

static void test_pages_that_lead_nowhere(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	for (unsigned length = 1; length <= 50; length++) {
		WB_AUTO(wb_pages_release) struct wb_pages p = {0};
		unsigned n = 0;

		while (!turn(&p, n % length + (n < 7 ? 1000 : 0), n, &err))
			assert_true(++n < 300);
		assert_int_equal(err.code, WB_ERR_FORMAT);
		assert_contains(err.text, "goes in a circle");
	}

	WB_AUTO(wb_pages_release) struct wb_pages good = {0}, empty = {0};

	for (unsigned n = 0; n + 2 < WB_LISTING_PAGES_MAX; n++)
		assert_ok(turn(&good, n, n / 900 + 1, &err), &err);
	for (unsigned n = 0; n < WB_LISTING_EMPTY_MAX; n++)
		assert_ok(turn(&empty, n, 0, &err), &err);
	assert_err(turn(&empty, WB_LISTING_EMPTY_MAX, 0, &err), &err, WB_ERR_FORMAT);
}

/* What a store says of a million files has to fit into memory, whatever it says. */
static void test_texts_without_end(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_listing_release) struct wb_listing l = WB_LISTING_INIT, many = WB_LISTING_INIT;
	const struct wb_prefix p = {.prefix = ""};
	char text[5000], name[4001];

	memset(text, '7', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	wb_autofree char *page = wb_asprintf("{\"items\":[{\"name\":\"x\",\"size\":\"5\","
					     "\"generation\":\"%s\",\"etag\":\"%s\"}]}",
		text, text);

	assert_ok(parse(wb_gcs_page_parse, &l, NULL, &p, page, &err), &err);
	assert_string_equal(l.files.items[0].version, "");
	assert_string_equal(l.files.items[0].etag, "");
	assert_null(l.files.items[0].identity);
	assert_null(wb_listing_add(&l, text, 1, &err));
	assert_contains(err.text, "has 4999 bytes");

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (size_t n = 0; n < WB_LISTING_NAMES_MAX / 4000; n++)
		assert_non_null(wb_listing_add(&many, name, 1, &err));
	assert_null(wb_listing_add(&many, name, 1, &err));
	assert_int_equal(err.code, WB_ERR_LIMIT);
	assert_contains(err.text, "of file names");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_that_lead_nowhere),
		cmocka_unit_test(test_s3),
		cmocka_unit_test(test_s3_leaves_out),
		cmocka_unit_test(test_gcs),
		cmocka_unit_test(test_azure),
		cmocka_unit_test(test_bad_pages),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_texts_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
