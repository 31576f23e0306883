#include "builder/config/migrate_entry.h"

#include <string.h>

#include "base/text.h"
#include "builder/config/convert.h"

enum action { KEEP, SOURCE, MOUNT, AUTH, PATTERNS, DROP };

static enum action action_of(const struct wb_migrate_entry *x, const char *key)
{
	static const struct {
		const char *key;
		enum action action;
	} table[] = {{"repo_id", SOURCE}, {"url", SOURCE}, {"volume_folder", MOUNT},
		{"local_data_path", MOUNT}, {"runtime_secret_name", AUTH},
		{"allow_patterns", PATTERNS}, {"ignore_patterns", PATTERNS}, {"revision", DROP},
		{"use_volume", DROP}, {"kind", DROP}, {"backend", DROP}, {"name", DROP}};

	for (size_t i = 0; i < WB_ARRAY_LEN(table); i++)
		if (!strcmp(key, table[i].key))
			return table[i].action == AUTH && !x->secret_written ? DROP
			                                                     : table[i].action;
	return KEEP;
}

static size_t indent_of(const struct wb_migrate_entry *x)
{
	return x->map->items[0]->pos.column - 1;
}

static bool has_key(const struct wb_migrate_entry *x, enum action action)
{
	for (size_t i = 0; i < x->map->n; i++)
		if (action_of(x, x->map->items[2 * i]->text) == action)
			return true;
	return false;
}

/* Anchors may be used elsewhere, and shared or merged mappings are not this entry's own. */
static bool editable(const struct wb_edits *e, const struct wb_yaml_node *n, struct wb_pos *where)
{
	bool collection = n->kind != WB_YAML_SCALAR;
	bool merge = n->kind == WB_YAML_MAPPING && wb_yaml_get(n, "<<");
	size_t items = n->kind == WB_YAML_MAPPING ? 2 * n->n : n->n;

	*where = n->pos;
	if (merge || (collection && n->alias) ||
		(n->start < e->n && n->end > n->start && strchr("&!", e->src[n->start])))
		return false;
	for (size_t i = 0; collection && i < items; i++)
		if (!editable(e, n->items[i], where))
			return false;
	return true;
}

/* Has the flow collection comments in it? Its scalars may hold a "#" of their own. */
static bool has_comments(const struct wb_edits *e, const struct wb_yaml_node *n, size_t *at)
{
	size_t items = n->kind == WB_YAML_MAPPING ? 2 * n->n : n->n;

	for (size_t i = *at; i < n->start; i++)
		if (e->src[i] == '#')
			return true;
	*at = n->start;
	for (size_t i = 0; n->kind != WB_YAML_SCALAR && i < items; i++)
		if (has_comments(e, n->items[i], at))
			return true;
	for (size_t i = *at; n->kind != WB_YAML_SCALAR && i < n->end; i++)
		if (e->src[i] == '#')
			return true;
	*at = n->end;
	return false;
}

static void replace_key(struct wb_edits *e, const struct wb_yaml_node *key, const char *name)
{
	wb_edit_replace(e, key->start, key->end, name);
}

static void replace_value(struct wb_edits *e, const struct wb_yaml_node *value, const char *text)
{
	if (!value->alias && !strcmp(value->text, text))
		return;
	wb_autofree char *yaml = wb_edit_scalar(e, value, text);

	wb_edit_replace(e, value->start, wb_node_end(e, value), yaml);
}

void wb_migrate_drop_pair(
	struct wb_edits *e, const struct wb_yaml_node *key, const struct wb_yaml_node *value)
{
	size_t end = wb_node_end(e, value);
	wb_autofree char *comments = NULL;

	wb_edit_comments(e, &comments, key->end, value->start, key->pos.column - 1);
	wb_edit_comments(e, &comments, end, wb_line_end(e, end), key->pos.column - 1);
	wb_edit_lines(e, key->start, end, comments ? comments : "");
}

/* Is there more than indentation before the entry's first key: its dash? */
static bool first_shares_line(const struct wb_edits *e, const struct wb_migrate_entry *x)
{
	size_t start = x->map->items[0]->start;

	for (size_t i = wb_line_start(e, start); i < start; i++)
		if (e->src[i] != ' ')
			return true;
	return false;
}

/* Drops the pairs that the entry begins with, whose first shares its line with the dash. Returns
 * how many. */
static size_t drop_leading(struct wb_edits *e, const struct wb_migrate_entry *x)
{
	struct wb_yaml_node **it = x->map->items;
	wb_autofree char *comments = NULL;
	size_t n = 0;

	while (first_shares_line(e, x) && action_of(x, it[2 * n]->text) == DROP) {
		size_t end = wb_node_end(e, it[2 * n + 1]);

		wb_edit_comments(e, &comments, it[2 * n]->end, it[2 * n + 1]->start, indent_of(x));
		wb_edit_comments(e, &comments, end, it[2 * n + 2]->start, indent_of(x));
		n++;
	}
	if (!n)
		return 0;
	/* "- # comment", then the first pair that stays on a line of its own */
	wb_autofree char *text = comments ? wb_asprintf("%s\n%*s", comments + 1 + indent_of(x),
						    (int)indent_of(x), "")
	                                  : wb_strdup("");

	wb_edit_replace(e, it[0]->start, it[2 * n]->start, text);
	return n;
}

