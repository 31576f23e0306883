/* The index of an image archive's tar: every member lies within the file. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"
#include "oci/tarfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_tarfile_index_release) struct wb_tarfile_index x = WB_TARFILE_INDEX_INIT;
	wb_autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (wb_tarfile_index_read(&x, fd, "fuzz", &err)) {
		must_be_error(&err);
		return 0;
	}
	wb_vec_foreach (m, &x.members) {
		MUST(m->offset <= size || !m->size);
		MUST(m->size <= size);
		MUST(!m->size || m->size <= size - m->offset);
		const struct wb_tarfile_member *found = wb_tarfile_find(&x, m->name);

		MUST(!found || found->type == WB_TARFILE_FILE);
	}
	return 0;
}
