/* AWS Signature Version 4 for GET requests without a body, in headers (S3: "Authenticating
 * Requests: Using the Authorization Header"; a path is encoded once and keeps its slashes). Pure.
 */
#ifndef WB_BUILDER_SOURCE_SIGV4_H
#define WB_BUILDER_SOURCE_SIGV4_H

#include <time.h>

#include "base/err.h"
#include "base/secret.h"

/* SHA-256 of nothing: the payload of a GET. */
#define WB_SIGV4_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct wb_sigv4 {
	const char *method;  /* "GET" */
	const char *host;    /* as in the Host header, with the port unless it is the default */
	const char *path;    /* encoded, starts with "/" */
	const char *query;   /* encoded, sorted by name, or "" */
	const char *headers; /* further signed headers, "name:value\n" sorted, lower case, or "" */
	const char *region, *service;
	time_t now;
};

/* "20130524T000000Z", for the x-amz-date header. */
void wb_sigv4_date(char out[17], time_t now);
/* The Authorization header's value. Signed are host, x-amz-content-sha256 (WB_SIGV4_EMPTY),
 * x-amz-date, the given headers and, when token is not NULL, x-amz-security-token. */
struct wb_secret *wb_sigv4_sign(const struct wb_sigv4 *s, const char *key_id,
	const struct wb_secret *key, const struct wb_secret *token);

#endif
