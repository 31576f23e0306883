/* Finds the files of a tree whose bytes are equal, so that they are stored once. */
#ifndef WB_LAYERS_SAME_H
#define WB_LAYERS_SAME_H

#include "layers/tree.h"

/* t->nodes is sorted. Sets node->same of every file whose bytes and mode equal those of an earlier
 * one (in path order). Files of one size are compared by digest; a digest that is not known is
 * computed (and kept). Large ones are told apart by a few samples first, for the shards of a model
 * often have one size, and two that are left are compared byte by byte: nothing is read as a whole
 * that does not have a twin. Linear in the number of files. */
int wb_same_find(struct wb_tree *t, unsigned jobs, struct wb_err *err);

#endif
