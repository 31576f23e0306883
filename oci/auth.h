/* Being let in to one registry: what it asked for, the login for it, and the tokens got so far.
 *
 * A request is first sent with what is known (at the beginning: nothing). A 401 says what is
 * wanted; wb_auth_refused() takes that in and the request is sent once more. Tokens are kept for
 * each set of scopes and renewed before they end; one that the registry refuses early is dropped.
 * Thread safe: several workers that need a token at once get one between them. */
#ifndef WB_OCI_AUTH_H
#define WB_OCI_AUTH_H

#include "base/err.h"
#include "base/http.h"
#include "base/secret.h"
#include "oci/challenge.h"
#include "oci/credentials.h"

struct wb_auth;

/* Takes a reference on c. */
struct wb_auth *wb_auth_new(struct wb_credentials *c, const char *host, const char *repository);
void wb_auth_free(struct wb_auth *a);

/* The Authorization to send for these scopes (separated by spaces; "" for none in particular), a
 * reference of the caller's; NULL in *out when none is to be sent. May ask the token server. */
int wb_auth_header(struct wb_secret **out, struct wb_auth *a, struct wb_http *h, const char *scopes,
	struct wb_err *err);

/* After a 401 to a request that carried `sent` (may be NULL): 0 when it is worth sending it again,
 * with wb_auth_header(). `again` says that this request was refused before. -1: WB_ERR_AUTH, what
 * is wrong with the login. */
int wb_auth_refused(struct wb_auth *a, const wb_challenges *challenges,
	const struct wb_secret *sent, bool again, const struct wb_http_response *r,
	struct wb_err *err);

/* Adds to the hint of a 403 whose login it was. */
void wb_auth_explain(struct wb_auth *a, struct wb_err *err);

#endif
