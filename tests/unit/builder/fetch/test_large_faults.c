/* Faults in the middle of a file of 1 GiB: it ends bit-exact, or the run ends in an integrity
 * error. */
#include "fetch_world.h"

/* Sanitizers are for the code's ways, not for its size. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define LARGE ((uint64_t)96 << 20)
#else
#define LARGE ((uint64_t)1 << 30)
#endif
#define BLOCK (1u << 20)

/* No two blocks are alike, so a misplaced one shows. */
static void large_file(const char *path, struct wb_digest *d)
{
	uint32_t *block = wb_alloc(BLOCK), x = 7;
	FILE *f = fopen(path, "w");
	struct wb_sha256 s;

	wb_sha256_init(&s);
	for (uint64_t at = 0; at < LARGE; at += BLOCK) {
		for (size_t i = 0; i < BLOCK / 4; i++)
			block[i] = x = x * 1664525 + 1013904223;
		wb_sha256_update(&s, block, BLOCK);
		assert_int_equal(fwrite(block, 1, BLOCK, f), BLOCK);
	}
	wb_sha256_final(&s, d);
	fclose(f);
	free(block);
}

static int setup(void **state)
{
	struct world *w = wb_zalloc(sizeof(*w));

	unsetenv("HF_TOKEN");
	setenv("HF_TOKEN_PATH", "/nonexistent", 1);
	w->dir = wbtest_dir();
	hubstub_start(&w->hub);
	wb_autofree char *path = wb_asprintf("%s/large", w->dir);

	large_file(path, &w->big);
	wb_autofree char *commit = wb_asprintf(
		"{\"id\":\"acme/m\",\"files\":{\"big.safetensors\":{\"file\":\"%s\"}}}", path);

	hubstub_tell(&w->hub, "commit", commit);
	wb_log_set_sink(source_sink, &w->log);
	*state = w;
	return 0;
}

/* The n-th request from now on that no earlier fault takes, and so many after it, go wrong so. */
static void fault(struct world *w, unsigned n, const char *how)
{
	wb_autofree char *text = wb_asprintf("{\"match\":\".\",\"skip\":%u,%s}", n, how);

	hubstub_tell(&w->hub, "fault", text);
}

static void test_all_kinds(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	w->connections = 4;
	w->stall_s = 1;
	fault(w, 2, "\"kind\":\"reset\",\"after\":900000,\"times\":2");
	fault(w, 3, "\"kind\":\"stall\",\"after\":700000,\"times\":1");
	fault(w, 4, "\"kind\":\"truncate\",\"after\":1234567,\"times\":2");
	fault(w, 5,
		"\"kind\":\"status\",\"status\":503,\"times\":2,\"headers\":{\"Retry-After\":"
		"\"0\"}");
	fault(w, 6, "\"kind\":\"status\",\"status\":429,\"times\":2");
	fault(w, 7, "\"kind\":\"lie\",\"after\":-1000,\"times\":1");
	fault(w, 8, "\"kind\":\"expire\",\"times\":2");
	assert_ok(world_fetch(w, NULL, &err), &err);
	assert_true(world_has(w, &w->big));
	assert_in_range(w->total.transferred, LARGE, LARGE + LARGE / 10);
	wb_autofree char *left = hubstub_ask(&w->hub, "faults", NULL);

	assert_string_equal(left, "[]");
	assert_int_equal(world_parts(w), 0);
}

static void test_corrupt_byte(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	w->connections = 4;
	fault(w, 5, "\"kind\":\"corrupt\",\"after\":1000001,\"times\":1");
	assert_ok(world_fetch(w, NULL, &err), &err);
	assert_true(world_has(w, &w->big));
	assert_contains(w->log.text, "fetching it again");
	assert_int_equal(w->total.transferred, 2 * LARGE);
}

static void test_corrupt_twice(void **state)
{
	struct world *w = *state;
	struct wb_err err = WB_ERR_INIT;

	world_fresh(w);
	w->connections = 4;
	fault(w, 5, "\"kind\":\"corrupt\",\"after\":1000001,\"times\":1000");
	assert_err(world_fetch(w, NULL, &err), &err, WB_ERR_INTEGRITY);
	assert_int_equal(wb_err_exit_code(&err), 3);
	assert_false(world_has(w, &w->big));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_corrupt_byte),
		cmocka_unit_test(test_corrupt_twice),
	};

	return cmocka_run_group_tests(tests, setup, world_teardown);
}
