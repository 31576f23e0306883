/* What has changed at the sources since wbuild.lock was written, for people who decide whether to
 * take it. Nothing is fetched; a file that only its SHA-256 could tell apart (same size, etag and
 * version) counts as the same. */
#ifndef WB_BUILDER_BUILD_LOCK_DIFF_H
#define WB_BUILDER_BUILD_LOCK_DIFF_H

#include <stdio.h>

#include "builder/build/remote.h"

/* { "lockfile", "found", "changed", "sources": [ { "source", "change": same|changed|added|removed,
 * "revision": {"from", "to"}, "files": [ { "path", "change", "from": {"size", "sha256"},
 * "to": {…} } ] } ] }, files that are the same left out. -> new reference */
json_t *wb_lock_diff(const struct wb_remotes *r);
void wb_lock_diff_text(FILE *out, const json_t *diff);

#endif
