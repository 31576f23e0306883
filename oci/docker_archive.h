/* The two halves of the docker-archive transport (oci/transport.h has its entrance). */
#ifndef WB_OCI_DOCKER_ARCHIVE_H
#define WB_OCI_DOCKER_ARCHIVE_H

#include "oci/transport.h"

/* An archive for "docker load" and "podman load": layers uncompressed, so manifest digests do not
 * apply to it. One image of one platform; the file appears at commit. */
struct wb_transport *wb_docker_archive_create(const struct wb_place *p, struct wb_err *err);

#endif
