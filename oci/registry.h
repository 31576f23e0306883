/* Images in a registry (distribution-spec 1.1), as a transport.
 *
 * Hosts on this machine are spoken to in plain http unless they answer in TLS; all others in TLS,
 * unless plain_http says otherwise. Docker Hub goes by "docker.io". Logins are found by
 * oci/credentials.h. Blobs that are there are not sent; those in another repository of the same
 * registry are mounted; the rest is uploaded the way oci/quirks.h says, and an upload that was cut
 * off goes on where it stopped, also in a new process (oci/journal.h).
 *
 * Threads: as oci/transport.h says. Each blob call borrows an HTTP engine of its own. */
#ifndef WB_OCI_REGISTRY_H
#define WB_OCI_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"
#include "oci/credentials.h"
#include "oci/quirks.h"
#include "oci/transport.h"

/* Where blobs were pushed before, kept by the caller (the store, under "push"). Called from any
 * thread. Both may be NULL. */
struct wb_blob_places {
	/* Calls each with repositories of host that held the blob, best first. */
	void (*recall)(void *arg, const char *host, const struct wb_digest *d,
		void (*each)(void *each_arg, const char *repository), void *each_arg);
	void (*remember)(
		void *arg, const char *host, const char *repository, const struct wb_digest *d);
	void *arg;
};

struct wb_registry_opts {
	struct wb_http_opts http;           /* retries, rates, CA, tls_insecure */
	bool plain_http;                    /* --plain-http */
	struct wb_credentials *credentials; /* NULL: those of the environment */
	struct wb_quirks_memory *quirks;    /* NULL: the table alone */
	const char *journal_dir;            /* NULL: uploads do not outlive the process */
	struct wb_blob_places places;
	/* Repositories to mount from, "NAME" or "HOST/NAME" (others are passed over); NULL-ended,
	 * or NULL. */
	const char *const *mount_from;
	bool no_limits;      /* images past the registry's known limits are tried */
	uint64_t chunk_size; /* bytes of one PATCH; 0: 64 MiB */
	uint64_t chunk_from; /* blobs of at least this size go in chunks; 0: 32 MiB */
};
#define WB_REGISTRY_OPTS_INIT ((struct wb_registry_opts){0})

/* p is a registry's place. Asks nothing yet. o (may be NULL) is copied; what it points to stays the
 * caller's and has to outlive the transport. */
struct wb_transport *wb_registry_open(const struct wb_place *p, const struct wb_registry_opts *o,
	enum wb_transport_mode mode, struct wb_err *err);

/* A blob that goes to t, a registry's transport, while it is still being written to fd's file, and
 * before its digest is known. stop is as in wb_put_opts. One thread at a time. */
struct wb_early *wb_early_new(struct wb_transport *t, int fd, const atomic_bool *stop);
uint64_t wb_early_want(const struct wb_early *e); /* with so many bytes it is worth a request */
/* Sends what of the first upto bytes is not sent yet, while it is worth a request. -1: that does
 * not work there, or not now; the blob then has to go the ordinary way. */
int wb_early_send(struct wb_early *e, uint64_t upto, struct wb_err *err);
/* Gives up what was sent, unless wb_transport_put_blob() has used it. NULL is fine. */
void wb_early_free(struct wb_early *e);

#endif
