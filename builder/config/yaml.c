#include "builder/config/yaml.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#include "base/text.h"

struct anchor {
	char *name;
	struct wb_yaml_node *node;
	UT_hash_handle hh;
};

/* libyaml counts characters; editing needs bytes. Marks come nearly in order, so a cursor that
 * walks both ways costs little. */
struct cursor {
	size_t index, byte;
};

struct loader {
	struct wb_yaml *tree;
	struct wb_findings *findings;
	const char *text;
	size_t size;
	struct cursor at;
	struct wb_yaml_node *stack[WB_CONFIG_DEPTH_MAX];
	size_t depth;
	uint64_t total;
	struct anchor *anchors;
	bool done; /* the document has ended */
};

static bool continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t byte_of(struct loader *l, size_t index)
{
	struct cursor *c = &l->at;

	while (c->index < index && c->byte < l->size) {
		c->byte++;
		while (c->byte < l->size && continuation(l->text[c->byte]))
			c->byte++;
		c->index++;
	}
	while (c->index > index && c->byte > 0) {
		c->byte--;
		while (c->byte > 0 && continuation(l->text[c->byte]))
			c->byte--;
		c->index--;
	}
	return c->byte;
}

static struct wb_pos pos_of(const yaml_mark_t *m)
{
	return (struct wb_pos){(unsigned)m->line + 1, (unsigned)m->column + 1};
}

static int fatal(
	struct loader *l, const char *id, struct wb_pos pos, const char *hint, const char *text)
{
	wb_findings_add(l->findings, WB_SEV_ERROR, id, pos, hint, "%s", text);
	return -1;
}

static struct wb_yaml_node *new_node(
	struct loader *l, enum wb_yaml_kind kind, const yaml_event_t *ev)
{
	struct wb_yaml_node *n = wb_zalloc(sizeof(*n));

	*wb_vec_push(&l->tree->nodes) = n;
	n->kind = kind;
	n->pos = pos_of(&ev->start_mark);
	n->start = byte_of(l, ev->start_mark.index);
	n->end = byte_of(l, ev->end_mark.index);
	return n;
}

static void set_anchor(struct loader *l, const yaml_char_t *name, struct wb_yaml_node *node)
{
	struct anchor *a = NULL;

	if (!name)
		return;
	HASH_FIND_STR(l->anchors, (const char *)name, a);
	if (!a) {
		a = wb_zalloc(sizeof(*a));
		a->name = wb_strdup((const char *)name);
		HASH_ADD_KEYPTR(hh, l->anchors, a->name, strlen(a->name), a);
	}
	a->node = node;
}

/* Puts a node under the open collection, or makes it the root. Collections are counted when they
 * start and join their parent then, so only scalars and aliases bring weight here. */
static int attach(struct loader *l, struct wb_yaml_node *n, uint64_t weight)
{
	l->total += weight;
	if (l->total > WB_CONFIG_NODES_MAX)
		return fatal(l, "too-many-nodes", n->pos, "aliases count as what they stand for",
			"the file has more than 1000000 values");
	if (l->depth + n->height > WB_CONFIG_DEPTH_MAX)
		return fatal(l, "too-deep", n->pos, NULL, "the file nests deeper than 64 levels");
	if (!l->depth) {
		l->tree->root = n;
		return 0;
	}
	struct wb_yaml_node *parent = l->stack[l->depth - 1];

	/* while a mapping is open n counts keys and values; close_mapping() makes it pairs */
	parent->items = wb_vec_grow_(parent->items, &parent->cap, parent->n, sizeof(n));
	parent->items[parent->n++] = n;
	return 0;
}

static bool known_tag(const char *tag)
{
	static const char *const names[] = {"map", "seq", "set", "omap", "pairs", "str", "null",
		"bool", "int", "float", "timestamp", "binary", "merge", "value", NULL};
	static const char prefix[] = "tag:yaml.org,2002:";

	if (!strcmp(tag, "!"))
		return true;
	if (!wb_str_starts(tag, prefix))
		return false;
	for (size_t i = 0; names[i]; i++)
		if (!strcmp(tag + sizeof(prefix) - 1, names[i]))
			return true;
	return false;
}

