/* Credentials for S3 and what speaks its protocol: from a secret's JSON, the environment, a
 * profile, or STS for a web identity token. */
#ifndef WB_BUILDER_SOURCE_AWS_CREDS_H
#define WB_BUILDER_SOURCE_AWS_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"
#include "base/secret.h"
#include "builder/config/config.h"
#include "builder/source/secrets.h"

struct wb_aws_creds {
	char *key_id; /* NULL: requests are not signed */
	struct wb_secret *key, *token;
	char *region;    /* NULL: not said */
	int64_t expires; /* seconds since the epoch; 0: never */
	/* To be exchanged at STS before use (and again when they run out), or NULL. */
	char *role_arn, *token_file;
};
#define WB_AWS_CREDS_INIT ((struct wb_aws_creds){0})
void wb_aws_creds_release(struct wb_aws_creds *c);

/* A secret's JSON: aws_access_key_id, aws_secret_access_key, aws_region, aws_session_token; without
 * "aws_" in front they are accepted with a note. A missing one: WB_ERR_AUTH naming the exact key.
 */
int wb_aws_creds_parse(
	struct wb_aws_creds *out, const struct wb_secret *secret, struct wb_err *err);
/* AWS_ACCESS_KEY_ID and its like, AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, then AWS_PROFILE
 * (else "default") of the shared credentials and config files. Nothing anywhere is no error:
 * out->key_id is NULL then. */
int wb_aws_creds_environment(struct wb_aws_creds *out, struct wb_err *err);

/* sts.c: the token of the role's web identity (AWS_WEB_IDENTITY_TOKEN_FILE, else a GitHub Actions
 * job's token endpoint) becomes credentials with AssumeRoleWithWebIdentity. */
int wb_sts_assume(
	struct wb_aws_creds *c, struct wb_http *http, const char *region, struct wb_err *err);
/* The answer's XML. */
int wb_sts_parse(struct wb_aws_creds *c, const char *p, size_t n, struct wb_err *err);
/* An OIDC token for an audience: file (may be NULL), else ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN.
 * otherwise: what the hint says to do where there is neither ("set …"). */
struct wb_secret *wb_oidc_token(struct wb_http *http, const char *file, const char *audience,
	const char *otherwise, struct wb_err *err);

#endif
