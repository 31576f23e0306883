/* How a large file's content is told apart chunk by chunk: the SHA-256 chaining values that its
 * digest went through (docs/formats.md). They come for nothing with the digest, and each chunk can
 * be checked by itself, from the value before it to the value after it. */
#ifndef WB_LAYERS_STATES_H
#define WB_LAYERS_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/sha256.h"

struct wb_store;

#define WB_CHUNK_SIZE (4u << 20) /* of a file; the last one is shorter */

/* One value after each chunk but the last, whose check is the file's digest: none for a file of one
 * chunk. */
static inline size_t wb_states_count(uint64_t size)
{
	return size ? (size_t)((size - 1) / WB_CHUNK_SIZE) : 0;
}

static inline struct wb_digest *wb_states_new(uint64_t size)
{
	size_t n = wb_states_count(size);

	return n ? wb_calloc(n, sizeof(struct wb_digest)) : NULL;
}

/* The digest of a file of this size is under way: after each update, none of which may run over
 * a chunk's end. states has room for all of them. */
static inline void wb_states_note(
	struct wb_digest *states, const struct wb_sha256 *s, uint64_t size)
{
	if (s->total && s->total < size && s->total % WB_CHUNK_SIZE == 0)
		wb_sha256_chaining(s, &states[s->total / WB_CHUNK_SIZE - 1]);
}

/* The store's record of them, by the file's digest; whoever computes a digest leaves one. It only
 * saves time, so that remembering may fail.
 * -> new memory, or NULL when there is no record for a file of this size, or none is needed. */
void wb_states_remember(struct wb_store *store, const struct wb_digest *digest, uint64_t size,
	const struct wb_digest *states);
struct wb_digest *wb_states_recall(
	struct wb_store *store, const struct wb_digest *digest, uint64_t size);

#endif
