/* HTTP over libcurl's multi interface: one engine, many requests at once, one thread.
 *
 * An engine is used by one thread at a time; between requests it may change hands. Requests are
 * submitted and then driven by wb_http_run() until none is left (callbacks may submit more), or one
 * at a time by wb_http_perform(). Callbacks run on the engine's thread and must not block for long:
 * hashing and disk writes of large bodies are handed to workers by the caller.
 *
 * Rules built in, for every request (specs.md 2, 3, 11; RFC 9110):
 *  - http and https only; http only to loopback hosts or with opts.insecure_http;
 *  - at most connections_total requests are on their way at once, connections_per_host of them to
 *    one origin; the others wait in the order they came. A host that asks for patience (429, 503
 *    with Retry-After) gets no new request until then;
 *  - redirects (at most 10) are followed by the engine itself; `authorization` and headers marked
 *    secret are dropped when scheme, host or port change; a redirect from https to http, to
 *    file:// or, from a public host, to a loopback or link-local address is refused, and so is one
 *    to a link-local address or a cloud's metadata service from anywhere else, also where a name
 *    leads there;
 *  - header block at most 64 KiB, with everything before and after it 256 KiB; buffered bodies at
 *    most body_limit, and 10 minutes;
 *  - no total time-out on bodies that are handed on: connect 30 s, and low-speed limits (less than
 *    1 kB/s for 60 s);
 *  - Accept-Encoding: identity; TLS 1.2 or later, peer and host always verified; CA bundles from
 *    SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE; proxies from BDN_PROXY, HTTPS_PROXY,
 *    HTTP_PROXY, NO_PROXY (loopback is never proxied);
 *  - CURLOPT_BUFFERSIZE 512 KiB;
 *  - retries (for requests that allow it: a GET or HEAD, or marked idempotent, before any body
 *    byte was handed out) on connection errors, 408, 429, 500, 502, 503, 504: up to opts.retries,
 *    waiting Retry-After (seconds or date), or RateLimit `t` when `r=0`, else 1, 2, 4, 8 … s with
 *    jitter; never longer than opts.retry_wait_max_s in one wait: who asks for much more is not
 *    asked again. Hosts that cannot be reached or fall silent are tried three times. */
#ifndef WB_BASE_HTTP_H
#define WB_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http_rate.h"
#include "base/secret.h"

struct wb_http;     /* the engine */
struct wb_http_req; /* one request, with its response; owned by the engine until done */

struct wb_http_opts {
	unsigned connections_per_host; /* default 16 */
	unsigned connections_total;    /* default 64 */
	uint64_t rate_limit;           /* bytes per second over all requests; 0 none */
	struct wb_http_rate *rate;     /* instead, one that several engines share: outlives them */
	unsigned retries;              /* default 5 */
	unsigned retry_wait_max_s;     /* default 300 */
	bool insecure_http;            /* plain http to any host (--insecure) */
	bool tls_insecure;             /* never silently: who sets it warns (--tls-verify=false) */
	const char *ca_file;           /* added CA bundle, or NULL */
	const char *user_agent;        /* default "wbuild/VERSION" */
	double backoff_unit_s;         /* default 1.0; tests shorten it */
	unsigned connect_timeout_s;    /* default 30 */
	unsigned stall_s;              /* default 60: less than 1 kB/s for so long is an error */
};
#define WB_HTTP_OPTS_INIT ((struct wb_http_opts){0}) /* zero fields mean the defaults */

enum wb_http_method {
	WB_HTTP_GET,
	WB_HTTP_HEAD,
	WB_HTTP_POST,
	WB_HTTP_PUT,
	WB_HTTP_PATCH,
	WB_HTTP_DELETE
};

struct wb_http_response {
	int status;              /* of the last response, after redirects */
	char *effective_url;     /* the last URL, may hold signed parameters: redact before print */
	struct wb_buf body;      /* buffered body when there is no on_body; error bodies always
	                          * (cut at 64 KiB) */
	uint64_t content_length; /* UINT64_MAX when not given */
	uint64_t received;       /* body bytes handed to on_body or buffered */
	bool redirected;         /* at least one redirect was followed */
	bool sent;               /* at least one request byte left: for mutating calls */
	unsigned attempts;
	long wait_asked; /* seconds that the server asked for, where they were too many; else 0 */
};

