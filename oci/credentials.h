/* Credentials for a registry, from where docker and podman keep them. The first place that has an
 * entry for the repository wins:
 *
 *  1. a file given by the caller, else $REGISTRY_AUTH_FILE: then no other place is looked at;
 *  2. $DOCKER_AUTH_CONFIG, the JSON itself;
 *  3. $DOCKER_CONFIG/config.json, when DOCKER_CONFIG is set;
 *  4. $XDG_RUNTIME_DIR/containers/auth.json, then $XDG_CONFIG_HOME/containers/auth.json
 *     (~/.config when unset): podman, buildah and skopeo log in there;
 *  5. ~/.docker/config.json, then ~/.dockercfg.
 *
 * Within a file the host's own helper (credHelpers) comes before the general one (credsStore),
 * which comes before the plain entry. A helper that cannot be run is not an error by itself: a
 * config.json copied from a desktop names helpers that a CI machine lacks. Its reason is kept in
 * the result, to be shown when the registry refuses us. Thread safe; answers are remembered. */
#ifndef WB_OCI_CREDENTIALS_H
#define WB_OCI_CREDENTIALS_H

#include "base/err.h"
#include "oci/authfile.h"

struct wb_credentials;

/* auth_file (may be NULL) as in 1. Reads nothing yet. */
struct wb_credentials *wb_credentials_new(const char *auth_file);
struct wb_credentials *wb_credentials_ref(struct wb_credentials *c);
void wb_credentials_unref(struct wb_credentials *c);

/* kind is NONE where there are none: the registry is then asked without. -1: a file that is there
 * cannot be read or parsed, or the file of 1 is missing. */
int wb_credentials_get(struct wb_credential *out, struct wb_credentials *c, const char *host,
	const char *repository, struct wb_err *err);

#endif
