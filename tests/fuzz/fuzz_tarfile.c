/* The index of an image archive's tar: every member lies within the file. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"
#include "oci/tarfile.h"

/* A mutated header with its old checksum would go no further than the first check. */
static void mend_sums(uint8_t *p, size_t size)
{
	for (; size >= 512; p += 512, size -= 512) {
		unsigned sum = 8 * ' ';

		if (memcmp(p + 257, "ustar", 5))
			continue;
		for (size_t i = 0; i < 512; i++)
			sum += i >= 148 && i < 156 ? 0 : p[i];
		snprintf((char *)p + 148, 8, "%06o", sum & 0777777);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_err err = WB_ERR_INIT;
	WB_AUTO(wb_tarfile_index_release) struct wb_tarfile_index x = WB_TARFILE_INDEX_INIT;
	wb_autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);

	wb_autofree uint8_t *bytes = wb_alloc(size);

	memcpy(bytes, data, size);
	mend_sums(bytes, size);
	MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
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
