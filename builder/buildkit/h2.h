/* gRPC calls over HTTP/2 on a pair of descriptors, as a client with prior knowledge (RFC 9113,
 * section 3.3; grpc.io, "gRPC over HTTP2"). One call at a time: a frontend has nothing to do while
 * it waits. The only file that knows nghttp2 is h2.c.
 *
 * What arrives is bounded: a response of more than WB_WIRE_MAX bytes, headers of more than
 * WB_H2_HEADERS_MAX, a stream of frames that answers nothing (WB_H2_IDLE_MAX) end the connection.
 * One thread. */
#ifndef WB_BUILDER_BUILDKIT_H2_H
#define WB_BUILDER_BUILDKIT_H2_H

#include "builder/buildkit/wire.h"

#define WB_H2_HEADERS_MAX (1u << 20) /* bytes of header fields of one response */
#define WB_H2_IDLE_MAX 100000        /* frames in a row that belong to no call */

struct wb_h2;

/* The descriptors stay the caller's. Nothing is sent before the first call. */
struct wb_h2 *wb_h2_new(int in, int out, struct wb_err *err);
/* Tells the peer that nothing follows, without waiting for it. */
void wb_h2_free(struct wb_h2 *h);

/* How a call ended that the peer answered. code 0 is success; details is the google.rpc.Status
 * that came along ("grpc-status-details-bin"), or empty. */
struct wb_h2_status {
	unsigned code; /* grpc.io, "Status codes" */
	char *message;
	uint8_t *details;
	size_t details_len;
};
#define WB_H2_STATUS_INIT ((struct wb_h2_status){0})
void wb_h2_status_release(struct wb_h2_status *s);

#define WB_GRPC_OK 0u
#define WB_GRPC_CANCELLED 1u
#define WB_GRPC_UNKNOWN 2u
#define WB_GRPC_NOT_FOUND 5u
#define WB_GRPC_UNIMPLEMENTED 12u

/* Sends request to path ("/package.Service/Method"); the response's message goes to out, which was
 * initialised and is cleared. -1: no answer, or one that is no gRPC (WB_ERR_NET, WB_ERR_FORMAT,
 * WB_ERR_LIMIT); the connection is of no use then. An answer that is a refusal is 0, with
 * status->code set. */
int wb_h2_call(struct wb_h2_status *status, struct wb_buf *out, struct wb_h2 *h, const char *path,
	const struct wb_wire *request, struct wb_err *err);

#endif
