/* The packing pipeline: see pack.h, and docs/architecture.md, "Where the work is heavy".
 *
 * Each worker either drives a layer or, when none is left, encodes pieces of layers that others
 * drive. A driver alone touches its layer's stream, digests and blob file; helpers see one slot at
 * a time. A slot's way: FREE, filled by the driver: READ, claimed by anyone: BUSY, encoded: DONE,
 * hashed and written by the driver: FREE. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/cancel.h"
#include "base/crc64.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "layers/chunked.h"
#include "layers/content.h"
#include "layers/frames.h"
#include "layers/pack.h"
#include "layers/states.h"

enum { RING_MIN = 2, RING_MAX = 16 };

#define SHOWN_MIN (32u << 20) /* content bytes of a layer whose blob is shown while it grows */

enum slot_state { SLOT_FREE, SLOT_READ, SLOT_BUSY, SLOT_DONE };

struct slot {
	enum slot_state state;
	uint8_t *in, *out;
	size_t in_n, out_n;
	uint32_t crc;
	uint64_t content_crc; /* CRC-64, where the layer gets a table of contents */
	bool listed;          /* it does, and this is content */
	struct wb_node *file; /* the large file that it is a piece of, or NULL */
	int old_fd; /* the piece is there, encoded: old_n bytes at old_at of this blob; or -1 */
	uint64_t old_at;
	size_t old_n;
};

/* Where a large file's encoded pieces lie in the blob being written. */
struct placed {
	struct wb_node *file;
	struct wb_frames frames;
};

/* A layer that is being packed. */
struct drive {
	struct wb_stream stream;
	struct wb_store_writer writer;
	struct wb_growing *growing; /* the blob, for who wants to send it meanwhile; or NULL */
	struct wb_sha256 diff, blob, file;
	bool hashes_file;         /* the open large file's digest or states are not known */
	struct wb_digest *states; /* of that file */
	struct wb_node *wrong; /* a file whose bytes are not those of its known digest, or NULL */
	struct wb_frames old;  /* the open large file's pieces in another blob */
	int old_fd;            /* that blob, or -1 */
	uint64_t old_at;
	WB_VEC(struct placed) placed;
	bool listed; /* it gets a table of contents, of these files: */
	WB_VEC(struct wb_chunked_span) spans;
	uint32_t crc;
	uint64_t tar_size;
	size_t head, tail; /* slots[head % ring] is the oldest not written, tail the next to fill */
	size_t ring;
	struct slot slots[RING_MAX];
};

struct wb_pipeline {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct wb_pack_opts *opts;
	struct wb_store *store;
	struct wb_pack_work work;
	WB_VEC(size_t) offered;
	size_t next;  /* of offered */
	size_t slots; /* that are not given to a layer */
	unsigned workers, idle;
	unsigned drivers;      /* workers that may drive a layer: there are slots for so many */
	unsigned driving;      /* layers that were taken and are not done */
	struct drive **active; /* one place per worker, NULL when that one drives nothing */
	bool failed;
};

/* A layer's share of the slots: more when few layers are left to share them with, but no more than
 * the workers keep busy: fewer buffers go round in the processor's cache. */
static size_t take_ring(struct wb_pipeline *p)
{
	size_t most = (size_t)p->workers + RING_MIN;

	pthread_mutex_lock(&p->lock);
	size_t others = p->drivers - p->driving, left = p->work.n - p->next;
	size_t ring = p->slots / ((left < others ? left : others) + 1);

	most = most < RING_MAX ? most : RING_MAX;
	ring = ring < RING_MIN ? RING_MIN : ring > most ? most : ring;
	p->slots -= ring;
	pthread_mutex_unlock(&p->lock);
	return ring;
}

static void give_ring_back(struct wb_pipeline *p, size_t ring)
{
	pthread_mutex_lock(&p->lock);
	p->slots += ring;
	p->driving--;
	pthread_cond_broadcast(&p->changed); /* it may have been the last */
	pthread_mutex_unlock(&p->lock);
}

