/* A BuildKit daemon's side of the connection: HTTP/2 frames, headers, gRPC framing and the protocol
 * buffers in it. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "builder/buildkit/gateway.h"

#define MOST 60000 /* fits into a pipe */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_llb_release) struct wb_llb llb = WB_LLB_INIT;
	struct wb_llb_ref ref;
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), fds[2];

	MUST(nowhere >= 0 && !pipe2(fds, O_CLOEXEC));
	size = size < MOST ? size : MOST;
	MUST(write(fds[1], data, size) == (ssize_t)size);
	close(fds[1]);
	struct wb_gateway *g = wb_gateway_new(fds[0], nowhere, &err);

	MUST(g);
	if (wb_gateway_ping(g, &err))
		must_be_error(&err);
	else
		MUST(!err.code || err.text[0]);
	wb_gateway_free(g);
	close(fds[0]);
	close(nowhere);
	/* the other thing that comes from the daemon: the graph of the frontend's image */
	wb_err_clear(&err);
	if (wb_llb_import(&ref, &llb, (struct wb_wire_view){data, size}, &err))
		must_be_error(&err);
	else
		MUST(ref.op && ref.op <= llb.ops.n);
	return 0;
}
