/* Huffman codes as zstd has them (RFC 8878, 4.2): made from counts, described, priced. Integer
 * arithmetic only, ties broken by the symbol: the same counts give the same code everywhere. Pure.
 */
#ifndef WB_LAYERS_HUFFMAN_H
#define WB_LAYERS_HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WB_HUFFMAN_BITS_MAX 11  /* RFC 8878, 4.2.1: Max_Number_of_Bits for literals */
#define WB_HUFFMAN_HEAD_MAX 128 /* bytes of a description */

struct wb_huffman_code {
	uint32_t bits; /* the last bit of the code lowest */
	uint32_t len;
};
#define WB_HUFFMAN_MISSING \
	0x10000u /* len of a byte that has no code: no sum of few lengths hides it */

struct wb_huffman {
	struct wb_huffman_code codes[256];
	uint8_t head[WB_HUFFMAN_HEAD_MAX]; /* Huffman_Tree_Description (4.2.1) */
	size_t head_n;
};

/* The code of least cost for these counts, no longer than WB_HUFFMAN_BITS_MAX. false: there is
 * none, for fewer than two bytes occur, or no short description of it. */
bool wb_huffman_build(struct wb_huffman *h, const uint32_t counts[256]);
/* Bits that these bytes become. One without a code counts WB_HUFFMAN_MISSING. */
uint64_t wb_huffman_cost(const struct wb_huffman *h, const uint32_t counts[256]);

#endif
