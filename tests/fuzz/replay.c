/* Runs a fuzz target over files and folders of inputs: the main of every build without libFuzzer.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "fuzz.h"

#define INPUT_MAX (16u << 20)

static size_t inputs;

static void run_file(const char *path)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_buf_release) struct wb_buf b;

	wb_buf_init(&b, INPUT_MAX, "input");
	if (wb_file_read(&b, path, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	/* A copy of the exact size, so that a read past the end is seen by the sanitizer. */
	wb_autofree uint8_t *exact = malloc(b.len ? b.len : 1);

	memcpy(exact, b.data, b.len);
	LLVMFuzzerTestOneInput(exact, b.len);
	inputs++;
}

static void run(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir) {
		run_file(path);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		wb_autofree char *file = wb_asprintf("%s/%s", path, e->d_name);

		run_file(file);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%zu inputs\n", inputs);
	return inputs ? 0 : 1;
}
