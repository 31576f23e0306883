#include "wbtest.h"

#include "builder/config/yaml.h"

/* A parse with its findings, for one test. */
struct doc {
	struct wb_yaml y;
	struct wb_findings f;
	int rc;
};

static struct doc parse_n(const char *text, size_t n)
{
	struct doc d = {0};

	d.rc = wb_yaml_parse(&d.y, text, n, &d.f);
	return d;
}

static struct doc parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void done(struct doc *d)
{
	wb_yaml_release(&d->y);
	wb_findings_release(&d->f);
}

/* The text is refused with this finding. */
static void refused_n(const char *text, size_t n, const char *id, unsigned line, unsigned column)
{
	struct doc d = parse_n(text, n);

	assert_int_equal(d.rc, -1);
	assert_null(d.y.root);
	assert_int_equal(d.f.errors, 1);
	assert_string_equal(d.f.list.items[0].id, id);
	assert_int_equal(d.f.list.items[0].pos.line, line);
	assert_int_equal(d.f.list.items[0].pos.column, column);
	done(&d);
}

static void refused(const char *text, const char *id, unsigned line, unsigned column)
{
	refused_n(text, strlen(text), id, line, column);
}

static void test_tree_and_positions(void **state)
{
	const char text[] = "a: 1\nlist:\n  - x\n  - {k: \"v\"}\n";
	struct doc d = parse(text);
	const struct wb_yaml_node *list = wb_yaml_get(d.y.root, "list");

	assert_int_equal(d.rc, 0);
	assert_int_equal(d.y.root->kind, WB_YAML_MAPPING);
	assert_int_equal(list->n, 2);
	assert_int_equal(list->items[0]->pos.line, 3);
	assert_int_equal(list->items[0]->pos.column, 5);
	assert_true(list->items[1]->flow);
	const struct wb_yaml_node *v = wb_yaml_get(list->items[1], "k");

	assert_string_equal(v->text, "v");
	assert_false(v->plain);
	assert_memory_equal(text + v->start, "\"v\"", 3);
	assert_int_equal(v->end - v->start, 3);
	assert_null(wb_yaml_get(d.y.root, "none"));
	done(&d);
}

/* libyaml counts characters; offsets are bytes, also behind a BOM, CRLF and wide characters. */
static void test_offsets_are_bytes(void **state)
{
	const char text[] =
		"\xef\xbb\xbf# \xe2\x82\xac\r\nk\xc3\xa9y: '\xf0\x9f\x98\x80'\r\nb: end\r\n";
	struct doc d = parse(text);
	const struct wb_yaml_node *v = wb_yaml_get(d.y.root, "k\xc3\xa9y");
	const struct wb_yaml_node *b = wb_yaml_get(d.y.root, "b");

	assert_int_equal(d.rc, 0);
	assert_memory_equal(text + v->start, "'\xf0\x9f\x98\x80'", 6);
	assert_int_equal(v->end - v->start, 6);
	assert_int_equal(v->pos.column, 6);
	assert_memory_equal(text + b->start, "end", 3);
	assert_int_equal(b->end - b->start, 3);
	assert_int_equal(b->pos.line, 3);
	done(&d);
}

static void test_empty_documents(void **state)
{
	const char *const texts[] = {
		"", "\n\n", "# only a comment\n", "---\n", "\xef\xbb\xbf", "~"};

	for (size_t i = 0; i < WB_ARRAY_LEN(texts); i++) {
		struct doc d = parse(texts[i]);

		assert_int_equal(d.rc, 0);
		assert_int_equal(d.f.list.n, 0);
		if (d.y.root)
			assert_true(wb_yaml_is_null(d.y.root));
		done(&d);
	}
}

