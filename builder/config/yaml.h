/* YAML text to a bounded tree of nodes with positions. The only file that knows libyaml is yaml.c.
 *
 * YAML 1.1 as PyYAML's SafeLoader reads it: one document, UTF-8, aliases shared (not copied) but
 * counted as if they were, merge keys ("<<") applied, duplicate keys reported and the last one
 * kept. Bounds: WB_CONFIG_BYTES_MAX, WB_CONFIG_DEPTH_MAX, WB_CONFIG_NODES_MAX (config.h). */
#ifndef WB_BUILDER_CONFIG_YAML_H
#define WB_BUILDER_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/config/config.h"

enum wb_yaml_kind { WB_YAML_SCALAR, WB_YAML_SEQUENCE, WB_YAML_MAPPING };

struct wb_yaml_node {
	enum wb_yaml_kind kind;
	bool plain; /* scalar: no quotes, no tag: its type follows from its text */
	bool alias; /* written as *name; pos, start and end are those of the alias */
	bool flow;  /* collection: [] or {} */
	char *text; /* scalar: value, NUL-terminated; may hold NUL bytes when written as "\0" */
	size_t len;
	struct wb_pos pos;
	size_t start, end; /* byte offsets into the text; end of a block collection is where the
	                    * next token starts */
	struct wb_yaml_node **items; /* sequence: n items; mapping: n keys and values in turn */
	size_t n;
	size_t cap;
	uint64_t weight; /* nodes below and with this one, aliases expanded; 0 while it is open */
	unsigned height; /* 1 for a scalar */
};

struct wb_yaml {
	struct wb_yaml_node *root;           /* NULL for a document without content */
	WB_VEC(struct wb_yaml_node *) nodes; /* owns all of them */
};

#define WB_YAML_INIT ((struct wb_yaml){0})

/* Reads text[0..n). Everything wrong goes to findings; -1 when there is no tree to look at. */
int wb_yaml_parse(struct wb_yaml *out, const char *text, size_t n, struct wb_findings *findings);
void wb_yaml_release(struct wb_yaml *y);

/* The value (or the key) under a name in a mapping, or NULL; of duplicates the last. */
const struct wb_yaml_node *wb_yaml_get(const struct wb_yaml_node *map, const char *key);
const struct wb_yaml_node *wb_yaml_get_key(const struct wb_yaml_node *map, const char *key);

/* What a scalar is under YAML 1.1's resolution, as SafeLoader does it. Quoted or block scalars
 * are strings. */
enum wb_yaml_type {
	WB_YAML_NULL,
	WB_YAML_BOOL,
	WB_YAML_INT,
	WB_YAML_FLOAT,
	WB_YAML_TIME,
	WB_YAML_STRING,
};
enum wb_yaml_type wb_yaml_type(const struct wb_yaml_node *scalar);
const char *wb_yaml_type_name(const struct wb_yaml_node *node); /* "a string", "a list", … */
bool wb_yaml_is_null(const struct wb_yaml_node *node);
/* The values of scalars of that type. */
bool wb_yaml_bool(const struct wb_yaml_node *scalar);
/* False when it is no integer, or does not fit. */
bool wb_yaml_int(int64_t *out, const struct wb_yaml_node *scalar);
/* What Python's str() gives for the loaded value, but "true" and "false" for booleans: how
 * environment variables are coerced. Times and numbers beyond 64 bits stay as written. */
char *wb_yaml_python_str(const struct wb_yaml_node *scalar);

#endif
