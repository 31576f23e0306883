#include "base/http.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/http_internal.h"
#include "base/log.h"
#include "base/text.h"

/* A host that is not there at all is a typing mistake more often than a passing fault, and one that
 * takes the request and then says nothing costs a minute each time. */
#define UNREACHABLE_TRIES 3
/* Who asks for more than so many times the longest wait is not waited for at all. */
#define PATIENCE 4

long wb_http_retry_after(const char *value)
{
	uint64_t seconds;

	if (!value)
		return -1;
	while (*value == ' ' || *value == '\t')
		value++;
	wb_autofree char *v = wb_strndup(value, strcspn(value, " \t"));

	if (wb_parse_u64(&seconds, v))
		return seconds > 1000000000 ? 1000000000 : (long)seconds;
	time_t when = curl_getdate(value, NULL);
	time_t now = time(NULL);

	if (when == (time_t)-1)
		return -1;
	return when > now ? (long)(when - now) : 0;
}

long wb_http_rate_limit_wait(const char *value)
{
	const char *r = value ? strstr(value, ";r=") : NULL;
	const char *t = value ? strstr(value, ";t=") : NULL;
	uint64_t left, seconds;

	if (!r || !t)
		return -1;
	wb_autofree char *rs = wb_strndup(r + 3, strspn(r + 3, "0123456789"));
	wb_autofree char *ts = wb_strndup(t + 3, strspn(t + 3, "0123456789"));

	if (!wb_parse_u64(&left, rs) || !wb_parse_u64(&seconds, ts) || left != 0)
		return -1;
	return seconds > 1000000000 ? 1000000000 : (long)seconds + 1;
}

static bool unreachable(CURLcode rc)
{
	return rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_RESOLVE_PROXY ||
	       rc == CURLE_COULDNT_CONNECT || rc == CURLE_OPERATION_TIMEDOUT;
}

/* The time for a whole response is up, not that for a sign of life. */
static bool took_too_long(const struct wb_http_req *req, CURLcode rc)
{
	double seconds = 0;

	curl_easy_getinfo(req->easy, CURLINFO_TOTAL_TIME, &seconds);
	return rc == CURLE_OPERATION_TIMEDOUT && wb_http_is_buffered(req) &&
	       seconds >= (double)WB_HTTP_BUFFERED_S;
}

/* A handshake that the network cut short may succeed the next time; one that the two sides could
 * not agree on will not. */
static bool handshake_refused(const struct wb_http_req *req, CURLcode rc)
{
	return rc == CURLE_SSL_CONNECT_ERROR && strstr(req->errbuf, "SSL routines") &&
	       !strstr(req->errbuf, "unexpected eof");
}

static bool passing_fault(const struct wb_http_req *req, CURLcode rc)
{
	if (handshake_refused(req, rc) || took_too_long(req, rc))
		return false;
	return unreachable(rc) || rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR ||
	       rc == CURLE_GOT_NOTHING || rc == CURLE_PARTIAL_FILE || rc == CURLE_HTTP2 ||
	       rc == CURLE_HTTP2_STREAM || rc == CURLE_SSL_CONNECT_ERROR;
}

static bool passing_status(const struct wb_http_req *req)
{
	int status = req->r.status;

	if (req->p.is_final && req->p.is_final(&req->r))
		return false;
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
	       status == 504;
}

static bool may_repeat(const struct wb_http_req *req)
{
	bool safe = req->p.method == WB_HTTP_GET || req->p.method == WB_HTTP_HEAD;

	return (safe || req->p.idempotent) && !req->handed && !req->aborted &&
	       req->err.code == WB_OK && req->retries_left > 0;
}

/* Seconds, without a limit yet: what the server asked for, else doubling from one unit with a
 * quarter of jitter, so that clients which failed together do not come back together. */
static double wait_for(const struct wb_http_req *req, bool *asked)
{
	long s = -1;

	*asked = false;
	if (req->r.status) {
		s = wb_http_rate_limit_wait(wb_http_header(req, "RateLimit"));
		if (s < 0)
			s = wb_http_retry_after(wb_http_header(req, "Retry-After"));
	}
	if (s >= 0) {
		*asked = true;
		return (double)s;
	}
	unsigned shift = req->r.attempts > 6 ? 6 : req->r.attempts ? req->r.attempts - 1 : 0;
	double unit = req->h->opts.backoff_unit_s * (double)(1u << shift);
	double jitter = (double)arc4random_uniform(1000) / 1000.0 - 0.5;

	return unit * (1.0 + jitter / 2);
}

bool wb_http_retry(struct wb_http_req *req, CURLcode rc)
{
	bool asked;

	if (!may_repeat(req) || (rc != CURLE_OK ? !passing_fault(req, rc) : !passing_status(req)))
		return false;
	if (rc != CURLE_OK && unreachable(rc) && req->r.attempts >= UNREACHABLE_TRIES)
		return false;
	double wait = wait_for(req, &asked);

	if (asked && wait > PATIENCE * req->h->opts.retry_wait_max_s) {
		req->r.wait_asked = (long)wait;
		return false;
	}
	if (wait > req->h->opts.retry_wait_max_s)
		wait = req->h->opts.retry_wait_max_s;
	req->retries_left--;
	req->wait_until = wb_http_now_ms() + (int64_t)(wait * 1000);
	if (asked && req->origin && req->origin->hold_until < req->wait_until)
		req->origin->hold_until = req->wait_until;
	wb_autofree char *url = wb_url_redact(req->url);
	char why[64];

	if (rc != CURLE_OK)
		snprintf(why, sizeof(why), "%s", curl_easy_strerror(rc));
	else
		snprintf(why, sizeof(why), "status %d", req->r.status);
	if (wait >= 10)
		wb_note("%s: %s, waiting %s before the next try", url, why,
			wb_duration_text(wait).s);
	else
		wb_debug("%s: %s, waiting %s before the next try", url, why,
			wb_duration_text(wait).s);
	return true;
}
