/* Ignore files: "PATH\nRULES…". */
#include "fuzz.h"
#include "builder/config/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	const char *nl = size && size < 8192 ? memchr(s, '\n', size) : NULL;

	if (!nl)
		return 0;
	wb_autofree char *path = wb_strndup(s, (size_t)(nl - s));
	struct wb_ignore *ig = wb_ignore_parse(nl + 1, size - (size_t)(nl - s) - 1);
	bool file = wb_ignore_match(ig, path, false), dir = wb_ignore_match(ig, path, true);

	/* the same rules twice say the same, and none say nothing */
	MUST(file == wb_ignore_match(ig, path, false));
	MUST(dir == wb_ignore_match(ig, path, true));
	wb_ignore_free(ig);
	ig = wb_ignore_parse("", 0);
	MUST(!wb_ignore_match(ig, path, false));
	wb_ignore_free(ig);
	return 0;
}
