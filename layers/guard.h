/* The guard on finished layers: no value of a secret that the run knows, and no credential of a
 * known form (base/secret_form.h), gets into one. Every byte of a file passes it on its way into a
 * layer; a find is an error that names the file, the place and the secret, and never the value.
 *
 * Values are sought in all bytes, known forms in text: what has a NUL in it is passed over, as
 * weights are. One guard may be used by several threads. */
#ifndef WB_LAYERS_GUARD_H
#define WB_LAYERS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/secret_form.h"

struct wb_guard {
	const struct wb_finder *values;
	/* Optional: is what was found in this file to be let through? form: it is no known value.
	 */
	bool (*allowed)(void *arg, const char *path, bool form);
	void *arg;
};

/* The end of what was seen of a file, so that nothing hides on a border. Zeroed: the beginning. */
struct wb_guard_tail {
	uint64_t offset; /* behind it */
	size_t n;
	char bytes[WB_SECRET_FORM_MAX];
};

/* A file's next bytes; t NULL: they are all of it. path is its own in the image, without a leading
 * slash. g may be NULL: nothing is looked at. */
int wb_guard_bytes(const struct wb_guard *g, struct wb_guard_tail *t, const char *path,
	const void *p, size_t n, struct wb_err *err);
/* Does one of these shell patterns, separated by commas, match this path? Stars cross slashes. */
bool wb_guard_listed(const char *list, const char *path);
/* A path and, unless NULL, the link's target that stands with it. */
int wb_guard_names(
	const struct wb_guard *g, const char *path, const char *target, struct wb_err *err);

#endif
