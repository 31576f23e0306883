/* wbuild.lock: what was read is written so that it is read again, and to the same text. */
#include "builder/fetch/lockfile.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WB_AUTO(wb_lockfile_release) struct wb_lockfile lock = WB_LOCKFILE_INIT;
	WB_AUTO(wb_lockfile_release) struct wb_lockfile again = WB_LOCKFILE_INIT;
	struct wb_err err = WB_ERR_INIT;

	if (wb_lockfile_parse(&lock, (const char *)data, size, "fuzz", &err)) {
		must_be_error(&err);
		return 0;
	}
	wb_autofree char *text = wb_lockfile_dump(&lock);

	MUST(!wb_lockfile_parse(&again, text, strlen(text), "fuzz", &err));
	wb_autofree char *second = wb_lockfile_dump(&again);

	MUST(!strcmp(text, second));
	MUST(!wb_lockfile_same(&lock, &again, &err));
	return 0;
}
