#include "base/pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cancel.h"

struct group {
	pthread_mutex_t lock;
	size_t next, n;
	wb_pool_fn *job;
	void *arg;
	bool failed;
	struct wb_err first;
};

static bool take(struct group *g, size_t *index)
{
	pthread_mutex_lock(&g->lock);
	bool more = !g->failed && g->next < g->n && !wb_cancelled();

	if (more)
		*index = g->next++;
	pthread_mutex_unlock(&g->lock);
	return more;
}

static void *work(void *arg)
{
	struct group *g = arg;
	size_t index;

	while (take(g, &index)) {
		struct wb_err err = WB_ERR_INIT;

		if (g->job(g->arg, index, &err) == 0)
			continue;
		pthread_mutex_lock(&g->lock);
		if (!g->failed)
			g->first = err;
		g->failed = true;
		pthread_mutex_unlock(&g->lock);
	}
	return NULL;
}

unsigned wb_pool_cpu_max(const char *text)
{
	char *end;
	unsigned long long quota = strtoull(text, &end, 10), period;

	if (*text < '0' || *text > '9' || *end != ' ')
		return 0;
	period = strtoull(end + 1, NULL, 10);
	if (!quota || !period || quota / period > WB_POOL_MAX)
		return 0;
	return (unsigned)((quota + period - 1) / period);
}

/* More threads than the quota gives only take turns, and are stopped in the middle of them. Inside
 * of a container, its own cgroup is the root of what it sees. */
static unsigned quota(void)
{
	char text[64];
	int fd = open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return wb_pool_cpu_max(text);
}

unsigned wb_pool_cores(void)
{
	cpu_set_t set;
	/* a machine with more processors than the set can hold has enough of them */
	long n = sched_getaffinity(0, sizeof(set), &set) ? sysconf(_SC_NPROCESSORS_ONLN)
	                                                 : CPU_COUNT(&set);
	unsigned cores = n < 1 ? 1 : n > WB_POOL_MAX ? WB_POOL_MAX : (unsigned)n;
	unsigned limit = quota();

	return limit && limit < cores ? limit : cores;
}

int wb_pool_run(unsigned threads, size_t n, wb_pool_fn *job, void *arg, struct wb_err *err)
{
	struct group g = {.lock = PTHREAD_MUTEX_INITIALIZER, .n = n, .job = job, .arg = arg};
	pthread_t ids[WB_POOL_MAX];
	unsigned started = 0;

	if (!threads)
		threads = wb_pool_cores();
	if (threads > WB_POOL_MAX)
		threads = WB_POOL_MAX;
	if (threads > n)
		threads = (unsigned)n;
	/* fewer threads than asked for is slower, not wrong */
	while (started + 1 < threads && !pthread_create(&ids[started], NULL, work, &g))
		started++;
	work(&g);
	for (unsigned i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	if (g.failed) {
		*err = g.first;
		return -1;
	}
	return g.next < n ? wb_cancel_check(err) : 0;
}
