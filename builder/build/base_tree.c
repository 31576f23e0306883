#include "builder/build/base_tree.h"

#include <string.h>

#include "base/alloc.h"

static void node_free(struct wb_base_node *n);

static void children_free(struct wb_base_node *n)
{
	struct wb_base_node *child, *next;

	HASH_ITER (hh, n->children, child, next) {
		HASH_DEL(n->children, child);
		node_free(child);
	}
}

/* Recursion is bounded by the length of a path. */
static void node_free(struct wb_base_node *n)
{
	children_free(n);
	free(n->name);
	free(n->link);
	free(n);
}

void wb_base_tree_release(struct wb_base_node *root)
{
	children_free(root);
	free(root->link);
	*root = (struct wb_base_node){0};
}

static struct wb_base_node *child_make(struct wb_base_node *parent, const char *name, size_t n)
{
	struct wb_base_node *child = wb_zalloc(sizeof(*child));

	child->name = wb_strndup(name, n);
	child->parent = parent;
	HASH_ADD_KEYPTR(hh, parent->children, child->name, n, child);
	return child;
}

static struct wb_base_node *walk(struct wb_base_node *at, const char *path, bool make)
{
	while (at && *path) {
		size_t n = strcspn(path, "/");
		struct wb_base_node *child = at;

		if (n) {
			HASH_FIND(hh, at->children, path, n, child);
			if (!child && make)
				child = child_make(at, path, n);
		}
		at = child;
		path += n + (path[n] == '/');
	}
	return at;
}

struct wb_base_node *wb_base_node_find(struct wb_base_node *root, const char *path)
{
	return walk(root, path, false);
}

struct wb_base_node *wb_base_node_make(struct wb_base_node *root, const char *path)
{
	return walk(root, path, true);
}

void wb_base_node_forget(struct wb_base_node *root, const char *path, bool itself)
{
	struct wb_base_node *n = walk(root, path, false);

	if (!n)
		return;
	if (!itself || !n->parent) {
		children_free(n);
		return;
	}
	HASH_DEL(n->parent->children, n);
	node_free(n);
}

bool wb_base_node_is_filled(const struct wb_base_node *node)
{
	const struct wb_base_node *child, *next;

	if (node->filled)
		return true;
	HASH_ITER (hh, node->children, child, next)
		if (wb_base_node_is_filled(child))
			return true;
	return false;
}
