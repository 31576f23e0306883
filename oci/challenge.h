/* What a 401 asks for: WWW-Authenticate as RFC 9110 (11.6.1) writes it, where one header may hold
 * several challenges, parameter values may be quoted and hold commas (a Bearer scope does), and a
 * scheme may carry a bare token68 instead of parameters. Schemes other than Basic and Bearer are
 * parsed and kept as such, so that a message can name them. Pure; any thread. */
#ifndef WB_OCI_CHALLENGE_H
#define WB_OCI_CHALLENGE_H

#include <stddef.h>

#include "base/alloc.h"
#include "base/err.h"

#define WB_CHALLENGE_HEADER_MAX (16u << 10) /* bytes of one header */
#define WB_CHALLENGES_MAX 16                /* challenges over all headers */

enum wb_auth_scheme { WB_AUTH_OTHER, WB_AUTH_BASIC, WB_AUTH_BEARER };

struct wb_challenge {
	enum wb_auth_scheme scheme;
	char *name; /* the scheme as written */
	/* Parameters; NULL when not given. The first of a name counts. */
	char *realm, *service, *scope, *error;
};

typedef WB_VEC(struct wb_challenge) wb_challenges;

/* Appends one header's challenges to *out. -1: WB_ERR_FORMAT or WB_ERR_LIMIT, *out as before. */
int wb_challenges_parse(wb_challenges *out, const char *header, struct wb_err *err);
void wb_challenges_release(wb_challenges *c);
/* The first of that scheme, or NULL. */
const struct wb_challenge *wb_challenges_find(const wb_challenges *c, enum wb_auth_scheme scheme);

#endif
