#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "base/text.h"
#include "builder/build/pickle.h"

#define MEMBERS_MAX 100000

static void free_archive(struct archive **a)
{
	archive_read_free(*a);
}

/* torch keeps tensors as members of their own, many and large, named by numbers: "m/data/17". */
static bool is_tensor(const char *name)
{
	const char *base = strrchr(name, '/');
	uint64_t number;

	return base && base - name >= 5 && !strncmp(base - 5, "/data", 5) &&
	       wb_parse_u64(&number, base + 1);
}

static ssize_t read_member(void *arg, void *p, size_t n)
{
	return archive_read_data(arg, p, n);
}

void wb_pickle_scan_zip(struct wb_pickle *out, int fd)
{
	WB_AUTO(free_archive) struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_zip_seekable(a);
	if (archive_read_open_fd(a, fd, 65536) != ARCHIVE_OK)
		return;
	for (unsigned i = 0; i < MEMBERS_MAX && archive_read_next_header(a, &entry) == ARCHIVE_OK;
		i++) {
		const struct wb_pickle_input in = {read_member, NULL, a};
		const char *name = archive_entry_pathname(entry);

		if (name && is_tensor(name))
			continue;
		wb_pickle_scan(out, &in);
	}
}
