/* A look at a model's own Python code: which lines name something. Nothing is executed. */
#ifndef WB_BUILDER_BUILD_CODE_H
#define WB_BUILDER_BUILD_CODE_H

#include <stdbool.h>

#include "base/err.h"

#define WB_CODE_FILE_MAX (4u << 20) /* bytes; larger ones are passed over */
#define WB_CODE_FILES_MAX 10000
#define WB_CODE_DEPTH_MAX 16

/* Calls line() for each line of each *.py below dir/folder, folders in byte order, links not
 * followed. path is as a person would type it from where dir is. A folder that is not there is
 * none. */
int wb_code_scan(const char *dir, const char *folder,
	void (*line)(void *arg, const char *path, unsigned number, const char *text), void *arg,
	struct wb_err *err);

#endif
