/* Descriptors: media type, digest and size of some bytes elsewhere (image-spec descriptor.md).
 *
 * The three fields that every step uses are plain; everything else a descriptor may carry
 * (annotations, urls, data, platform, artifactType, and members nobody here knows) stays in the
 * tree `more`, in the order it was read, and is written back. Not thread safe for writing; many
 * threads may read one. */
#ifndef WB_OCI_DESCRIPTOR_H
#define WB_OCI_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "oci/platform.h"

#define WB_MEDIATYPE_MAX 255
#define WB_BLOB_SIZE_MAX (UINT64_C(1) << 50) /* no descriptor may claim more */

struct wb_descriptor {
	char *media_type;
	struct wb_digest digest;
	uint64_t size;
	bool has_platform;
	struct wb_platform platform; /* a copy of what more says */
	json_t *more;                /* object of all other members, or NULL */
};

#define WB_DESCRIPTOR_INIT ((struct wb_descriptor){0})

typedef WB_VEC(struct wb_descriptor) wb_descriptors;

/* what names it in errors ("layer 3 of …"). Strict: types, digest grammar, size, and `data`, which
 * must decode to bytes of that digest. A digest of another algorithm than sha256 is
 * WB_ERR_UNSUPPORTED. Release *out, also before reading into it again. */
int wb_descriptor_from_json(
	struct wb_descriptor *out, const json_t *o, const char *what, struct wb_err *err);
json_t *wb_descriptor_to_json(const struct wb_descriptor *d); /* -> new reference */
void wb_descriptor_set(struct wb_descriptor *out, const char *media_type,
	const struct wb_digest *digest, uint64_t size); /* out was INIT */
/* Of bytes in memory. */
void wb_descriptor_of(struct wb_descriptor *out, const char *media_type, const void *p, size_t n);
void wb_descriptor_copy(struct wb_descriptor *out, const struct wb_descriptor *d); /* deep */
void wb_descriptor_release(struct wb_descriptor *d);
void wb_descriptors_release(wb_descriptors *v);

/* An annotation's value, or NULL. */
const char *wb_descriptor_annotation(const struct wb_descriptor *d, const char *name);
/* value NULL removes. */
void wb_descriptor_annotate(struct wb_descriptor *d, const char *name, const char *value);
void wb_descriptor_set_platform(struct wb_descriptor *d, const struct wb_platform *p);
const char *wb_descriptor_artifact_type(const struct wb_descriptor *d); /* or NULL */

#endif
