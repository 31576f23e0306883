/* Patterns: "PATTERN\nPATH". The fnmatch dialect is compared with the C library's, and the
 * translation between the dialects with what it translates. */
#include "fuzz.h"
#include <fnmatch.h>
#include "base/path.h"
#include "builder/config/convert.h"
#include "builder/config/glob.h"

static bool plain_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80 || *s == '[')
			return false;
	return true;
}

static void compare(const char *pattern, const char *path)
{
	bool ours = wb_glob_match(WB_GLOB_FNMATCH, pattern, path);
	size_t n = strlen(pattern);

	if (plain_ascii(pattern) && plain_ascii(path) && n && pattern[n - 1] != '/')
		MUST(ours == !fnmatch(pattern, path, FNM_NOESCAPE));
	wb_glob_match(WB_GLOB_WEIGHTS, pattern, path);
	if (wb_path_unsafe(path, strlen(path)))
		return;
	struct wb_words w = {0};
	bool exact = wb_convert_pattern(&w, pattern), theirs = false;

	wb_vec_foreach (it, &w.list)
		theirs = theirs || wb_glob_match(WB_GLOB_WEIGHTS, *it, path);
	MUST(!exact || ours == theirs);
	wb_words_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	const char *nl = size && size < 4096 ? memchr(s, '\n', size) : NULL;

	if (!nl)
		return 0;
	wb_autofree char *pattern = wb_strndup(s, (size_t)(nl - s));
	wb_autofree char *path = wb_strndup(nl + 1, size - (size_t)(nl - s) - 1);

	compare(pattern, path);
	return 0;
}
