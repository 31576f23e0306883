/* `init copy DIR`: brings a bundle into a directory that another container mounts, for clusters
 * without image volumes. What is there already and as it should be is left alone, and of several
 * that come at once one copies and the others wait: a cache that the pods of a node share is
 * filled once and then costs one check. Each file appears whole or not at all. */
#ifndef WB_RUNTIME_COPY_H
#define WB_RUNTIME_COPY_H

#include "base/buf.h"
#include "builder/runtime/options.h"
#include "layers/manifest.h"

/* Copies the bundle of m, which lies below from, to o->copy_to, together with its manifest (text)
 * and this program. The report is that of the last check, so it says what DIR holds now. -1: it
 * could not be copied, or what is there now is not what was packed (WB_ERR_INTEGRITY: then from is
 * damaged too). */
int wb_stub_copy(struct wb_verify_report *report, const struct wb_stub_options *o,
	const struct wb_bundle_manifest *m, const char *from, const struct wb_buf *text,
	struct wb_err *err);

#endif
