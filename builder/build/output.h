/* Where results go: the SPECs of --output, as buildx writes them, and the writing itself. */
#ifndef WB_BUILDER_BUILD_OUTPUT_H
#define WB_BUILDER_BUILD_OUTPUT_H

#include "base/progress.h"
#include "builder/build/assemble.h"
#include "builder/build/place.h"

enum wb_output_kind {
	WB_OUTPUT_LAYOUT,         /* type=oci,tar=false,dest=DIR */
	WB_OUTPUT_ARCHIVE,        /* type=oci,dest=FILE */
	WB_OUTPUT_DOCKER_ARCHIVE, /* type=docker,dest=FILE */
	WB_OUTPUT_REGISTRY,       /* type=registry, --push */
	WB_OUTPUT_LOCAL,          /* type=local,dest=DIR: the bundle as plain files */
	WB_OUTPUT_TAR,            /* type=tar,dest=FILE: the same as one tar */
};

struct wb_output {
	enum wb_output_kind kind;
	char *dest; /* NULL for a registry */
};

/* A SPEC: "type=oci,dest=x.tar"; a bare path is type=local, as for buildx. -1: WB_ERR_USAGE. */
int wb_output_parse(struct wb_output *out, const char *spec, struct wb_err *err);
void wb_output_release(struct wb_output *o);
/* Fails early, before any work: a parent folder that is not there, a tag that a registry needs. */
int wb_output_check(const struct wb_output *o, size_t n_tags, struct wb_err *err);

/* Writes an assembled image. tags may be empty, except for a registry. Each place that is written
 * is a step of progress. */
struct wb_output_opts {
	const struct wb_reference *tags;
	size_t n_tags;
	const struct wb_place_opts *place;
	unsigned jobs;
	struct wb_progress *progress; /* or NULL */
};
int wb_output_write(const struct wb_output *o, const struct wb_assembled *a,
	const struct wb_output_opts *opts, struct wb_err *err);

#endif