static void drive_release(struct drive *d)
{
	if (d->growing)
		wb_growing_end(d->growing, false); /* unless it is good already */
	wb_growing_unref(d->growing);
	wb_stream_release(&d->stream);
	wb_store_writer_release(&d->writer);
	free(d->states);
	wb_frames_release(&d->old);
	wb_closep(&d->old_fd);
	wb_vec_foreach (p, &d->placed)
		wb_frames_release(&p->frames);
	wb_vec_free(&d->placed);
	wb_vec_free(&d->spans);
	for (size_t i = 0; i < d->ring; i++) {
		wb_closep(&d->slots[i].old_fd);
		free(d->slots[i].in);
		free(d->slots[i].out);
	}
}

static void show_growing(struct drive *d, struct wb_pipeline *p, size_t index)
{
	const struct wb_pack_opts *o = p->opts;

	if (!o->layer_grows || p->work.planned[index].bytes < SHOWN_MIN)
		return;
	d->growing = wb_growing_new(d->writer.file.fd);
	if (d->growing)
		o->layer_grows(o->hook_arg, &p->work.layers[index], d->growing);
}

static int drive_init(
	struct drive *d, struct wb_pipeline *p, size_t index, size_t ring, struct wb_err *err)
{
	const struct wb_planned_layer *layer = &p->work.planned[index];
	const struct wb_codec *codec = &p->opts->codec;
	uint8_t head[WB_CODEC_TRIM];

	*d = (struct drive){.ring = ring, .writer = WB_STORE_WRITER_INIT, .old_fd = -1};
	wb_stream_init(&d->stream, layer, &p->opts->stream);
	d->listed = wb_chunked_fits(layer, codec);
	wb_sha256_init(&d->diff);
	wb_sha256_init(&d->blob);
	for (size_t i = 0; i < d->ring; i++) {
		d->slots[i].old_fd = -1;
		d->slots[i].in = wb_alloc_pages(WB_PIECE_MAX);
		if (codec->compression != WB_COMPRESS_NONE)
			d->slots[i].out = wb_alloc_pages(wb_codec_bound(codec, WB_PIECE_MAX));
	}
	if (wb_store_writer_init(&d->writer, p->store, layer->bytes, err))
		return -1;
	size_t n = wb_codec_head(codec, head);

	wb_sha256_update(&d->blob, head, n);
	wb_file_write(&d->writer.file, head, n);
	show_growing(d, p, index);
	return 0;
}

static void write_blob(struct drive *d, const void *bytes, size_t n)
{
	wb_file_write(&d->writer.file, bytes, n);
	if (d->growing)
		wb_growing_reach(d->growing, d->writer.file.size);
}

/* --- digests ------------------------------------------------------------------------------ */

/* A file that still comes has its digest computed by who brings it, who leaves its states in the
 * store: a second chain over it would only find the same. */
static bool needs_hash(const struct wb_node *file)
{
	if (!file->content.digest_known)
		return true;
	return !file->growing && !file->states && wb_states_count(file->content.size);
}

static void begin_file(struct wb_pipeline *p, struct drive *d, struct wb_node *file)
{
	const struct wb_content *c = &file->content;

	if (c->digest_known && !file->states)
		file->states = wb_states_recall(p->store, &c->digest, c->size);
	d->hashes_file = needs_hash(file);
	wb_sha256_init(&d->file);
	free(d->states);
	d->states = wb_states_new(c->size);
}

static void end_file(struct wb_pipeline *p, struct drive *d, struct wb_node *file)
{
	struct wb_content *c = &file->content;
	struct wb_digest got;

	wb_sha256_final(&d->file, &got);
	if (c->digest_known && !wb_digest_equal(&got, &c->digest)) {
		d->wrong = file;
		return;
	}
	c->digest = got;
	c->digest_known = true;
	free(file->states);
	file->states = wb_steal(d->states);
	wb_states_remember(p->store, &c->digest, c->size, file->states);
}

