/* A zstd layer's table of contents, as containers/storage (podman, CRI-O, skopeo, buildah) reads it
 * to take files out of a layer one by one: "zstd:chunked" (docs/formats.md). Three skippable frames
 * (RFC 8878, 3.1.2) behind the last frame of the tar, which every other reader skips:
 *
 *   the table: compressed JSON, for each entry of the tar its attributes, and for a file its digest
 *              and where in the blob the frames of its content are;
 *   tar-split: compressed lines of JSON, all bytes of the tar that are not content, and each file's
 *              CRC-64, from which the tar is put together again;
 *   a footer:  where the two are.
 *
 * A reader finds them by annotations of the layer's descriptor, and believes them because those
 * have the table's digest, and the table that of the tar-split. */
#ifndef WB_LAYERS_CHUNKED_H
#define WB_LAYERS_CHUNKED_H

#include "layers/codec.h"
#include "layers/stream.h"
#include "oci/descriptor.h"

#define WB_CHUNKED_CHECKSUM "io.github.containers.zstd-chunked.manifest-checksum"
#define WB_CHUNKED_POSITION "io.github.containers.zstd-chunked.manifest-position"
#define WB_CHUNKED_SPLIT "io.github.containers.zstd-chunked.tarsplit-position"

/* Some bytes of a blob, compressed. */
struct wb_chunked_part {
	uint64_t at; /* behind the skippable frame's own header */
	size_t n;
	uint64_t raw; /* bytes when decompressed */
};

struct wb_chunked {
	struct wb_digest digest;             /* of the table as it is in the blob */
	struct wb_chunked_part table, split; /* table.n 0: the layer has none */
};

/* Where the content of a file is: frames of its own. */
struct wb_chunked_span {
	const struct wb_node *file;
	uint64_t offset, end; /* in the blob */
	uint64_t crc;         /* CRC-64 of the content */
};

/* Can this layer have one? Only when its codec is zstd, it has content, and each file's content
 * begins and ends with a piece: small files share theirs. */
bool wb_chunked_fits(const struct wb_planned_layer *layer, const struct wb_codec *codec);

struct wb_chunked_source {
	const struct wb_planned_layer *layer;
	const struct wb_stream_opts *stream;
	const struct wb_chunked_span
		*spans; /* of the files that have content, in the tar's order */
	size_t n_spans;
	uint64_t blob_size; /* so far */
};

/* What to put behind the blob's bytes: *n bytes, which the caller frees. NULL, and *out as it was,
 * when the table would be larger than a reader could want. All digests of files are known. */
uint8_t *wb_chunked_make(struct wb_chunked *out, size_t *n, const struct wb_chunked_source *src,
	struct wb_encoder *e);

/* The annotations; nothing where there is no table. */
void wb_chunked_annotate(struct wb_descriptor *d, const struct wb_chunked *c);

/* As records keep it: one line, which the caller frees; NULL where there is no table. */
char *wb_chunked_text(const struct wb_chunked *c);
/* text NULL: none. False when it is not what wb_chunked_text() says of a blob of that size. */
bool wb_chunked_parse(struct wb_chunked *out, const char *text, uint64_t blob_size);

#endif
