#include "base/http.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/http_internal.h"
#include "base/log.h"
#include "base/text.h"

static bool header_is(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static bool given(const struct wb_http_req *req, const char *name)
{
	wb_vec_foreach (h, &req->headers)
		if (header_is(*h, name))
			return true;
	return false;
}

static int headers_copy(struct wb_http_req *req, const struct wb_http_params *p, struct wb_err *err)
{
	for (size_t i = 0; p->headers && p->headers[i]; i++) {
		if (strpbrk(p->headers[i], "\r\n") || !strchr(p->headers[i], ':'))
			return wb_err_set(err, WB_ERR_USAGE, "unusable header line in a request");
		*wb_vec_push(&req->headers) = wb_strdup(p->headers[i]);
	}
	for (size_t i = 0; p->secret_headers && p->secret_headers[i]; i++)
		*wb_vec_push(&req->secrets) = wb_secret_ref(p->secret_headers[i]);
	wb_vec_foreach (s, &req->secrets)
		if (strpbrk(wb_secret_reveal(*s), "\r\n"))
			return wb_err_set(err, WB_ERR_AUTH,
				"\"%s\" holds a line break and cannot be sent", wb_secret_name(*s));
	if (p->authorization && strpbrk(wb_secret_reveal(p->authorization), "\r\n"))
		return wb_err_set(err, WB_ERR_AUTH, "\"%s\" holds a line break and cannot be sent",
			wb_secret_name(p->authorization));
	return 0;
}

struct wb_http_req *wb_http_req_new(
	struct wb_http *h, const struct wb_http_params *p, struct wb_err *err)
{
	if (wb_http_url_check(p->url, h->opts.insecure_http, err))
		return NULL;
	struct wb_http_req *req = wb_zalloc(sizeof(*req));

	req->h = h;
	req->p = *p;
	req->url = wb_strdup(p->url);
	req->credentials = true;
	req->from_public = !wb_http_url_is_local(p->url);
	req->retries_left = p->retries < 0 ? 0
	                    : p->retries   ? (unsigned)p->retries
	                                   : h->opts.retries;
	req->authorization = p->authorization ? wb_secret_ref(p->authorization) : NULL;
	req->if_range = wb_strdup(p->if_range);
	wb_buf_init(&req->head, WB_HTTP_HEADERS_MAX, "response header block");
	wb_buf_init(&req->r.body, p->body_limit ? p->body_limit : WB_HTTP_BODY_DEFAULT,
		"response body");
	if (p->body) {
		req->body = wb_alloc(p->body_len);
		memcpy(req->body, p->body, p->body_len);
	}
	if (headers_copy(req, p, err)) {
		wb_http_req_free(req);
		return NULL;
	}
	return req;
}

static void lines_free(struct wb_http_req *req)
{
	for (struct curl_slist *l = req->lines; l; l = l->next)
		wb_wipe(l->data, strlen(l->data));
	curl_slist_free_all(req->lines);
	req->lines = NULL;
}

void wb_http_req_free(struct wb_http_req *req)
{
	if (req->easy)
		curl_easy_cleanup(req->easy);
	lines_free(req);
	wb_vec_foreach (s, &req->headers)
		free(*s);
	wb_vec_free(&req->headers);
	wb_vec_foreach (s, &req->secrets)
		wb_secret_unref(*s);
	wb_vec_free(&req->secrets);
	wb_secret_unref(req->authorization);
	free(req->if_range);
	free(req->body);
	free(req->url);
	free(req->r.effective_url);
	wb_buf_release(&req->r.body);
	wb_buf_release(&req->head);
	free(req);
}

static bool is_redirect_status(int s)
{
	return s == 301 || s == 302 || s == 303 || s == 307 || s == 308;
}

static bool is_relative(const char *location)
{
	size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789+-.");

	return location[scheme] != ':' && strncmp(location, "//", 2) != 0;
}

bool wb_http_is_redirect(const struct wb_http_req *req)
{
	const char *location = wb_http_header(req, "Location");

	if (!is_redirect_status(req->r.status) || !location)
		return false;
	return !req->p.no_redirect || (req->p.follow_relative && is_relative(location));
}

static int refuse(
	const struct wb_http_req *req, const char *to, const char *why, struct wb_err *err)
{
	wb_autofree char *from = wb_url_redact(req->url);
	wb_autofree char *safe = wb_url_redact(to);
	wb_autofree char *shown = wb_text_quote(safe, 200);

	return wb_err_set(err, WB_ERR_NET, "%s redirects to \"%s\": refused, %s", from, shown, why);
}

static int redirect_check(struct wb_http_req *req, const char *to, struct wb_err *err)
{
	struct wb_err reason = WB_ERR_INIT;

	if (req->redirects >= WB_HTTP_REDIRECTS_MAX)
		return refuse(req, to, "too many redirects", err);
	const char *astray = wb_http_url_astray(req->url, to);

	if (astray)
		return refuse(req, to, astray, err);
	if (wb_http_url_check(to, req->h->opts.insecure_http, &reason))
		return refuse(req, to, reason.text, err);
	if (req->from_public && wb_http_url_is_local(to))
		return refuse(req, to, "a public host points at this machine's own addresses", err);
	return 0;
}

int wb_http_req_redirect(struct wb_http_req *req, struct wb_err *err)
{
	if (!wb_http_is_redirect(req))
		return 0;
	wb_autofree char *to = wb_url_resolve(req->url, wb_http_header(req, "Location"), err);

	if (!to || redirect_check(req, to, err))
		return -1;
	/* Once away, credentials stay away: the way back could be the second host's choice. */
	if (!wb_url_same_origin(req->url, to)) {
		req->credentials = false;
		wb_http_url_strip_user(&to);
	}
	bool post = req->p.method == WB_HTTP_POST;

	if ((req->r.status == 303 && req->p.method != WB_HTTP_HEAD) ||
		(post && req->r.status < 303)) {
		req->p.method = WB_HTTP_GET;
		req->p.body = NULL;
		req->p.body_fd = -1;
		req->p.on_send = NULL;
	}
	free(req->url);
	req->url = wb_steal(to);
	if (!wb_http_url_is_local(req->url))
		req->from_public = true;
	req->redirects++;
	req->r.redirected = true;
	return 1;
}

/* The status line starts a response; informational ones are followed by another. */
static int status_line(struct wb_http_req *req, const char *line, size_t n)
{
	char text[32];
	size_t at;

	snprintf(text, sizeof(text), "%.*s", (int)(n < 31 ? n : 31), line);
	at = wb_str_starts(text, "HTTP/") ? 5 + strspn(text + 5, "0123456789.") : 0;
	if (at < 6 || text[at] != ' ' || strspn(text + at + 1, "0123456789") < 3)
		return -1;
	text[at + 4] = '\0';
	req->r.status = (int)strtol(text + at + 1, NULL, 10);
	req->head_done = false;
	wb_buf_clear(&req->head);
	return 0;
}

static int head_complete(struct wb_http_req *req)
{
	curl_off_t length = -1;

	if (req->r.status < 200)
		return 0;
	req->head_done = true;
	curl_easy_getinfo(req->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	req->r.content_length = length < 0 ? UINT64_MAX : (uint64_t)length;
	req->discard = wb_http_is_redirect(req);
	if (req->discard || req->r.status >= 400 || !req->p.on_headers_done)
		return 0;
	req->announced = true;
	return req->p.on_headers_done(req, req->p.arg, &req->err);
}

static size_t header_cb(char *p, size_t size, size_t n, void *arg)
{
	struct wb_http_req *req = arg;
	size_t len = size * n;

	/* Informational responses and trailers are not kept, but curl keeps them. */
	req->head_bytes += len;
	if (req->head_bytes > WB_HTTP_HEADERS_ALL_MAX) {
		wb_err_set(&req->err, WB_ERR_LIMIT,
			"all headers of a response are larger than the limit of %u bytes",
			WB_HTTP_HEADERS_ALL_MAX);
		return 0;
	}
	n = len;
	while (n && (p[n - 1] == '\r' || p[n - 1] == '\n'))
		n--;
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
		return status_line(req, p, n) ? 0 : len;
	if (req->head_done) /* trailers */
		return len;
	if (n == 0)
		return head_complete(req) ? 0 : len;
	if (memchr(p, '\0', n)) {
		wb_err_set(&req->err, WB_ERR_FORMAT, "response header with a NUL byte");
		return 0;
	}
	if (wb_buf_add(&req->head, p, n, &req->err) || wb_buf_add(&req->head, "", 1, &req->err))
		return 0;
	return len;
}

static bool keep_small(struct wb_http_req *req, const char *p, size_t n)
{
	size_t left = WB_HTTP_ERROR_BODY_MAX - req->r.body.len;
	size_t take = n < left ? n : left;
	struct wb_err full = WB_ERR_INIT;

	if (wb_buf_add(&req->r.body, p, take, &full) || take < n)
		req->cut = true;
	return !req->cut;
}

static size_t write_cb(char *p, size_t size, size_t n, void *arg)
{
	struct wb_http_req *req = arg;

	n *= size;
	if (req->aborted)
		return 0;
	if (req->paused || !wb_http_rate_open(req->h->rate, WB_HTTP_DOWN)) {
		if (!req->stopped && !req->stopped_up)
			req->h->stopped++;
		req->stopped = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	wb_http_rate_take(req->h->rate, WB_HTTP_DOWN, n);
	if (req->discard || req->r.status >= 400)
		return keep_small(req, p, n) ? n : 0;
	req->r.received += n;
	if (!req->p.on_body)
		return wb_buf_add(&req->r.body, p, n, &req->err) ? 0 : n;
	req->handed = true;
	return req->p.on_body(req, p, n, req->p.arg, &req->err) ? 0 : n;
}

/* At least one byte of the request body from where the file or the function has it. */
static int body_read(struct wb_http_req *req, char *p, size_t n, size_t *got)
{
	uint64_t offset = req->p.body_offset + req->sent;

	if (req->p.on_send)
		return req->p.on_send(p, n, offset, got, req->p.send_arg, &req->err);
	ssize_t r;

	do
		r = pread(req->p.body_fd, p, n, (off_t)offset);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return wb_err_sys(&req->err, errno, "cannot read what is to be sent");
	if (r == 0)
		return wb_err_set(&req->err, WB_ERR_IO, "the file that is sent became shorter");
	*got = (size_t)r;
	return 0;
}

static size_t read_cb(char *p, size_t size, size_t n, void *arg)
{
	struct wb_http_req *req = arg;
	uint64_t left = req->p.body_size - req->sent;

	n *= size;
	if (req->aborted)
		return CURL_READFUNC_ABORT;
	if (!wb_http_rate_open(req->h->rate, WB_HTTP_UP)) {
		if (!req->stopped && !req->stopped_up)
			req->h->stopped++;
		req->stopped_up = true;
		return CURL_READFUNC_PAUSE;
	}
	if (n > left)
		n = (size_t)left;
	if (n == 0)
		return 0;
	size_t got = 0;

	if (body_read(req, p, n, &got))
		return CURL_READFUNC_ABORT;
	wb_http_rate_take(req->h->rate, WB_HTTP_UP, got);
	req->sent += got;
	if (req->p.on_upload)
		req->p.on_upload(req, req->sent, req->p.send_arg);
	return got;
}

static int seek_cb(void *arg, curl_off_t offset, int origin)
{
	struct wb_http_req *req = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > req->p.body_size)
		return CURL_SEEKFUNC_FAIL;
	/* curl repeats a request by itself when a kept connection turns out to be dead. What a part
	 * that arrived has done already (a chunk of an upload) only the caller can find out. */
	if (req->sent && !req->p.idempotent)
		return CURL_SEEKFUNC_FAIL;
	req->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

bool wb_http_is_buffered(const struct wb_http_req *req)
{
	return !req->p.on_body && !req->p.on_send && req->p.body_fd < 0;
}

static void line_add(struct wb_http_req *req, const char *line)
{
	struct curl_slist *l = curl_slist_append(req->lines, line);

	assert(l); /* malloc failure; the other allocators have ended the process by now */
	req->lines = l;
}

static void lines_make(struct wb_http_req *req)
{
	lines_free(req);
	wb_vec_foreach (h, &req->headers) {
		bool private = header_is(*h, "Authorization") || header_is(*h, "Cookie");

		if (req->credentials || !private)
			line_add(req, *h);
	}
	for (size_t i = 0; req->credentials && i < req->secrets.n; i++)
		line_add(req, wb_secret_reveal(req->secrets.items[i]));
	if (req->credentials && req->authorization) {
		char *line = wb_asprintf("Authorization: %s", wb_secret_reveal(req->authorization));

		line_add(req, line);
		wb_wipe(line, strlen(line));
		free(line);
	}
	if (!given(req, "Accept-Encoding"))
		line_add(req, "Accept-Encoding: identity");
	if (!given(req, "Accept"))
		line_add(req, "Accept: */*");
	if (!given(req, "Content-Type"))
		line_add(req, "Content-Type:"); /* not curl's form default */
	line_add(req, "Expect:");               /* servers that do not know it cost a second each */
	if (req->if_range) {
		wb_autofree char *line = wb_asprintf("If-Range: %s", req->if_range);

		line_add(req, line);
	}
}

static void arm_body(struct wb_http_req *req)
{
	CURL *e = req->easy;
	enum wb_http_method m = req->p.method;

	if (m == WB_HTTP_HEAD) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	}
	if (req->p.body_fd >= 0 || req->p.on_send) {
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, read_cb);
		curl_easy_setopt(e, CURLOPT_READDATA, req);
		curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_cb);
		curl_easy_setopt(e, CURLOPT_SEEKDATA, req);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->p.body_size);
		curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, WB_HTTP_BUFFER);
	} else if (m == WB_HTTP_POST || m == WB_HTTP_PUT || m == WB_HTTP_PATCH) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)(req->p.body ? req->p.body_len : 0));
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, req->p.body ? req->body : "");
	}
	if (m != WB_HTTP_GET)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, wb_http_method_name(m));
}

