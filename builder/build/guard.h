/* The secret guard of a build: nothing that it writes holds a value of a secret that it knows, or a
 * credential of a known form.
 *
 *  - Files pass layers/guard.h while they are packed.
 *  - A layer that was found ready is read from the store and searched, unless its record there says
 *    that it was, for all of these values: records hold marks (base/secret.h). A layer that every
 *    output has already, and that is not in the store, cannot be: it was published before.
 *  - The config, manifest and index of the image are searched string by string.
 *
 * A find is an error (WB_ERR_CONFIG). Known forms are let through where the config ignores the lint
 * "secret-content"; --allow-secret lets everything through for the paths it names. */
#ifndef WB_BUILDER_BUILD_GUARD_H
#define WB_BUILDER_BUILD_GUARD_H

#include <stdatomic.h>

#include "builder/build/plan.h"
#include "layers/guard.h"
#include "layers/pack.h"
#include "oci/manifest.h"

struct wb_build_guard {
	struct wb_guard guard; /* for the packer */
	struct wb_finder *values;
	struct wb_secret_marks marks;
	const char *const *allow;   /* or NULL */
	const struct wb_plan *plan; /* or NULL */
	struct wb_store *store;
	char *config_text;
	atomic_bool let_through; /* something was, so that nothing is put on record */
};

/* Of the values that are registered now. Borrows all; allow: patterns of paths, NULL at the end, or
 * NULL. Stays where it is until release. */
void wb_build_guard_init(struct wb_build_guard *g, const struct wb_plan *plan,
	struct wb_store *store, const char *const *allow);
void wb_build_guard_release(struct wb_build_guard *g);

/* l is in the store, packed under this guard or found (l->cached). Any thread. */
int wb_build_guard_layer(struct wb_build_guard *g, const struct wb_layer *l, struct wb_err *err);
/* A document of the image: what is "config" or "manifest". Asks of g only what may be let through:
 * allow, plan and config_text. */
int wb_build_guard_document(struct wb_build_guard *g, const char *what,
	const struct wb_document *doc, struct wb_err *err);

#endif