static void check_tag(struct loader *l, const yaml_char_t *tag, struct wb_pos pos)
{
	if (tag && !known_tag((const char *)tag))
		wb_findings_add(l->findings, WB_SEV_ERROR, "unknown-tag", pos,
			"remove the tag; a config has plain YAML values only",
			"the YAML tag \"%.60s\" is not known", (const char *)tag);
}

static int on_scalar(struct loader *l, const yaml_event_t *ev)
{
	const char *tag = (const char *)ev->data.scalar.tag;
	bool string_tag = tag && (!strcmp(tag, "!") || !strcmp(tag, "tag:yaml.org,2002:str"));
	struct wb_yaml_node *n = new_node(l, WB_YAML_SCALAR, ev);

	check_tag(l, ev->data.scalar.tag, n->pos);
	n->len = ev->data.scalar.length;
	n->text = wb_zalloc(n->len + 1);
	memcpy(n->text, ev->data.scalar.value, n->len);
	n->plain = tag ? !string_tag : ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->weight = 1;
	n->height = 1;
	set_anchor(l, ev->data.scalar.anchor, n);
	return attach(l, n, 1);
}

static int on_alias(struct loader *l, const yaml_event_t *ev)
{
	struct wb_pos pos = pos_of(&ev->start_mark);
	struct anchor *a = NULL;

	HASH_FIND_STR(l->anchors, (const char *)ev->data.alias.anchor, a);
	if (!a)
		return fatal(l, "unknown-alias", pos,
			"define it before its use, as \"&name value\"",
			"the alias has no anchor of that name before it");
	if (!a->node->weight)
		return fatal(l, "recursive-alias", pos, NULL, "the alias stands for what it is in");
	struct wb_yaml_node *n = new_node(l, a->node->kind, ev);
	struct wb_yaml_node place = *n;

	/* children are shared: a tree of aliases costs its text, not its expansion */
	*n = *a->node;
	n->alias = true;
	n->pos = place.pos;
	n->start = place.start;
	n->end = place.end;
	return attach(l, n, n->weight);
}

static int open_collection(struct loader *l, const yaml_event_t *ev, enum wb_yaml_kind kind)
{
	const yaml_char_t *anchor, *tag;
	struct wb_yaml_node *n = new_node(l, kind, ev);

	if (kind == WB_YAML_MAPPING) {
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		n->flow = ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	} else {
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		n->flow = ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	}
	check_tag(l, tag, n->pos);
	n->height = 1;
	if (attach(l, n, 1))
		return -1;
	set_anchor(l, anchor, n);
	l->stack[l->depth++] = n;
	return 0;
}

struct key {
	const char *name;
	size_t len;
	const struct wb_yaml_node *node;
	UT_hash_handle hh;
};

static bool is_merge(const struct wb_yaml_node *key)
{
	return key->kind == WB_YAML_SCALAR && key->plain && !strcmp(key->text, "<<");
}

static void add_key(struct key **set, struct key *k, const struct wb_yaml_node *node)
{
	k->node = node;
	k->name = node->text;
	k->len = node->len;
	HASH_ADD_KEYPTR(hh, *set, k->name, k->len, k);
}

static const struct wb_yaml_node *find_key(struct key *set, const struct wb_yaml_node *node)
{
	struct key *k = NULL;

	HASH_FIND(hh, set, node->text, node->len, k);
	return k ? k->node : NULL;
}

/* Reports keys that are not plain words and keys given twice; fills the set of keys. */
static int check_keys(
	struct loader *l, const struct wb_yaml_node *map, struct key **set, struct key *keys)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct wb_yaml_node *key = map->items[2 * i];

		if (key->kind != WB_YAML_SCALAR)
			return fatal(l, "complex-key", key->pos, NULL,
				"a key must be a word, not a list or mapping");
		if (strlen(key->text) != key->len)
			return fatal(l, "nul-byte", key->pos, NULL, "a key has a NUL byte in it");
		if (is_merge(key))
			continue;
		const struct wb_yaml_node *first = find_key(*set, key);

		if (first)
			wb_findings_add(l->findings, WB_SEV_ERROR, "duplicate-key", key->pos,
				"keep one of the two; YAML readers would silently use the last one",
				"the key \"%.100s\" is given twice, first in line %u", key->text,
				first->pos.line);
		else
			add_key(set, &keys[i], key);
	}
	return 0;
}