/* One pass over a piece for all of its digests, together with the blob's over encoded bytes. */
static void hash_step(struct wb_pipeline *p, struct drive *d, const struct wb_piece *piece,
	const uint8_t *in, const struct slot *done)
{
	struct wb_sha256 *same[WB_SHA256_SAME_MAX];
	bool hashes_file;
	size_t n = 0;

	if (piece->n)
		same[n++] = &d->diff;
	if (piece->file && !piece->offset)
		begin_file(p, d, piece->file);
	hashes_file = piece->file && d->hashes_file;
	if (hashes_file)
		same[n++] = &d->file;
	wb_sha256_joint(same, n, in, piece->n, done ? &d->blob : NULL, done ? done->out : NULL,
		done ? done->out_n : 0);
	if (hashes_file)
		wb_states_note(d->states, &d->file, piece->file->content.size);
	if (hashes_file && piece->last)
		end_file(p, d, piece->file);
	d->tar_size += piece->n;
}

/* --- pieces that another layer holds ------------------------------------------------------ */

/* At a large file's first piece: was it encoded before? */
static void look_for_old(struct wb_pipeline *p, struct drive *d, const struct wb_piece *piece)
{
	const struct wb_content *c = &piece->file->content;
	struct wb_err ignored = WB_ERR_INIT;

	wb_closep(&d->old_fd);
	wb_frames_release(&d->old);
	if (!c->digest_known || c->size < WB_FRAMES_MIN ||
		!wb_frames_recall(&d->old, p->store, &p->opts->codec, &c->digest, c->size))
		return;
	d->old_fd = wb_store_open_blob(p->store, &d->old.blob, NULL, &ignored);
	d->old_at = d->old.offset;
}

/* A slot has a descriptor of its own: when the next file begins, pieces of this one still wait for
 * an encoder. */
static void fill_old(
	struct wb_pipeline *p, struct drive *d, struct slot *s, const struct wb_piece *piece)
{
	s->file = piece->file;
	s->listed = piece->file && d->listed;
	if (!piece->file)
		return;
	if (piece->offset == 0)
		look_for_old(p, d, piece);
	if (d->old_fd < 0)
		return;
	s->old_fd = fcntl(d->old_fd, F_DUPFD_CLOEXEC, 0);
	s->old_at = d->old_at;
	s->old_n = d->old.sizes.items[piece->offset / WB_PIECE_MAX];
	d->old_at += s->old_n;
}

/* Notes where a piece of a large file went, for the next time. */
static void note_placed(struct drive *d, const struct slot *s)
{
	struct placed *last = d->placed.n ? &d->placed.items[d->placed.n - 1] : NULL;

	if (!s->file || s->file->content.size < WB_FRAMES_MIN)
		return;
	if (!last || last->file != s->file) {
		last = wb_vec_push(&d->placed);
		last->file = s->file;
		last->frames.offset = d->writer.file.size;
	}
	*wb_vec_push(&last->frames.sizes) = (uint32_t)s->out_n;
}

/* Where a file's content is, for the table of contents. */
static void note_span(struct drive *d, const struct slot *s)
{
	struct wb_chunked_span *last = d->spans.n ? &d->spans.items[d->spans.n - 1] : NULL;

	if (!s->listed)
		return;
	if (!last || last->file != s->file) {
		last = wb_vec_push(&d->spans);
		last->file = s->file;
		last->offset = d->writer.file.size;
	}
	last->end = d->writer.file.size + s->out_n;
	last->crc = wb_crc64_join(last->crc, s->content_crc, s->in_n);
}

static void remember_placed(struct wb_pipeline *p, struct drive *d, const struct wb_digest *blob)
{
	wb_vec_foreach (it, &d->placed) {
		it->frames.blob = *blob;
		wb_frames_remember(&it->frames, p->store, &p->opts->codec,
			&it->file->content.digest, it->file->content.size);
	}
}

/* --- slots -------------------------------------------------------------------------------- */

/* The oldest slot of d that waits for an encoder, now claimed, or NULL. Lock held. */
static struct slot *claim(struct drive *d)
{
	for (size_t i = d->head; i != d->tail; i++) {
		struct slot *s = &d->slots[i % d->ring];

		if (s->state == SLOT_READ) {
			s->state = SLOT_BUSY;
			return s;
		}
	}
	return NULL;
}

