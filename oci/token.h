/* Tokens from a registry's token server (distribution's token authentication; specs.md 3).
 *
 * With a password, or none, a token is got by GET with Basic authentication; with an identity token
 * by POST, as OAuth 2 refreshes. Where the GET is not known (404, 405), the POST is tried with the
 * password too. A smaller grant than asked for is no error here: the registry says so later. */
#ifndef WB_OCI_TOKEN_H
#define WB_OCI_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/secret.h"
#include "oci/authfile.h"
#include "oci/challenge.h"

#define WB_TOKEN_REPLY_MAX (1u << 20)
#define WB_TOKEN_MAX (128u << 10)    /* bytes of one token */
#define WB_TOKEN_LIFETIME_DEFAULT 60 /* seconds, when the reply says nothing */
#define WB_TOKEN_LIFETIME_MAX 86400

struct wb_token {
	struct wb_secret *header; /* the value of Authorization: "Bearer …" */
	uint64_t lifetime_s;
};

#define WB_TOKEN_INIT ((struct wb_token){0})
void wb_token_release(struct wb_token *t);

/* The reply's JSON. server is for messages. */
int wb_token_parse(
	struct wb_token *out, const char *reply, size_t n, const char *server, struct wb_err *err);

/* scopes are separated by spaces ("repository:a/b:pull,push repository:c/d:pull"), or "". c is a
 * Bearer challenge with a realm; host names the registry in messages. */
int wb_token_fetch(struct wb_token *out, struct wb_http *h, const struct wb_challenge *c,
	const struct wb_credential *cred, const char *scopes, const char *host, struct wb_err *err);

/* "Basic …" of a user and password. */
struct wb_secret *wb_basic_header(const char *user, const struct wb_secret *password);

#endif