static void auth_lines(char **text, size_t indent, const char *secret)
{
	char *longer = wb_asprintf("%s\n%*sauth:\n%*sauth_method: CUSTOM_SECRET\n"
				   "%*sauth_secret_name: %s",
		*text, (int)indent, "", (int)indent + 2, "", (int)indent + 2, "", secret);

	free(*text);
	*text = longer;
}

/* New weights patterns for an old one; the old one itself when it says the same. */
static void convert(struct wb_words *out, const struct wb_migrate_entry *x, const char *pattern,
	struct wb_pos pos, struct wb_findings *notes)
{
	struct wb_words stripped = {0};
	bool exact = true;

	wb_convert_strip(&stripped, pattern, x->key_prefix);
	if (!stripped.list.n) {
		wb_findings_add(notes, WB_SEV_WARNING, "pattern-matches-nothing", pos, NULL,
			"the pattern \"%s\" matches nothing below \"%s\", before and after",
			pattern, x->key_prefix);
		*wb_vec_push(&out->list) = wb_strdup(pattern);
	}
	wb_vec_foreach (it, &stripped.list)
		exact &= wb_convert_pattern(out, *it);
	if (!exact)
		wb_findings_add(notes, WB_SEV_WARNING, "pattern-approximate", pos,
			"look over the new patterns",
			"the pattern \"%s\" has no exact equal under weights", pattern);
	wb_words_release(&stripped);
}

static void edit_pattern(struct wb_edits *e, const struct wb_yaml_node *list,
	const struct wb_yaml_node *item, const struct wb_words *words)
{
	wb_autofree char *lead = list->flow ? wb_strdup(", ")
	                                    : wb_asprintf("\n%*s- ", (int)list->pos.column - 1, "");
	size_t end = wb_node_end(e, item);

	replace_value(e, item, words->list.items[0]);
	for (size_t i = 1; i < words->list.n; i++) {
		wb_autofree char *yaml = wb_edit_scalar(e, item, words->list.items[i]);
		wb_autofree char *text = wb_asprintf("%s%s", lead, yaml);
		size_t at = list->flow ? end : wb_line_end(e, end);

		wb_edit_replace(e, at, at, text);
	}
}

static void edit_patterns(struct wb_edits *e, const struct wb_migrate_entry *x,
	const struct wb_yaml_node *value, struct wb_findings *notes)
{
	struct wb_words words = {0};

	for (size_t i = 0; value->kind == WB_YAML_SEQUENCE && i < value->n; i++) {
		convert(&words, x, value->items[i]->text, value->items[i]->pos, notes);
		edit_pattern(e, value, value->items[i], &words);
		wb_words_release(&words);
	}
	if (value->kind != WB_YAML_SCALAR || wb_yaml_is_null(value))
		return;
	wb_autofree char *text = wb_strdup("[");

	convert(&words, x, value->text, value->pos, notes);
	wb_vec_foreach (it, &words.list) {
		wb_autofree char *yaml = wb_edit_scalar(e, value, *it);
		char *longer = wb_asprintf("%s%s%s", text, text[1] ? ", " : "", yaml);

		free(text);
		text = longer;
	}
	wb_autofree char *list = wb_asprintf("%s]", text);

	wb_edit_replace(e, value->start, wb_node_end(e, value), list);
	wb_words_release(&words);
}

/* The edits that block and flow entries have in common. */
static void edit_pair(
	struct wb_edits *e, const struct wb_migrate_entry *x, size_t i, struct wb_findings *notes)
{
	const struct wb_yaml_node *key = x->map->items[2 * i], *value = x->map->items[2 * i + 1];

	switch (action_of(x, key->text)) {
	case SOURCE:
		replace_key(e, key, "source");
		replace_value(e, value, x->source);
		return;
	case MOUNT:
		replace_key(e, key, "mount_location");
		replace_value(e, value, x->mount);
		return;
	case PATTERNS: edit_patterns(e, x, value, notes); return;
	case AUTH:
	case KEEP:
	case DROP: return;
	}
}

/* Lines that the old entry has no place for: they follow the line of `after`. */
static void insert_lines(struct wb_edits *e, const struct wb_migrate_entry *x, size_t after)
{
	size_t at = wb_line_end(e, wb_node_end(e, x->map->items[2 * after + 1]));
	wb_autofree char *text = wb_strdup("");

	if (!has_key(x, MOUNT)) {
		wb_autofree char *mount = wb_edit_scalar(e, x->map->items[2 * after + 1], x->mount);

		free(text);
		text = wb_asprintf("\n%*smount_location: %s", (int)indent_of(x), "", mount);
	}
	if (x->secret && !x->secret_written)
		auth_lines(&text, indent_of(x), x->secret);
	if (*text)
		wb_edit_replace(e, at, at, text);
}

