/* A zstd frame without matches (RFC 8878): what weights need. Their bytes do not repeat, only some
 * are rarer than others, so that all a general compressor gains on them is its Huffman coding, and
 * all its searching is for nothing. Pure; the bytes depend on the input alone. */
#ifndef WB_LAYERS_LITERALS_H
#define WB_LAYERS_LITERALS_H

#include <stddef.h>
#include <stdint.h>

/* Writes p[0..n) as one frame of Huffman-coded, raw and one-byte blocks; n below 2^32. At most
 * wb_raw_frame_size(n) bytes. -> bytes written */
size_t wb_literal_frame(uint8_t *out, const uint8_t *p, size_t n);

/* The same of raw blocks only, and how large that becomes. */
size_t wb_raw_frame(uint8_t *out, const uint8_t *p, size_t n);
size_t wb_raw_frame_size(size_t n);

#endif
