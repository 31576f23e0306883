/* --output's SPECs, and what is known to fail before any work. */
#include "wbtest.h"

#include "base/path.h"
#include "builder/build/output.h"

static void parsed(const char *spec, enum wb_output_kind kind, const char *dest)
{
	struct wb_output o = {0};
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_output_parse(&o, spec, &err), &err);
	assert_int_equal(o.kind, kind);
	if (dest)
		assert_string_equal(o.dest, dest);
	else
		assert_null(o.dest);
	wb_output_release(&o);
}

static void test_specs(void **state)
{
	parsed("type=oci,dest=x.tar", WB_OUTPUT_ARCHIVE, "x.tar");
	parsed("type=oci,tar=true,dest=x.tar", WB_OUTPUT_ARCHIVE, "x.tar");
	parsed("type=oci,tar=false,dest=d", WB_OUTPUT_LAYOUT, "d");
	parsed("dest=a=b,type=docker", WB_OUTPUT_DOCKER_ARCHIVE, "a=b");
	parsed("type=registry", WB_OUTPUT_REGISTRY, NULL);
	parsed("type=local,dest=d", WB_OUTPUT_LOCAL, "d");
	parsed("type=tar,dest=first,dest=last", WB_OUTPUT_TAR, "last");
	parsed("some/dir", WB_OUTPUT_LOCAL, "some/dir");
}

static void test_bad_specs(void **state)
{
	static const char *const bad[] = {"type=oci", "type=oci,dest=", "dest=x",
		"type=image,dest=x", "type=oci,dest=x,push=true", "type=oci,tar=yes,dest=x",
		"type=tar,tar=false,dest=x", "type=oci,dest=x,junk", "type=", "=",
		"type=oci,,dest=x"};

	for (size_t i = 0; i < WB_ARRAY_LEN(bad); i++) {
		struct wb_output o = {.dest = NULL};
		struct wb_err err = WB_ERR_INIT;

		assert_err(wb_output_parse(&o, bad[i], &err), &err, WB_ERR_USAGE);
		assert_null(o.dest); /* untouched */
	}
}

static void test_checked_early(void **state)
{
	char *dir = wbtest_dir();
	wb_autofree char *nowhere = wb_path_join(dir, "no/such/file");
	struct wb_err err = WB_ERR_INIT;
	struct wb_output registry = {.kind = WB_OUTPUT_REGISTRY};
	struct wb_output missing = {.kind = WB_OUTPUT_ARCHIVE, .dest = nowhere};
	struct wb_output folder = {.kind = WB_OUTPUT_TAR, .dest = dir};
	struct wb_output layout = {.kind = WB_OUTPUT_LAYOUT, .dest = dir};

	assert_err(wb_output_check(&registry, 0, &err), &err, WB_ERR_USAGE);
	wb_err_clear(&err);
	assert_ok(wb_output_check(&registry, 1, &err), &err);
	assert_err(wb_output_check(&missing, 0, &err), &err, WB_ERR_NOT_FOUND);
	assert_err(wb_output_check(&folder, 0, &err), &err, WB_ERR_USAGE);
	wb_err_clear(&err);
	assert_ok(wb_output_check(&layout, 0, &err), &err);
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_checked_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
