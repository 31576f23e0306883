#include "builder/buildkit/h2.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"

#define GRPC_HEADER 5 /* a flag and four bytes of length before each message */
#define READ_SIZE 65536
#define MESSAGE_TEXT_MAX (256u << 10)

struct call {
	const struct wb_wire *request;
	uint8_t header[GRPC_HEADER];
	size_t sent;           /* of header and request */
	struct wb_buf *answer; /* frames as they come */
	struct wb_h2_status *status;
	size_t header_bytes;
	bool http_ok, has_status, done;
	uint32_t reset; /* HTTP/2 error code */
	struct wb_err *err;
};

struct wb_h2 {
	int in, out;
	nghttp2_session *session;
	bool dead;
	size_t idle; /* frames since the last one of a call */
};

void wb_h2_status_release(struct wb_h2_status *s)
{
	free(s->message);
	free(s->details);
	*s = WB_H2_STATUS_INIT;
}

/* --- callbacks ---------------------------------------------------------------------------- */

static ssize_t on_send(
	nghttp2_session *session, const uint8_t *p, size_t n, int flags, void *user_data)
{
	const struct wb_h2 *h = user_data;
	struct wb_err err = WB_ERR_INIT;

	return wb_file_write_full(h->out, p, n, "the connection", &err)
	               ? NGHTTP2_ERR_CALLBACK_FAILURE
	               : (ssize_t)n;
}

static ssize_t on_read(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t n,
	uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct call *c = source->ptr;
	const struct wb_buf *body = &c->request->buf;
	size_t done = 0;

	while (done < n && c->sent < GRPC_HEADER)
		buf[done++] = c->header[c->sent++];
	size_t left = GRPC_HEADER + body->len - c->sent;
	size_t take = left < n - done ? left : n - done;

	if (take)
		memcpy(buf + done, body->data + (c->sent - GRPC_HEADER), take);
	c->sent += take;
	if (c->sent == GRPC_HEADER + body->len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(done + take);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *p,
	size_t n, void *user_data)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, stream);

	if (c && wb_buf_add(c->answer, p, n, c->err))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

/* grpc.io: bytes outside of printable ASCII, and "%", are percent-encoded in grpc-message. */
static char *percent_decode(const char *s, size_t n)
{
	char *out = wb_alloc(n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte;

		if (s[i] == '%' && n - i > 2 && wb_unhex(&byte, s + i + 1, 1, true)) {
			out[len++] = (char)byte;
			i += 2;
		} else {
			out[len++] = s[i];
		}
	}
	out[len] = '\0';
	return out;
}

/* Headers whose names end in "-bin" are base64, and their padding may be left out. */
static void take_details(struct wb_h2_status *s, const char *value, size_t n)
{
	while (n && value[n - 1] == '=')
		n--;
	wb_autofree char *padded = wb_asprintf("%.*s%s", (int)n, value,
		n % 4 == 2   ? "=="
		: n % 4 == 3 ? "="
			     : "");

	free(s->details);
	s->details = wb_base64_decode(&s->details_len, padded, WB_H2_HEADERS_MAX);
	if (!s->details)
		s->details_len = 0;
}

static int take_status(struct call *c, const char *value)
{
	uint64_t code;

	if (!wb_parse_u64(&code, value) || code > UINT32_MAX) {
		wb_err_set(c->err, WB_ERR_FORMAT, "buildkit: grpc-status \"%.20s\"", value);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	c->status->code = (unsigned)code;
	c->has_status = true;
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t n, uint8_t flags, void *user_data)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	const char *key = (const char *)name, *text = (const char *)value;

	if (!c)
		return 0;
	c->header_bytes += name_len + n;
	if (c->header_bytes > WB_H2_HEADERS_MAX) {
		wb_err_set(c->err, WB_ERR_LIMIT, "buildkit: more than %u bytes of headers",
			WB_H2_HEADERS_MAX);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	/* nghttp2 ends names and values with a NUL */
	if (!strcmp(key, ":status")) {
		c->http_ok = !strcmp(text, "200");
	} else if (!strcmp(key, "grpc-status")) {
		return take_status(c, text);
	} else if (!strcmp(key, "grpc-message")) {
		free(c->status->message);
		c->status->message =
			percent_decode(text, n < MESSAGE_TEXT_MAX ? n : MESSAGE_TEXT_MAX);
	} else if (!strcmp(key, "grpc-status-details-bin")) {
		take_details(c->status, text, n);
	}
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user_data)
{
	struct call *c = nghttp2_session_get_stream_user_data(session, stream);

	if (c) {
		c->done = true;
		c->reset = error;
	}
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct wb_h2 *h = user_data;

	if (frame->hd.stream_id &&
		nghttp2_session_get_stream_user_data(session, frame->hd.stream_id))
		h->idle = 0;
	else if (++h->idle > WB_H2_IDLE_MAX)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

/* --- life --------------------------------------------------------------------------------- */

static nghttp2_session *make_session(struct wb_h2 *h)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks))
		return NULL;
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	if (nghttp2_session_client_new(&session, callbacks, h))
		session = NULL;
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

