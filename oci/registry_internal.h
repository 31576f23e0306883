/* What the files of the registry client share: registry.c (addresses, requests, logins),
 * registry_manifest.c, registry_read.c (blobs in), upload.c (blobs out). */
#ifndef WB_OCI_REGISTRY_INTERNAL_H
#define WB_OCI_REGISTRY_INTERNAL_H

#include <pthread.h>

#include "oci/auth.h"
#include "oci/registry.h"

struct wb_registry {
	struct wb_transport t; /* first: t.host and t.repository are ours */
	struct wb_registry_opts o;
	struct wb_reference ref;
	struct wb_credentials *credentials;
	struct wb_auth *auth;
	char *ca_file;
	char *pull, *push; /* scopes */

	pthread_mutex_t lock;
	char *origin; /* "https://host", once known; not changed after */
	WB_VEC(struct wb_http *) idle;
	WB_VEC(char *) warned;
	bool no_single_post; /* a POST cannot carry a blob there */
};

/* An engine that nobody else uses. Given back idle, or freed where a request may be open. */
struct wb_http *wb_registry_engine(struct wb_registry *reg, struct wb_err *err);
void wb_registry_engine_back(struct wb_registry *reg, struct wb_http *h);

/* "https://host/v2/NAME/" and what follows; the caller frees. May ask the host which of http and
 * https it speaks. */
char *wb_registry_url(struct wb_registry *reg, struct wb_http *h, struct wb_err *err,
	const char *fmt, ...) WB_PRINTF(4, 5);

/* One request, to its end, with the login that it needs where the address is the registry's own.
 * Any status but a final 401 is the caller's to judge. */
int wb_registry_call(struct wb_http_result *out, struct wb_registry *reg, struct wb_http *h,
	struct wb_http_params *p, const char *scopes, struct wb_err *err);

/* What the status of a failed request means, with the registry's own words. doing: "pushing layer
 * sha256:…". */
int wb_registry_status_err(struct wb_err *err, struct wb_registry *reg,
	const struct wb_http_response *r, const char *doing);

/* A status that another try will not change: out of space, or not allowed. */
bool wb_registry_is_final(const struct wb_http_response *r);

/* The login's side of a 401, for requests that are not made by wb_registry_call(). */
int wb_registry_refused(struct wb_registry *reg, char *const *challenges, size_t n,
	const struct wb_secret *sent, bool again, const struct wb_http_response *r,
	struct wb_err *err);
bool wb_registry_is_home(const struct wb_registry *reg, const char *url);

/* registry_manifest.c */
int wb_registry_resolve(
	struct wb_document *out, struct wb_transport *t, const char *ref, struct wb_err *err);
int wb_registry_get_manifest(struct wb_document *out, struct wb_transport *t,
	const struct wb_descriptor *d, struct wb_err *err);
int wb_registry_has_manifest(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err);
int wb_registry_put_manifest(struct wb_transport *t, const struct wb_document *m,
	const struct wb_manifest_put *how, struct wb_err *err);

/* registry_read.c */
int wb_registry_has_blob(
	bool *out, struct wb_transport *t, const struct wb_descriptor *d, struct wb_err *err);
int wb_registry_open_blob(struct wb_reader **out, struct wb_transport *t,
	const struct wb_descriptor *d, uint64_t offset, struct wb_err *err);
/* HEAD of a blob in a repository of this registry. */
int wb_registry_probe_blob(bool *out, struct wb_registry *reg, struct wb_http *h,
	const struct wb_descriptor *d, struct wb_err *err);

/* upload.c */
int wb_registry_put_blob(struct wb_put_result *out, struct wb_transport *t,
	const struct wb_descriptor *d, const struct wb_blob_source *src,
	const struct wb_put_opts *opts, struct wb_err *err);

#endif
