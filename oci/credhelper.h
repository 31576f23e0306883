/* Docker's credential helpers: a program "docker-credential-SUFFIX" that is asked over pipes
 * (docker-credential-helpers; specs.md 3). The server's name goes to its stdin, never into its
 * arguments; the answer is JSON on stdout. */
#ifndef WB_OCI_CREDHELPER_H
#define WB_OCI_CREDHELPER_H

#include <stddef.h>

#include "base/err.h"
#include "oci/authfile.h"

#define WB_CREDHELPER_REPLY_MAX (1u << 20)
#define WB_CREDHELPER_TIMEOUT_S 60

/* "docker-credential-SUFFIX get" for server. kind stays NONE, with origin saying so, when the
 * helper knows no credentials for it. -1 when it cannot be run, fails, takes longer than
 * WB_CREDHELPER_TIMEOUT_S or answers with something else. Any thread. */
int wb_credhelper_get(
	struct wb_credential *out, const char *suffix, const char *server, struct wb_err *err);

/* The parser of its answer, for itself. */
int wb_credhelper_parse(struct wb_credential *out, const char *reply, size_t n, const char *program,
	struct wb_err *err);

#endif
