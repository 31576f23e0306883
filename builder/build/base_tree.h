/* What the layers of a base leave behind, as a tree of names: folders with their attributes,
 * symbolic links, and which folders something lies in. To take a folder away costs what was put
 * into it, so that layers which make and remove much cost no more than they are long. */
#ifndef WB_BUILD_BASE_TREE_H
#define WB_BUILD_BASE_TREE_H

#include <stdbool.h>
#include <uthash.h>

struct wb_base_node {
	char *name;
	struct wb_base_node *parent, *children;
	char *link;          /* target of a symbolic link, or NULL */
	bool folder, filled; /* its attributes are known; something that is no folder lies in it */
	unsigned mode, uid, gid;
	UT_hash_handle hh;
};

/* The root: zeroed storage of the caller's. Paths are relative to it ("a/b"), "" is the root
 * itself, and at most PATH_MAX long. */
void wb_base_tree_release(struct wb_base_node *root);
struct wb_base_node *wb_base_node_find(struct wb_base_node *root, const char *path); /* or NULL */
/* The node of a path, made with all that leads to it. */
struct wb_base_node *wb_base_node_make(struct wb_base_node *root, const char *path);
/* Removes all below the path, and what is at it (never the root). */
void wb_base_node_forget(struct wb_base_node *root, const char *path, bool itself);
/* Something other than a folder lies at or below the node. */
bool wb_base_node_is_filled(const struct wb_base_node *node);

#endif
