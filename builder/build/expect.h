/* What an image should hold by its bundle manifest, against what its layers were seen to hold.
 * Layers may be read in any order and by several threads at once: of a path that several layers
 * have, the uppermost counts, as it does in a container. */
#ifndef WB_BUILDER_BUILD_EXPECT_H
#define WB_BUILDER_BUILD_EXPECT_H

#include "layers/manifest.h"
#include "oci/layer_scan.h"

struct wb_expect;   /* all paths of one image */
struct wb_expected; /* one of them */

/* Borrows m, which has to outlive it. */
struct wb_expect *wb_expect_new(const struct wb_bundle_manifest *m);
void wb_expect_free(struct wb_expect *x);

/* An entry of layer number `layer` (from 0, the lowest). Returns what it should be when it is a
 * regular file whose bytes are to be checked with wb_expect_file(), else NULL. */
struct wb_expected *wb_expect_entry(
	struct wb_expect *x, size_t layer, const struct wb_layer_entry *entry);
/* The bytes of that file have gone by. */
void wb_expect_file(struct wb_expect *x, struct wb_expected *e, size_t layer, uint64_t size,
	const struct wb_digest *digest);

/* Calls problem with one line for each path that is not as it should be, sorted, and returns their
 * number; *files is how many regular files are as they should be. Once, after all layers. */
size_t wb_expect_judge(size_t *files, struct wb_expect *x,
	void (*problem)(void *arg, const char *line), void *arg);

#endif
