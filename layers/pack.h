/* Planned layers in, blobs of the store out.
 *
 * A layer that was packed before is found by what goes into it (layer cache: the content digests,
 * paths, modes, parameters) and costs one look-up. The others run through the pipeline: one read of
 * each byte; file digest (with its states), diff_id and blob digest in one interleaved pass; pieces
 * compressed on every core (several layers at once, and cores without a layer help those with one).
 * Memory is bounded by WB_PACK_MEMORY_MAX whatever the sizes.
 *
 * A large file that is still being fetched is packed along with its arrival. Its bytes are not
 * verified then, so its layer becomes a blob only when the whole file was: if that fails, the layer
 * is thrown away and begins anew with the bytes that come instead. */
#ifndef WB_LAYERS_PACK_H
#define WB_LAYERS_PACK_H

#include "layers/chunked.h"
#include "layers/codec.h"
#include "layers/plan.h"
#include "layers/store.h"
#include "layers/stream.h"

/* Bytes of piece buffers; a fetch at the same time has its own (sink.h). */
#define WB_PACK_MEMORY_MAX (32u << 20)

struct wb_layer {
	struct wb_digest diff_id; /* of the tar */
	struct wb_digest digest;  /* of the blob */
	uint64_t size;            /* of the blob */
	uint64_t tar_size;
	struct wb_chunked table; /* of contents, when it has one */
	const char *media_type;  /* a literal */
	bool cached;             /* found, not packed */
	bool elsewhere;          /* not in the store: every output has it already */
	unsigned group;
	size_t files;
	uint64_t bytes; /* of file content */
	char *key;      /* the layer cache's key, hex */
};

struct wb_layers {
	WB_VEC(struct wb_layer) list; /* in the plan's order */
};
#define WB_LAYERS_INIT ((struct wb_layers){0})
void wb_layers_release(struct wb_layers *l);

/* Who waits for the files that supply() brings. */
struct wb_pack_wait {
	/* This one is on disk, and its content's path is set. */
	int (*arrived)(void *arg, struct wb_node *node, struct wb_err *err);
	/* This large one is on its way: it may be read along. Ends after arrived was called. */
	void (*grows)(void *arg, struct wb_node *node, struct wb_growing *g);
	/* To be asked some times a second: fails when there is no need for the rest any more. */
	int (*goes_on)(void *arg, struct wb_err *err);
	void *arg;
};

struct wb_pack_opts {
	struct wb_codec codec;
	struct wb_stream_opts stream;
	unsigned jobs;                               /* 0: one per core */
	void (*progress)(void *arg, uint64_t bytes); /* content bytes done since the last call */
	void *progress_arg;
	/* Optional: a layer (its key is set) that the store does not hold. Fills digest, diff_id,
	 * size and tar_size and returns true when every output has it, so that it need not be
	 * packed, nor its files fetched. */
	bool (*elsewhere)(void *arg, struct wb_layer *l);
	/* Optional: brings files whose bytes are not on disk yet (content.path NULL) and are needed
	 * now. As they land they are packed, while the others are still on their way; an error of
	 * wait's ends it. wait may be NULL. Runs on a thread of its own. */
	int (*supply)(void *arg, struct wb_node *const *nodes, size_t n,
		const struct wb_pack_wait *wait, struct wb_err *err);
	/* Optional: l is in the store, packed or found. From the thread that packed it, several at
	 * once. */
	int (*layer_done)(void *arg, const struct wb_layer *l, struct wb_err *err);
	/* Optional: the blob of this large layer is being written, from the first byte on. It is
	 * good after layer_done, or comes to nothing; a layer whose file has to be brought again is
	 * told of again. From the thread that packs it; ref what is kept. */
	void (*layer_grows)(void *arg, const struct wb_layer *l, struct wb_growing *g);
	/* Optional: asked while files are brought: should it go on? */
	int (*goes_on)(void *arg, struct wb_err *err);
	void *hook_arg; /* of these five */
};

/* Also learns the digest of every file, and the states of the large ones that it hashes. */
int wb_pack(struct wb_layers *out, const struct wb_layer_plan *plan,
	const struct wb_pack_opts *opts, struct wb_store *store, struct wb_err *err);
/* After wb_pack: completes the states of every large file, from the store's records where it can,
 * else by reading (and, if need be, fetching) the file. */
int wb_pack_states(const struct wb_layer_plan *plan, const struct wb_pack_opts *opts,
	struct wb_store *store, struct wb_err *err);

/* The pipeline alone (pack.c uses it). Layers are offered to it, from any thread, when all of their
 * files are on disk or growing, and packed in that order. */
struct wb_pipeline;

struct wb_pack_work {
	struct wb_layer *layers;                /* filled: digests, sizes, media type */
	const struct wb_planned_layer *planned; /* in the same order */
	size_t n;                               /* layers that will be offered */
	/* Or NULL: each time that a layer is in the store, from its thread. */
	int (*done)(void *arg, size_t index, struct wb_err *err);
	void *done_arg;
};

/* Borrows all of them. */
struct wb_pipeline *wb_pipeline_new(
	const struct wb_pack_work *w, const struct wb_pack_opts *opts, struct wb_store *store);
void wb_pipeline_free(struct wb_pipeline *p);
static inline void wb_pipeline_freep(struct wb_pipeline **p)
{
	wb_pipeline_free(*p);
}
void wb_pipeline_offer(struct wb_pipeline *p, size_t index); /* of layers and planned */
bool wb_pipeline_failed(struct wb_pipeline *p);
/* The layers that were not offered yet will not come: the run ends early, without an error of its
 * own. */
void wb_pipeline_stop(struct wb_pipeline *p);
/* Until all n layers were packed. */
int wb_pipeline_run(struct wb_pipeline *p, struct wb_err *err);

#endif
