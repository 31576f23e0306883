#include "wbtest.h"

#include "base/buf.h"

static void holds_up_to_its_limit_and_not_more(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf b;

	wb_buf_init(&b, 5, "greeting");
	assert_string_equal(b.data, "");
	assert_ok(wb_buf_puts(&b, "hello", &err), &err);
	assert_err(wb_buf_add(&b, "!", 1, &err), &err, WB_ERR_LIMIT);
	assert_string_equal(err.text, "greeting is larger than the limit of 5 bytes");
	assert_string_equal(b.data, "hello");
	assert_int_equal(b.len, 5);
	assert_ok(wb_buf_add(&b, NULL, 0, &err), &err);
	wb_buf_clear(&b);
	assert_string_equal(b.data, "");
	assert_ok(wb_buf_puts(&b, "again", &err), &err);
	wb_buf_release(&b);
	wb_buf_release(&b);
}

static void a_limit_near_the_end_of_memory_does_not_wrap(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf b;

	wb_buf_init(&b, 10, "x");
	assert_ok(wb_buf_puts(&b, "12345", &err), &err);
	assert_err(wb_buf_add(&b, "y", SIZE_MAX - 2, &err), &err, WB_ERR_LIMIT);
	assert_int_equal(b.len, 5);
	wb_buf_release(&b);
}

static void bytes_may_be_any(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf b;

	wb_buf_init(&b, 1 << 20, "bytes");
	for (int i = 0; i < 3000; i++)
		assert_ok(wb_buf_add(&b, "\0\xff", 2, &err), &err);
	assert_int_equal(b.len, 6000);
	assert_int_equal(b.data[5998], 0);
	assert_int_equal((unsigned char)b.data[5999], 0xff);
	assert_int_equal(b.data[6000], 0);
	wb_buf_release(&b);
}

static void printing_and_stealing(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf b;

	wb_buf_init(&b, 100, "text");
	assert_ok(wb_buf_printf(&b, &err, "%s=%d", "a", 1), &err);
	wb_buf_must(&b, ";%c", 'z');
	char *s = wb_buf_steal(&b);

	assert_string_equal(s, "a=1;z");
	free(s);
	assert_string_equal(b.data, "");
	assert_err(wb_buf_printf(&b, &err, "%200d", 1), &err, WB_ERR_LIMIT);
	wb_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_up_to_its_limit_and_not_more),
		cmocka_unit_test(a_limit_near_the_end_of_memory_does_not_wrap),
		cmocka_unit_test(bytes_may_be_any),
		cmocka_unit_test(printing_and_stealing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
