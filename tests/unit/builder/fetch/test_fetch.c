#include "fetch_world.h"

static void test_all_once(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	assert_ok(world_fetch(w, NULL, &err), &err);
	assert_true(world_has(w, &w->big) && world_has(w, &w->mid));
	world_check_states(w, &w->big, BIG);
	world_check_states(w, &w->mid, 5000000);
	assert_int_equal(w->n, 7);
	for (size_t i = 0; i < w->n; i++)
		assert_true(w->items[i].done);
	/* mid.safetensors and copy/mid.bin are one; plain.dat has no sha256 to know it by. */
	assert_int_equal(w->total.cached, 1);
	assert_int_equal(w->total.transferred, BIG + 2 * 5000000 + 2);
	assert_int_equal(world_parts(w), 0);
	assert_int_equal(hubstub_count(&w->hub, "\"on\": \"hub\", \"method\": \"GET\", "
						"\"path\": \"/acme/m/resolve"),
		4);

	/* The second time nothing but the listing is asked for. */
	hubstub_tell(&w->hub, "clear", "{}");
	assert_ok(world_fetch(w, NULL, &err), &err);
	assert_int_equal(w->total.cached, 7);
	assert_int_equal(w->total.transferred, 0);
	assert_int_equal(hubstub_count(&w->hub, "resolve"), 0);
	assert_int_equal(hubstub_count(&w->hub, "\"cdn\""), 0);
}

static void test_one_connection(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	w->connections = 1;
	assert_ok(world_fetch(w, "big.safetensors", &err), &err);
	assert_true(world_has(w, &w->big));
	assert_int_equal(w->total.transferred, BIG);
	/* The hub is asked once, the CDN's address is used for all parts. */
	assert_int_equal(hubstub_count(&w->hub, "/acme/m/resolve"), 1);
	assert_int_equal(hubstub_count(&w->hub, "\"auth\": true"), 0);
}

static void fault(struct world *w, const char *text)
{
	hubstub_tell(&w->hub, "fault", text);
}

static void test_survives_faults(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	static const char *const kinds[] = {
		"{\"match\":\".\",\"kind\":\"reset\",\"after\":3000000,\"times\":3}",
		"{\"match\":\".\",\"kind\":\"reset\",\"times\":2}",
		"{\"match\":\".\",\"kind\":\"truncate\",\"after\":1234567,\"times\":3}",
		"{\"match\":\".\",\"kind\":\"stall\",\"after\":700000,\"times\":1}",
		("{\"match\":\".\",\"kind\":\"status\",\"status\":503,\"times\":3,"
		 "\"headers\":{\"Retry-After\":\"0\"}}"),
		"{\"match\":\".\",\"kind\":\"status\",\"status\":429,\"times\":2}",
		"{\"match\":\".\",\"kind\":\"lie\",\"after\":-1000,\"times\":2}",
		"{\"match\":\".\",\"kind\":\"lie\",\"after\":1000,\"times\":2}",
		"{\"match\":\".\",\"kind\":\"expire\",\"times\":2,\"skip\":1}",
	};

	for (size_t i = 0; i < WB_ARRAY_LEN(kinds); i++) {
		world_fresh(w);
		w->stall_s = 1;
		fault(w, kinds[i]);
		assert_ok(world_fetch(w, "big.safetensors", &err), &err);
		assert_true(world_has(w, &w->big));
		assert_in_range(w->total.transferred, BIG, BIG + BIG / 10);
	}
	/* The same in small files and those that the hub sends itself. */
	for (size_t i = 0; i < WB_ARRAY_LEN(kinds); i++) {
		wb_autofree char *on_hub = wb_asprintf(
			"{\"on\":\"hub\",\"match\":\"resolve\"%s", strchr(kinds[i], ','));

		world_fresh(w);
		w->stall_s = 1;
		fault(w, on_hub);
		assert_ok(world_fetch(w, NULL, &err), &err);
		assert_true(world_has(w, &w->mid));
	}
}

