#include "builder/build/watch.h"

static void start(void *arg, const struct wb_descriptor *d)
{
	struct wb_watch *w = arg;
	struct wb_item *item =
		wb_item_begin(w->step, d->size, "%.19s", wb_digest_text(&d->digest).s);

	pthread_mutex_lock(&w->lock);
	*wb_vec_push(&w->running) = (struct wb_watched){d, item};
	pthread_mutex_unlock(&w->lock);
}

static struct wb_watched *find(struct wb_watch *w, const struct wb_descriptor *d)
{
	wb_vec_foreach (it, &w->running)
		if (it->blob == d)
			return it;
	return NULL;
}

static void progress(void *arg, const struct wb_descriptor *d, uint64_t done)
{
	struct wb_watch *w = arg;

	pthread_mutex_lock(&w->lock);
	struct wb_watched *it = find(w, d);
	struct wb_item *item = it ? it->item : NULL;

	pthread_mutex_unlock(&w->lock);
	wb_item_set(item, done);
}

static void end(void *arg, const struct wb_descriptor *d, const struct wb_put_result *how)
{
	struct wb_watch *w = arg;
	struct wb_item *item = NULL;

	pthread_mutex_lock(&w->lock);
	struct wb_watched *it = find(w, d);

	if (it) {
		item = it->item;
		*it = w->running.items[--w->running.n];
	}
	pthread_mutex_unlock(&w->lock);
	wb_item_set(item, d->size); /* what was there already counts too */
	wb_item_end(item);
	if (w->told)
		w->told(d, how);
}

void wb_watch_init(struct wb_watch *w, struct wb_step *step)
{
	*w = (struct wb_watch){
		.calls = {.start = start, .progress = progress, .end = end, .arg = w},
		.step = step,
	};
	pthread_mutex_init(&w->lock, NULL);
}

void wb_watch_release(struct wb_watch *w)
{
	/* a failed copy ends what was under way without a word */
	wb_vec_foreach (it, &w->running)
		wb_item_end(it->item);
	wb_vec_free(&w->running);
	pthread_mutex_destroy(&w->lock);
}
