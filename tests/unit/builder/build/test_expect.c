/* The verdict over layers, whatever the order in which they are read. */
#include "wbtest.h"

#include "base/sha256.h"
#include "builder/build/expect.h"

#define HEX_A "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" /* of "a" */
#define HEX_B "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d" /* of "b" */

static const char manifest[] =
	"{\"version\":2,\"chunkSize\":4194304,\"sources\":["
	"{\"label\":\"data\",\"mount\":\"/app/data\"},"
	"{\"label\":\"hub\",\"mount\":\"/hub/models--o--r\",\"shared\":true},"
	"{\"label\":\"open\",\"mount\":\"/open\",\"shared\":true}],"
	"\"hfCache\":\"/hub\",\"files\":["
	"{\"path\":\"app/data/a\",\"mode\":\"0644\",\"size\":1,\"sha256\":\"" HEX_A
	"\",\"source\":0},"
	"{\"path\":\"app/data/copy\",\"mode\":\"0644\",\"size\":1,\"sha256\":\"" HEX_A
	"\",\"source\":0},"
	"{\"path\":\"app/data/link\",\"type\":\"symlink\",\"target\":\"a\",\"source\":0},"
	"{\"path\":\"hub/models--o--r/snapshots/0123/"
	"w\",\"mode\":\"0644\",\"size\":1,\"sha256\":\"" HEX_A "\",\"source\":1}]}";

struct fixture {
	struct wb_bundle_manifest m;
	struct wb_expect *x;
	char said[4000];
	size_t files;
};

static int setup(void **state)
{
	struct fixture *f = wb_zalloc(sizeof(*f));
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_bundle_manifest_parse(&f->m, manifest, strlen(manifest), &err), &err);
	f->x = wb_expect_new(&f->m);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_expect_free(f->x);
	wb_bundle_manifest_release(&f->m);
	free(f);
	return 0;
}

static void entry(struct fixture *f, size_t layer, enum wb_layer_entry_type type, const char *path,
	const char *content_or_link)
{
	bool file = type == WB_LAYER_ENTRY_FILE;
	const struct wb_layer_entry e = {.type = type,
		.path = path,
		.link = file ? NULL : content_or_link,
		.size = file ? strlen(content_or_link) : 0};
	struct wb_expected *want = wb_expect_entry(f->x, layer, &e);

	if (want) {
		struct wb_digest d;

		assert_true(file);
		wb_sha256_once(&d, content_or_link, strlen(content_or_link));
		wb_expect_file(f->x, want, layer, e.size, &d);
	}
}

static void file(struct fixture *f, size_t layer, const char *path, const char *content)
{
	entry(f, layer, WB_LAYER_ENTRY_FILE, path, content);
}

static void whole_bundle(struct fixture *f, size_t layer)
{
	entry(f, layer, WB_LAYER_ENTRY_DIR, "app/data", NULL);
	file(f, layer, "app/data/a", "a");
	entry(f, layer, WB_LAYER_ENTRY_HARDLINK, "app/data/copy", "app/data/a");
	entry(f, layer, WB_LAYER_ENTRY_SYMLINK, "app/data/link", "a");
	file(f, layer, "hub/models--o--r/snapshots/0123/w", "a");
}

static void keep(void *arg, const char *line)
{
	struct fixture *f = arg;
	size_t n = strlen(f->said);

	snprintf(f->said + n, sizeof(f->said) - n, "%s\n", line);
}

static size_t judge(struct fixture *f)
{
	return wb_expect_judge(&f->files, f->x, keep, f);
}

static void test_all_there(void **state)
{
	struct fixture *f = *state;

	whole_bundle(f, 3);
	assert_int_equal(judge(f), 0);
	assert_int_equal(f->files, 3);
}

static void test_nothing_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(judge(f), 4);
	assert_contains(f->said, "/app/data/a: is in no layer\n");
	assert_contains(f->said, "/app/data/link: is in no layer\n");
	assert_int_equal(f->files, 0);
}

