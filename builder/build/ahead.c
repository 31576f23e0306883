#include "builder/build/ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "oci/registry.h"

/* Two keep a registry busy that hashes on one core for each upload, and leave the cores of this
 * machine to the packer. */
#define SENDERS 2

struct parcel {
	const struct wb_layer *layer;
	bool taken, done; /* by a sender; packed, and then: */
	struct wb_descriptor desc;
	char *path;                 /* of the blob in the store */
	struct wb_growing *growing; /* while it is being packed; or NULL */
};

/* May layers be sent before they are done? */
enum early { EARLY_UNKNOWN, EARLY_YES, EARLY_NO };

struct wb_ahead {
	WB_VEC(struct wb_transport *) to; /* each repository once */
	struct wb_store *store;
	const struct wb_output_opts *opts;
	struct wb_step *step;
	pthread_t threads[SENDERS];
	unsigned n_threads;
	atomic_bool stop;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	WB_VEC(struct parcel) parcels;
	enum early early;
	bool early_busy; /* a sender has one: the others are for what is done */
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

static int send_one(
	struct wb_ahead *a, const struct parcel *p, struct wb_early *early, struct wb_err *err)
{
	const struct wb_blob_source source = {
		.path = p->path, .whole_file = true, .allow_link = true, .trusted = true};
	struct wb_item *shown =
		wb_item_begin(a->step, p->desc.size, "%.19s", wb_digest_text(&p->desc.digest).s);
	const struct wb_put_opts opts = {.early = early,
		.progress = wb_item_set_to,
		.progress_arg = shown,
		.stop = &a->stop};
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

/* --- before they are done ------------------------------------------------------------------- */

/* A tag that nobody has used yet. */
static bool is_new(const struct wb_ahead *a)
{
	WB_AUTO(wb_place_release)
	struct wb_place place = {.kind = WB_PLACE_REGISTRY, .has_reference = true};
	WB_AUTO(wb_document_release) struct wb_document found = WB_DOCUMENT_INIT;
	struct wb_err err = WB_ERR_INIT;

	wb_reference_copy(&place.reference, &a->opts->tags[0]);
	wb_reference_default_tag(&place.reference);
	WB_AUTO(wb_transport_freep)
	struct wb_transport *t = wb_place_open(&place, WB_TRANSPORT_READ, a->opts->place, &err);

	return t && wb_transport_resolve(&found, t, NULL, &err) && err.code == WB_ERR_NOT_FOUND;
}

/* Until it is done, or comes to nothing: *good. The error only says why it is not sent early. */
static int follow(bool *good, struct wb_early *e, struct wb_growing *g, struct wb_err *err)
{
	bool ended = false;

	while (!ended && wb_growing_look(g, 0, wb_early_want(e), true) == WB_GROWTH_THERE) {
		uint64_t upto = wb_growing_reached(g, &ended);

		if (!ended && wb_early_send(e, upto, err))
			return -1;
	}
	*good = !wb_growing_failed(g);
	return 0;
}

/* Lock held. It is left until it is done, like all that follow. */
static void leave(struct wb_ahead *a, size_t index, const struct wb_err *err)
{
	wb_debug("layers go to the registry when they are packed: %s", err->text);
	a->early = EARLY_NO;
	a->parcels.items[index].taken = false;
	if (err->code == WB_ERR_AUTH && a->err.code == WB_OK) {
		a->tired = true;
		a->err = *err;
	}
}

/* Lock held, but not all the time. */
static int send_early(struct wb_ahead *a, size_t index, struct wb_err *err)
{
	struct wb_growing *g = a->parcels.items[index].growing;
	struct wb_err why = WB_ERR_INIT;
	bool good = false;

	pthread_mutex_unlock(&a->lock);
	struct wb_early *e = wb_early_new(a->to.items[0], wb_growing_fd(g), &a->stop);
	int rc = follow(&good, e, g, &why);

	pthread_mutex_lock(&a->lock);
	a->early_busy = false;
	pthread_cond_broadcast(&a->changed);
	if (rc)
		leave(a, index, &why);
	struct parcel p = a->parcels.items[index];

	pthread_mutex_unlock(&a->lock);
	rc = !rc && good ? send_one(a, &p, e, err) : 0;
	wb_early_free(e);
	pthread_mutex_lock(&a->lock);
	return rc;
}

/* --- senders -------------------------------------------------------------------------------- */

/* Lock held. What is done goes first. -> its index, or that past the end. */
static size_t pick(struct wb_ahead *a, bool *early)
{
	size_t growing = SIZE_MAX;

	for (size_t i = 0; i < a->parcels.n; i++) {
		const struct parcel *p = &a->parcels.items[i];

		*early = false;
		if (p->done && !p->taken)
			return i;
		if (!p->taken && !p->done && growing == SIZE_MAX)
			growing = i;
	}
	*early = growing != SIZE_MAX;
	return *early && !a->early_busy && a->early != EARLY_NO ? growing : SIZE_MAX;
}

/* Lock held, but not all the time. */
static int send_picked(struct wb_ahead *a, size_t index, bool early, struct wb_err *err)
{
	struct parcel *p = &a->parcels.items[index];

	p->taken = true;
	if (early) {
		a->early_busy = true;
		return send_early(a, index, err);
	}
	struct parcel copy = *p;

	pthread_mutex_unlock(&a->lock);
	int rc = send_one(a, &copy, NULL, err);

	pthread_mutex_lock(&a->lock);
	return rc;
}

/* Lock held, but not all the time: asked once, when the first could leave early. */
static void settle_early(struct wb_ahead *a)
{
	a->early_busy = true;
	pthread_mutex_unlock(&a->lock);
	bool yes = is_new(a);

	pthread_mutex_lock(&a->lock);
	a->early = yes ? EARLY_YES : EARLY_NO;
	a->early_busy = false;
}

static void *sender(void *arg)
{
	struct wb_ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->tired && !atomic_load(&a->stop)) {
		struct wb_err err = WB_ERR_INIT;
		bool early;
		size_t index = pick(a, &early);

