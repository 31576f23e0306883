/* A small threaded HTTP/1.1 server for unit tests: one thread per connection, a handler that
 * writes what it likes onto the socket. Keep-alive unless the handler closes. */
#ifndef WB_TESTS_UNIT_HTTPD_H
#define WB_TESTS_UNIT_HTTPD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

struct httpd_request {
	char method[16];
	char target[2048];
	char head[65536]; /* the header lines, "Name: value\r\n…" */
	char *body;
	size_t body_len;
	unsigned n; /* how many requests this server had before */
};

struct httpd;
/* Returns false to close the connection. */
typedef bool httpd_handler(int fd, const struct httpd_request *r, void *arg);

struct httpd {
	int fd;
	unsigned short port;
	httpd_handler *handle;
	void *arg;
	pthread_t thread;
	atomic_uint requests, connections, live, peak;
	atomic_bool stop;
};

struct httpd_conn {
	struct httpd *s;
	int fd;
};

static inline void httpd_write(int fd, const void *p, size_t n)
{
	const char *c = p;

	while (n) {
		ssize_t w = send(fd, c, n, MSG_NOSIGNAL);

		if (w <= 0)
			return;
		c += w;
		n -= (size_t)w;
	}
}

static inline void httpd_reply(int fd, int status, const char *headers, const void *body, size_t n)
{
	char *head = wb_asprintf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status, n,
		headers ? headers : "");

	httpd_write(fd, head, strlen(head));
	free(head);
	httpd_write(fd, body, n);
}

/* The value of a request header, copied into buf, or NULL. */
static inline const char *httpd_header(
	const struct httpd_request *r, const char *name, char *buf, size_t size)
{
	size_t n = strlen(name);

	for (const char *l = r->head; *l;) {
		const char *end = strstr(l, "\r\n");

		if (!end)
			break;
		if (strncasecmp(l, name, n) == 0 && l[n] == ':') {
			const char *v = l + n + 1;

			v += strspn(v, " ");
			snprintf(buf, size, "%.*s", (int)(end - v), v);
			return buf;
		}
		l = end + 2;
	}
	return NULL;
}

static inline bool httpd_read_body(int fd, struct httpd_request *r, const char *have, size_t n)
{
	char value[64];
	const char *length = httpd_header(r, "Content-Length", value, sizeof(value));
	size_t want = length ? strtoull(length, NULL, 10) : 0;

	r->body = wb_alloc(want + 1);
	r->body_len = n < want ? n : want;
	memcpy(r->body, have, r->body_len);
	while (r->body_len < want) {
		ssize_t got = recv(fd, r->body + r->body_len, want - r->body_len, 0);

		if (got <= 0)
			return false;
		r->body_len += (size_t)got;
	}
	r->body[r->body_len] = '\0';
	return true;
}

static inline bool httpd_one(struct httpd *s, int fd)
{
	struct httpd_request *r = wb_zalloc(sizeof(*r));
	char *buf = wb_zalloc(sizeof(r->head));
	size_t n = 0;
	char *end = NULL;
	bool more = false;

	while (!end && n < sizeof(r->head) - 1) {
		ssize_t got = recv(fd, buf + n, sizeof(r->head) - 1 - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		buf[n] = '\0';
		end = strstr(buf, "\r\n\r\n");
	}
	if (end && sscanf(buf, "%15s %2047s", r->method, r->target) == 2) {
		char *lines = strstr(buf, "\r\n") + 2;

		if (lines < end + 2)
			memcpy(r->head, lines, (size_t)(end + 2 - lines));
		r->n = atomic_fetch_add(&s->requests, 1);
		if (httpd_read_body(fd, r, end + 4, n - (size_t)(end + 4 - buf)))
			more = s->handle(fd, r, s->arg);
	}
	free(r->body);
	free(r);
	free(buf);
	return more && !atomic_load(&s->stop);
}

static inline void *httpd_connection(void *arg)
{
	struct httpd_conn c = *(struct httpd_conn *)arg;
	struct timeval tv = {.tv_sec = 20};

	free(arg);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (httpd_one(c.s, c.fd))
		;
	close(c.fd);
	atomic_fetch_sub(&c.s->live, 1);
	return NULL;
}

static inline void *httpd_accept(void *arg)
{
	struct httpd *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		struct httpd_conn *c = wb_zalloc(sizeof(*c));
		pthread_t t;

		*c = (struct httpd_conn){.s = s, .fd = fd};
		atomic_fetch_add(&s->connections, 1);
		/* here, not by the thread: httpd_stop() must know of one that has not begun yet */
		unsigned live = atomic_fetch_add(&s->live, 1) + 1;

		if (live > atomic_load(&s->peak))
			atomic_store(&s->peak, live);
		if (pthread_create(&t, NULL, httpd_connection, c) == 0)
			pthread_detach(t);
		else
			atomic_fetch_sub(&s->live, 1);
	}
}

static inline void httpd_start(struct httpd *s, httpd_handler *handle, void *arg)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->handle = handle;
	s->arg = arg;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof(a)) || listen(s->fd, 128) ||
		getsockname(s->fd, (struct sockaddr *)&a, &len))
		abort();
	s->port = ntohs(a.sin_port);
	if (pthread_create(&s->thread, NULL, httpd_accept, s))
		abort();
}

/* Waits until every connection's thread is gone: the clients must have closed theirs. */
static inline void httpd_stop(struct httpd *s)
{
	atomic_store(&s->stop, true);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (int i = 0; i < 60000 && atomic_load(&s->live); i++)
		usleep(1000);
}

static inline char *httpd_url(const struct httpd *s, const char *target)
{
	return wb_asprintf("http://127.0.0.1:%u%s", s->port, target);
}

#endif
