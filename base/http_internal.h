/* What the files of the HTTP engine share: http.c (engine and its loop), http_req.c (one request
 * on its curl handle), http_retry.c (whether and when again), http_status.c (texts for failures),
 * http_url.c. Nothing else includes this or libcurl's headers. */
#ifndef WB_BASE_HTTP_INTERNAL_H
#define WB_BASE_HTTP_INTERNAL_H

#include <curl/curl.h>
#include <sys/socket.h>

#include "base/http.h"

#define WB_HTTP_REDIRECTS_MAX 10
#define WB_HTTP_HEADERS_MAX (64u << 10)
#define WB_HTTP_HEADERS_ALL_MAX (4 * WB_HTTP_HEADERS_MAX) /* with 1xx responses and trailers */
#define WB_HTTP_ERROR_BODY_MAX (64u << 10)
#define WB_HTTP_BODY_DEFAULT (4u << 20)
#define WB_HTTP_BUFFER (512L << 10)
#define WB_HTTP_BUFFER_HEAD (16L << 10) /* for headers, before the body */
#define WB_HTTP_BUFFERED_S 600L         /* for a whole response that is kept in memory */

enum wb_http_state {
	WB_HTTP_QUEUED,  /* waits for a free place */
	WB_HTTP_WAITING, /* waits for wait_until, to try again */
	WB_HTTP_ACTIVE,  /* on the multi handle */
};

/* A scheme, host and port that requests go to. */
struct wb_http_origin {
	char *key; /* "https://host:443" */
	unsigned active;
	int64_t hold_until; /* ms; it asked for patience */
};

struct wb_http {
	CURLM *multi;
	struct wb_http_opts opts;
	char *user_agent, *ca_file, *proxy_http, *proxy_https, *no_proxy;
	struct curl_blob ca_blob; /* when two bundles have to be joined; else data is NULL */
	WB_VEC(struct wb_http_origin *) origins;
	struct wb_http_req *first, *last;     /* all open requests, oldest first */
	unsigned open, active, urgent;        /* urgent: active ones past the limits */
	unsigned queued, waiting, stopped;    /* stopped: curl has them paused */
	bool aborted;                         /* some request is */
	bool in_curl;                         /* a curl callback may be on the stack */
	struct wb_http_rate *rate, *own_rate; /* own: freed with the engine */
};

struct wb_http_req {
	struct wb_http *h;
	struct wb_http_req *prev, *next;
	enum wb_http_state state;
	struct wb_http_origin *origin;
	CURL *easy;
	struct curl_slist *lines; /* the request headers as sent; wiped when freed */
	char errbuf[CURL_ERROR_SIZE];

	/* The request. */
	struct wb_http_params p; /* pointers in it are not used after submit, but the callbacks */
	char *url;               /* where it goes now */
	WB_VEC(char *) headers;
	WB_VEC(struct wb_secret *) secrets;
	struct wb_secret *authorization;
	void *body;
	char *if_range;
	bool urgent;      /* does not wait for a place: someone runs the loop for it */
	bool credentials; /* still at the origin that they are meant for */
	bool from_public; /* some hop was not a loopback or link-local host */
	bool proxied;
	unsigned redirects, retries_left;

	/* The response. */
	struct wb_http_response r;
	struct wb_buf head;        /* header lines, each ended by NUL */
	size_t head_bytes;         /* of all lines so far, kept or not */
	bool head_done, announced; /* blank line seen; on_headers_done called */
	bool discard;              /* a redirect to follow: its body is of no interest */
	bool cut;                  /* enough of an error body was read */
	bool handed;               /* on_body got bytes: no retry */
	uint64_t sent;             /* body bytes handed to curl */
	struct wb_err err;         /* from a callback */

	bool paused, stopped, stopped_up; /* the caller's wish; what curl was told */
	bool aborted;
	int64_t wait_until; /* ms */
};

int64_t wb_http_now_ms(void);

/* http.c */
struct wb_http_origin *wb_http_origin_get(struct wb_http *h, const char *url);

/* http_req.c */
struct wb_http_req *wb_http_req_new(
	struct wb_http *h, const struct wb_http_params *p, struct wb_err *err);
void wb_http_req_free(struct wb_http_req *req); /* not on the multi handle any more */
int wb_http_req_arm(struct wb_http_req *req, struct wb_err *err); /* sets up req->easy */
/* After a complete response: 1 when it is a redirect and req is ready for the next hop. */
int wb_http_req_redirect(struct wb_http_req *req, struct wb_err *err);
bool wb_http_is_redirect(const struct wb_http_req *req);
bool wb_http_is_buffered(const struct wb_http_req *req); /* nothing of it is streamed */

/* http_retry.c: after a response or a failed transfer; true with req->wait_until set. */
bool wb_http_retry(struct wb_http_req *req, CURLcode rc);

/* http_status.c */
int wb_http_transport_err(const struct wb_http_req *req, CURLcode rc, struct wb_err *err);
const char *wb_http_method_name(enum wb_http_method m);

/* http_url.c: http or https, and plain http only where it is allowed. */
int wb_http_url_check(const char *url, bool insecure, struct wb_err *err);
char *wb_http_url_origin(const char *url); /* "scheme://host:port", or NULL */
void wb_http_url_strip_user(char **url);
bool wb_http_url_is_local(const char *url); /* loopback, link-local or unspecified address */
/* Why a server at "from" may not send a client to "to", or NULL. */
const char *wb_http_url_astray(const char *from, const char *to);
bool wb_http_address_is_private(const struct sockaddr *a, bool loopback_too);

#endif
