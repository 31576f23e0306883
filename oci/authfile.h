/* What docker's config.json and podman's auth.json say about logging in to a registry
 * (specs.md 3; containers-auth.json.5).
 *
 *   { "auths": { KEY: { "auth": base64("user:password") | "username", "password",
 *                       "identitytoken", "registrytoken" } },
 *     "credHelpers": { HOST: SUFFIX }, "credsStore": SUFFIX }
 *
 * KEY is a host ("ghcr.io", "localhost:5000"), a host with scheme or API path as old docker wrote
 * it
 * ("https://index.docker.io/v1/"), or, podman's way, a host with the beginning of a repository's
 * name ("quay.io/team"); the most specific wins. Docker Hub goes by all its names. Pure; any
 * thread. */
#ifndef WB_OCI_AUTHFILE_H
#define WB_OCI_AUTHFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"

#define WB_AUTHFILE_MAX (4u << 20) /* bytes of the file */
#define WB_HUB_AUTH_KEY "https://index.docker.io/v1/"

enum wb_credential_kind {
	WB_CREDENTIAL_NONE,
	WB_CREDENTIAL_BASIC,    /* username and password */
	WB_CREDENTIAL_IDENTITY, /* a refresh token, for the token server only */
	WB_CREDENTIAL_BEARER,   /* a token to send to the registry as it is */
};

struct wb_credential {
	enum wb_credential_kind kind;
	char *username; /* of BASIC */
	struct wb_secret *secret;
	char *origin; /* where it comes from, or why there is none, for messages; or NULL */
};

#define WB_CREDENTIAL_INIT ((struct wb_credential){0})
void wb_credential_release(struct wb_credential *c);
void wb_credential_copy(struct wb_credential *out, const struct wb_credential *c);

/* Is host Docker Hub by one of its names? */
bool wb_host_is_hub(const char *host);

/* -> the file's tree, a new reference. name is for messages. A file without "auths" whose members
 * are all objects is the old ~/.dockercfg and comes back in today's form. */
json_t *wb_authfile_parse(const char *p, size_t n, const char *name, struct wb_err *err);

/* The plain entry for a repository on host; kind stays NONE when there is none (or it is empty, as
 * docker leaves it where a helper keeps the password). -1: the entry cannot be read. */
int wb_authfile_find(struct wb_credential *out, const json_t *file, const char *host,
	const char *repository, const char *name, struct wb_err *err);

/* The suffix of the helper program for host: the host's own (credHelpers), or NULL. Borrowed. */
const char *wb_authfile_helper(const json_t *file, const char *host);
const char *wb_authfile_store(const json_t *file); /* the file's credsStore, or NULL */

#endif
