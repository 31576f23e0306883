/* An unfinished download in the store: DIR/parts/<key>.part with the bytes at their places, and
 * beside it <key>.part.log, which says what of them is there. The log is appended to after each
 * write and holds for one state of the source only (its validator): another one starts over. A
 * record that was cut by a crash ends the log.
 *
 * What was written is not on the disk yet, and the log may get there first. It says so itself, from
 * time to time, of all that stands before; and it names the boot of the machine that it was written
 * in. In that boot all of it is believed, in another one only what had reached the disk. One thread
 * at a time. */
#ifndef WB_BUILDER_FETCH_PART_H
#define WB_BUILDER_FETCH_PART_H

#include "builder/fetch/ranges.h"
#include "layers/store.h"

struct wb_part {
	char *path, *log_path;
	int fd, log_fd;
	uint64_t to_reserve; /* bytes of disk space, before the first write; 0: none */
	uint64_t unsynced;   /* bytes noted since all was on the disk */
};
#define WB_PART_INIT ((struct wb_part){.fd = -1, .log_fd = -1})

/* *have: what an earlier run left. size UINT64_MAX: unknown, nothing is kept from earlier. */
int wb_part_open(struct wb_part *out, struct wb_ranges *have, struct wb_store *s, const char *key,
	const char *validator, uint64_t size, struct wb_err *err);
/* Takes the disk space for the whole file, once; may last where the file system is slow at it. One
 * thread at a time, like writes. */
int wb_part_reserve(struct wb_part *p, struct wb_err *err);
/* The bytes [start, end) are written. */
int wb_part_note(struct wb_part *p, uint64_t start, uint64_t end, struct wb_err *err);
/* Starts over, with an empty file and log. */
int wb_part_restart(struct wb_part *p, const char *validator, uint64_t size, struct wb_err *err);
void wb_part_drop_log(struct wb_part *p); /* the part became a blob */
void wb_part_release(struct wb_part *p);  /* syncs what is to be continued; the files stay */

#endif
