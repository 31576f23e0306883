/* What every unit test includes: cmocka with its required headers, and helpers for errors and
 * temporary folders. */
#ifndef WB_TESTS_UNIT_WBTEST_H
#define WB_TESTS_UNIT_WBTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"

/* Fails with the error's text when a call that should succeed did not. */
#define assert_ok(call, err)                                    \
	do {                                                    \
		if ((call) != 0)                                \
			fail_msg("%s: %s", #call, (err)->text); \
	} while (0)
#define assert_err(call, err, want)                                                               \
	do {                                                                                      \
		wb_err_clear(err);                                                                \
		if ((call) == 0)                                                                  \
			fail_msg("%s: succeeded", #call);                                         \
		if ((err)->code != (want))                                                        \
			fail_msg("%s: code %d, not %d: %s", #call, (int)(err)->code, (int)(want), \
				(err)->text);                                                     \
	} while (0)
#define assert_contains(text, part)                                          \
	do {                                                                 \
		if (!strstr((text), (part)))                                 \
			fail_msg("\"%s\" is not in \"%s\"", (part), (text)); \
	} while (0)

/* A fresh folder below $TMPDIR; wbtest_rmdir removes it and frees the name. */
static inline char *wbtest_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = wb_asprintf("%s/wbtest.XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (!mkdtemp(dir))
		fail_msg("mkdtemp: %s", dir);
	return dir;
}

static inline void wbtest_rmdir(char *dir)
{
	struct wb_err err = WB_ERR_INIT;

	wb_remove_tree(dir, &err);
	free(dir);
}

#endif
