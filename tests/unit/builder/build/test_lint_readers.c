/* The readers that validate points at files from outside: pickles, zips, safetensors, GGUF. Whole
 * files give the right answer, and every cut and every changed byte gives some answer. */
#include <fcntl.h>
#include <unistd.h>

#include "base/path.h"
#include "builder/build/pickle.h"
#include "builder/build/weightfile.h"
#include "wbtest.h"

struct sample {
	const char *bytes;
	size_t n;
};
#define SAMPLE(text)                   \
	{                              \
		text, sizeof(text) - 1 \
	}

static char *put(const char *dir, const char *name, const char *bytes, size_t n)
{
	struct wb_err err = WB_ERR_INIT;
	char *path = wb_path_join(dir, name);

	assert_ok(wb_file_put(path, bytes, n, 0644, WB_FILE_REPLACE | WB_FILE_NOSYNC, &err), &err);
	return path;
}

static void scan(struct wb_pickle *out, const char *dir, const char *bytes, size_t n)
{
	struct wb_err err = WB_ERR_INIT;
	wb_autofree char *path = put(dir, "x", bytes, n);

	*out = WB_PICKLE_INIT;
	assert_ok(wb_pickle_scan_file(out, path, &err), &err);
}

/* os.system("true"), by each way that pickles name things. */
static const struct sample unsafe[] = {
	SAMPLE("cos\nsystem\n(S'true'\ntR."), /* protocol 0 */
	SAMPLE("(S'true'\nios\nsystem\n."),   /* INST */
	SAMPLE("\x80\x02"
	       "cos\nsystem\nq\0X\4\0\0\0trueq\1\x85q\2Rq\3."), /* protocol 2 */
	SAMPLE("\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\2os\x94\x8c\6system\x94\x93\x94\x8c\4true\x94"
	       "\x85\x94R\x94."), /* protocol 4 */
	SAMPLE("\x80\x04\x8c\2os\x94\x8c\6system\x94"
	       "00h\0h\1\x93\x8c\4true\x85R."), /* names from the memo */
	SAMPLE("\x80\x04N.\x80\x02"
	       "cos\nsystem\n."), /* behind a harmless one */
};

static void unsafe_pickles_are_found(void **state)
{
	char *dir = wbtest_dir();

	(void)state;
	for (size_t i = 0; i < WB_ARRAY_LEN(unsafe); i++) {
		struct wb_pickle p;

		scan(&p, dir, unsafe[i].bytes, unsafe[i].n);
		assert_true(p.found);
		assert_int_equal(wb_pickle_worst(&p), WB_IMPORT_UNSAFE);
		assert_string_equal(p.imports.items[0].name, "os.system");
		wb_pickle_release(&p);
	}
	wbtest_rmdir(dir);
}

/* A module's name that is put together on the way is taken for the worst. */
static void hidden_names_are_unsafe(void **state)
{
	static const char bytes[] = "\x80\x04\x8c\2os\x8c\6systemN0\x93.";
	char *dir = wbtest_dir();
	struct wb_pickle p;

	(void)state;
	scan(&p, dir, bytes, sizeof(bytes) - 1);
	assert_int_equal(wb_pickle_worst(&p), WB_IMPORT_UNSAFE);
	wb_pickle_release(&p);
	wbtest_rmdir(dir);
}

static void imports_are_judged(void **state)
{
	(void)state;
	assert_int_equal(
		wb_pickle_import_kind("torch._utils", "_rebuild_tensor_v2"), WB_IMPORT_PLAIN);
	assert_int_equal(wb_pickle_import_kind("torch.hub", "load"), WB_IMPORT_UNSAFE);
	assert_int_equal(wb_pickle_import_kind("torchx", "f"), WB_IMPORT_UNKNOWN);
	assert_int_equal(wb_pickle_import_kind("builtins", "set"), WB_IMPORT_PLAIN);
	assert_int_equal(wb_pickle_import_kind("builtins", "getattr"), WB_IMPORT_UNSAFE);
	assert_int_equal(wb_pickle_import_kind("collections", "x.__globals__"), WB_IMPORT_UNKNOWN);
	assert_int_equal(wb_pickle_import_kind("my.model", "Net"), WB_IMPORT_UNKNOWN);
}