static void test_corruption(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	fault(w, "{\"match\":\".\",\"kind\":\"corrupt\",\"after\":3000000,\"times\":1}");
	assert_ok(world_fetch(w, "big.safetensors", &err), &err);
	assert_true(world_has(w, &w->big));
	world_check_states(w, &w->big, BIG);
	assert_contains(w->log.text, "fetching it again");
	assert_int_equal(w->total.transferred, 2 * BIG);

	world_fresh(w);
	fault(w, "{\"match\":\".\",\"kind\":\"corrupt\",\"after\":100,\"times\":100}");
	assert_err(world_fetch(w, "big.safetensors", &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "hf://acme/m: \"big.safetensors\": sha256 is ");
	assert_int_equal(wb_err_exit_code(&err), 3);
	assert_false(world_has(w, &w->big));

	world_fresh(w); /* a git blob's SHA-1, in a file that is not LFS */
	fault(w, "{\"on\":\"hub\",\"match\":\"plain\",\"kind\":\"corrupt\",\"times\":100}");
	assert_err(world_fetch(w, "plain.dat", &err), &err, WB_ERR_INTEGRITY);
	assert_contains(err.text, "git blob sha1");
	world_fresh(w); /* and in one that stays in memory */
	fault(w, "{\"on\":\"hub\",\"match\":\"config\",\"kind\":\"corrupt\",\"times\":100}");
	assert_err(world_fetch(w, "config.json", &err), &err, WB_ERR_INTEGRITY);
}

static void test_gives_up(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	fault(w, "{\"match\":\".\",\"kind\":\"status\",\"status\":500,\"times\":1000}");
	assert_err(world_fetch(w, "big.safetensors", &err), &err, WB_ERR_NET);
	assert_contains(err.text, "\"big.safetensors\"");
	assert_contains(err.text, "500");
	assert_null(strstr(err.text, "Signature=0"));
	world_fresh(w);
	fault(w, "{\"on\":\"hub\",\"match\":\"resolve\",\"kind\":\"status\",\"status\":404,"
		 "\"times\":1000}");
	assert_err(world_fetch(w, "big.safetensors", &err), &err, WB_ERR_NOT_FOUND);
}

/* Half a second without a byte, at the very beginning, is no reason to use fewer connections. */
static void test_slow_start(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	fault(w, "{\"match\":\".\",\"kind\":\"delay\",\"seconds\":0.8,\"times\":3}");
	assert_ok(world_fetch(w, "big.safetensors", &err), &err);
	assert_true(world_has(w, &w->big));
}

/* A request of the log that begins within the bytes of another one. */
static bool asked_within(struct world *w)
{
	wb_autofree char *log = hubstub_ask(&w->hub, "log", NULL);
	unsigned long long start[64], end[64];
	size_t n = 0;

	for (const char *at = log; n < 64 && (at = strstr(at, "bytes=")); at++)
		n += sscanf(at, "bytes=%llu-%llu", &start[n], &end[n]) == 2;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (start[k] > start[i] && start[k] < end[i])
				return true;
	return false;
}

/* One slow connection among fast ones: they take over most of what it was to bring, and no byte is
 * taken twice. Where the fast ones are slow too, as the machine has other work, it must be slower.
 */
static void test_slow_connection(void **state)
{
	static const unsigned rates[] = {1500000, 400000, 100000};
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	bool taken_over = false;

	for (size_t i = 0; i < WB_ARRAY_LEN(rates) && !taken_over; i++) {
		wb_autofree char *slow = wb_asprintf(
			"{\"match\":\".\",\"kind\":\"slow\",\"rate\":%u,\"times\":1}", rates[i]);

		world_fresh(w);
		w->connections = 4;
		fault(w, slow);
		assert_ok(world_fetch(w, "big.safetensors", &err), &err);
		assert_true(world_has(w, &w->big));
		assert_int_equal(w->total.transferred, BIG);
		taken_over = asked_within(w);
	}
	assert_true(taken_over);
}

/* Long before the file is there. A busy machine may be too slow to use an address before its end,
 * again and again: then addresses last longer, and the file takes as much longer. */
static void test_signed_addresses_run_out(void **state)
{
	static const double seconds[] = {0.3, 1, 3, 9};
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	int rc = -1;

	for (size_t i = 0; i < WB_ARRAY_LEN(seconds) && rc; i++) {
		wb_autofree char *set = wb_asprintf(
			"{\"url_ttl\":%g,\"rate\":%d}", seconds[i], (int)(2400000 / seconds[i]));

		world_fresh(w);
		hubstub_tell(&w->hub, "set", set);
		rc = world_fetch(w, "big.safetensors", &err);
	}
	assert_ok(rc, &err);
	assert_true(world_has(w, &w->big));
}

/* A run that is killed when it has written so many bytes leaves them; the next asks for the rest.
 */
static void killed_run(struct world *w, uint64_t bytes)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct wb_err err = WB_ERR_INIT;

		wb_log_set_sink(NULL, NULL);
		w->dies_at = world_logged(w) + bytes;
		_exit(world_fetch(w, "big.safetensors", &err) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_continues_after_kill(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	hubstub_tell(&w->hub, "set", "{\"rate\":500000}");
	for (unsigned i = 0; i < 5; i++)
		killed_run(w, 2200000 + 77777 * i);
	assert_false(world_has(w, &w->big));
	hubstub_tell(&w->hub, "set", "{\"rate\":0}");
	assert_ok(world_fetch(w, "big.safetensors", &err), &err);
	assert_true(world_has(w, &w->big));
	assert_true(w->total.transferred <= BIG - 5 * 2200000);
	world_check_states(w, &w->big, BIG);
	assert_int_equal(world_parts(w), 0);
}

/* Bytes on disk that are not what the log says: found at the end, and fetched again. */
static void test_damaged_part(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	hubstub_tell(&w->hub, "set", "{\"rate\":1000000}");
	killed_run(w, 2000000);
	hubstub_tell(&w->hub, "set", "{\"rate\":0}");
	wb_autoclose int fd = world_open(w, "*.part");
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 1000; at < st.st_size; at += 32768) /* some of it is there, by the log */
		assert_int_equal(pwrite(fd, "damaged", 7, at), 7);
	assert_ok(world_fetch(w, "big.safetensors", &err), &err);
	assert_true(world_has(w, &w->big));
	world_check_states(w, &w->big, BIG);
	assert_contains(w->log.text, "fetching it again");
}

static void test_damaged_log(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	static const char *const damage[] = {"truncate -s -7 $f", "truncate -s 10 $f", ": >$f",
		"printf garbage >>$f", "head -c 100000 /dev/urandom >$f", "rm $f"};

	for (size_t i = 0; i < WB_ARRAY_LEN(damage); i++) {
		world_fresh(w);
		hubstub_tell(&w->hub, "set", "{\"rate\":1000000}");
		killed_run(w, 1000000);
		hubstub_tell(&w->hub, "set", "{\"rate\":0}");
		wb_autofree char *cmd = wb_asprintf(
			"for f in %s/store/parts/*.log; do %s; done", w->dir, damage[i]);

		assert_int_equal(system(cmd), 0);
		assert_ok(world_fetch(w, "big.safetensors", &err), &err);
		assert_true(world_has(w, &w->big));
	}
}

static void test_two_processes(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	int status;

	world_fresh(w);
	hubstub_tell(&w->hub, "set", "{\"rate\":16000000}");
	pid_t pid = fork();

	if (pid == 0) {
		wb_log_set_sink(NULL, NULL);
		_exit(world_fetch(w, NULL, &err) ? 1 : 0);
	}
	assert_ok(world_fetch(w, NULL, &err), &err);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_true(world_has(w, &w->big) && world_has(w, &w->mid));
	/* plain.dat is another identity with the same bytes: at most that and config.json twice. */
	assert_in_range(hubstub_count(&w->hub, "/resolve/"), 4, 5);
}

static void test_offline(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *dir = wb_asprintf("%s/store", w->dir);
	struct wb_remote_file f = {.path = (char *)"x/y.bin", .size = 10, .etag = (char *)"e"};
	struct wb_fetch_item it = {.file = &f, .label = "hf://acme/m"};

	world_fresh(w);
	struct wb_fetch_opts o = {.store = wb_store_open(dir, &err), .offline = true};

	assert_err(wb_fetch(&it, 1, &o, NULL, &err), &err, WB_ERR_NOT_FOUND);
	assert_contains(err.text, "\"x/y.bin\" of hf://acme/m is not in the content store");
	wb_store_close(o.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_once),
		cmocka_unit_test(test_one_connection),
		cmocka_unit_test(test_survives_faults),
		cmocka_unit_test(test_corruption),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_slow_connection),
		cmocka_unit_test(test_signed_addresses_run_out),
		cmocka_unit_test(test_continues_after_kill),
		cmocka_unit_test(test_damaged_part),
		cmocka_unit_test(test_damaged_log),
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_offline),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
