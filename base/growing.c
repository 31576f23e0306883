#include "base/growing.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"

enum state { GROWS, GOOD, BAD };

struct wb_growing {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fd;
	unsigned refs, round;
	uint64_t upto;
	enum state state;
};

struct wb_growing *wb_growing_new(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return NULL;
	struct wb_growing *g = wb_zalloc(sizeof(*g));

	g->fd = own;
	g->refs = 1;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	return g;
}

struct wb_growing *wb_growing_ref(struct wb_growing *g)
{
	pthread_mutex_lock(&g->lock);
	g->refs++;
	pthread_mutex_unlock(&g->lock);
	return g;
}

void wb_growing_unref(struct wb_growing *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	bool last = --g->refs == 0;

	pthread_mutex_unlock(&g->lock);
	if (!last)
		return;
	wb_closep(&g->fd);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->changed);
	free(g);
}

void wb_growing_reach(struct wb_growing *g, uint64_t upto)
{
	pthread_mutex_lock(&g->lock);
	if (upto > g->upto) {
		g->upto = upto;
		pthread_cond_broadcast(&g->changed);
	}
	pthread_mutex_unlock(&g->lock);
}

void wb_growing_restart(struct wb_growing *g)
{
	pthread_mutex_lock(&g->lock);
	g->round++;
	g->upto = 0;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

void wb_growing_end(struct wb_growing *g, bool good)
{
	pthread_mutex_lock(&g->lock);
	if (g->state == GROWS) {
		g->state = good ? GOOD : BAD;
		pthread_cond_broadcast(&g->changed);
	}
	pthread_mutex_unlock(&g->lock);
}

int wb_growing_fd(const struct wb_growing *g)
{
	return g->fd;
}

unsigned wb_growing_round(struct wb_growing *g)
{
	pthread_mutex_lock(&g->lock);
	unsigned round = g->round;

	pthread_mutex_unlock(&g->lock);
	return round;
}

/* Lock held. */
static enum wb_growth look(const struct wb_growing *g, unsigned round, uint64_t upto)
{
	if (g->round != round || g->state == BAD)
		return WB_GROWTH_VOID;
	return g->state == GOOD || upto <= g->upto ? WB_GROWTH_THERE : WB_GROWTH_LATER;
}

enum wb_growth wb_growing_look(struct wb_growing *g, unsigned round, uint64_t upto, bool wait)
{
	enum wb_growth growth;

	pthread_mutex_lock(&g->lock);
	while ((growth = look(g, round, upto)) == WB_GROWTH_LATER && wait)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return growth;
}

uint64_t wb_growing_reached(struct wb_growing *g, bool *ended)
{
	pthread_mutex_lock(&g->lock);
	uint64_t upto = g->upto;

	*ended = g->state != GROWS;
	pthread_mutex_unlock(&g->lock);
	return upto;
}

bool wb_growing_failed(struct wb_growing *g)
{
	pthread_mutex_lock(&g->lock);
	bool failed = g->state == BAD;

	pthread_mutex_unlock(&g->lock);
	return failed;
}
