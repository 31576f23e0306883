#include "builder/fetch/part.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/sha256.h"

#define MAGIC "wbuild part log 1\n"
#define LOG_MAX (256u << 20)

struct header {
	char magic[sizeof(MAGIC) - 1];
	uint8_t validator[32]; /* SHA-256 of validator and size */
};

struct record {
	uint64_t start, end, check; /* little-endian */
};

static void header_make(struct header *h, const char *validator, uint64_t size)
{
	wb_autofree char *text = wb_asprintf("%s\n%llu", validator, (unsigned long long)size);
	struct wb_digest d;

	memcpy(h->magic, MAGIC, sizeof(h->magic));
	wb_sha256_once(&d, text, strlen(text));
	memcpy(h->validator, d.bytes, sizeof(h->validator));
}

static uint64_t record_check(uint64_t start, uint64_t end)
{
	return (start * 0x9e3779b97f4a7c15u ^ end) * 0xc2b2ae3d27d4eb4fu + 1;
}

static void log_read(struct wb_ranges *have, const struct wb_buf *log, uint64_t size)
{
	for (size_t at = sizeof(struct header); log->len - at >= sizeof(struct record);
		at += sizeof(struct record)) {
		struct record r;

		memcpy(&r, log->data + at, sizeof(r));
		uint64_t start = le64toh(r.start), end = le64toh(r.end);

		if (le64toh(r.check) != record_check(start, end) || start >= end || end > size)
			return;
		wb_ranges_add(have, start, end);
	}
}

/* What the log says is there, as far as the part is as long as that. */
static bool log_load(
	struct wb_ranges *have, const struct wb_part *p, const struct header *want, uint64_t size)
{
	WB_AUTO(wb_buf_release) struct wb_buf log = WB_BUF_INIT;
	struct wb_err ignored = WB_ERR_INIT;
	struct stat st;

	wb_buf_init(&log, LOG_MAX, "part log");
	if (wb_file_read(&log, p->log_path, &ignored) || log.len < sizeof(*want) ||
		memcmp(log.data, want, sizeof(*want)) != 0 || fstat(p->fd, &st))
		return false;
	log_read(have, &log, size);
	wb_ranges_remove(have, (uint64_t)st.st_size, UINT64_MAX);
	return true;
}

int wb_part_restart(struct wb_part *p, const char *validator, uint64_t size, struct wb_err *err)
{
	struct header h;

	header_make(&h, validator, size);
	if (ftruncate(p->fd, 0) || ftruncate(p->log_fd, 0))
		return wb_err_sys(err, errno, "cannot truncate \"%s\"", p->path);
	p->to_reserve = size == UINT64_MAX ? 0 : size;
	return wb_file_write_full(p->log_fd, &h, sizeof(h), p->log_path, err);
}

/* Fewer extents, and writes of known places are faster; a file system that cannot is fine. In
 * memory there are no extents, and taking all pages at once would hold everything up. */
int wb_part_reserve(struct wb_part *p, struct wb_err *err)
{
	uint64_t n = p->to_reserve;
	struct statfs fs;

	p->to_reserve = 0;
	if (n == 0 || (fstatfs(p->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC))
		return 0;
	if (fallocate(p->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)n) && errno == ENOSPC)
		return wb_err_sys(err, ENOSPC, "cannot reserve %llu bytes for \"%s\"",
			(unsigned long long)n, p->path);
	return 0;
}

int wb_part_open(struct wb_part *out, struct wb_ranges *have, struct wb_store *s, const char *key,
	const char *validator, uint64_t size, struct wb_err *err)
{
	WB_AUTO(wb_part_release) struct wb_part p = WB_PART_INIT;
	struct header h;

	p.path = wb_store_part_path(s, key);
	p.log_path = wb_asprintf("%s.log", p.path);
	p.fd = open(p.path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p.fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", p.path);
	p.log_fd = open(p.log_path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p.log_fd < 0)
		return wb_err_sys(err, errno, "cannot open \"%s\"", p.log_path);
	header_make(&h, validator, size);
	if ((size == UINT64_MAX || !log_load(have, &p, &h, size)) &&
		wb_part_restart(&p, validator, size, err))
		return -1;
	*out = p;
	p = WB_PART_INIT;
	return 0;
}

int wb_part_note(const struct wb_part *p, uint64_t start, uint64_t end, struct wb_err *err)
{
	struct record r = {htole64(start), htole64(end), htole64(record_check(start, end))};

	return wb_file_write_full(p->log_fd, &r, sizeof(r), p->log_path, err);
}

void wb_part_drop_log(struct wb_part *p)
{
	if (p->log_path)
		unlink(p->log_path);
}

void wb_part_release(struct wb_part *p)
{
	wb_closep(&p->fd);
	wb_closep(&p->log_fd);
	free(p->path);
	free(p->log_path);
	*p = WB_PART_INIT;
}
