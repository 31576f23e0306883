#include "layertest.h"

#include "layers/guard.h"

#define VALUE "the-value-0123456789-of-a-secret-that-is-long"

struct world {
	struct wb_finder *values;
	struct wb_guard guard;
	const char *let; /* this path, or NULL */
	bool asked_form;
};

static bool let_through(void *arg, const char *path, bool form)
{
	struct world *w = arg;

	w->asked_form = form;
	return w->let && !strcmp(w->let, path);
}

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));

	wb_secret_unref(wb_secret_new("THE_NAME", VALUE, strlen(VALUE), false));
	w->values = wb_secret_finder();
	w->guard = (struct wb_guard){.values = w->values, .allowed = let_through, .arg = w};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wb_finder_free(w->values);
	free(w);
	return 0;
}

static void a_value_is_named_with_its_place_and_not_shown(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	char data[4096] = {0};

	memcpy(data + 1000, VALUE, strlen(VALUE));
	assert_ok(wb_guard_bytes(NULL, NULL, "a/b", data, sizeof(data), &err), &err);
	assert_err(wb_guard_bytes(&w->guard, NULL, "a/b", data, sizeof(data), &err), &err,
		WB_ERR_CONFIG);
	assert_contains(err.text, "\"/a/b\" holds the value of the secret \"THE_NAME\"");
	assert_contains(err.text, "1000 bytes from its start");
	assert_contains(err.hint, "--allow-secret \"a/b\"");
	assert_null(strstr(err.text, VALUE));
	assert_null(strstr(err.hint, VALUE));
	assert_false(w->asked_form);
	w->let = "a/b";
	wb_err_clear(&err);
	assert_ok(wb_guard_bytes(&w->guard, NULL, "a/b", data, sizeof(data), &err), &err);
	w->let = NULL;
}

static void forms_are_sought_in_text_alone(void **state)
{
	static const char token[] = "token: hf"
				    "_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH";
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_err(wb_guard_bytes(&w->guard, NULL, "t", token, strlen(token), &err), &err,
		WB_ERR_CONFIG);
	assert_contains(err.text, "\"/t\" holds a Hugging Face token, 7 bytes");
	assert_true(w->asked_form);
	wb_err_clear(&err);
	assert_ok(wb_guard_bytes(&w->guard, NULL, "t", token, sizeof(token), &err), &err);
}

/* Cut into two at every place, and into pieces of every size. */
static void nothing_hides_on_a_border(void **state)
{
	struct world *w = *state;
	char data[2000];

	for (size_t size = 1; size < sizeof(data); size += size < 100 ? 1 : 97) {
		struct wb_guard_tail tail = {0};
		struct wb_err err = WB_ERR_INIT;
		int rc = 0;

		memset(data, 'x', sizeof(data));
		memcpy(data + 977, VALUE, strlen(VALUE));
		for (size_t at = 0; at < sizeof(data) && !rc; at += size) {
			size_t n = sizeof(data) - at < size ? sizeof(data) - at : size;

			rc = wb_guard_bytes(&w->guard, &tail, "cut", data + at, n, &err);
		}
		assert_int_equal(rc, -1);
		assert_contains(err.text, " 977 bytes from its start");
	}
}

static void names_and_links_count_too(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_guard_names(&w->guard, "a/b", "c", &err), &err);
	assert_ok(wb_guard_names(NULL, VALUE, NULL, &err), &err);
	assert_err(wb_guard_names(&w->guard, "a/" VALUE "/b", NULL, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "the name of ");
	assert_err(wb_guard_names(&w->guard, "a", "../" VALUE, &err), &err, WB_ERR_CONFIG);
	assert_contains(err.text, "the link of \"/a\"");
}

static void random_bytes_hold_nothing(void **state)
{
	struct world *w = *state;
	struct wb_guard_tail tail = {0};
	struct wb_err err = WB_ERR_INIT;
	wb_autofree uint8_t *data = wb_alloc(1 << 20);

	for (uint32_t i = 0; i < 64; i++) {
		layertest_fill(data, 1 << 20, i);
		assert_ok(wb_guard_bytes(&w->guard, &tail, "w", data, 1 << 20, &err), &err);
	}
	assert_int_equal(tail.offset, 64u << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_named_with_its_place_and_not_shown),
		cmocka_unit_test(forms_are_sought_in_text_alone),
		cmocka_unit_test(nothing_hides_on_a_border),
		cmocka_unit_test(names_and_links_count_too),
		cmocka_unit_test(random_bytes_hold_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
