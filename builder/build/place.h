/* Opens what a command line names as IMAGE, SRC or DEST, whichever transport it is. */
#ifndef WB_BUILDER_BUILD_PLACE_H
#define WB_BUILDER_BUILD_PLACE_H

#include "base/http_rate.h"
#include "layers/store.h"
#include "oci/reference.h"
#include "oci/transport.h"

/* What is remembered of registries between runs, in the content store: uploads that broke off,
 * where blobs were pushed, what registries were found to refuse. Thread safe. */
struct wb_place_memory;

/* Borrows s, which has to outlive it. */
struct wb_place_memory *wb_place_memory_new(struct wb_store *s);
void wb_place_memory_free(struct wb_place_memory *m);

/* Looks a registry's login up as the transport will, so that the guard on layers knows it. */
void wb_place_memory_learn(struct wb_place_memory *m, const char *host, const char *repository);

struct wb_place_opts {
	bool plain_http;
	bool tls_insecure;
	bool no_limits;            /* images past a registry's known limits are tried */
	const char *ca_file;       /* or NULL */
	struct wb_http_rate *rate; /* what all transfers share, or NULL */
	/* Repositories to mount blobs from, NULL at the end; or NULL. */
	const char *const *mount_from;
	struct wb_place_memory *memory; /* or NULL: nothing is remembered */
};

/* opts has to stay as long as the transport. */
struct wb_transport *wb_place_open(const struct wb_place *p, enum wb_transport_mode mode,
	const struct wb_place_opts *opts, struct wb_err *err);

#endif
