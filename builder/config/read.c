#include "builder/config/read.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

struct wb_key_text wb_read_name(const struct wb_read *r, const char *key)
{
	struct wb_key_text t;

	snprintf(t.s, sizeof(t.s), "%s%s%s", r->where, *r->where ? "." : "", key);
	return t;
}

const struct wb_yaml_node *wb_read_node(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_yaml_get(r->map, key);

	return n && !wb_yaml_is_null(n) ? n : NULL;
}

struct wb_pos wb_read_pos(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_yaml_get(r->map, key);

	return n ? n->pos : r->map->pos;
}

static void wrong_type(const struct wb_read *r, const struct wb_yaml_node *n, const char *name,
	const char *want, const char *hint)
{
	wb_read_error(r, "wrong-type", n->pos, hint, "\"%s\" should be %s, not %s", name, want,
		wb_yaml_type_name(n));
}

const char *wb_read_text(const struct wb_read *r, const struct wb_yaml_node *n, const char *name)
{
	if (n->kind != WB_YAML_SCALAR) {
		wrong_type(r, n, name, "a string", NULL);
		return NULL;
	}
	if (strlen(n->text) != n->len) {
		wb_read_error(r, "nul-byte", n->pos, NULL, "\"%s\" has a NUL byte in it", name);
		return NULL;
	}
	if (wb_yaml_type(n) != WB_YAML_STRING) {
		wb_autofree char *hint = wb_asprintf("put it in quotes: \"%.100s\"", n->text);

		wrong_type(r, n, name, "a string", *n->text ? hint : NULL);
		return NULL;
	}
	return n->text;
}

const char *wb_read_str(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);

	return n ? wb_read_text(r, n, wb_read_name(r, key).s) : NULL;
}

const char *wb_read_str_required(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);

	if (!n) {
		wb_read_error(r, "missing-key", wb_read_pos(r, key), NULL,
			"\"%s\" is missing: field required", wb_read_name(r, key).s);
		return NULL;
	}
	const char *s = wb_read_text(r, n, wb_read_name(r, key).s);

	if (s && !*s) {
		wb_read_error(r, "empty-value", n->pos, NULL, "\"%s\" must not be empty",
			wb_read_name(r, key).s);
		return NULL;
	}
	return s;
}

/* Strings and numbers that Truss takes for a boolean as well. */
static int loose_bool(const char *s)
{
	static const char *const words[] = {
		"false", "true", "no", "yes", "off", "on", "0", "1", "n", "y", "f", "t"};

	for (size_t i = 0; i < WB_ARRAY_LEN(words); i++)
		if (!strcasecmp(s, words[i]))
			return (int)(i % 2);
	return -1;
}

int wb_read_bool(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);

	if (!n)
		return -1;
	if (n->kind == WB_YAML_SCALAR) {
		int v = wb_yaml_type(n) == WB_YAML_BOOL ? (int)wb_yaml_bool(n)
		                                        : loose_bool(n->text);

		if (v >= 0)
			return v;
	}
	wrong_type(r, n, wb_read_name(r, key).s, "true or false", NULL);
	return -1;
}

bool wb_read_int(int64_t *out, const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);
	uint64_t v;

	if (!n)
		return false;
	if (n->kind == WB_YAML_SCALAR && wb_yaml_int(out, n))
		return true;
	if (n->kind == WB_YAML_SCALAR && wb_parse_u64(&v, n->text) && v <= INT64_MAX) {
		*out = (int64_t)v;
		return true;
	}
	wrong_type(r, n, wb_read_name(r, key).s, "a whole number", NULL);
	return false;
}

const struct wb_yaml_node *wb_read_list(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);

	if (!n || n->kind == WB_YAML_SEQUENCE)
		return n;
	wrong_type(r, n, wb_read_name(r, key).s, "a list",
		n->kind == WB_YAML_MAPPING ? "start each entry with \"- \"" : NULL);
	return NULL;
}

const struct wb_yaml_node *wb_read_map(const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_node(r, key);

	if (!n || n->kind == WB_YAML_MAPPING)
		return n;
	wrong_type(r, n, wb_read_name(r, key).s, "a mapping", NULL);
	return NULL;
}

bool wb_read_enter(struct wb_read *out, const struct wb_read *r, const char *key)
{
	const struct wb_yaml_node *n = wb_read_map(r, key);

	if (!n)
		return false;
	*out = (struct wb_read){.findings = r->findings, .map = n};
	snprintf(out->where, sizeof(out->where), "%.90s", wb_read_name(r, key).s);
	return true;
}

bool wb_read_enter_item(struct wb_read *out, const struct wb_read *r, const char *key,
	const struct wb_yaml_node *list, size_t i)
{
	const struct wb_yaml_node *n = list->items[i];
	char name[96];

	snprintf(name, sizeof(name), "%.70s[%zu]", wb_read_name(r, key).s, i);
	if (n->kind != WB_YAML_MAPPING) {
		wrong_type(r, n, name, "a mapping", NULL);
		return false;
	}
	*out = (struct wb_read){.findings = r->findings, .map = n};
	memcpy(out->where, name, sizeof(name));
	return true;
}

void wb_read_unknown(const struct wb_read *r, const char *const *known)
{
	/* nobody mistypes a thousand keys, and each costs a comparison with all known ones */
	for (size_t i = 0; i < r->map->n && i < 1000; i++) {
		const struct wb_yaml_node *key = r->map->items[2 * i];
		const char *const *k = known;

		while (*k && strcmp(*k, key->text) != 0)
			k++;
		const char *near = *k ? NULL : wb_text_nearest(key->text, known);

		if (!near)
			continue;
		wb_autofree char *hint = wb_asprintf("did you mean \"%s\"?", near);

		wb_read_warn(r, "unknown-key", key->pos, hint, "the key \"%s\" is not known%s%s%s",
			key->text, *r->where ? " in \"" : "", r->where, *r->where ? "\"" : "");
	}
}
