/* Edits of a text at byte offsets, collected and then applied at once, and the few questions about
 * lines and scalars that editing YAML asks. Internal to builder/config. */
#ifndef WB_BUILDER_CONFIG_EDIT_H
#define WB_BUILDER_CONFIG_EDIT_H

#include "builder/config/yaml.h"

struct wb_edit {
	size_t start, end, order;
	char *text;
};

struct wb_edits {
	const char *src;
	size_t n;
	const char *newline; /* of the file: LF or CRLF */
	WB_VEC(struct wb_edit) list;
};

void wb_edits_init(struct wb_edits *e, const char *src, size_t n);
void wb_edits_release(struct wb_edits *e);
/* Replaces src[start..end) by text, whose "\n" become the file's newlines. Insertions at one place
 * come in the order of the calls, before a replacement that starts there. */
void wb_edit_replace(struct wb_edits *e, size_t start, size_t end, const char *text);
/* The new text; NULL when two edits overlap. */
char *wb_edits_apply(struct wb_edits *e, size_t *n);

/* Start of the line that holds at; its end, before the newline. */
size_t wb_line_start(const struct wb_edits *e, size_t at);
size_t wb_line_end(const struct wb_edits *e, size_t at);
/* Takes out the lines from the one that holds first to the one that holds last; text (may be "")
 * replaces them, as whole lines each of which begins with "\n". */
void wb_edit_lines(struct wb_edits *e, size_t first, size_t last, const char *text);

/* Where a node really ends: without the white space and comments up to the next token. */
size_t wb_node_end(const struct wb_edits *e, const struct wb_yaml_node *n);
/* value as YAML, quoted as node was where it can be; freed by the caller. */
char *wb_edit_scalar(const struct wb_edits *e, const struct wb_yaml_node *node, const char *value);
/* Appends the comments between two tokens to *out, each as "\n" + indent + comment. */
void wb_edit_comments(const struct wb_edits *e, char **out, size_t from, size_t to, size_t indent);

#endif
