#include "wbtest.h"

#include "base/buf.h"
#include "base/file.h"
#include "builder/runtime/options.h"

static const char *const variables[] = {"WBUILD_VERIFY", "WBUILD_SAMPLE", "WBUILD_SEED",
	"WBUILD_EXTRA", "WBUILD_CHECK_MODES", "WBUILD_DEADLINE", "WBUILD_JOBS", "WBUILD_FROM",
	"WBUILD_MOUNT", "WBUILD_FETCH", "WBUILD_MANIFEST", "WBUILD_READY_FILE",
	"WBUILD_FAILED_FILE", "WBUILD_CACHE_DIR", "WBUILD_BACKGROUND", "WBUILD_TIMEOUT",
	"WBUILD_FORMAT", "WBUILD_QUIET"};

static int clean(void **state)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	unsetenv("BASETEN_FS_ENABLED");
	return 0;
}

static int parse(struct wb_stub_options *o, struct wb_err *err, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	wb_err_clear(err);
	return wb_stub_options_parse(o, argc, argv, err);
}

#define ARGS(...) ((char **)(const char *[]){"init", __VA_ARGS__, NULL})
/* static: the options keep pointing into it */
#define PARSE(o, err, ...)                                                       \
	do {                                                                     \
		static const char *const args[] = {"init", ##__VA_ARGS__, NULL}; \
                                                                                 \
		assert_ok(parse(o, err, (char **)args), err);                    \
	} while (0)

static void refuse(char **argv, const char *why)
{
	struct wb_stub_options o;
	struct wb_err err;

	assert_err(parse(&o, &err, argv), &err, WB_ERR_USAGE);
	assert_contains(err.text, why);
}

static void test_defaults(void **state)
{
	struct wb_stub_options o;
	struct wb_err err;

	PARSE(&o, &err, "server");
	assert_int_equal(o.action, WB_STUB_RUN);
	assert_int_equal(o.verify.mode, WB_VERIFY_SIZE);
	assert_int_equal(o.place, WB_PLACE_NONE);
	assert_int_equal(o.extra, WB_EXTRA_WARN);
	assert_true(o.verify.extra);
	assert_string_equal(o.command[0], "server");
	assert_null(o.from);
	assert_null(o.command[1]);
	PARSE(&o, &err);
	assert_null(o.command[0]);
}

static void test_command_keeps_its_options(void **state)
{
	struct wb_stub_options o;
	struct wb_err err;

	PARSE(&o, &err, "--verify", "full", "server", "--verify", "off", "--", "x");
	assert_int_equal(o.verify.mode, WB_VERIFY_FULL);
	assert_string_equal(o.command[0], "server");
	assert_string_equal(o.command[1], "--verify");
	assert_string_equal(o.command[3], "--");
	PARSE(&o, &err, "--", "wait", "--help");
	assert_int_equal(o.action, WB_STUB_RUN);
	assert_string_equal(o.command[0], "wait");
	PARSE(&o, &err, "--", "--server");
	assert_string_equal(o.command[0], "--server");
	PARSE(&o, &err, "--quiet", "--");
	assert_null(o.command[0]);
}

static void test_all_options(void **state)
{
	struct wb_stub_options o;
	struct wb_err err;

	PARSE(&o, &err, "--verify=sample", "--sample=12.5", "--seed", "7", "--extra=warn",
		"--check-modes", "--deadline", "1.5", "--jobs=3", "--from", "/w", "--mount=bind",
		"--manifest=/m", "--ready-file=/r", "--failed-file=/f", "--format=json", "-q", "x");
	assert_int_equal(o.verify.mode, WB_VERIFY_SAMPLE);
	assert_true(o.verify.share == 0.125);
	assert_int_equal(o.verify.seed, 7);
	assert_int_equal(o.extra, WB_EXTRA_WARN);
	assert_true(o.verify.extra && o.verify.modes);
	assert_true(o.verify.deadline == 1.5);
	assert_int_equal(o.verify.threads, 3);
	assert_string_equal(o.from, "/w");
	assert_int_equal(o.place, WB_PLACE_BIND);
	assert_string_equal(o.manifest, "/m");
	assert_string_equal(o.ready_file, "/r");
	assert_string_equal(o.failed_file, "/f");
	assert_true(o.json && o.quiet && !o.fetch);
	assert_null(o.cache_dir);
	PARSE(&o, &err, "--fetch", "--cache-dir=/c", "--background", "--ready-file=/r",
		"--failed-file=/f", "x");
	assert_true(o.fetch && o.background);
	assert_string_equal(o.cache_dir, "/c");
	PARSE(&o, &err, "--verify", "sample", "x");
	assert_int_equal(o.extra, WB_EXTRA_FAIL);
	PARSE(&o, &err, "--extra", "fail", "x");
	assert_int_equal(o.extra, WB_EXTRA_FAIL);
	PARSE(&o, &err, "--extra", "ignore", "--fetch", "x");
	assert_false(o.verify.extra);
	assert_true(o.fetch);
}

static void test_environment(void **state)
{
	struct wb_stub_options o;
	struct wb_err err;

	setenv("WBUILD_VERIFY", "full", 1);
	setenv("WBUILD_FROM", "/weights", 1);
	setenv("WBUILD_QUIET", "true", 1);
	setenv("WBUILD_READY_FILE", "", 1); /* empty is unset */
	PARSE(&o, &err, "x");
	assert_int_equal(o.verify.mode, WB_VERIFY_FULL);
	assert_string_equal(o.from, "/weights");
	assert_int_equal(o.place, WB_PLACE_LINK); /* what --from means */
	assert_true(o.quiet);
	assert_null(o.ready_file);
	PARSE(&o, &err, "--verify", "off", "x");
	assert_int_equal(o.verify.mode, WB_VERIFY_OFF);
	setenv("WBUILD_MOUNT", "none", 1);
	PARSE(&o, &err, "x");
	assert_int_equal(o.place, WB_PLACE_NONE);
	setenv("WBUILD_VERIFY", "everything", 1);
	refuse(ARGS("x"), "WBUILD_VERIFY: \"everything\"");
	setenv("WBUILD_VERIFY", "off", 1);
	setenv("WBUILD_QUIET", "maybe", 1);
	refuse(ARGS("x"), "WBUILD_QUIET: \"maybe\"");
}

static void test_node_cache(void **state)
{
	struct wb_stub_options o;
	struct wb_err err;

	setenv("BASETEN_FS_ENABLED", "True", 1);
	PARSE(&o, &err, "x");
	assert_string_equal(o.cache_dir, "/cache/org/artifacts/wbuild");
	setenv("WBUILD_CACHE_DIR", "/mine", 1);
	PARSE(&o, &err, "x");
	assert_string_equal(o.cache_dir, "/mine");
}

static void test_refused(void **state)
{
	refuse(ARGS("--fetch", "--background", "x"), "--ready-file and --failed-file");
	refuse(ARGS("--fetch", "--background", "--ready-file=/r", "x"), "--failed-file");
	refuse(ARGS("--cache-dir", "relative", "x"), "not an absolute path");
	struct wb_stub_options o;
	struct wb_err err;

	refuse(ARGS("--verify"), "--verify needs off|size|sample|full");
	refuse(ARGS("--verify="), "--verify needs");
	refuse(ARGS("--verify", "fast"), "--verify: \"fast\"");
	refuse(ARGS("--sample", "0"), "number above 0");
	refuse(ARGS("--sample", "101"), "more than 100");
	refuse(ARGS("--sample", "1e3"), "number above 0");
	refuse(ARGS("--deadline", "-1"), "number above 0");
	refuse(ARGS("--deadline", "nan"), "number above 0");
	refuse(ARGS("--deadline", "1.2.3"), "number above 0");
	refuse(ARGS("--deadline", "99999999999999999999"), "number above 0");
	refuse(ARGS("--jobs", "0"), "from 1 to 1024");
	refuse(ARGS("--seed", "x"), "whole number");
	refuse(ARGS("--from", "weights"), "absolute");
	refuse(ARGS("--mount", "link"), "--mount needs --from");
	refuse(ARGS("--mount", "copy", "--from", "/w"), "\"copy\" is not one of none, link, bind");
	refuse(ARGS("--quiet=1"), "takes no value");
	refuse(ARGS("--verifi", "full"), "unknown option \"--verifi\"");
	refuse(ARGS("-x"), "unknown option \"-x\"");
	refuse(ARGS("-"), "unknown option \"-\"");
	refuse(ARGS("wait", "x"), "wait takes no argument");
	assert_int_equal(parse(&o, &err, ARGS("--verifi", "full")), -1);
	assert_contains(err.hint, "--verify");
}

static void test_wait_help_version(void **state)
{
	struct wb_stub_options o;
	struct wb_err err;

	PARSE(&o, &err, "wait", "--ready-file", "/r", "--timeout", "2");
	assert_int_equal(o.action, WB_STUB_WAIT);
	assert_true(o.timeout == 2);
	PARSE(&o, &err, "--version");
	assert_int_equal(o.action, WB_STUB_VERSION);
	PARSE(&o, &err, "-h");
	assert_int_equal(o.action, WB_STUB_HELP);

	wb_autofree char *help = wb_stub_help();
	for (size_t i = 0; i < WB_ARRAY_LEN(variables); i++)
		assert_contains(help, variables[i]);
}

/* Every option and variable of the table is in the man page. */
static void test_man_page(void **state)
{
	wb_autofree char *help = wb_stub_help();
	WB_AUTO(wb_buf_release) struct wb_buf page;
	struct wb_err err;
	size_t seen = 0;

	wb_buf_init(&page, 1 << 20, "man page");
	assert_ok(wb_file_read(&page, WB_SOURCE_DIR "/docs/man/wbuild-init.1.scd", &err), &err);
	for (const char *p = help; (p = strstr(p, "\n  --")); seen++) {
		wb_autofree char *name = wb_strndup(p + 3, strcspn(p + 3, " \n"));

		assert_contains(page.data, name);
		p += 3;
	}
	assert_in_range(seen, 15, 40);
	for (size_t i = 0; i < WB_ARRAY_LEN(variables); i++)
		assert_contains(page.data, variables[i]);
}

static void test_seeds_differ(void **state)
{
	struct wb_stub_options a, b;
	struct wb_err err;

	PARSE(&a, &err, "x");
	PARSE(&b, &err, "x");
	assert_int_not_equal(a.verify.seed, b.verify.seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, clean),
		cmocka_unit_test_setup(test_command_keeps_its_options, clean),
		cmocka_unit_test_setup(test_all_options, clean),
		cmocka_unit_test_setup(test_environment, clean),
		cmocka_unit_test_setup(test_node_cache, clean),
		cmocka_unit_test_setup(test_refused, clean),
		cmocka_unit_test_setup(test_wait_help_version, clean),
		cmocka_unit_test_setup(test_seeds_differ, clean),
		cmocka_unit_test(test_man_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
