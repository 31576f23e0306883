/* A build: the steps in order. What is done is kept, so a build that stops half-way continues. */
#ifndef WB_BUILDER_BUILD_BUILD_H
#define WB_BUILDER_BUILD_BUILD_H

#include "builder/build/output.h"
#include "builder/build/sizes.h"

struct wb_build_opts {
	struct wb_progress *progress; /* or NULL */
	const char *dir;              /* the Truss folder */
	const char *file;             /* the config, or NULL: dir/config.yaml */
	const char *cache_dir;        /* or NULL */
	const char *base;             /* or NULL: the config's */
	const char *platforms;        /* or NULL */
	struct wb_codec codec;
	bool stub;          /* put the runtime stub in */
	const char *verify; /* its default mode, or NULL */
	bool docker;        /* docker's media types */
	struct wb_plan_opts plan;
	struct wb_size_limits sizes;
	struct wb_place_opts place;
	unsigned jobs;
	const struct wb_output *outputs;
	size_t n_outputs;
	const struct wb_reference *tags;
	size_t n_tags;
	const char *const *allow_secret; /* patterns of paths, NULL at the end; or NULL */
	const char *const *labels, *const *annotations,
					   *const *env; /* KEY=VALUE, NULL at the end */
};

struct wb_build_result {
	struct wb_descriptor root;    /* the manifest, or the index of several platforms */
	struct wb_digest config;      /* of the first platform: the image ID */
	size_t files, layers, packed; /* packed: layers that were not found in the cache */
	uint64_t bytes;               /* of all files, equal ones counted each */
	uint64_t unique_bytes;        /* equal ones once */
	uint64_t layer_bytes;         /* of the bundle's blobs */
	uint64_t packed_bytes;        /* of content in layers that were packed */
};

#define WB_BUILD_RESULT_INIT ((struct wb_build_result){0})

int wb_build_run(struct wb_build_result *out, const struct wb_build_opts *opts, struct wb_err *err);
void wb_build_result_release(struct wb_build_result *r);

/* SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), 0 when unset. */
int wb_source_date_epoch(int64_t *out, struct wb_err *err);
/* Loads the config and shows its findings that are not errors. The first error comes back as err,
 * the others have been shown. */
int wb_config_open(struct wb_config *out, const char *dir, const char *file, struct wb_err *err);

#endif
