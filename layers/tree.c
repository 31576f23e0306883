#include "layers/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "layers/content.h"
#include "layers/same.h"

unsigned wb_tree_group(struct wb_tree *t, const char *label, const char *mount)
{
	struct wb_tree_group *g = wb_vec_push(&t->groups);

	g->label = wb_strdup(label);
	g->mount = wb_strdup(mount);
	return (unsigned)t->groups.n - 1;
}

static struct wb_node *find(struct wb_tree *t, const char *path, size_t len)
{
	struct wb_node *node;

	HASH_FIND(hh, t->by_path, path, len, node);
	return node;
}

static struct wb_node *insert(struct wb_tree *t, unsigned group, const char *path, size_t len,
	enum wb_node_type type, unsigned mode)
{
	struct wb_node *node = wb_zalloc(sizeof(*node));

	node->path = wb_strndup(path, len);
	node->type = type;
	node->mode = mode;
	node->group = group;
	HASH_ADD_KEYPTR(hh, t->by_path, node->path, len, node);
	return node;
}

static const char *type_word(enum wb_node_type type)
{
	switch (type) {
	case WB_NODE_FILE: return "a file";
	case WB_NODE_DIR: return "a folder";
	case WB_NODE_SYMLINK: return "a symbolic link";
	}
	return "";
}

static int collision(struct wb_tree *t, const struct wb_node *there, unsigned group,
	enum wb_node_type type, struct wb_err *err)
{
	const char *first = t->groups.items[there->group].label;
	const char *second = t->groups.items[group].label;

	if (there->type == type)
		wb_err_set(err, WB_ERR_CONFIG, "\"/%s\" is written twice: by %s and by %s",
			there->path, first, second);
	else
		wb_err_set(err, WB_ERR_CONFIG, "\"/%s\" is %s in %s and %s in %s", there->path,
			type_word(there->type), first, type_word(type), second);
	return wb_err_hint(
		err, "give the sources different mount locations, or filter one of the two");
}

/* Every ancestor is a directory, made here when nobody named it before. Walks up from the path and
 * stops at the first ancestor that is there, so a deep tree costs one look-up for each new name. */
static int add_parents(struct wb_tree *t, unsigned group, const char *path, struct wb_err *err)
{
	size_t len = strlen(path);

	while (len && path[--len] != '/')
		;
	while (len) {
		struct wb_node *parent = find(t, path, len);

		if (parent && parent->type != WB_NODE_DIR)
			return collision(t, parent, group, WB_NODE_DIR, err);
		if (parent)
			return 0;
		insert(t, group, path, len, WB_NODE_DIR, 0755);
		while (len && path[--len] != '/')
			;
	}
	return 0;
}

/* The new node for path, or NULL: err set, or (directories only) there already. */
static struct wb_node *add(struct wb_tree *t, unsigned group, const char *path,
	enum wb_node_type type, unsigned mode, struct wb_err *err)
{
	size_t len = strlen(path);
	const char *why = wb_path_unsafe(path, len);

	if (why) {
		wb_autofree char *shown = wb_text_quote(path, 300);

		wb_err_set(err, WB_ERR_CONFIG, "%s: the name \"%s\" %s",
			t->groups.items[group].label, shown, why);
		return NULL;
	}
	struct wb_node *there = find(t, path, len);

	if (there) {
		if (there->type != WB_NODE_DIR || type != WB_NODE_DIR)
			collision(t, there, group, type, err);
		return NULL;
	}
	if (add_parents(t, group, path, err))
		return NULL;
	return insert(t, group, path, len, type, mode);
}

/* The same path again is fine when it is the same thing: two sources may share a file (the hub's
 * cache is one place for many). */
static bool same_file(const struct wb_node *there, unsigned mode, const struct wb_content *content)
{
	return there && there->type == WB_NODE_FILE && there->mode == mode &&
	       there->content.digest_known && content->digest_known &&
	       wb_digest_equal(&there->content.digest, &content->digest);
}

int wb_tree_add_file(struct wb_tree *t, unsigned group, const char *path, unsigned mode,
	const struct wb_content *content, struct wb_err *err)
{
	unsigned normal = mode & 0111 ? 0755 : 0644;
	struct wb_node *node = find(t, path, strlen(path));

	if (same_file(node, normal, content))
		return 0;
	node = add(t, group, path, WB_NODE_FILE, normal, err);
	if (!node)
		return -1;
	wb_content_copy(&node->content, content);
	return 0;
}

int wb_tree_add_symlink(
	struct wb_tree *t, unsigned group, const char *path, const char *target, struct wb_err *err)
{
	struct wb_node *node = find(t, path, strlen(path));

	if (node && node->type == WB_NODE_SYMLINK && !strcmp(node->target, target))
		return 0;
	node = add(t, group, path, WB_NODE_SYMLINK, 0777, err);
	if (!node)
		return -1;
	node->target = wb_strdup(target);
	return 0;
}

int wb_tree_add_dir(struct wb_tree *t, unsigned group, const char *path, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;

	if (add(t, group, path, WB_NODE_DIR, 0755, &why) || !why.code)
		return 0;
	*err = why;
	return -1;
}

static int by_path(const void *a, const void *b)
{
	const struct wb_node *const *x = a, *const *y = b;

	return wb_path_cmp((*x)->path, (*y)->path);
}

int wb_tree_finish(struct wb_tree *t, unsigned jobs, struct wb_err *err)
{
	wb_vec_free(&t->nodes);
	for (struct wb_node *node = t->by_path; node; node = node->hh.next)
		*wb_vec_push(&t->nodes) = node;
	if (t->nodes.n)
		qsort(t->nodes.items, t->nodes.n, sizeof(*t->nodes.items), by_path);
	if (wb_same_find(t, jobs, err))
		return -1;
	t->bytes = 0;
	wb_vec_foreach (node, &t->nodes)
		if ((*node)->type == WB_NODE_FILE && !(*node)->same)
			t->bytes += (*node)->content.size;
	return 0;
}

void wb_tree_release(struct wb_tree *t)
{
	struct wb_node *node, *next;

	HASH_ITER (hh, t->by_path, node, next) {
		HASH_DELETE(hh, t->by_path, node);
		wb_content_release(&node->content);
		free(node->states);
		free(node->target);
		free(node->path);
		free(node);
	}
	wb_vec_foreach (g, &t->groups) {
		free(g->label);
		free(g->mount);
	}
	wb_vec_free(&t->groups);
	wb_vec_free(&t->nodes);
	*t = WB_TREE_INIT;
}
