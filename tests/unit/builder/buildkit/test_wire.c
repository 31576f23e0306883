#include "wbtest.h"

#include "builder/buildkit/wire.h"

static struct wb_wire_view view(const struct wb_wire *w)
{
	return (struct wb_wire_view){(const uint8_t *)w->buf.data, w->buf.len};
}

/* protobuf.dev, "Encoding": the examples of the document. */
static void writes_the_documented_bytes(void **state)
{
	WB_AUTO(wb_wire_release) struct wb_wire w, inner;

	wb_wire_init(&w);
	wb_wire_init(&inner);
	wb_wire_u64(&w, 1, 150);
	wb_wire_str(&w, 2, "testing");
	wb_wire_u64(&inner, 1, 150);
	wb_wire_msg(&w, 3, &inner);
	wb_wire_i64(&w, 4, -2);
	assert_int_equal(w.buf.len, 3 + 9 + 5 + 11);
	assert_memory_equal(w.buf.data,
		"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01"
		"\x20\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		w.buf.len);
	(void)state;
}

static void leaves_out_what_is_empty(void **state)
{
	WB_AUTO(wb_wire_release) struct wb_wire w;

	wb_wire_init(&w);
	wb_wire_u64(&w, 1, 0);
	wb_wire_str(&w, 2, "");
	wb_wire_str(&w, 2, NULL);
	wb_wire_bool(&w, 3, false);
	assert_int_equal(w.buf.len, 0);
	wb_wire_u64_always(&w, 1, 0);
	wb_wire_str_always(&w, 2, NULL);
	assert_memory_equal(w.buf.data, "\x08\x00\x12\x00", 4);
	(void)state;
}

static void reads_back_what_was_written(void **state)
{
	WB_AUTO(wb_wire_release) struct wb_wire w;
	bool found;

	wb_wire_init(&w);
	wb_wire_u64(&w, 1, UINT64_MAX);
	wb_wire_str(&w, 2, "first");
	wb_wire_str(&w, 2, "last");
	wb_wire_pair_str(&w, 5, "a", "1");
	wb_wire_pair_str(&w, 5, "b", "");
	assert_true(wb_wire_get_u64(view(&w), 1) == UINT64_MAX);
	wb_autofree char *text = wb_wire_get_str(view(&w), 2);

	assert_string_equal(text, "last");
	assert_null(wb_wire_get_str(view(&w), 3));
	assert_true(wb_wire_is(wb_wire_get_pair(view(&w), 5, "a", &found), "1"));
	assert_true(found);
	assert_int_equal(wb_wire_get_pair(view(&w), 5, "b", &found).n, 0);
	assert_true(found);
	wb_wire_get_pair(view(&w), 5, "c", &found);
	assert_false(found);
	(void)state;
}

static void refuses_what_is_no_message(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{"\x08", 1},     /* a key without a value */
		{"\x00\x01", 2}, /* field number 0 */
		{"\x12\x05"
		 "abc",
			5},                                           /* shorter than its length */
		{"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* a length of 2^64 - 1 */
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11}, /* 65 bits */
		{"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12}, /* 11 bytes of number */
		{"\x0b", 1},                                              /* a group of proto2 */
		{"\x09\x01\x02", 3},                                      /* 64 bits cut */
		{"\x0d\x01", 2},                                          /* 32 bits cut */
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct wb_wire_view v = {(const uint8_t *)bad[i].bytes, bad[i].n};
		struct wb_err err = WB_ERR_INIT;

		assert_err(wb_wire_check(v, "it", &err), &err, WB_ERR_FORMAT);
		assert_contains(err.text, "it: ");
		assert_null(wb_wire_get(v, 2).p);
	}
	(void)state;
}

static void stops_at_its_limit(void **state)
{
	WB_AUTO(wb_wire_release) struct wb_wire w;
	WB_AUTO(wb_wire_release) struct wb_wire outer;
	wb_autofree char *big = wb_zalloc(WB_WIRE_MAX);

	wb_wire_init(&w);
	wb_wire_init(&outer);
	wb_wire_bytes(&w, 1, big, WB_WIRE_MAX);
	assert_int_equal(w.error.code, WB_ERR_LIMIT);
	wb_wire_msg(&outer, 1, &w);
	assert_int_equal(outer.error.code, WB_ERR_LIMIT);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_documented_bytes),
		cmocka_unit_test(leaves_out_what_is_empty),
		cmocka_unit_test(reads_back_what_was_written),
		cmocka_unit_test(refuses_what_is_no_message),
		cmocka_unit_test(stops_at_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