static void other_files_are_no_pickles(void **state)
{
	static const struct sample others[] = {SAMPLE(""), SAMPLE("."), SAMPLE("hello world."),
		SAMPLE("\x80\x04"), SAMPLE("\x89PNG\r\n"), SAMPLE("PK\3\4"), SAMPLE("((((")};
	char *dir = wbtest_dir();

	(void)state;
	for (size_t i = 0; i < WB_ARRAY_LEN(others); i++) {
		struct wb_pickle p;

		scan(&p, dir, others[i].bytes, others[i].n);
		assert_false(p.found);
		wb_pickle_release(&p);
	}
	wbtest_rmdir(dir);
}

/* --- weights ------------------------------------------------------------------------------ */

static const char safetensors[] = "\x40\0\0\0\0\0\0\0"
				  "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
				  "              "
				  "12345678";

static const char gguf[] = "GGUF\3\0\0\0"
			   "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
			   "\21\0\0\0\0\0\0\0general.alignment\4\0\0\0\20\0\0\0"
			   "\1\0\0\0\0\0\0\0t\11\0\0\0\10\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0ab"
			   "\1\0\0\0\0\0\0\0w\1\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			   "0123456789abcdef01234567";

static enum wb_weight_state check(const char *dir, const char *name, const char *bytes, size_t n)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_weight_file w;
	wb_autofree char *path = put(dir, name, bytes, n);

	assert_ok(wb_weight_file_check(&w, path, NULL, n, &err), &err);
	return w.state;
}

static void whole_weights_are_whole_and_no_cut_is(void **state)
{
	char *dir = wbtest_dir();
	const size_t whole = 8 + 0x40 + 8;

	(void)state;
	assert_int_equal(check(dir, "a.safetensors", safetensors, whole), WB_WEIGHT_WHOLE);
	for (size_t n = 8; n < whole; n++)
		assert_int_equal(check(dir, "a.safetensors", safetensors, n), WB_WEIGHT_TRUNCATED);
	assert_int_equal(check(dir, "a.gguf", gguf, sizeof(gguf) - 1), WB_WEIGHT_WHOLE);
	for (size_t n = 8; n < sizeof(gguf) - 17; n++)
		assert_int_equal(check(dir, "a.gguf", gguf, n), WB_WEIGHT_TRUNCATED);
	wbtest_rmdir(dir);
}

static void changed_bytes_give_an_answer(void **state)
{
	char *dir = wbtest_dir();
	char copy[256];

	(void)state;
	for (size_t i = 0; i < sizeof(gguf) - 1; i++) {
		memcpy(copy, gguf, sizeof(gguf));
		copy[i] = (char)(copy[i] ^ 0xff);
		check(dir, "a.gguf", copy, sizeof(gguf) - 1);
	}
	for (size_t i = 0; i < sizeof(safetensors) - 1; i++) {
		memcpy(copy, safetensors, sizeof(safetensors));
		copy[i] = (char)(copy[i] ^ 0xff);
		check(dir, "a.safetensors", copy, sizeof(safetensors) - 1);
	}
	for (size_t k = 0; k < WB_ARRAY_LEN(unsafe); k++)
		for (size_t i = 0; i < unsafe[k].n; i++) {
			struct wb_pickle p;

			memcpy(copy, unsafe[k].bytes, unsafe[k].n);
			copy[i] = (char)(copy[i] ^ 0xff);
			scan(&p, dir, copy, unsafe[k].n);
			wb_pickle_release(&p);
			scan(&p, dir, unsafe[k].bytes, i);
			wb_pickle_release(&p);
		}
	wbtest_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsafe_pickles_are_found),
		cmocka_unit_test(hidden_names_are_unsafe),
		cmocka_unit_test(imports_are_judged),
		cmocka_unit_test(other_files_are_no_pickles),
		cmocka_unit_test(whole_weights_are_whole_and_no_cut_is),
		cmocka_unit_test(changed_bytes_give_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
