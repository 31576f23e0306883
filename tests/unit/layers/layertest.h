/* A folder with files of known bytes, for the tests of what reads them. */
#ifndef WB_TESTS_UNIT_LAYERS_LAYERTEST_H
#define WB_TESTS_UNIT_LAYERS_LAYERTEST_H

#include "wbtest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "layers/content.h"

/* n bytes that seed chooses; the same for the same seed, and different from the first byte on for
 * another. */
static inline void layertest_fill(uint8_t *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (uint8_t)(seed >> 24);
	}
}

static inline char *layertest_path(const char *dir, const char *name)
{
	return wb_path_join(dir, name);
}

static inline void layertest_write(const char *path, const void *p, size_t n)
{
	wb_autofree char *dir = wb_path_dirname(path);
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_mkdirs(dir, 0755, &err), &err);
	assert_ok(wb_file_put(path, p, n, 0644, WB_FILE_NOSYNC | WB_FILE_REPLACE, &err), &err);
}

/* The content of a file that is there. */
static inline void layertest_content(struct wb_content *out, const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	wb_content_from_stat(out, path, &st);
}

/* Makes dir/name with n bytes of seed and puts it into the tree. */
static inline void layertest_add(struct wb_tree *t, unsigned group, const char *dir,
	const char *name, size_t n, uint32_t seed)
{
	wb_autofree char *path = layertest_path(dir, name);
	wb_autofree uint8_t *p = wb_alloc(n);
	WB_AUTO(wb_content_release) struct wb_content c = {0};
	struct wb_err err = WB_ERR_INIT;

	layertest_fill(p, n, seed);
	layertest_write(path, p, n);
	layertest_content(&c, path);
	assert_ok(wb_tree_add_file(t, group, name, 0644, &c, &err), &err);
}

#endif
