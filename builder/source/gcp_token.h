/* Access tokens for Google Cloud: from a service account's key (a JWT signed with RS256, RFC 7523,
 * sent to the key's token_uri), from a user's refresh token, or from a web identity by STS and
 * service account impersonation (RFC 8693, AIP-4117). */
#ifndef WB_BUILDER_SOURCE_GCP_TOKEN_H
#define WB_BUILDER_SOURCE_GCP_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"
#include "base/secret.h"
#include "builder/config/config.h"

enum wb_gcp_kind {
	WB_GCP_NONE, /* anonymous */
	WB_GCP_SERVICE_ACCOUNT,
	WB_GCP_USER,
	WB_GCP_EXTERNAL,
};

struct wb_gcp_creds {
	enum wb_gcp_kind kind;
	char *email, *key_id, *token_uri;
	struct wb_secret *key; /* PEM */
	char *client_id;
	struct wb_secret *client_secret, *refresh_token;
	char *audience, *impersonate_url, *token_file, *token_field;
	char *base_url; /* "gcs_base_url": another place than storage.googleapis.com, or NULL */
	bool no_token;  /* "disable_oauth" */

	struct wb_secret *bearer; /* "Bearer …"; NULL until asked for */
	int64_t expires;
};
#define WB_GCP_CREDS_INIT ((struct wb_gcp_creds){0})
void wb_gcp_creds_release(struct wb_gcp_creds *c);

/* A key file's JSON: service_account, authorized_user or external_account. */
int wb_gcp_creds_parse(
	struct wb_gcp_creds *out, const struct wb_secret *secret, struct wb_err *err);
/* auth_method GCP_OIDC. */
int wb_gcp_creds_oidc(struct wb_gcp_creds *out, const struct wb_auth *auth, struct wb_err *err);
/* GOOGLE_APPLICATION_CREDENTIALS, else gcloud's own file; neither there is no error. */
int wb_gcp_creds_environment(struct wb_gcp_creds *out, struct wb_err *err);
/* c->bearer is good for another minute at least after. */
int wb_gcp_token(struct wb_gcp_creds *c, struct wb_http *http, struct wb_err *err);
/* The signed JWT, for tests. */
char *wb_gcp_jwt(const struct wb_gcp_creds *c, int64_t now, struct wb_err *err);

/* rs256.c: RSASSA-PKCS1-v1_5 with SHA-256 over text, in base64url. NULL and err when the key is
 * none. */
char *wb_rs256_sign(const struct wb_secret *pem, const char *text, struct wb_err *err);
char *wb_base64url(const void *p, size_t n);

#endif
