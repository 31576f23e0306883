/* The headers that tell whether weights are whole (safetensors, GGUF, a Git LFS pointer), and the
 * opcodes of pickles, alone and in zips; the first byte says which. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/build/pickle.h"
#include "builder/build/weightfile.h"
#include "fuzz.h"

static void must_be_state(const struct wb_weight_file *f)
{
	MUST(f->state <= WB_WEIGHT_POINTER);
	MUST(f->state != WB_WEIGHT_DAMAGED || f->why[0]);
	MUST(memchr(f->why, '\0', sizeof(f->why)));
	for (const char *p = f->why; *p; p++)
		MUST((unsigned char)*p >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wb_autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);
	WB_AUTO(wb_pickle_release) struct wb_pickle pickle = WB_PICKLE_INIT;
	struct wb_weight_file f = {0};
	struct wb_err err = WB_ERR_INIT;
	char path[32];
	int rc = 0;

	if (size == 0)
		return 0;
	MUST(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	switch (data[0]) {
	case 's': rc = wb_safetensors_check(&f, fd, size - 1, &err); break;
	case 'g': rc = wb_gguf_check(&f, fd, size - 1, &err); break;
	case 'l': rc = wb_weight_file_check(&f, path, "model.safetensors", size - 1, &err); break;
	case 'z': wb_pickle_scan_zip(&pickle, fd); break;
	default: rc = wb_pickle_scan_file(&pickle, path, &err); break;
	}
	if (rc)
		must_be_error(&err);
	must_be_state(&f);
	MUST(pickle.bytes <= WB_PICKLE_BYTES_MAX && pickle.imports.n <= WB_PICKLE_IMPORTS_MAX);
	wb_vec_foreach (i, &pickle.imports)
		MUST(i->name && *i->name);
	return 0;
}