/* Expected values are PyYAML's. */
static void test_scalar_types(void **state)
{
	const struct {
		const char *text;
		enum wb_yaml_type type;
		const char *str;
	} v[] = {
		{"~", WB_YAML_NULL, "None"},
		{"null", WB_YAML_NULL, "None"},
		{"nULL", WB_YAML_STRING, "nULL"},
		{"yes", WB_YAML_BOOL, "true"},
		{"Off", WB_YAML_BOOL, "false"},
		{"y", WB_YAML_STRING, "y"},
		{"tRue", WB_YAML_STRING, "tRue"},
		{"1", WB_YAML_INT, "1"},
		{"-0", WB_YAML_INT, "0"},
		{"+12", WB_YAML_INT, "12"},
		{"1_000", WB_YAML_INT, "1000"},
		{"010", WB_YAML_INT, "8"},
		{"08", WB_YAML_STRING, "08"},
		{"0x1F", WB_YAML_INT, "31"},
		{"0b101", WB_YAML_INT, "5"},
		{"0o17", WB_YAML_STRING, "0o17"},
		{"1:30", WB_YAML_INT, "90"},
		{"1:60", WB_YAML_STRING, "1:60"},
		{"1:a", WB_YAML_STRING, "1:a"},
		{"0:30", WB_YAML_STRING, "0:30"},
		{"-1:30:05", WB_YAML_INT, "-5405"},
		{"99999999999999999999", WB_YAML_INT, "99999999999999999999"},
		{"1.5", WB_YAML_FLOAT, "1.5"},
		{"1.", WB_YAML_FLOAT, "1.0"},
		{"-.5", WB_YAML_STRING, "-.5"},
		{".5", WB_YAML_FLOAT, "0.5"},
		{"1e3", WB_YAML_STRING, "1e3"},
		{"1.0e+3", WB_YAML_FLOAT, "1000.0"},
		{"1.0e+16", WB_YAML_FLOAT, "1e+16"},
		{"123456789.125", WB_YAML_FLOAT, "123456789.125"},
		{"0.00001", WB_YAML_FLOAT, "1e-05"},
		{"0.1", WB_YAML_FLOAT, "0.1"},
		{"1:30.5", WB_YAML_FLOAT, "90.5"},
		{".inf", WB_YAML_FLOAT, "inf"},
		{"-.INF", WB_YAML_FLOAT, "-inf"},
		{".nan", WB_YAML_FLOAT, "nan"},
		{"1.2.3", WB_YAML_STRING, "1.2.3"},
		{"2024-01-01", WB_YAML_TIME, "2024-01-01"},
		{"2024-01-01x", WB_YAML_STRING, "2024-01-01x"},
		{"2024-01-01 10:00:00", WB_YAML_TIME, "2024-01-01 10:00:00"},
		{"'1'", WB_YAML_STRING, "1"},
		{"\"yes\"", WB_YAML_STRING, "yes"},
		{"!!str 1", WB_YAML_STRING, "1"},
		{"!!int '7'", WB_YAML_INT, "7"},
		{"plain words", WB_YAML_STRING, "plain words"},
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(v); i++) {
		wb_autofree char *text = wb_asprintf("k: %s\n", v[i].text);
		struct doc d = parse(text);
		const struct wb_yaml_node *n = wb_yaml_get(d.y.root, "k");
		wb_autofree char *str = n ? wb_yaml_python_str(n) : NULL;

		if (!n || wb_yaml_type(n) != v[i].type || strcmp(str, v[i].str) != 0)
			fail_msg("%s: type %d, \"%s\"", v[i].text, n ? (int)wb_yaml_type(n) : -1,
				str ? str : "");
		int64_t number;

		/* ends, too, and gives no number for what is none */
		if (wb_yaml_int(&number, n) && v[i].type != WB_YAML_INT)
			fail_msg("%s: %lld", v[i].text, (long long)number);
		done(&d);
	}
}

static void test_aliases_are_shared(void **state)
{
	struct doc d = parse("a: &x {k: v}\nb: *x\nc: &y w\nd: *y\n");
	const struct wb_yaml_node *b = wb_yaml_get(d.y.root, "b");

	assert_int_equal(d.rc, 0);
	assert_true(b->alias);
	assert_int_equal(b->pos.line, 2);
	assert_string_equal(wb_yaml_get(b, "k")->text, "v");
	assert_string_equal(wb_yaml_get(d.y.root, "d")->text, "w");
	done(&d);
}

static void test_merge_keys(void **state)
{
	struct doc d = parse("base: &b {x: 1, y: 2}\nother: &o {y: 8, z: 9}\n"
			     "one:\n  y: 3\n  <<: *b\n"
			     "two:\n  <<: [*b, *o]\n");
	const struct wb_yaml_node *one = wb_yaml_get(d.y.root, "one");
	const struct wb_yaml_node *two = wb_yaml_get(d.y.root, "two");

	assert_int_equal(d.f.list.n, 0);
	assert_string_equal(wb_yaml_get(one, "x")->text, "1");
	assert_string_equal(wb_yaml_get(one, "y")->text, "3");
	assert_string_equal(wb_yaml_get(two, "y")->text, "2");
	assert_string_equal(wb_yaml_get(two, "z")->text, "9");
	done(&d);
	refused("a: {<<: 1}\n", "merge-key", 1, 9);
}

static void test_duplicate_keys(void **state)
{
	struct doc d = parse("a: 1\nb: {c: 1, \"c\": 2}\na: 3\n");

	assert_int_equal(d.rc, 0);
	assert_int_equal(d.f.errors, 2);
	assert_string_equal(d.f.list.items[0].id, "duplicate-key");
	assert_int_equal(d.f.list.items[1].pos.line, 3);
	assert_contains(d.f.list.items[1].text, "first in line 1");
	assert_string_equal(wb_yaml_get(d.y.root, "a")->text, "3");
	done(&d);
}