static void edit_block(
	struct wb_edits *e, const struct wb_migrate_entry *x, struct wb_findings *notes)
{
	enum action anchor = has_key(x, MOUNT) ? MOUNT : SOURCE;
	int deeper = (int)indent_of(x) + 2;

	for (size_t i = drop_leading(e, x); i < x->map->n; i++) {
		const struct wb_yaml_node *key = x->map->items[2 * i];
		enum action action = action_of(x, key->text);

		if (action == DROP) {
			wb_migrate_drop_pair(e, key, x->map->items[2 * i + 1]);
		} else if (action == AUTH) {
			wb_autofree char *text = wb_asprintf(
				"auth:\n%*sauth_method: CUSTOM_SECRET\n%*sauth_secret_name", deeper,
				"", deeper, "");

			replace_key(e, key, text);
		} else {
			edit_pair(e, x, i, notes);
		}
		if (action == anchor)
			insert_lines(e, x, i);
	}
}

/* What the old entry has no place for, behind its source. */
static void insert_flow(
	struct wb_edits *e, const struct wb_migrate_entry *x, const struct wb_yaml_node *source)
{
	size_t at = wb_node_end(e, source);

	if (!has_key(x, MOUNT)) {
		wb_autofree char *mount = wb_edit_scalar(e, source, x->mount);
		wb_autofree char *text = wb_asprintf(", mount_location: %s", mount);

		wb_edit_replace(e, at, at, text);
	}
	if (x->secret && !x->secret_written) {
		wb_autofree char *text = wb_asprintf(
			", auth: {auth_method: CUSTOM_SECRET, auth_secret_name: %s}", x->secret);

		wb_edit_replace(e, at, at, text);
	}
}

static void edit_flow(
	struct wb_edits *e, const struct wb_migrate_entry *x, struct wb_findings *notes)
{
	struct wb_yaml_node **it = x->map->items;
	size_t last = x->map->n - 1;

	while (action_of(x, it[2 * last]->text) == DROP)
		last--;
	for (size_t i = 0; i <= last; i++) {
		enum action action = action_of(x, it[2 * i]->text);
		size_t end = wb_node_end(e, it[2 * i + 1]);

		if (action == DROP) {
			wb_edit_replace(e, it[2 * i]->start, it[2 * i + 2]->start, "");
		} else if (action == AUTH) {
			wb_edit_replace(e, it[2 * i]->start, it[2 * i]->end,
				"auth: {auth_method: CUSTOM_SECRET, auth_secret_name");
			wb_edit_replace(e, end, end, "}");
		} else {
			edit_pair(e, x, i, notes);
		}
		if (action == SOURCE)
			insert_flow(e, x, it[2 * i + 1]);
	}
	if (last + 1 < x->map->n)
		wb_edit_replace(e, wb_node_end(e, it[2 * last + 1]),
			wb_node_end(e, it[2 * x->map->n - 1]), "");
}

int wb_migrate_entry(struct wb_edits *e, const struct wb_migrate_entry *x,
	struct wb_findings *notes, struct wb_pos *where)
{
	size_t at = x->map->start;

	if (!editable(e, x->map, where))
		return -1;
	if (!x->map->flow) {
		edit_block(e, x, notes);
		return 0;
	}
	if (has_comments(e, x->map, &at))
		return -1;
	edit_flow(e, x, notes);
	return 0;
}

char *wb_migrate_entry_text(
	const struct wb_edits *e, const struct wb_migrate_entry *x, size_t indent, bool flow)
{
	const struct wb_yaml_node *url = wb_yaml_get(x->map, "url");
	const struct wb_yaml_node *path = wb_yaml_get(x->map, "local_data_path");
	wb_autofree char *source = wb_edit_scalar(e, url, x->source);
	wb_autofree char *mount = wb_edit_scalar(e, path, x->mount);
	wb_autofree char *comments = NULL;
	size_t at = x->map->start;

	if (flow)
		return wb_asprintf("{source: %s, mount_location: %s}", source, mount);
	for (size_t i = 0; i < 2 * x->map->n; i++) {
		wb_edit_comments(e, &comments, at, x->map->items[i]->start, indent);
		at = wb_node_end(e, x->map->items[i]);
	}
	if (!x->map->flow)
		wb_edit_comments(e, &comments, at, wb_line_end(e, at), indent);
	return wb_asprintf("%s\n%*s- source: %s\n%*smount_location: %s", comments ? comments : "",
		(int)indent, "", source, (int)indent + 2, "", mount);
}