/* The pairs of one merged mapping that the keys so far do not have. */
static void merge_pairs(struct wb_yaml_node *map, const struct wb_yaml_node *from, struct key **set)
{
	for (size_t i = 0; i < from->n; i++) {
		if (is_merge(from->items[2 * i]) || find_key(*set, from->items[2 * i]))
			continue;
		struct key *k = wb_zalloc(sizeof(*k));

		add_key(set, k, from->items[2 * i]);
		size_t raw = 2 * map->n;

		for (size_t j = 0; j < 2; j++, raw++) {
			map->items = wb_vec_grow_(map->items, &map->cap, raw, sizeof(*map->items));
			map->items[raw] = from->items[2 * i + j];
		}
		map->n++;
	}
}

static int merge_value(struct loader *l, struct wb_yaml_node *map, const struct wb_yaml_node *value,
	struct key **set)
{
	if (value->kind == WB_YAML_MAPPING) {
		merge_pairs(map, value, set);
		return 0;
	}
	bool ok = value->kind == WB_YAML_SEQUENCE;

	for (size_t i = 0; ok && i < value->n; i++)
		ok = value->items[i]->kind == WB_YAML_MAPPING;
	if (!ok)
		return fatal(l, "merge-key", value->pos, "write \"<<: *name\"",
			"the merge key \"<<\" takes a mapping or a list of mappings");
	for (size_t i = 0; i < value->n; i++)
		merge_pairs(map, value->items[i], set);
	return 0;
}

static int close_mapping(struct loader *l, struct wb_yaml_node *map)
{
	map->n /= 2;
	size_t own = map->n;
	struct key *set = NULL, *k, *next;
	wb_autofree struct key *keys = wb_calloc(own, sizeof(*keys));
	int rc = check_keys(l, map, &set, keys);

	for (size_t i = 0; rc == 0 && i < own; i++)
		if (is_merge(map->items[2 * i]))
			rc = merge_value(l, map, map->items[2 * i + 1], &set);
	HASH_ITER (hh, set, k, next) {
		HASH_DEL(set, k);
		if (k < keys || k >= keys + own)
			free(k);
	}
	return rc;
}

static int close_collection(struct loader *l, const yaml_event_t *ev)
{
	struct wb_yaml_node *n = l->stack[--l->depth];
	uint64_t weight = 1;

	assert(n);
	n->end = byte_of(l, n->flow ? ev->end_mark.index : ev->start_mark.index);
	if (n->kind == WB_YAML_MAPPING && close_mapping(l, n))
		return -1;
	for (size_t i = 0; i < n->n * (n->kind == WB_YAML_MAPPING ? 2 : 1); i++) {
		weight += n->items[i]->weight;
		if (n->items[i]->height >= n->height)
			n->height = n->items[i]->height + 1;
	}
	n->weight = weight;
	return 0;
}

static int on_event(struct loader *l, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (l->done)
			return fatal(l, "many-documents", pos_of(&ev->start_mark),
				"remove the \"---\" and what follows",
				"the file has more than one YAML document");
		return 0;
	case YAML_DOCUMENT_END_EVENT: l->done = true; return 0;
	case YAML_ALIAS_EVENT: return on_alias(l, ev);
	case YAML_SCALAR_EVENT: return on_scalar(l, ev);
	case YAML_SEQUENCE_START_EVENT: return open_collection(l, ev, WB_YAML_SEQUENCE);
	case YAML_MAPPING_START_EVENT: return open_collection(l, ev, WB_YAML_MAPPING);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: return close_collection(l, ev);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT: return 0;
	}
	return 0;
}

