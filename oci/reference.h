/* Names of images.
 *
 * A reference names an image in a registry (distribution's reference grammar, with docker's
 * shorthand: "debian" is docker.io/library/debian:latest). A place is what a command line takes as
 * IMAGE, SRC or DEST: a reference, or a transport and a path as skopeo writes them. */
#ifndef WB_OCI_REFERENCE_H
#define WB_OCI_REFERENCE_H

#include <stdbool.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"

#define WB_REF_NAME_MAX 255 /* host, "/" and name together */
#define WB_REF_TAG_MAX 128

struct wb_reference {
	char *host; /* "docker.io", "localhost:5000", "[::1]:5000" */
	char *name; /* "library/debian" */
	char *tag;  /* or NULL */
	bool has_digest;
	struct wb_digest digest;
};

#define WB_REFERENCE_INIT ((struct wb_reference){0})

/* Without tag and digest, tag stays NULL: see wb_reference_default_tag(). -1: WB_ERR_USAGE, saying
 * what is wrong with it. */
int wb_reference_parse(struct wb_reference *out, const char *text, struct wb_err *err);
void wb_reference_release(struct wb_reference *r);
void wb_reference_copy(struct wb_reference *out, const struct wb_reference *r);
/* Sets "latest" when there is neither tag nor digest. */
void wb_reference_default_tag(struct wb_reference *r);
/* Complete: "docker.io/library/debian:12@sha256:…"; the caller frees. */
char *wb_reference_text(const struct wb_reference *r);
/* As people write it: without docker.io/ and library/; the caller frees. */
char *wb_reference_familiar(const struct wb_reference *r);
bool wb_tag_valid(const char *tag);
/* A name of an entry of index.json (org.opencontainers.image.ref.name, image-spec
 * annotations.md): wider than a registry's tag. */
bool wb_refname_valid(const char *name);

enum wb_place_kind {
	WB_PLACE_REGISTRY,       /* "docker://HOST/NAME[:TAG|@DIGEST]" or the reference alone */
	WB_PLACE_LAYOUT,         /* "oci:DIR[:TAG]" or "oci:DIR@DIGEST" */
	WB_PLACE_ARCHIVE,        /* "oci-archive:FILE[:TAG]" or "…@DIGEST" */
	WB_PLACE_DOCKER_ARCHIVE, /* "docker-archive:FILE[:REF]" */
};

struct wb_place {
	enum wb_place_kind kind;
	char *path;      /* layout and archives */
	char *tag;       /* layout and oci-archive; or NULL */
	bool has_digest; /* layout and oci-archive */
	struct wb_digest digest;
	bool has_reference; /* registry always, docker-archive when given */
	struct wb_reference reference;
};

#define WB_PLACE_INIT ((struct wb_place){0})

/* As skopeo splits it: the path ends at the first ':' after the transport. -1: WB_ERR_USAGE. */
int wb_place_parse(struct wb_place *out, const char *text, struct wb_err *err);
void wb_place_release(struct wb_place *p);
char *wb_place_text(const struct wb_place *p); /* the caller frees */

#endif
