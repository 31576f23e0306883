/* Encoded pieces of a large file that some layer of the store already holds.
 *
 * A large file's pieces do not depend on where it lies (stream.h), so when it is renamed, mounted
 * elsewhere or put into another image, its encoded pieces are taken from the layer that holds them
 * instead of being compressed again. Records are only hints: a blob that is gone or damaged, or a
 * record that does not fit the file, is as good as none, for whoever takes a piece makes sure that
 * it decodes to the file's bytes (wb_encoder_confirms). Thread safe. */
#ifndef WB_LAYERS_FRAMES_H
#define WB_LAYERS_FRAMES_H

#include "layers/codec.h"
#include "layers/store.h"

#define WB_FRAMES_MIN (16u << 20) /* smaller files are compressed again */

struct wb_frames {
	struct wb_digest blob;
	uint64_t offset;        /* of the first piece in the blob */
	WB_VEC(uint32_t) sizes; /* of each encoded piece, in order */
};

#define WB_FRAMES_INIT ((struct wb_frames){0})
void wb_frames_release(struct wb_frames *f);

/* file: the content's digest; size: its bytes. -> true when the blob is there. */
bool wb_frames_recall(struct wb_frames *out, struct wb_store *s, const struct wb_codec *codec,
	const struct wb_digest *file, uint64_t size);
void wb_frames_remember(const struct wb_frames *f, struct wb_store *s, const struct wb_codec *codec,
	const struct wb_digest *file, uint64_t size);
/* Was a file of this size ever remembered? Then a file of unknown digest is worth hashing first. */
bool wb_frames_likely(struct wb_store *s, uint64_t size);

#endif