struct wb_h2 *wb_h2_new(int in, int out, struct wb_err *err)
{
	/* windows as large as a message, so that no answer waits for a window update */
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WB_WIRE_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, WB_H2_HEADERS_MAX},
	};
	struct wb_h2 *h = wb_zalloc(sizeof(*h));

	h->in = in;
	h->out = out;
	h->session = make_session(h);
	if (h->session &&
		!nghttp2_submit_settings(
			h->session, NGHTTP2_FLAG_NONE, settings, WB_ARRAY_LEN(settings)) &&
		!nghttp2_session_set_local_window_size(
			h->session, NGHTTP2_FLAG_NONE, 0, WB_WIRE_MAX))
		return h;
	h->dead = true;
	wb_h2_free(h);
	wb_err_set(err, WB_ERR_NET, "cannot begin an HTTP/2 session");
	return NULL;
}

void wb_h2_free(struct wb_h2 *h)
{
	if (!h)
		return;
	if (!h->dead &&
		!nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0))
		nghttp2_session_send(h->session);
	nghttp2_session_del(h->session);
	free(h);
}

/* --- a call ------------------------------------------------------------------------------- */

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int submit(struct wb_h2 *h, struct call *c, const char *path)
{
	const nghttp2_nv headers[] = {
		header(":method", "POST"),
		header(":scheme", "http"),
		header(":path", path),
		header(":authority", "localhost"),
		header("content-type", "application/grpc"),
		header("te", "trailers"),
		header("user-agent", "wbuild"),
	};
	const nghttp2_data_provider body = {.source.ptr = c, .read_callback = on_read};
	size_t n = c->request->buf.len;

	c->header[1] = (uint8_t)(n >> 24);
	c->header[2] = (uint8_t)(n >> 16);
	c->header[3] = (uint8_t)(n >> 8);
	c->header[4] = (uint8_t)n;
	return nghttp2_submit_request(h->session, NULL, headers, WB_ARRAY_LEN(headers), &body, c);
}

/* Sends what is waiting and takes one read. */
static int turn(struct wb_h2 *h, struct call *c)
{
	uint8_t buf[READ_SIZE];
	int code = nghttp2_session_send(h->session);
	ssize_t n;

	if (code)
		return wb_err_set(c->err, WB_ERR_NET, "the connection to buildkit broke: %s",
			nghttp2_strerror(code));
	if (c->done)
		return 0;
	do {
		n = read(h->in, buf, sizeof(buf));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return wb_err_sys(c->err, errno, "the connection to buildkit broke");
	if (!n)
		return wb_err_set(c->err, WB_ERR_NET, "buildkit closed the connection");
	n = nghttp2_session_mem_recv(h->session, buf, (size_t)n);
	if (n >= 0 && (c->done || nghttp2_session_want_read(h->session)))
		return 0;
	if (c->err->code)
		return -1;
	return wb_err_set(c->err, WB_ERR_FORMAT, "buildkit: malformed HTTP/2: %s",
		n < 0 ? nghttp2_strerror((int)n) : "the session ended");
}

/* One message and nothing after it (all methods of the gateway are unary). */
static int unframe(struct wb_buf *answer, struct wb_err *err)
{
	const uint8_t *p = (const uint8_t *)answer->data;

	if (answer->len < GRPC_HEADER)
		return wb_err_set(err, WB_ERR_FORMAT, "buildkit: a response without a message");
	size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];

	if (p[0] || n != answer->len - GRPC_HEADER)
		return wb_err_set(err, WB_ERR_FORMAT,
			p[0] ? "buildkit: a compressed response"
			     : "buildkit: a response of the wrong length");
	memmove(answer->data, answer->data + GRPC_HEADER, n + 1);
	answer->len = n;
	return 0;
}

static int finish(const struct call *c, struct wb_err *err)
{
	if (c->reset)
		return wb_err_set(err, WB_ERR_NET, "buildkit reset a call: %s",
			nghttp2_http2_strerror(c->reset));
	if (!c->http_ok || !c->has_status)
		return wb_err_set(err, WB_ERR_FORMAT, "buildkit: a response without grpc-status");
	return c->status->code ? 0 : unframe(c->answer, err);
}

int wb_h2_call(struct wb_h2_status *status, struct wb_buf *out, struct wb_h2 *h, const char *path,
	const struct wb_wire *request, struct wb_err *err)
{
	struct call c = {.request = request, .answer = out, .status = status, .err = err};
	int32_t stream;

	*status = WB_H2_STATUS_INIT;
	wb_buf_clear(out);
	if (request->error.code) {
		*err = request->error;
		return -1;
	}
	if (h->dead || (stream = submit(h, &c, path)) < 0)
		return wb_err_set(err, WB_ERR_NET, "the connection to buildkit is closed");
	while (!c.done) {
		if (turn(h, &c)) {
			h->dead = true;
			/* the session may outlive the call, whose storage ends here */
			nghttp2_session_set_stream_user_data(h->session, stream, NULL);
			wb_h2_status_release(status);
			return -1;
		}
	}
	if (!finish(&c, err))
		return 0;
	wb_h2_status_release(status);
	return -1;
}
