#include "builder/build/ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"

/* Two keep a registry busy that hashes on one core for each upload, and leave the cores of this
 * machine to the packer. */
#define SENDERS 2

struct parcel {
	struct wb_descriptor desc;
	char *path; /* of the blob in the store */
};

struct wb_ahead {
	WB_VEC(struct wb_transport *) to; /* each repository once */
	struct wb_store *store;
	struct wb_step *step;
	pthread_t threads[SENDERS];
	unsigned n_threads;
	atomic_bool stop;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	WB_VEC(struct parcel) parcels;
	size_t next; /* of parcels */
	uint64_t bytes;
	bool complete; /* no more will come */
	bool tired;    /* a fault that the output may get over: it is left to it */
	struct wb_err err;
};

static bool is_open(const struct wb_ahead *a, const struct wb_reference *tag)
{
	wb_vec_foreach (t, &a->to)
		if (!strcmp((*t)->host, tag->host) && !strcmp((*t)->repository, tag->name))
			return true;
	return false;
}

static int open_all(struct wb_ahead *a, const struct wb_output_opts *o, struct wb_err *err)
{
	for (size_t i = 0; i < o->n_tags; i++) {
		WB_AUTO(wb_place_release)
		struct wb_place place = {.kind = WB_PLACE_REGISTRY, .has_reference = true};

		if (is_open(a, &o->tags[i]))
			continue;
		wb_reference_copy(&place.reference, &o->tags[i]);
		wb_reference_default_tag(&place.reference);
		struct wb_transport *t = wb_place_open(&place, WB_TRANSPORT_WRITE, o->place, err);

		if (!t)
			return -1;
		*wb_vec_push(&a->to) = t;
	}
	return 0;
}

static int send_one(struct wb_ahead *a, const struct parcel *p, struct wb_err *err)
{
	const struct wb_blob_source source = {
		.path = p->path, .whole_file = true, .allow_link = true, .trusted = true};
	struct wb_item *shown =
		wb_item_begin(a->step, p->desc.size, "%.19s", wb_digest_text(&p->desc.digest).s);
	const struct wb_put_opts opts = {
		.progress = wb_item_set_to, .progress_arg = shown, .stop = &a->stop};
	int rc = 0;

	wb_vec_foreach (t, &a->to) {
		rc = wb_transport_check_image(*t, &p->desc, 1, err) ||
		     wb_transport_put_blob(NULL, *t, &p->desc, &source, &opts, err);
		if (rc)
			break;
	}
	if (!rc)
		wb_item_set(shown, p->desc.size);
	wb_item_end(shown);
	return rc ? -1 : 0;
}

/* Lock held. */
static void note_fault(struct wb_ahead *a, const struct wb_err *err)
{
	a->tired = true;
	if (err->code == WB_ERR_NET)
		wb_debug("layers go to the registry later: %s", err->text);
	else if (a->err.code == WB_OK)
		a->err = *err;
}

static void *sender(void *arg)
{
	struct wb_ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		struct wb_err err = WB_ERR_INIT;

		while (a->next == a->parcels.n && !a->complete)
			pthread_cond_wait(&a->changed, &a->lock);
		if (a->next == a->parcels.n || a->tired || atomic_load(&a->stop))
			break;
		struct parcel p = a->parcels.items[a->next++];

		pthread_mutex_unlock(&a->lock);
		int rc = send_one(a, &p, &err);

		pthread_mutex_lock(&a->lock);
		if (rc)
			note_fault(a, &err);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

struct wb_ahead *wb_ahead_new(const struct wb_output *outputs, size_t n_outputs,
	const struct wb_output_opts *opts, struct wb_store *store)
{
	struct wb_err err = WB_ERR_INIT;
	bool push = false;

	for (size_t i = 0; i < n_outputs; i++)
		push |= outputs[i].kind == WB_OUTPUT_REGISTRY;
	if (!push)
		return NULL;
	struct wb_ahead *a = wb_zalloc(sizeof(*a));

	a->store = store;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	if (open_all(a, opts, &err)) { /* the output will say it */
		wb_ahead_free(a);
		return NULL;
	}
	a->step = wb_step_begin(opts->progress, "push layers as they are packed");
	while (a->n_threads < SENDERS &&
		!pthread_create(&a->threads[a->n_threads], NULL, sender, a))
		a->n_threads++;
	return a;
}

/* Lock held. */
static int failed(const struct wb_ahead *a, struct wb_err *err)
{
	if (a->err.code == WB_OK)
		return 0;
	*err = a->err;
	return -1;
}

int wb_ahead_check(struct wb_ahead *a, struct wb_err *err)
{
	if (!a)
		return 0;
	pthread_mutex_lock(&a->lock);
	int rc = failed(a, err);

	pthread_mutex_unlock(&a->lock);
	return rc;
}

int wb_ahead_send(struct wb_ahead *a, const struct wb_layer *l, struct wb_err *err)
{
	if (!a)
		return 0;
	pthread_mutex_lock(&a->lock);
	struct parcel *p = wb_vec_push(&a->parcels);

	wb_descriptor_set(&p->desc, l->media_type, &l->digest, l->size);
	p->path = wb_store_blob_path(a->store, &l->digest);
	a->bytes += l->size;
	wb_step_total(a->step, a->bytes);
	int rc = failed(a, err);

	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

static void join(struct wb_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->complete = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	while (a->n_threads)
		pthread_join(a->threads[--a->n_threads], NULL);
}

int wb_ahead_wait(struct wb_ahead *a, struct wb_err *err)
{
	if (!a)
		return 0;
	join(a);
	int rc = failed(a, err);

	if (!a->parcels.n)
		wb_step_cached(a->step);
	return wb_step_end(wb_steal(a->step), rc, err);
}

void wb_ahead_free(struct wb_ahead *a)
{
	if (!a)
		return;
	atomic_store(&a->stop, true);
	join(a);
	wb_vec_foreach (p, &a->parcels) {
		wb_descriptor_release(&p->desc);
		free(p->path);
	}
	wb_vec_free(&a->parcels);
	wb_vec_foreach (t, &a->to)
		wb_transport_free(*t);
	wb_vec_free(&a->to);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}
