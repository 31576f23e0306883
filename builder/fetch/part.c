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

#define MAGIC "wbuild part log 2\n"
#define LOG_MAX (256u << 20)
#define SYNC_STEP (256u << 20) /* bytes that a power loss may cost */

struct header {
	char magic[sizeof(MAGIC) - 1];
	uint8_t validator[32]; /* SHA-256 of validator and size */
};

/* A range that was written; or with start MARK_BOOT, end is the boot in which what follows is
 * written; or with start MARK_SYNCED, all before it is on the disk. */
struct record {
	uint64_t start, end, check; /* little-endian */
};

#define MARK_BOOT UINT64_MAX
#define MARK_SYNCED (UINT64_MAX - 1)

/* Another number after each start of the machine; 0 where nothing tells. */
static uint64_t this_boot(void)
{
	WB_AUTO(wb_buf_release) struct wb_buf id = WB_BUF_INIT;
	struct wb_err ignored = WB_ERR_INIT;
	struct wb_digest d;
	uint64_t boot;

	wb_buf_init(&id, 256, "boot id");
	if (wb_file_read(&id, "/proc/sys/kernel/random/boot_id", &ignored))
		return 0;
	wb_sha256_once(&d, id.data, id.len);
	memcpy(&boot, d.bytes, sizeof(boot));
	return boot;
}

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

static int log_add(const struct wb_part *p, uint64_t start, uint64_t end, struct wb_err *err)
{
	struct record r = {htole64(start), htole64(end), htole64(record_check(start, end))};

	return wb_file_write_full(p->log_fd, &r, sizeof(r), p->log_path, err);
}

static void move_ranges(struct wb_ranges *to, struct wb_ranges *from)
{
	wb_vec_foreach (r, &from->list)
		wb_ranges_add(to, r->start, r->end);
	wb_ranges_release(from);
}

/* -> the length of the log that makes sense. *same: its end was written in this boot. */
static size_t log_read(
	struct wb_ranges *have, bool *same, const struct wb_buf *log, uint64_t size, uint64_t boot)
{
	struct wb_ranges unsynced = {0};
	size_t at = sizeof(struct header);

	*same = false;
	for (; log->len - at >= sizeof(struct record); at += sizeof(struct record)) {
		struct record r;

		memcpy(&r, log->data + at, sizeof(r));
		uint64_t start = le64toh(r.start), end = le64toh(r.end);

		if (le64toh(r.check) != record_check(start, end))
			break;
		if (start == MARK_BOOT) {
			wb_ranges_release(&unsynced);
			*same = boot && end == boot;
		} else if (start == MARK_SYNCED) {
			move_ranges(have, &unsynced);
		} else if (start < end && end <= size) {
			wb_ranges_add(&unsynced, start, end);
		} else {
			break;
		}
	}
	if (*same)
		move_ranges(have, &unsynced);
	wb_ranges_release(&unsynced);
	return at;
}

/* What the log says is there, as far as the part is as long as that. False: to be started over. */
static bool log_load(
	struct wb_ranges *have, const struct wb_part *p, const struct header *want, uint64_t size)
{
	WB_AUTO(wb_buf_release) struct wb_buf log = WB_BUF_INIT;
	struct wb_err ignored = WB_ERR_INIT;
	uint64_t boot = this_boot();
	struct stat st;
	bool same;

	wb_buf_init(&log, LOG_MAX, "part log");
	if (wb_file_read(&log, p->log_path, &ignored) || log.len < sizeof(*want) ||
		memcmp(log.data, want, sizeof(*want)) != 0 || fstat(p->fd, &st))
		return false;
	size_t good = log_read(have, &same, &log, size, boot);

	wb_ranges_remove(have, (uint64_t)st.st_size, UINT64_MAX);
	/* what follows half a record would not be read */
	if ((good < log.len && ftruncate(p->log_fd, (off_t)good)) ||
		(!same && log_add(p, MARK_BOOT, boot, &ignored))) {
		wb_ranges_release(have);
		return false;
	}
	return true;
}

int wb_part_restart(struct wb_part *p, const char *validator, uint64_t size, struct wb_err *err)
{
	struct header h;

	struct stat st;

	header_make(&h, validator, size);
	/* An old log must not come back to speak of new bytes. */
	if (fstat(p->log_fd, &st) || ftruncate(p->log_fd, 0) ||
		(st.st_size && fdatasync(p->log_fd)) || ftruncate(p->fd, 0))
		return wb_err_sys(err, errno, "cannot truncate \"%s\"", p->path);
	p->to_reserve = size == UINT64_MAX ? 0 : size;
	p->unsynced = 0;
	if (wb_file_write_full(p->log_fd, &h, sizeof(h), p->log_path, err))
		return -1;
	return log_add(p, MARK_BOOT, this_boot(), err);
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

static int sync_part(struct wb_part *p, struct wb_err *err)
{
	if (fdatasync(p->fd))
		return wb_err_sys(err, errno, "cannot write \"%s\"", p->path);
	p->unsynced = 0;
	return log_add(p, MARK_SYNCED, 0, err);
}

int wb_part_note(struct wb_part *p, uint64_t start, uint64_t end, struct wb_err *err)
{
	if (log_add(p, start, end, err))
		return -1;
	p->unsynced += end - start;
	return p->unsynced < SYNC_STEP ? 0 : sync_part(p, err);
}

void wb_part_drop_log(struct wb_part *p)
{
	p->unsynced = 0;
	if (p->log_path)
		unlink(p->log_path);
}

void wb_part_release(struct wb_part *p)
{
	struct wb_err ignored = WB_ERR_INIT;

	if (p->unsynced)
		(void)sync_part(p, &ignored);
	wb_closep(&p->fd);
	wb_closep(&p->log_fd);
	free(p->path);
	free(p->log_path);
	*p = WB_PART_INIT;
}
