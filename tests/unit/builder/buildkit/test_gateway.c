#include "wbtest.h"

#include <fcntl.h>
#include <signal.h>

#include "builder/buildkit/gateway.h"
#include "grpcserver.h"

#define MALFORMED 1000

static void answer_ping(struct grpcserver *s, const char *cap)
{
	WB_AUTO(wb_wire_release) struct wb_wire pong, one;
	struct answer *a = grpcserver_answer(s, "0", NULL);

	wb_wire_init(&pong);
	wb_wire_init(&one);
	wb_wire_str(&one, 1, cap);
	wb_wire_bool(&one, 2, true);
	wb_wire_msg(&pong, 2, &one);
	grpcserver_body(a, &pong);
}

static struct wb_gateway *connect_to(struct grpcserver *s)
{
	struct wb_err err = WB_ERR_INIT;

	grpcserver_start(s);
	struct wb_gateway *g = wb_gateway_new(s->client, s->client, &err);

	assert_non_null(g);
	return g;
}

static void learns_what_the_daemon_can_do(void **state)
{
	struct grpcserver s = {0};
	struct wb_err err = WB_ERR_INIT;

	answer_ping(&s, "mergeop");
	struct wb_gateway *g = connect_to(&s);

	assert_ok(wb_gateway_ping(g, &err), &err);
	assert_true(wb_gateway_can(g, "mergeop"));
	assert_false(wb_gateway_can(g, "diffop"));
	wb_gateway_free(g);
	grpcserver_stop(&s);
	(void)state;
}

static void a_refusal_keeps_the_daemons_words(void **state)
{
	struct grpcserver s = {0};
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf text;

	grpcserver_answer(&s, "2", "open /x: no such file or directory%0Asecond %e2%82%ac");
	grpcserver_answer(&s, "12", "unknown method");
	struct wb_gateway *g = connect_to(&s);

	wb_buf_init(&text, 100, "text");
	assert_err(wb_gateway_read(&text, g, "ref", "/x", &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "no such file or directory second \xe2\x82\xac");
	assert_err(wb_gateway_ping(g, &err), &err, WB_ERR_UNSUPPORTED);
	wb_gateway_free(g);
	grpcserver_stop(&s);
	(void)state;
}

static void a_file_longer_than_its_limit_is_an_error(void **state)
{
	struct grpcserver s = {0};
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf text;
	WB_AUTO(wb_wire_release) struct wb_wire data;
	struct answer *a = grpcserver_answer(&s, "0", NULL);

	wb_wire_init(&data);
	wb_wire_str(&data, 1, "twelve bytes");
	grpcserver_body(a, &data);
	struct wb_gateway *g = connect_to(&s);

	wb_buf_init(&text, 5, "a small file");
	assert_err(wb_gateway_read(&text, g, "ref", "/x", &err), &err, WB_ERR_LIMIT);
	wb_gateway_free(g);
	grpcserver_stop(&s);
	(void)state;
}

static void a_lost_connection_is_an_error(void **state)
{
	struct grpcserver s = {0};
	struct wb_err err = WB_ERR_INIT;
	struct wb_gateway *g = connect_to(&s); /* no answer at all: it hangs up */

	assert_err(wb_gateway_ping(g, &err), &err, WB_ERR_NET);
	assert_err(wb_gateway_ping(g, &err), &err, WB_ERR_NET);
	wb_gateway_free(g);
	grpcserver_stop(&s);
	(void)state;
}

/* --- bytes from outside ------------------------------------------------------------------- */

static uint32_t random_next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

/* A daemon's whole side of a ping, right but for some bytes. */
static void make_bytes(struct wb_buf *out, uint32_t *seed)
{
	struct answer a = {.status = "0"};
	struct wb_err err = WB_ERR_INIT;

	wb_buf_init(&a.body, 4096, "body");
	for (uint32_t n = random_next(seed) % 40; n; n--) {
		char byte = (char)random_next(seed);

		wb_buf_add(&a.body, &byte, 1, &err);
	}
	put_frame(out, FRAME_SETTINGS, 0, 0, "", 0);
	put_answer(out, 1, &a);
	wb_buf_release(&a.body);
	switch (random_next(seed) % 4) {
	case 0: break; /* the message alone is random */
	case 1: out->len = random_next(seed) % (out->len + 1); break;
	case 2:
		for (uint32_t n = 1 + random_next(seed) % 8; n; n--)
			out->data[random_next(seed) % out->len] = (char)random_next(seed);
		break;
	case 3:
		for (size_t i = random_next(seed) % out->len; i < out->len; i++)
			out->data[i] = (char)random_next(seed);
		break;
	}
}

/* Whatever comes, a call ends, and says why when it failed. */
static void survives_malformed_frames_and_messages(void **state)
{
	uint32_t seed = 20261121;
	size_t failed = 0;
	wb_autoclose int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < MALFORMED; i++) {
		WB_AUTO(wb_buf_release) struct wb_buf bytes;
		struct wb_err err = WB_ERR_INIT;
		int fds[2];

		wb_buf_init(&bytes, 65536, "bytes");
		make_bytes(&bytes, &seed);
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		assert_int_equal(write(fds[1], bytes.data, bytes.len), bytes.len);
		close(fds[1]);
		struct wb_gateway *g = wb_gateway_new(fds[0], nowhere, &err);

		assert_non_null(g);
		if (wb_gateway_ping(g, &err)) {
			assert_int_not_equal(err.code, WB_OK);
			assert_true(err.text[0]);
			failed++;
		}
		wb_gateway_free(g);
		close(fds[0]);
	}
	/* most are broken, and some are not */
	assert_in_range(failed, MALFORMED / 2, MALFORMED - 1);
	(void)state;
}

/* A daemon that only pings. */
static void frames_without_end_end_the_connection(void **state)
{
	WB_AUTO(wb_buf_release) struct wb_buf bytes;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = NULL, *dir = wbtest_dir();
	wb_autoclose int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	path = wb_asprintf("%s/frames", dir);
	wb_buf_init(&bytes, 4 << 20, "bytes");
	put_frame(&bytes, FRAME_SETTINGS, 0, 0, "", 0);
	for (unsigned i = 0; i <= WB_H2_IDLE_MAX; i++)
		put_frame(&bytes, FRAME_SETTINGS, 1, 0, "", 0); /* acknowledgements of nothing */
	assert_ok(wb_file_put(path, bytes.data, bytes.len, 0644, 0, &err), &err);
	wb_autoclose int in = open(path, O_RDONLY | O_CLOEXEC);
	struct wb_gateway *g = wb_gateway_new(in, nowhere, &err);

	assert_int_equal(wb_gateway_ping(g, &err), -1);
	wb_gateway_free(g);
	wb_remove_tree(dir, &err);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learns_what_the_daemon_can_do),
		cmocka_unit_test(a_refusal_keeps_the_daemons_words),
		cmocka_unit_test(a_file_longer_than_its_limit_is_an_error),
		cmocka_unit_test(a_lost_connection_is_an_error),
		cmocka_unit_test(survives_malformed_frames_and_messages),
		cmocka_unit_test(frames_without_end_end_the_connection),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
