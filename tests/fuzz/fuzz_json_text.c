/* The pull reader against jansson: what one takes the other takes, and the strings and numbers are
 * the same. (Numbers too large for jansson are taken as numbers that are no whole ones.) */
#include "base/json.h"
#include "base/json_text.h"
#include "fuzz.h"

static void same(struct wb_jread *j, const json_t *want);

static void same_object(struct wb_jread *j, const json_t *want)
{
	const char *name;
	size_t n = 0;

	MUST(wb_jread_object(j));
	while ((name = wb_jread_member(j))) {
		const json_t *value = json_object_get(want, name);

		MUST(value);
		same(j, value);
		n++;
	}
	MUST(n == json_object_size(want));
}

static void same(struct wb_jread *j, const json_t *want)
{
	uint64_t v;

	switch (json_typeof(want)) {
	case JSON_OBJECT: same_object(j, want); break;
	case JSON_ARRAY:
		MUST(wb_jread_array(j));
		for (size_t i = 0; i < json_array_size(want); i++) {
			MUST(wb_jread_element(j));
			same(j, json_array_get(want, i));
		}
		MUST(!wb_jread_element(j));
		break;
	case JSON_STRING: {
		const char *s = wb_jread_string(j);

		MUST(s && !strcmp(s, json_string_value(want)));
		break;
	}
	case JSON_INTEGER:
		if (json_integer_value(want) < 0)
			wb_jread_skip(j);
		else if (wb_jread_u64(j, &v))
			MUST(v == (uint64_t)json_integer_value(want));
		break; /* not taken: "-0" */
	case JSON_REAL: MUST(!wb_jread_u64(j, &v)); break;
	case JSON_TRUE: MUST(wb_jread_true(j)); break;
	case JSON_FALSE: MUST(!wb_jread_true(j)); break;
	case JSON_NULL: MUST(!wb_jread_string(j)); break;
	}
}

static size_t depth_of(const json_t *v)
{
	size_t deepest = 0, i;
	const char *key;
	json_t *item;

	if (json_is_object(v))
		json_object_foreach ((json_t *)v, key, item) {
			size_t d = depth_of(item);

			deepest = d > deepest ? d : deepest;
		}
	json_array_foreach (v, i, item) {
		size_t d = depth_of(item);

		deepest = d > deepest ? d : deepest;
	}
	return deepest + (json_is_object(v) || json_is_array(v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_jread_release) struct wb_jread j;
	json_error_t e;
	wb_autojson json_t *want =
		json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);

	wb_jread_init(&j, text, size);
	if (memchr(text, 0, size))
		return 0; /* the end of the text, to jansson */
	if (want && depth_of(want) <= WB_JSON_TEXT_DEPTH) {
		same(&j, want);
		MUST(!wb_jread_end(&j, "text", &err));
		return 0;
	}
	wb_jread_skip(&j);
	if (wb_jread_end(&j, "text", &err))
		must_be_error(&err);
	else
		MUST(json_error_code(&e) == json_error_numeric_overflow ||
			json_error_code(&e) == json_error_duplicate_key);
	return 0;
}
