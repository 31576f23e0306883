#include "base/mapped.h"

#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>

/* The look that this thread takes. A signal handler has no other place to find it. */
static _Thread_local sigjmp_buf *looking;

static void on_bus_error(int signum)
{
	if (looking)
		siglongjmp(*looking, 1);
	/* not of our making: the same instruction again, and the end */
	signal(signum, SIG_DFL);
}

void wb_mapped_begin(struct wb_mapped_time *t)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_bus_error;
	sigaction(SIGBUS, &action, &t->saved);
}

void wb_mapped_end(struct wb_mapped_time *t)
{
	sigaction(SIGBUS, &t->saved, NULL);
}

const uint8_t *wb_mapped(int fd, uint64_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
}

bool wb_mapped_look(void (*look)(void *arg), void *arg)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 1)) { /* the signal is blocked while it is handled */
		looking = NULL;
		return false;
	}
	looking = &here;
	look(arg);
	looking = NULL;
	return true;
}
