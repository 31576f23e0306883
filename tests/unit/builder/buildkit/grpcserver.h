/* The daemon's end of a gateway, for tests: HTTP/2 frames made by hand (RFC 9113), one scripted
 * answer per call, from a thread. */
#ifndef WB_TESTS_UNIT_GRPCSERVER_H
#define WB_TESTS_UNIT_GRPCSERVER_H

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "builder/buildkit/wire.h"

#define FRAME_DATA 0
#define FRAME_HEADERS 1
#define FRAME_SETTINGS 4
#define FLAG_END_STREAM 1
#define FLAG_END_HEADERS 4

struct answer {
	const char *status, *message; /* grpc-status, grpc-message or NULL */
	struct wb_buf body;           /* the protocol buffer */
};

struct grpcserver {
	int client, fd;
	struct answer answers[16];
	size_t n, next;
	pthread_t thread;
	struct wb_buf requests[16]; /* bodies as they came, framing included */
};

static inline void put_frame(
	struct wb_buf *out, unsigned type, unsigned flags, uint32_t stream, const void *p, size_t n)
{
	const uint8_t head[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)type,
		(uint8_t)flags, (uint8_t)(stream >> 24), (uint8_t)(stream >> 16),
		(uint8_t)(stream >> 8), (uint8_t)stream};
	struct wb_err err = WB_ERR_INIT;

	wb_buf_add(out, head, sizeof(head), &err);
	wb_buf_add(out, p, n, &err);
}

/* RFC 7541, 6.2.2: a literal header field, not indexed, with a new name. */
static inline void put_header(struct wb_buf *out, const char *name, const char *value)
{
	struct wb_err err = WB_ERR_INIT;
	const uint8_t lengths[2] = {(uint8_t)strlen(name), (uint8_t)strlen(value)};

	wb_buf_add(out, "\0", 1, &err);
	wb_buf_add(out, &lengths[0], 1, &err);
	wb_buf_puts(out, name, &err);
	wb_buf_add(out, &lengths[1], 1, &err);
	wb_buf_puts(out, value, &err);
}

static inline void put_answer(struct wb_buf *out, uint32_t stream, const struct answer *a)
{
	WB_AUTO(wb_buf_release) struct wb_buf head, body, trailers;
	struct wb_err err = WB_ERR_INIT;
	const size_t n = a->body.len;
	const uint8_t frame[5] = {
		0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	wb_buf_init(&head, 4096, "head");
	wb_buf_init(&body, 1 << 20, "body");
	wb_buf_init(&trailers, 4096, "trailers");
	wb_buf_add(&head, "\x88", 1, &err); /* :status 200, of the static table */
	put_header(&head, "content-type", "application/grpc");
	put_frame(out, FRAME_HEADERS, FLAG_END_HEADERS, stream, head.data, head.len);
	if (!strcmp(a->status, "0")) {
		wb_buf_add(&body, frame, sizeof(frame), &err);
		wb_buf_add(&body, a->body.data, n, &err);
		put_frame(out, FRAME_DATA, 0, stream, body.data, body.len);
	}
	put_header(&trailers, "grpc-status", a->status);
	if (a->message)
		put_header(&trailers, "grpc-message", a->message);
	put_frame(out, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, stream, trailers.data,
		trailers.len);
}

static inline bool take(int fd, void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = read(fd, (char *)p + done, n - done);

		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	return true;
}

static inline void send_all(int fd, const struct wb_buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t k = send(fd, b->data + done, b->len - done, MSG_NOSIGNAL);

		if (k <= 0)
			return;
		done += (size_t)k;
	}
}

static inline void *serve(void *arg)
{
	struct grpcserver *s = arg;
	WB_AUTO(wb_buf_release) struct wb_buf out;
	struct wb_err err = WB_ERR_INIT;
	uint8_t head[24];

	wb_buf_init(&out, 4 << 20, "answers");
	put_frame(&out, FRAME_SETTINGS, 0, 0, "", 0);
	send_all(s->fd, &out);
	if (!take(s->fd, head, 24)) /* the preface */
		return NULL;
	while (take(s->fd, head, 9)) {
		size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		wb_autofree uint8_t *body = wb_alloc(n + 1);

		if (!take(s->fd, body, n))
			break;
		if (head[3] == FRAME_DATA && s->next < s->n)
			wb_buf_add(&s->requests[s->next], body, n, &err);
		if (head[3] != FRAME_DATA || !(head[4] & FLAG_END_STREAM))
			continue;
		if (s->next == s->n)
			break; /* hangs up */
		wb_buf_clear(&out);
		put_answer(&out,
			(uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 |
				head[8],
			&s->answers[s->next++]);
		send_all(s->fd, &out);
	}
	shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

static inline struct answer *grpcserver_answer(
	struct grpcserver *s, const char *status, const char *message)
{
	struct answer *a = &s->answers[s->n];

	wb_buf_init(&s->requests[s->n++], 1 << 20, "a request");
	wb_buf_init(&a->body, 1 << 20, "an answer");
	a->status = status;
	a->message = message;
	return a;
}

static inline void grpcserver_body(struct answer *a, const struct wb_wire *w)
{
	struct wb_err err = WB_ERR_INIT;

	wb_buf_add(&a->body, w->buf.data, w->buf.len, &err);
}

static inline void grpcserver_start(struct grpcserver *s)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	s->client = pair[0];
	s->fd = pair[1];
	if (pthread_create(&s->thread, NULL, serve, s))
		abort();
}

static inline void grpcserver_stop(struct grpcserver *s)
{
	shutdown(s->client, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->client);
	close(s->fd);
	for (size_t i = 0; i < s->n; i++) {
		wb_buf_release(&s->answers[i].body);
		wb_buf_release(&s->requests[i]);
	}
}

#endif