static void test_refusals(void **state)
{
	refused("a: b\n---\nc: d\n", "many-documents", 2, 1);
	refused("a: *nope\n", "unknown-alias", 1, 4);
	refused("a: &x [*x]\n", "recursive-alias", 1, 8);
	refused("? [1]\n: 2\n", "complex-key", 1, 3);
	refused("\"a\\0b\": 1\n", "nul-byte", 1, 1);
	refused("a: [1\nb: 2\n", "yaml-syntax", 2, 2);
	refused("a:\n\tb: 1\n", "yaml-syntax", 2, 1);
	refused("a: @b\n", "yaml-syntax", 1, 4);
	refused_n("a: \0b\n", 6, "yaml-bytes", 1, 4);
	refused("a: 1\nb: \xff\n", "yaml-bytes", 2, 4);
	refused("a: \x01\n", "yaml-bytes", 1, 4);
	refused_n("\xff\xfe"
		  "a\0:\0",
		6, "yaml-bytes", 1, 1);
}

static void test_hint_for_tabs(void **state)
{
	struct doc d = parse("a:\n\tb: 1\n");

	assert_contains(d.f.list.items[0].hint, "tab");
	done(&d);
}

static void test_unknown_tags(void **state)
{
	struct doc d = parse("a: !custom 1\nb: !!map {}\nc: !!python/name:os.system x\n");

	assert_int_equal(d.f.errors, 2);
	assert_string_equal(d.f.list.items[0].id, "unknown-tag");
	done(&d);
}

static void test_depth_is_bounded(void **state)
{
	char text[1000 + 1];

	memset(text, '[', 63);
	memset(text + 63, ']', 63);
	text[126] = '\0';
	struct doc d = parse(text);

	assert_int_equal(d.rc, 0);
	done(&d);
	memset(text, '[', 1000);
	text[1000] = '\0';
	refused(text, "too-deep", 1, 65);
}

/* An alias may not be used to get deeper than the text itself could. */
static void test_depth_through_aliases(void **state)
{
	char text[8192] = "a0: &a0 [1]\n";

	for (int i = 1; i < 70; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "a%d: &a%d [*a%d]\n", i,
			i, i - 1);
	struct doc d = parse(text);

	assert_int_equal(d.rc, -1);
	assert_string_equal(d.f.list.items[0].id, "too-deep");
	done(&d);
}

static void test_billion_laughs(void **state)
{
	char text[4096] = "a0: &a0 [l, l, l, l, l, l, l, l, l]\n";

	for (int i = 1; i < 12; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	struct doc d = parse(text);

	assert_int_equal(d.rc, -1);
	assert_string_equal(d.f.list.items[0].id, "too-many-nodes");
	done(&d);
}

static void test_size_is_bounded(void **state)
{
	size_t n = WB_CONFIG_BYTES_MAX + 1;
	wb_autofree char *text = wb_alloc(n);

	memset(text, '#', n);
	refused_n(text, n, "too-large", 0, 0);
}

/* Shapes that make careless readers quadratic: the largest allowed file of each ends quickly. */
static void test_large_files_end(void **state)
{
	struct wb_err err = WB_ERR_INIT;

	for (size_t p = 0; p < 3; p++) {
		struct wb_buf b WB_AUTO(wb_buf_release) = WB_BUF_INIT;

		wb_buf_init(&b, WB_CONFIG_BYTES_MAX, "text");
		for (size_t i = 0; i < 300000; i++) {
			char line[40];
			int n = p == 0   ? snprintf(line, sizeof(line), "k%zu: v\n", i)
			        : p == 1 ? snprintf(line, sizeof(line), "- &a%zu x\n", i)
			                 : snprintf(line, sizeof(line), "- [%zu]\n", i);

			assert_ok(wb_buf_add(&b, line, (size_t)n, &err), &err);
		}
		struct doc d = parse_n(b.data, b.len);

		assert_int_equal(d.rc, 0);
		assert_int_equal(d.y.root->n, 300000);
		done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree_and_positions),
		cmocka_unit_test(test_offsets_are_bytes),
		cmocka_unit_test(test_empty_documents),
		cmocka_unit_test(test_scalar_types),
		cmocka_unit_test(test_aliases_are_shared),
		cmocka_unit_test(test_merge_keys),
		cmocka_unit_test(test_duplicate_keys),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_hint_for_tabs),
		cmocka_unit_test(test_unknown_tags),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_depth_through_aliases),
		cmocka_unit_test(test_billion_laughs),
		cmocka_unit_test(test_size_is_bounded),
		cmocka_unit_test(test_large_files_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
