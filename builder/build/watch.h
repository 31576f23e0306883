/* A copy's blobs as items of a progress step. */
#ifndef WB_BUILDER_BUILD_WATCH_H
#define WB_BUILDER_BUILD_WATCH_H

#include <pthread.h>

#include "base/progress.h"
#include "oci/copy.h"

struct wb_watch {
	struct wb_copy_watch calls; /* for wb_copy_opts.watch */
	struct wb_step *step;
	/* Called as each blob is done, or NULL; set after init. */
	void (*told)(const struct wb_descriptor *d, const struct wb_put_result *how);
	pthread_mutex_t lock;
	WB_VEC(struct wb_watched {
		const struct wb_descriptor *blob;
		struct wb_item *item;
	})
	running;
};

/* The address must stay: the callbacks take it. step may be NULL. */
void wb_watch_init(struct wb_watch *w, struct wb_step *step);
void wb_watch_release(struct wb_watch *w);

#endif