/* Bytes that YAML cannot hold: libyaml knows the offset only. */
static int reader_error(struct loader *l, const yaml_parser_t *p)
{
	struct wb_pos pos = {1, 1};
	size_t at = p->problem_offset < l->size ? p->problem_offset : l->size;

	for (size_t i = 0; i < at; i++) {
		pos.column += !continuation(l->text[i]);
		if (l->text[i] == '\n')
			pos = (struct wb_pos){pos.line + 1, 1};
	}
	wb_findings_add(l->findings, WB_SEV_ERROR, "yaml-bytes", pos,
		"save the file as UTF-8 text without control characters",
		"byte 0x%02x cannot be part of YAML text: %s",
		at < l->size ? (unsigned char)l->text[at] : 0u, p->problem);
	return -1;
}

static int syntax_error(struct loader *l, const yaml_parser_t *p)
{
	if (p->error == YAML_READER_ERROR)
		return reader_error(l, p);
	struct wb_pos pos = pos_of(&p->problem_mark);
	size_t at = byte_of(l, p->problem_mark.index);
	const char *hint = NULL;

	if (at < l->size && l->text[at] == '\t')
		hint = "there is a tab here; YAML indents with spaces only";
	else if (at < l->size && l->text[at] && strchr("@`%*&!|>{}[]", l->text[at]))
		hint = "put the value in quotes";
	if (p->context && p->context_mark.line != p->problem_mark.line)
		wb_findings_add(l->findings, WB_SEV_ERROR, "yaml-syntax", pos, hint,
			"not valid YAML: %s, %s that starts in line %zu", p->problem, p->context,
			p->context_mark.line + 1);
	else
		wb_findings_add(l->findings, WB_SEV_ERROR, "yaml-syntax", pos, hint,
			"not valid YAML: %s", p->problem ? p->problem : "it ends too early");
	return -1;
}

static int run(struct loader *l, yaml_parser_t *p)
{
	for (bool end = false; !end;) {
		yaml_event_t ev;

		if (!yaml_parser_parse(p, &ev))
			return syntax_error(l, p);
		end = ev.type == YAML_STREAM_END_EVENT;
		int rc = on_event(l, &ev);

		yaml_event_delete(&ev);
		if (rc)
			return -1;
	}
	return 0;
}

int wb_yaml_parse(struct wb_yaml *out, const char *text, size_t n, struct wb_findings *findings)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t skip = n >= 3 && !memcmp(text, bom, 3) ? 3 : 0;
	struct wb_yaml tree = WB_YAML_INIT;
	struct loader l = {.tree = &tree, .findings = findings, .text = text, .size = n};
	struct anchor *a, *next;
	yaml_parser_t p;

	if (n > WB_CONFIG_BYTES_MAX)
		return fatal(&l, "too-large", (struct wb_pos){0}, NULL,
			"the file is larger than 8 MiB, which no config is");
	if (!yaml_parser_initialize(&p))
		abort();
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text + skip, n - skip);
	l.at.byte = skip;
	int rc = run(&l, &p);

	yaml_parser_delete(&p);
	HASH_ITER (hh, l.anchors, a, next) {
		HASH_DEL(l.anchors, a);
		free(a->name);
		free(a);
	}
	if (rc)
		wb_yaml_release(&tree);
	else
		*out = tree;
	return rc;
}

void wb_yaml_release(struct wb_yaml *y)
{
	wb_vec_foreach (it, &y->nodes) {
		struct wb_yaml_node *n = *it;

		if (!n->alias) {
			free(n->text);
			free(n->items);
		}
		free(n);
	}
	wb_vec_free(&y->nodes);
	*y = WB_YAML_INIT;
}

static const struct wb_yaml_node *get(const struct wb_yaml_node *map, const char *key, size_t which)
{
	if (!map || map->kind != WB_YAML_MAPPING)
		return NULL;
	for (size_t i = map->n; i-- > 0;)
		if (!strcmp(map->items[2 * i]->text, key))
			return map->items[2 * i + which];
	return NULL;
}

const struct wb_yaml_node *wb_yaml_get(const struct wb_yaml_node *map, const char *key)
{
	return get(map, key, 1);
}

const struct wb_yaml_node *wb_yaml_get_key(const struct wb_yaml_node *map, const char *key)
{
	return get(map, key, 0);
}
