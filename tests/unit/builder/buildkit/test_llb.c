#include "wbtest.h"

#include "base/sha256.h"
#include "builder/buildkit/llb.h"

static struct wb_wire_view view(const struct wb_wire *w)
{
	return (struct wb_wire_view){(const uint8_t *)w->buf.data, w->buf.len};
}

static size_t count(struct wb_wire_view v, unsigned number)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_wire_field f;
	size_t n = 0;

	while (wb_wire_next(&f, &v, &err) > 0)
		n += f.number == number;
	return n;
}

static struct wb_llb_ref some_file(struct wb_llb *l, const char *text)
{
	const struct wb_llb_file file = {"/dir/file", text, strlen(text)};

	return wb_llb_files(l, &file, 1, 0, NULL);
}

static void equal_operations_are_one(void **state)
{
	WB_AUTO(wb_llb_release) struct wb_llb l = WB_LLB_INIT;
	const struct wb_llb_note note = {.name = "another name", .no_cache = true};
	const struct wb_llb_file file = {"/dir/file", "a", 1};
	struct wb_llb_ref a = some_file(&l, "a");

	assert_int_equal(wb_llb_files(&l, &file, 1, 0, &note).op, a.op);
	assert_int_not_equal(some_file(&l, "b").op, a.op);
	(void)state;
}

static void a_merge_of_one_part_is_that_part(void **state)
{
	WB_AUTO(wb_llb_release) struct wb_llb l = WB_LLB_INIT;
	struct wb_llb_ref parts[3] = {WB_LLB_SCRATCH, some_file(&l, "a"), WB_LLB_SCRATCH};

	assert_int_equal(wb_llb_merge(&l, parts, 3, NULL).op, parts[1].op);
	assert_int_equal(wb_llb_merge(&l, parts, 1, NULL).op, 0);
	parts[0] = some_file(&l, "b");
	struct wb_llb_ref both = wb_llb_merge(&l, parts, 3, NULL);

	assert_int_equal(both.op, l.ops.n);
	assert_int_equal(l.ops.n, 3);
	(void)state;
}

/* BuildKit's rules: inputs first, each named by the digest of its bytes, and an end. */
static void a_definition_has_what_it_needs_and_no_more(void **state)
{
	WB_AUTO(wb_llb_release) struct wb_llb l = WB_LLB_INIT;
	WB_AUTO(wb_wire_release) struct wb_wire def;
	struct wb_llb_ref parts[2] = {some_file(&l, "a"), some_file(&l, "b")};
	struct wb_err err = WB_ERR_INIT;
	struct wb_wire_field f;
	struct wb_digest last = {0};

	some_file(&l, "not needed");
	struct wb_llb_ref merged = wb_llb_merge(&l, parts, 2, NULL);

	wb_wire_init(&def);
	wb_llb_definition(&def, &l, merged);
	assert_int_equal(count(view(&def), 1), 4);
	assert_int_equal(count(view(&def), 2), 4);
	for (struct wb_wire_view v = view(&def); wb_wire_next(&f, &v, &err) > 0;) {
		bool found;

		if (f.number != 1)
			continue;
		wb_sha256_once(&last, f.view.p, f.view.n);
		wb_wire_get_pair(view(&def), 2, wb_digest_text(&last).s, &found);
		assert_true(found);
	}
	(void)state;
}

static void a_definition_can_be_taken_in(void **state)
{
	WB_AUTO(wb_llb_release) struct wb_llb l = WB_LLB_INIT, other = WB_LLB_INIT;
	WB_AUTO(wb_wire_release) struct wb_wire def;
	struct wb_llb_ref parts[2] = {some_file(&l, "a"), some_file(&l, "b")}, ref;
	struct wb_llb_ref merged = wb_llb_merge(&l, parts, 2, NULL);
	struct wb_err err = WB_ERR_INIT;

	wb_wire_init(&def);
	wb_llb_definition(&def, &l, merged);
	some_file(&other, "already there");
	assert_ok(wb_llb_import(&ref, &other, view(&def), &err), &err);
	assert_string_equal(wb_llb_digest(&other, ref).s, wb_llb_digest(&l, merged).s);
	assert_int_equal(other.ops.n, 4);
	/* cut anywhere, it is an error or a smaller graph, and never a crash */
	for (size_t n = 0; n < def.buf.len; n++) {
		WB_AUTO(wb_llb_release) struct wb_llb cut = WB_LLB_INIT;
		struct wb_wire_view v = {(const uint8_t *)def.buf.data, n};

		wb_err_clear(&err);
		if (wb_llb_import(&ref, &cut, v, &err))
			assert_int_equal(err.code, WB_ERR_FORMAT);
		else
			assert_in_range(ref.op, 1, cut.ops.n);
	}
	(void)state;
}

static struct wb_llb_ref run(struct wb_llb *l, struct wb_llb_ref root, const char *secret)
{
	static const char *const args[] = {"/bin/true", NULL};
	const struct wb_llb_mount mounts[] = {
		{.dest = "/", .tree = root},
		{.kind = WB_LLB_CACHE, .dest = "/cache", .id = "c"},
		{.kind = WB_LLB_SECRET, .dest = "/run/secrets/s", .id = secret},
	};
	const struct wb_llb_exec exec = {
		.args = args, .cwd = "/", .mounts = mounts, .n_mounts = WB_ARRAY_LEN(mounts)};

	return wb_llb_exec(l, &exec, NULL);
}

static void an_exec_names_its_mounts(void **state)
{
	WB_AUTO(wb_llb_release) struct wb_llb l = WB_LLB_INIT;
	struct wb_llb_ref root = some_file(&l, "a"), ref = run(&l, root, "token");
	const struct wb_llb_op *op = &l.ops.items[ref.op - 1];
	struct wb_wire_view exec = wb_wire_get(
		(struct wb_wire_view){(const uint8_t *)op->bytes.data, op->bytes.len}, 2);

	assert_int_equal(op->inputs.n, 1);
	assert_int_equal(op->inputs.items[0], root.op);
	assert_int_equal(count(exec, 2), 3);
	wb_autofree char *dest = wb_wire_get_str(wb_wire_get(exec, 2), 3);

	assert_string_equal(dest, "/run/secrets/s");
	assert_int_not_equal(run(&l, root, "another").op, ref.op);
	assert_int_equal(run(&l, root, "token").op, ref.op);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_operations_are_one),
		cmocka_unit_test(a_merge_of_one_part_is_that_part),
		cmocka_unit_test(a_definition_has_what_it_needs_and_no_more),
		cmocka_unit_test(a_definition_can_be_taken_in),
		cmocka_unit_test(an_exec_names_its_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
