/* Typed looks into the node tree that report what they find: every wrong type and missing key is a
 * finding with its place, and the reader goes on, so that one run shows all of them. */
#ifndef WB_BUILDER_CONFIG_READ_H
#define WB_BUILDER_CONFIG_READ_H

#include <stdbool.h>

#include "builder/config/config.h"
#include "builder/config/yaml.h"

/* A mapping, with the name it has in messages: "" for the file itself, "weights[0]", … */
struct wb_read {
	struct wb_findings *findings;
	const struct wb_yaml_node *map;
	char where[96];
};

#define wb_read_error(r, id, pos, hint, ...) \
	wb_findings_add((r)->findings, WB_SEV_ERROR, id, pos, hint, __VA_ARGS__)
#define wb_read_warn(r, id, pos, hint, ...) \
	wb_findings_add((r)->findings, WB_SEV_WARNING, id, pos, hint, __VA_ARGS__)
#define wb_read_note(r, id, pos, hint, ...) \
	wb_findings_add((r)->findings, WB_SEV_NOTE, id, pos, hint, __VA_ARGS__)

/* "weights[0].source" in storage of the caller. */
struct wb_key_text {
	char s[192];
};
struct wb_key_text wb_read_name(const struct wb_read *r, const char *key);

/* The value of a key, NULL when it is absent or null. */
const struct wb_yaml_node *wb_read_node(const struct wb_read *r, const char *key);
/* The position of a key's value, or of the mapping when the key is absent. */
struct wb_pos wb_read_pos(const struct wb_read *r, const char *key);

/* A string: NULL when absent, null or (reported) of another type. Borrowed from the tree. */
const char *wb_read_str(const struct wb_read *r, const char *key);
/* Also reports absent and empty ones. */
const char *wb_read_str_required(const struct wb_read *r, const char *key);
/* The text of any scalar that should be a string; reports and gives NULL for others. */
const char *wb_read_text(const struct wb_read *r, const struct wb_yaml_node *n, const char *name);

/* -1 absent, null or (reported) wrong; else 0 or 1. */
int wb_read_bool(const struct wb_read *r, const char *key);
bool wb_read_int(int64_t *out, const struct wb_read *r, const char *key);

/* A list or mapping; NULL when absent, null or (reported) something else. */
const struct wb_yaml_node *wb_read_list(const struct wb_read *r, const char *key);
const struct wb_yaml_node *wb_read_map(const struct wb_read *r, const char *key);
/* Opens the mapping under a key; false when there is none. */
bool wb_read_enter(struct wb_read *out, const struct wb_read *r, const char *key);
/* Opens item i of a list under a key; false (reported) when it is no mapping. */
bool wb_read_enter_item(struct wb_read *out, const struct wb_read *r, const char *key,
	const struct wb_yaml_node *list, size_t i);

/* Warns of keys that are not known but near to one that is. known ends with NULL. */
void wb_read_unknown(const struct wb_read *r, const char *const *known);

#endif