static void arm_range(struct wb_http_req *req)
{
	char range[64];

	if (req->p.range_start < 0)
		return;
	if (req->p.range_end >= 0)
		snprintf(range, sizeof(range), "%lld-%lld", (long long)req->p.range_start,
			(long long)req->p.range_end);
	else
		snprintf(range, sizeof(range), "%lld-", (long long)req->p.range_start);
	curl_easy_setopt(req->easy, CURLOPT_RANGE, range);
}

/* curl has a buffer for each request, and it is wiped afterwards: for thousands of small ones, a
 * large one would cost more than all else. */
static long buffer_for(const struct wb_http_params *p)
{
	if (p->method == WB_HTTP_HEAD)
		return WB_HTTP_BUFFER_HEAD;
	if (p->body_about == 0 || p->body_about >= (uint64_t)WB_HTTP_BUFFER)
		return WB_HTTP_BUFFER;
	long n = WB_HTTP_BUFFER_HEAD + (long)p->body_about;

	return n < WB_HTTP_BUFFER ? n : WB_HTTP_BUFFER;
}

/* A redirect's name may lead where its text does not. Connections of a proxy are the user's own
 * choice. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct wb_http_req *req = arg;

	if (req->redirects && !req->proxied &&
		wb_http_address_is_private(&a->addr, req->from_public)) {
		wb_autofree char *url = wb_url_redact(req->url);

		wb_err_set(&req->err, WB_ERR_NET,
			"a redirect to %s: refused, its name leads to this machine's own or a "
			"link-local address",
			url);
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static void arm_network(struct wb_http_req *req)
{
	const struct wb_http *h = req->h;
	CURL *e = req->easy;
	bool tls = strncasecmp(req->url, "https:", 6) == 0;
	bool direct = wb_url_host_is_loopback(req->url);
	const char *proxy = tls ? h->proxy_https : h->proxy_http;
	unsigned stall = req->p.stall_s ? req->p.stall_s : h->opts.stall_s;

	req->proxied = !direct && proxy;
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, req);
	curl_easy_setopt(e, CURLOPT_PROXY, direct || !proxy ? "" : proxy);
	curl_easy_setopt(e, CURLOPT_NOPROXY, h->no_proxy ? h->no_proxy : "");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (h->ca_blob.data)
		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &h->ca_blob);
	else if (h->ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
	if (h->opts.tls_insecure) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)h->opts.connect_timeout_s);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1000L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)stall);
	if (wb_http_is_buffered(req))
		curl_easy_setopt(e, CURLOPT_TIMEOUT, WB_HTTP_BUFFERED_S);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, buffer_for(&req->p));
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(e, CURLOPT_USERAGENT, h->user_agent);
}

static void response_reset(struct wb_http_req *req)
{
	free(req->r.effective_url);
	req->r.effective_url = wb_strdup(req->url);
	req->r.status = 0;
	req->r.content_length = UINT64_MAX;
	req->r.received = 0;
	wb_buf_clear(&req->r.body);
	wb_buf_clear(&req->head);
	req->head_done = req->announced = req->discard = req->cut = false;
	req->sent = 0;
	req->head_bytes = 0;
	req->errbuf[0] = '\0';
}

int wb_http_req_arm(struct wb_http_req *req, struct wb_err *err)
{
	if (req->easy)
		curl_easy_reset(req->easy);
	else if (!(req->easy = curl_easy_init()))
		return wb_err_set(err, WB_ERR_NET, "cannot set up a transfer");
	CURL *e = req->easy;

	response_reset(req);
	req->r.attempts++;
	lines_make(req);
	curl_easy_setopt(e, CURLOPT_PRIVATE, req);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, req->errbuf);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L); /* signatures cover the path as written */
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, req->lines);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header_cb);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, req);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_cb);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, req);
	arm_network(req);
	arm_body(req);
	arm_range(req);
	if (curl_easy_setopt(e, CURLOPT_URL, req->url) != CURLE_OK)
		return wb_err_set(err, WB_ERR_USAGE, "unusable address");
	return 0;
}

const struct wb_http_response *wb_http_response(const struct wb_http_req *req)
{
	return &req->r;
}

const char *wb_http_header_nth(const struct wb_http_req *req, const char *name, unsigned i)
{
	const char *end = req->head.data + req->head.len;

	for (const char *l = req->head.data; l < end; l += strlen(l) + 1) {
		if (!header_is(l, name) || i-- > 0)
			continue;
		l += strlen(name) + 1;
		return l + strspn(l, " \t");
	}
	return NULL;
}

const char *wb_http_header(const struct wb_http_req *req, const char *name)
{
	return wb_http_header_nth(req, name, 0);
}