		if (index == SIZE_MAX && a->complete)
			break;
		if (index == SIZE_MAX)
			pthread_cond_wait(&a->changed, &a->lock);
		else if (early && a->early == EARLY_UNKNOWN)
			settle_early(a);
		else if (send_picked(a, index, early, &err))
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
	a->opts = opts;
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

void wb_ahead_grows(struct wb_ahead *a, const struct wb_layer *l, struct wb_growing *g)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	*wb_vec_push(&a->parcels) = (struct parcel){.layer = l, .growing = wb_growing_ref(g)};
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* Lock held. That of a layer that was seen growing is there, and its last one counts. */
static struct parcel *parcel_of(struct wb_ahead *a, const struct wb_layer *l)
{
	for (size_t i = a->parcels.n; i--;)
		if (a->parcels.items[i].layer == l && !a->parcels.items[i].done)
			return &a->parcels.items[i];
	struct parcel *p = wb_vec_push(&a->parcels);

	*p = (struct parcel){.layer = l};
	return p;
}

int wb_ahead_send(struct wb_ahead *a, const struct wb_layer *l, struct wb_err *err)
{
	if (!a)
		return 0;
	pthread_mutex_lock(&a->lock);
	struct parcel *p = parcel_of(a, l);

	p->done = true;
	wb_descriptor_set(&p->desc, l->media_type, &l->digest, l->size);
	p->path = wb_store_blob_path(a->store, &l->digest);
	a->bytes += l->size;
	wb_step_total(a->step, a->bytes);
	int rc = failed(a, err);

	pthread_cond_broadcast(&a->changed);
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
		wb_growing_unref(p->growing);
	}
	wb_vec_free(&a->parcels);
	wb_vec_foreach (t, &a->to)
		wb_transport_free(*t);
	wb_vec_free(&a->to);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}