static void encode(struct wb_pipeline *p, struct wb_encoder *e, struct slot *s)
{
	struct wb_err ignored = WB_ERR_INIT;
	size_t n = s->old_n;

	/* What the store holds may have rotted since: it must still say what the file says. */
	if (s->old_fd >= 0 &&
		!wb_file_read_full(s->old_fd, s->out, n, (int64_t)s->old_at, "", &ignored) &&
		wb_encoder_confirms(e, s->out, n, s->in, s->in_n))
		s->crc = wb_codec_crc(&p->opts->codec, s->in, s->in_n);
	else
		n = wb_encode(e, s->out, s->in, s->in_n, &s->crc);
	wb_closep(&s->old_fd);
	if (s->listed)
		s->content_crc = wb_crc64(0, s->in, s->in_n);
	pthread_mutex_lock(&p->lock);
	s->out_n = n;
	s->state = SLOT_DONE;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Is it time for the next piece? To wait for one that still has to come is what is done last. */
static bool wants_piece(const struct drive *d)
{
	return d->tail - d->head < d->ring && (d->head == d->tail || wb_stream_ready(&d->stream));
}

/* Fills the next slot if one is free. *fresh NULL: not now, or the stream has ended. */
static int fill(struct slot **fresh, struct wb_piece *piece, struct wb_pipeline *p, struct drive *d,
	bool *more, struct wb_err *err)
{
	struct slot *s = &d->slots[d->tail % d->ring];

	*fresh = NULL;
	*piece = (struct wb_piece){0};
	if (!*more || !wants_piece(d))
		return 0;
	if (wb_stream_next(piece, &d->stream, s->in, err))
		return -1;
	*more = piece->n != 0;
	if (!*more)
		return 0;
	s->in_n = piece->n;
	fill_old(p, d, s, piece);
	*fresh = s;
	pthread_mutex_lock(&p->lock);
	s->state = SLOT_READ;
	d->tail++;
	if (p->idle)
		pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* What the driver does next when it has hashed and written what it could. */
static struct slot *choose(struct wb_pipeline *p, struct drive *d, bool progressed)
{
	struct slot *mine = NULL;

	pthread_mutex_lock(&p->lock);
	/* With helpers about, reading ahead comes first; encoding here only when that is done. */
	if (!p->idle || !progressed || d->tail - d->head == d->ring)
		mine = claim(d);
	if (!mine && !progressed)
		while (d->head != d->tail && d->slots[d->head % d->ring].state == SLOT_BUSY)
			pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return mine;
}

static struct slot *oldest_done(struct wb_pipeline *p, struct drive *d, const struct slot *fresh)
{
	struct slot *s = &d->slots[d->head % d->ring];

	pthread_mutex_lock(&p->lock);
	bool done = d->head != d->tail && s != fresh && s->state == SLOT_DONE;

	pthread_mutex_unlock(&p->lock);
	return done ? s : NULL;
}

static void retire(struct wb_pipeline *p, struct drive *d, struct slot *s)
{
	const struct wb_codec *codec = &p->opts->codec;

	d->crc = wb_codec_crc_join(codec, d->crc, s->crc, s->in_n);
	note_placed(d, s);
	note_span(d, s);
	write_blob(d, s->out, s->out_n);
	pthread_mutex_lock(&p->lock);
	s->state = SLOT_FREE;
	d->head++;
	pthread_mutex_unlock(&p->lock);
}

/* --- a layer ------------------------------------------------------------------------------ */

bool wb_pipeline_failed(struct wb_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	bool failed = p->failed;

	pthread_mutex_unlock(&p->lock);
	return failed;
}

static void report(struct wb_pipeline *p, const struct wb_piece *piece)
{
	if (p->opts->progress && piece->n)
		p->opts->progress(p->opts->progress_arg, piece->n);
}

static int run_encoded(
	struct wb_pipeline *p, struct drive *d, struct wb_encoder *e, struct wb_err *err)
{
	bool more = true;

	while (more || d->head != d->tail) {
		struct slot *fresh, *done;
		struct wb_piece piece;

		if (wb_cancel_check(err) || fill(&fresh, &piece, p, d, &more, err))
			return -1;
		done = oldest_done(p, d, fresh);
		if (fresh || done)
			hash_step(p, d, &piece, fresh ? fresh->in : NULL, done);
		report(p, &piece);
		if (done)
			retire(p, d, done);
		if (d->writer.file.error.code || d->stream.lost || wb_pipeline_failed(p))
			break;
		struct slot *mine = choose(p, d, fresh || done);

		if (mine)
			encode(p, e, mine);
	}
	return 0;
}

/* Without compression the tar is the blob: nothing to wait for, one digest less. */
static int run_plain(struct wb_pipeline *p, struct drive *d, struct wb_err *err)
{
	uint8_t *buf = d->slots[0].in;
	struct wb_piece piece;

	for (;;) {
		if (wb_cancel_check(err) || wb_stream_next(&piece, &d->stream, buf, err))
			return -1;
		if (!piece.n || d->writer.file.error.code || wb_pipeline_failed(p))
			return 0;
		hash_step(p, d, &piece, buf, NULL);
		write_blob(d, buf, piece.n);
		report(p, &piece);
	}
}

static void add_tail(struct drive *d, const void *bytes, size_t n)
{
	wb_sha256_update(&d->blob, bytes, n);
	write_blob(d, bytes, n);
}

static void add_table(
	struct wb_layer *out, struct wb_pipeline *p, struct drive *d, struct wb_encoder *e)
{
	const struct wb_chunked_source src = {
		.layer = d->stream.layer,
		.stream = &p->opts->stream,
		.spans = d->spans.items,
		.n_spans = d->spans.n,
		.blob_size = d->writer.file.size,
	};
	size_t n = 0;
	wb_autofree uint8_t *bytes = d->listed ? wb_chunked_make(&out->table, &n, &src, e) : NULL;

	if (bytes)
		add_tail(d, bytes, n);
}

static int finish_layer(struct wb_layer *out, struct wb_pipeline *p, struct drive *d,
	struct wb_encoder *e, struct wb_err *err)
{
	const struct wb_codec *codec = &p->opts->codec;
	uint8_t tail[WB_CODEC_TRIM];
	size_t n = wb_codec_tail(codec, tail, d->crc, d->tar_size);

	add_tail(d, tail, n);
	add_table(out, p, d, e);
	wb_sha256_final(&d->diff, &out->diff_id);
	if (codec->compression == WB_COMPRESS_NONE)
		out->digest = out->diff_id;
	else
		wb_sha256_final(&d->blob, &out->digest);
	out->size = d->writer.file.size;
	out->tar_size = d->tar_size;
	out->media_type = wb_codec_media_type(codec);
	if (wb_store_writer_commit(&d->writer, p->store, &out->digest, err))
		return -1;
	remember_placed(p, d, &out->digest);
	return 0;
}

/* Takes d out of the helpers' sight, and waits for those that hold a slot of it. */
static void withdraw(struct wb_pipeline *p, struct drive *d, size_t worker)
{
	pthread_mutex_lock(&p->lock);
	p->active[worker] = NULL;
	for (size_t i = 0; i < d->ring; i++)
		while (d->slots[i].state == SLOT_BUSY)
			pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

/* In the store, and known to be: only then does a blob that was shown count as good. */
static int keep_layer(struct wb_pipeline *p, struct drive *d, size_t index, struct wb_encoder *e,
	struct wb_err *err)
{
	if (d->wrong)
		return wb_content_refuse(&d->wrong->content, d->wrong->path, err);
	if (finish_layer(&p->work.layers[index], p, d, e, err) ||
		(p->work.done && p->work.done(p->work.done_arg, index, err)))
		return -1;
	if (d->growing)
		wb_growing_end(d->growing, true);
	return 0;
}

/* *lost: what it was made of turned out to be wrong. */
static int drive_with(bool *lost, struct wb_pipeline *p, size_t worker, size_t index, size_t ring,
	struct wb_encoder *e, struct wb_err *err)
{
	WB_AUTO(drive_release) struct drive d;

	*lost = false;
	if (drive_init(&d, p, index, ring, err))
		return -1;
	pthread_mutex_lock(&p->lock);
	p->active[worker] = &d;
	pthread_mutex_unlock(&p->lock);
	int rc = p->opts->codec.compression == WB_COMPRESS_NONE ? run_plain(p, &d, err)
	                                                        : run_encoded(p, &d, e, err);

	withdraw(p, &d, worker);
	if (rc || wb_pipeline_failed(p))
		return rc;
	wb_stream_settle(&d.stream);
	/* When it will not come at all, who was to bring it says so. */
	*lost = d.stream.lost && !wb_growing_failed(d.stream.lost);
	if (d.stream.lost)
		return 0;
	return keep_layer(p, &d, index, e, err);
}

static int drive_layer(struct wb_pipeline *p, size_t worker, size_t index, struct wb_encoder *e,
	struct wb_err *err)
{
	size_t ring = take_ring(p);
	bool lost;
	int rc;

	do
		rc = drive_with(&lost, p, worker, index, ring, e, err);
	while (!rc && lost);
	give_ring_back(p, ring);
	return rc;
}

/* --- workers ------------------------------------------------------------------------------ */

/* What a worker does next: a layer to drive, or a slot of another's to encode. */
struct job {
	bool drive;
	size_t index;
	struct slot *slot;
};

/* Lock held. */
static bool find_job(struct job *out, struct wb_pipeline *p, size_t worker)
{
	if (worker < p->drivers && p->next < p->offered.n) {
		*out = (struct job){.drive = true, .index = p->offered.items[p->next++]};
		p->driving++;
		return true;
	}
	for (unsigned i = 0; i < p->workers; i++) {
		struct slot *s = p->active[i] ? claim(p->active[i]) : NULL;

		if (s) {
			*out = (struct job){.slot = s};
			return true;
		}
	}
	return false;
}

/* Lock held: nothing is under way, and no layer is to come. */
static bool is_over(const struct wb_pipeline *p)
{
	return !p->driving && p->next >= p->work.n;
}

/* Waits; false when there is nothing more to do. */
static bool next_job(struct job *out, struct wb_pipeline *p, size_t worker)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	p->idle++;
	while (!p->failed && !(found = find_job(out, p, worker)) && !is_over(p))
		pthread_cond_wait(&p->changed, &p->lock);
	p->idle--;
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void fail(struct wb_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->failed = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static int work(void *arg, size_t worker, struct wb_err *err)
{
	struct wb_pipeline *p = arg;
	struct wb_encoder *e = wb_encoder_new(&p->opts->codec);
	struct job job;
	int rc = 0;

	while (!rc && next_job(&job, p, worker)) {
		if (job.drive)
			rc = drive_layer(p, worker, job.index, e, err);
		else
			encode(p, e, job.slot);
	}
	if (rc)
		fail(p);
	wb_encoder_free(e);
	return rc;
}

struct wb_pipeline *wb_pipeline_new(
	const struct wb_pack_work *w, const struct wb_pack_opts *opts, struct wb_store *store)
{
	unsigned workers = opts->jobs ? opts->jobs : wb_pool_cores();
	size_t piece = WB_PIECE_MAX + wb_codec_bound(&opts->codec, WB_PIECE_MAX);
	size_t slots = WB_PACK_MEMORY_MAX / piece;
	struct wb_pipeline *p = wb_zalloc(sizeof(*p));

	p->workers = workers < WB_POOL_MAX ? workers : WB_POOL_MAX;
	p->opts = opts;
	p->store = store;
	p->work = *w;
	p->slots = slots;
	p->drivers = p->workers < slots / RING_MIN ? p->workers : (unsigned)(slots / RING_MIN);
	p->active = wb_calloc(p->workers, sizeof(struct drive *));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	return p;
}

void wb_pipeline_free(struct wb_pipeline *p)
{
	if (!p)
		return;
	wb_vec_free(&p->offered);
	free(p->active);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
}

void wb_pipeline_offer(struct wb_pipeline *p, size_t index)
{
	pthread_mutex_lock(&p->lock);
	*wb_vec_push(&p->offered) = index;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void wb_pipeline_stop(struct wb_pipeline *p)
{
	fail(p);
}

int wb_pipeline_run(struct wb_pipeline *p, struct wb_err *err)
{
	return p->work.n ? wb_pool_run(p->workers, p->workers, work, p, err) : 0;
}
