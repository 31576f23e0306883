/* Opens what a command line names as IMAGE, SRC or DEST, whichever transport it is. */
#ifndef WB_BUILDER_BUILD_PLACE_H
#define WB_BUILDER_BUILD_PLACE_H

#include "oci/reference.h"
#include "oci/transport.h"

struct wb_place_opts {
	bool plain_http;
	const char *ca_file; /* or NULL */
};

struct wb_transport *wb_place_open(const struct wb_place *p, enum wb_transport_mode mode,
	const struct wb_place_opts *opts, struct wb_err *err);

#endif
