/* The members of a zip, by its central directory (PKWARE APPNOTE 4.3). torch stores members as they
 * are; what is compressed is not unpacked here, a pickle among that is named as unknown. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "builder/build/pickle.h"

#define DIRECTORY_MAX (32u << 20) /* bytes of central directory */
#define TAIL_MAX (65536 + 22)     /* where the end record can be */
#define LOCAL_HEADER 30
#define ENTRY_HEADER 46

static uint64_t le(const unsigned char *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* One member's bytes in the file. */
struct member {
	int fd;
	uint64_t at, end;
};

static ssize_t read_member(void *arg, void *p, size_t n)
{
	struct member *m = arg;
	uint64_t left = m->end - m->at;
	ssize_t k = pread(m->fd, p, left < n ? (size_t)left : n, (off_t)m->at);

	if (k > 0)
		m->at += (uint64_t)k;
	return k;
}

static int skip_member(void *arg, uint64_t n)
{
	struct member *m = arg;

	if (n > m->end - m->at)
		return -1;
	m->at += n;
	return 0;
}

/* torch keeps tensors as members of their own, many and large, named by numbers: "m/data/17". */
static bool is_tensor(const char *name)
{
	const char *base = strrchr(name, '/');
	uint64_t number;

	return base && base - name >= 5 && !strncmp(base - 5, "/data", 5) &&
	       wb_parse_u64(&number, base + 1);
}

static void compressed(struct wb_pickle *out)
{
	out->found = true;
	if (out->imports.n < WB_PICKLE_IMPORTS_MAX)
		*wb_vec_push(&out->imports) = (struct wb_pickle_import){
			.name = wb_strdup("(a compressed member, not looked into)"),
			.kind = WB_IMPORT_UNKNOWN};
}

/* e: the entry's header in the directory, whole with its name. */
static void scan_entry(struct wb_pickle *out, int fd, const unsigned char *e, const char *name)
{
	unsigned char local[LOCAL_HEADER];
	uint64_t offset = le(e + 42, 4), size = le(e + 20, 4);

	if (is_tensor(name))
		return;
	if (le(e + 10, 2) != 0) {
		if (wb_str_ends(name, ".pkl") || wb_str_ends(name, ".pickle"))
			compressed(out);
		return;
	}
	/* members past 4 GiB keep their offset elsewhere; pickles do not lie there */
	if (pread(fd, local, sizeof(local), (off_t)offset) != (ssize_t)sizeof(local) ||
		memcmp(local, "PK\3\4", 4))
		return;
	struct member m = {
		.fd = fd, .at = offset + LOCAL_HEADER + le(local + 26, 2) + le(local + 28, 2)};

	m.end = m.at + size;
	wb_pickle_scan(out, &(struct wb_pickle_input){read_member, skip_member, &m});
}

/* The end record, from behind; it may be followed by a comment. */
static const unsigned char *end_record(const unsigned char *tail, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (n - i >= 22 && !memcmp(tail + i, "PK\5\6", 4))
			return tail + i;
	return NULL;
}

static void scan_directory(struct wb_pickle *out, int fd, const unsigned char *d, size_t n)
{
	for (size_t at = 0; n - at >= ENTRY_HEADER && !memcmp(d + at, "PK\1\2", 4);) {
		size_t name_n = (size_t)le(d + at + 28, 2);
		size_t all = ENTRY_HEADER + name_n + (size_t)le(d + at + 30, 2) +
		             (size_t)le(d + at + 32, 2);

		if (all > n - at)
			return;
		wb_autofree char *name = wb_strndup((const char *)d + at + ENTRY_HEADER, name_n);

		scan_entry(out, fd, d + at, name);
		at += all;
	}
}

void wb_pickle_scan_zip(struct wb_pickle *out, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t n = size < TAIL_MAX ? (size_t)(size > 0 ? size : 0) : TAIL_MAX;
	wb_autofree unsigned char *tail = wb_alloc(n + 1);

	if (pread(fd, tail, n, size - (off_t)n) != (ssize_t)n)
		return;
	const unsigned char *end = end_record(tail, n);
	uint64_t bytes = end ? le(end + 12, 4) : 0, offset = end ? le(end + 16, 4) : 0;

	if (!end || bytes > DIRECTORY_MAX)
		return;
	if (offset == UINT32_MAX) /* zip64: the directory ends where its own end records begin */
		offset = (uint64_t)(size - (off_t)n) + (uint64_t)(end - tail) - 20 - 56 - bytes;
	wb_autofree unsigned char *directory = wb_alloc((size_t)bytes + 1);
	ssize_t got = pread(fd, directory, (size_t)bytes, (off_t)offset);

	if (got > 0)
		scan_directory(out, fd, directory, (size_t)got);
}
