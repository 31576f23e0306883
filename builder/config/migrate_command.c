/* Taking truss-transfer-cli, which fetched model_cache at start, out of start_command. */
#include "builder/config/migrate_entry.h"

#include <ctype.h>
#include <string.h>

static const char cli[] = "truss-transfer-cli";

/* Bytes of the "&&" or ";" at b, which joins commands. */
static size_t joint_len(const char *s, size_t b, size_t hi)
{
	if (b < hi && s[b] == ';')
		return 1;
	return b + 1 < hi && s[b] == '&' && s[b + 1] == '&' ? 2 : 0;
}

/* White space, and a backslash before the end of a line. */
static size_t skip_space(const char *s, size_t b, size_t hi)
{
	while (b < hi && (isspace((unsigned char)s[b]) ||
				 (s[b] == '\\' && b + 1 < hi && isspace((unsigned char)s[b + 1]))))
		b++;
	return b;
}

/* The joint before the last command, with the space around it; false when there is none. */
static bool joint_before(const char *s, size_t lo, size_t *a)
{
	size_t c = *a;

	while (c > lo && isspace((unsigned char)s[c - 1]))
		c--;
	if (c > lo + 1 && s[c - 1] == '&' && s[c - 2] == '&')
		c -= 2;
	else if (c > lo && s[c - 1] == ';')
		c--;
	else
		return false;
	while (c > lo && isspace((unsigned char)s[c - 1]))
		c--;
	*a = c;
	return true;
}

/* Extends [*from, *to) around one use of the command to what goes with it: its path, its
 * arguments, and the "&&" or ";" (or the line end, in a literal block) that joins it to its
 * neighbour. false: it is used in another way. */
static bool join_range(const char *s, size_t lo, size_t hi, bool literal, size_t *from, size_t *to)
{
	size_t a = *from, b = *to;

	while (a > lo && (isalnum((unsigned char)s[a - 1]) || strchr("/._-", s[a - 1])))
		a--;
	while (b < hi && !strchr(literal ? "&;|\"'\n\r" : "&;|\"'", s[b]))
		b++;
	size_t joint = joint_len(s, b, hi);
	bool line_end = literal && b < hi && strchr("\n\r", s[b]);

	if (joint || line_end) {
		b = skip_space(s, b + joint, hi);
		*from = a;
		*to = b;
		return b < hi && !(b + 1 == hi && strchr("\"'", s[b]));
	}
	if ((b < hi && !strchr("\"'", s[b])) || !joint_before(s, lo, &a))
		return false;
	*from = a;
	*to = b;
	return true;
}

void wb_migrate_start_command(
	struct wb_edits *e, const struct wb_yaml_node *root, struct wb_findings *notes)
{
	const struct wb_yaml_node *server = wb_yaml_get(root, "docker_server");
	const struct wb_yaml_node *n = server ? wb_yaml_get(server, "start_command") : NULL;

	if (!n || n->kind != WB_YAML_SCALAR || !strstr(n->text, cli))
		return;
	size_t end = wb_node_end(e, n), at = n->start;
	const char *p;

	while (!n->alias && (p = memmem(e->src + at, end - at, cli, strlen(cli)))) {
		size_t from = (size_t)(p - e->src), to = from + strlen(cli);

		if (!join_range(e->src, at, end, e->src[n->start] == '|', &from, &to))
			break;
		wb_edit_replace(e, from, to, "");
		at = to;
	}
	if (n->alias || memmem(e->src + at, end - at, cli, strlen(cli)))
		wb_findings_add(notes, WB_SEV_WARNING, "transfer-cli", n->pos, "remove it by hand",
			"start_command runs truss-transfer-cli, which has nothing to fetch any "
			"more");
}
