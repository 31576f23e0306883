#include "base/http_rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

#define WAIT_MAX_MS 60000

struct bucket {
	double tokens;
	int64_t filled; /* ms */
};

struct wb_http_rate {
	uint64_t rate;
	pthread_mutex_t lock;
	struct bucket buckets[2]; /* by enum wb_http_way */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct wb_http_rate *wb_http_rate_new(uint64_t bytes_per_second)
{
	if (!bytes_per_second)
		return NULL;
	struct wb_http_rate *r = wb_zalloc(sizeof(*r));

	r->rate = bytes_per_second;
	r->buckets[WB_HTTP_DOWN].filled = r->buckets[WB_HTTP_UP].filled = now_ms();
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void wb_http_rate_free(struct wb_http_rate *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static double refilled(struct wb_http_rate *r, enum wb_http_way way)
{
	struct bucket *b = &r->buckets[way];
	int64_t now = now_ms();
	double burst = (double)r->rate / 10;

	b->tokens += (double)r->rate * (double)(now - b->filled) / 1000;
	if (b->tokens > burst)
		b->tokens = burst;
	b->filled = now;
	return b->tokens;
}

bool wb_http_rate_open(struct wb_http_rate *r, enum wb_http_way way)
{
	if (!r)
		return true;
	pthread_mutex_lock(&r->lock);
	bool open = refilled(r, way) > 0;

	pthread_mutex_unlock(&r->lock);
	return open;
}

void wb_http_rate_take(struct wb_http_rate *r, enum wb_http_way way, size_t n)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->buckets[way].tokens -= (double)n;
	pthread_mutex_unlock(&r->lock);
}

int wb_http_rate_wait(struct wb_http_rate *r, enum wb_http_way way)
{
	if (!r)
		return 0;
	pthread_mutex_lock(&r->lock);
	double tokens = refilled(r, way), ms = -tokens * 1000 / (double)r->rate;

	pthread_mutex_unlock(&r->lock);
	if (tokens > 0)
		return 0;
	return ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)ms + 1;
}