/* A lower layer's version does not matter, whether it is seen before or after. */
static void test_uppermost_counts(void **state)
{
	struct fixture *f = *state;

	file(f, 0, "app/data/a", "old");
	whole_bundle(f, 3);
	file(f, 1, "app/data/a", "older");
	entry(f, 2, WB_LAYER_ENTRY_SYMLINK, "app/data/copy", "elsewhere");
	assert_int_equal(judge(f), 0);
}

static void test_a_higher_one_counts(void **state)
{
	struct fixture *f = *state;

	file(f, 5, "app/data/a", "b");
	whole_bundle(f, 3);
	entry(f, 4, WB_LAYER_ENTRY_DIR, "app/data/copy", NULL);
	entry(f, 4, WB_LAYER_ENTRY_SYMLINK, "app/data/link", "b");
	file(f, 4, "hub/models--o--r/snapshots/0123/w", "long");
	assert_int_equal(judge(f), 4);
	assert_contains(f->said, "/app/data/a: its bytes have the digest sha256:" HEX_B
				 " instead of sha256:" HEX_A "\n");
	assert_contains(f->said, "/app/data/copy: is not a regular file\n");
	assert_contains(f->said, "/app/data/link: does not point to \"a\"\n");
	assert_contains(f->said, "snapshots/0123/w: has 4 bytes instead of 1\n");
}

static void test_whiteouts(void **state)
{
	struct fixture *f = *state;

	/* below ours: they speak of the base */
	file(f, 1, "app/.wh.data", "");
	file(f, 1, "app/data/.wh..wh..opq", "");
	whole_bundle(f, 3);
	file(f, 4, "app/data/.wh.a", "");
	file(f, 4, "hub/models--o--r/.wh..wh..opq", "");
	assert_int_equal(judge(f), 2);
	assert_contains(f->said, "/app/data/a: is taken away by a later layer\n");
	assert_contains(f->said, "snapshots/0123/w: is taken away by a later layer\n");
}

static void test_extras(void **state)
{
	struct fixture *f = *state;

	whole_bundle(f, 3);
	file(f, 4, "app/data/more", "x");
	file(f, 2, "app/data/gone", "x");
	file(f, 4, "app/data/.wh.gone", "");
	file(f, 4, "app/datafile", "x");                         /* not below the mount */
	file(f, 4, "open/more", "x");                            /* shared */
	file(f, 4, "hub/models--o--r/refs/main", "x");           /* the hub client's own */
	file(f, 4, "hub/models--o--r/snapshots/0123/evil", "x"); /* a loader lists it */
	file(f, 4, "hub/models--o--r/snapshots/4567/w", "x");    /* another revision */
	assert_int_equal(judge(f), 2);
	assert_contains(f->said, "/app/data/more: nobody packed it");
	assert_contains(f->said, "snapshots/0123/evil: nobody packed it");
}

static void test_twice_in_one_layer(void **state)
{
	struct fixture *f = *state;

	whole_bundle(f, 3);
	file(f, 3, "app/data/a", "b");
	assert_int_equal(judge(f), 1);
	assert_contains(f->said, "/app/data/a: is twice in one layer\n");
}

static void test_hard_link_to_another_file(void **state)
{
	struct fixture *f = *state;

	whole_bundle(f, 3);
	entry(f, 4, WB_LAYER_ENTRY_HARDLINK, "app/data/copy", "etc/passwd");
	assert_int_equal(judge(f), 1);
	assert_contains(
		f->said, "/app/data/copy: is a link to \"etc/passwd\", which is another file\n");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_all_there),
		T(test_nothing_there),
		T(test_uppermost_counts),
		T(test_a_higher_one_counts),
		T(test_whiteouts),
		T(test_extras),
		T(test_twice_in_one_layer),
		T(test_hard_link_to_another_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
