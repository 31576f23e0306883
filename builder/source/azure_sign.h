/* Azure Blob Storage: credentials (account key, SAS token, connection string) and the Shared Key
 * signature (Microsoft Learn, "Authorize with Shared Key"). */
#ifndef WB_BUILDER_SOURCE_AZURE_SIGN_H
#define WB_BUILDER_SOURCE_AZURE_SIGN_H

#include "base/err.h"
#include "base/secret.h"

#define WB_AZURE_VERSION "2021-12-02"

struct wb_azure_creds {
	char *account;
	struct wb_secret *key; /* base64, as given */
	struct wb_secret *sas; /* query string without "?" */
	char *endpoint;        /* "http://127.0.0.1:10000/devstoreaccount1", or NULL */
};
#define WB_AZURE_CREDS_INIT ((struct wb_azure_creds){0})
void wb_azure_creds_release(struct wb_azure_creds *c);

/* A secret: JSON with account_key, sas_token or connection_string (and account_name), or the bare
 * text of any of the three. */
int wb_azure_creds_parse(
	struct wb_azure_creds *out, const struct wb_secret *secret, struct wb_err *err);
/* AZURE_STORAGE_CONNECTION_STRING, else AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, and
 * AZURE_STORAGE_ACCOUNT. None is no error. */
int wb_azure_creds_environment(struct wb_azure_creds *out, struct wb_err *err);

struct wb_azure_sign {
	const char *method;
	const char *date;     /* x-ms-date */
	const char *if_match; /* header value, or "" */
	const char *range;    /* header value, or "" */
	const char *path;     /* of the URL, encoded */
	const char *params;   /* canonical query: "\nname:value" sorted, decoded; or "" */
};
/* The Authorization header's value. */
struct wb_secret *wb_azure_sign(
	const struct wb_azure_creds *c, const struct wb_azure_sign *s, struct wb_err *err);

#endif
