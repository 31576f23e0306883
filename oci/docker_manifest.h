/* manifest.json of what "docker save" writes: which images a docker archive holds. Pure. */
#ifndef WB_OCI_DOCKER_MANIFEST_H
#define WB_OCI_DOCKER_MANIFEST_H

#include "base/alloc.h"
#include "base/err.h"
#include "oci/reference.h"

#define WB_DOCKER_ITEMS_MAX 1024

struct wb_docker_item {
	char *config;          /* member name */
	WB_VEC(char *) tags;   /* "name:tag", as docker shortens them */
	WB_VEC(char *) layers; /* member names, lowest first */
};

struct wb_docker_manifest {
	WB_VEC(struct wb_docker_item) items;
};

#define WB_DOCKER_MANIFEST_INIT ((struct wb_docker_manifest){0})

int wb_docker_manifest_parse(struct wb_docker_manifest *out, const char *text, size_t n,
	const char *what, struct wb_err *err);
void wb_docker_manifest_release(struct wb_docker_manifest *m);
char *wb_docker_manifest_dump(const struct wb_docker_manifest *m); /* the caller frees */
/* The image of a name in any spelling ("debian", "docker.io/library/debian:latest"); NULL finds the
 * only one there is. NULL and err, with the names there are in the hint. */
const struct wb_docker_item *wb_docker_manifest_find(
	const struct wb_docker_manifest *m, const char *ref, const char *what, struct wb_err *err);

#endif
