/* Looking at a file's bytes in place, in a mapping of it. Faster than reading them into a buffer,
 * and as safe: where the file ends early, or the disk fails, a look says so, and the process does
 * not die of SIGBUS.
 *
 * wb_mapped_begin() to wb_mapped_end(), which one thread calls, is the time in which looks are
 * taken, from any number of threads; only one such time at once in a process. Outside of looks
 * SIGBUS ends the process as ever. */
#ifndef WB_BASE_MAPPED_H
#define WB_BASE_MAPPED_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wb_mapped_time {
	struct sigaction saved;
};

void wb_mapped_begin(struct wb_mapped_time *t);
void wb_mapped_end(struct wb_mapped_time *t); /* SIGBUS does again what it did before */

/* size bytes of fd from offset (a multiple of the page size), read-only; NULL when that cannot be
 * mapped. munmap() ends it. */
const uint8_t *wb_mapped(int fd, uint64_t offset, size_t size);
/* Calls look(arg). False when it was ended in the middle by bytes that cannot be had: it holds no
 * lock and owns nothing, therefore, and what it has written may be half done. */
bool wb_mapped_look(void (*look)(void *arg), void *arg);

#endif