/* Everything about a request. Strings are copied by wb_http_submit(), secrets referenced. */
struct wb_http_params {
	enum wb_http_method method;
	const char *url;
	const char *const *headers;      /* "Name: value", NULL-terminated, or NULL */
	struct wb_secret *authorization; /* whole value of the Authorization header, or NULL */
	struct wb_secret *const *secret_headers; /* "Name: value" lines dropped on cross-origin
	                                          * redirects; NULL-terminated, or NULL */
	const void *body;                        /* request body in memory (copied), or NULL */
	size_t body_len;
	int body_fd;                     /* or from a file: >= 0 (not closed by the engine) */
	uint64_t body_offset, body_size; /* the part of body_fd to send; seekable for retries */
	/* Or body_size bytes from a function: at most n of them, those from body_offset + offset
	 * on, at least one. Offsets go up, and back where a request is repeated. It may block. */
	int (*on_send)(void *p, size_t n, uint64_t offset, size_t *got, void *send_arg,
		struct wb_err *err);
	/* Bytes of the body handed over so far; less again where a request is repeated. */
	void (*on_upload)(struct wb_http_req *req, uint64_t sent_total, void *send_arg);
	void *send_arg;
	/* Range: bytes=start-end; -1 start: no range; -1 end: open */
	int64_t range_start, range_end;
	const char *if_range; /* If-Range validator, or NULL */
	uint64_t body_limit;  /* for buffered responses; default 4 MiB */
	uint64_t body_about;  /* so many bytes will come, if anybody knows; 0: may be many */
	bool no_redirect;     /* hand back a 3xx; relative ones are still followed when
	                       * follow_relative */
	bool follow_relative;
	bool idempotent; /* retry although not GET or HEAD */
	int retries;     /* -1: none; 0: the engine's; else this many */
	/* Whether a status that may pass (500, 503, …) will not, by what the body says: then it is
	 * handed back at once. May be NULL. */
	bool (*is_final)(const struct wb_http_response *r);
	unsigned stall_s; /* 0: the engine's; longer where a server thinks first */
	/* Only called for 2xx (and 3xx handed back) responses. Return 0 to go on, -1 with err set
	 * to end the request with that error. on_headers_done comes before the first body byte, and
	 * again when a retry starts before any body byte was handed out. */
	int (*on_headers_done)(struct wb_http_req *req, void *arg, struct wb_err *err);
	int (*on_body)(
		struct wb_http_req *req, const void *p, size_t n, void *arg, struct wb_err *err);
	/* Always called once, last; err->code is WB_OK when a complete response of any status came.
	 * The request is freed after it returns. */
	void (*on_done)(struct wb_http_req *req, void *arg, const struct wb_err *err);
	void *arg;
};
#define WB_HTTP_PARAMS_INIT \
	((struct wb_http_params){.body_fd = -1, .range_start = -1, .range_end = -1})

struct wb_http *wb_http_new(const struct wb_http_opts *opts, struct wb_err *err);
void wb_http_free(struct wb_http *h); /* ends open requests without calling back */

/* Queues a request; on_done comes from wb_http_run(). NULL: bad URL or refused scheme. */
struct wb_http_req *wb_http_submit(
	struct wb_http *h, const struct wb_http_params *p, struct wb_err *err);
/* Drives until nothing is open; with step, does one round that waits at most wait_ms for something
 * to happen (a wakeup too, also with nothing open). Fails only on cancellation: open requests stay
 * open then, and wb_http_free() ends them. *left (may be NULL) counts open requests. May be called
 * from on_done, not from the other callbacks. */
int wb_http_run(struct wb_http *h, bool step, int wait_ms, unsigned *left, struct wb_err *err);
/* Wakes a wb_http_run() that waits, from any thread. */
void wb_http_wakeup(struct wb_http *h);
void wb_http_pause(struct wb_http_req *req, bool paused); /* stops receiving: back-pressure; the
                                                           * engine's thread only */
void wb_http_abort(struct wb_http_req *req); /* on_done follows with WB_ERR_CANCELLED */
/* Ends a request at once, without calling back; not from a callback of the engine. */
void wb_http_drop(struct wb_http_req *req);

/* Of a request inside its callbacks. */
const struct wb_http_response *wb_http_response(const struct wb_http_req *req);
/* Value of the last response's header (case-insensitive; first one), or NULL. */
const char *wb_http_header(const struct wb_http_req *req, const char *name);
/* The i-th (0-based) header of that name: WWW-Authenticate and Link may come several times. */
const char *wb_http_header_nth(const struct wb_http_req *req, const char *name, unsigned i);

/* One request, to its end; *out keeps the response (release it). Transport errors are errors; an
 * HTTP status of 400 or more is not: see wb_http_status_err(). */
struct wb_http_result {
	struct wb_http_response response;
	WB_VEC(char *) headers; /* "Name: value" of the last response */
};
/* Other open requests go on meanwhile. */
int wb_http_perform(struct wb_http_result *out, struct wb_http *h, const struct wb_http_params *p,
	struct wb_err *err);
const char *wb_http_result_header(const struct wb_http_result *r, const char *name);
void wb_http_result_release(struct wb_http_result *r);
#define WB_HTTP_RESULT_INIT ((struct wb_http_result){0})

/* Fills err for a status >= 400 (or any other that was not hoped for): code (AUTH for 401/403,
 * NOT_FOUND for 404/410, else NET), the redacted URL, the server's own message cut and made
 * printable when it is short text. -> -1 */
int wb_http_status_err(struct wb_err *err, const struct wb_http_response *r, const char *doing);

/* URL without user info, and with the values of query parameters replaced by "…". Freed by the
 * caller. */
char *wb_url_redact(const char *url);
/* Percent-encodes bytes outside A-Z a-z 0-9 - . _ ~ and those in keep ("/" keeps slashes). */
char *wb_url_encode(const char *s, size_t n, const char *keep);
char *wb_url_decode(const char *s, size_t n);
/* Resolves a Location or Link against a base URL. */
char *wb_url_resolve(const char *base, const char *ref, struct wb_err *err);
bool wb_url_host_is_loopback(const char *url);
/* An address that the server at "from" named (an upload's Location, a login's realm): refused, with
 * WB_ERR_NET, where a redirect to it would be. what: "the upload's address". */
int wb_url_check_named(
	const char *from, const char *to, bool insecure_http, const char *what, struct wb_err *err);
/* Same scheme, host and port (defaults filled in). */
bool wb_url_same_origin(const char *a, const char *b);
/* Date header or Retry-After value to seconds from now (>= 0), or -1. */
long wb_http_retry_after(const char *value);
/* RateLimit: "api";r=0;t=55 (draft-ietf-httpapi-ratelimit-headers): seconds until the window ends
 * when nothing is left in it, else -1. */
long wb_http_rate_limit_wait(const char *value);

#endif
