/* What kind of bytes these are, told from samples. Integer arithmetic only: the answer, and with it
 * the layer's digest, is the same on every machine. Pure. */
#ifndef WB_LAYERS_PROBE_H
#define WB_LAYERS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wb_probe {
	WB_PROBE_TEXT,    /* order-0 entropy below 5.5 bits a byte: text, zeros, sparse data */
	WB_PROBE_NUMBERS, /* in between: bf16 and fp32 weights. Entropy coding helps, matching
	                     mostly does not */
	WB_PROBE_NOISE,   /* 7.93 bits or more: quantised weights, compressed or encrypted files */
};

enum wb_probe wb_probe(const uint8_t *p, size_t n);

/* Do strings of bytes recur, so that a search for matches would gain something? Looks at a span of
 * p for near ones, and at aligned words all over it for rows that recur. */
bool wb_probe_repeats(const uint8_t *p, size_t n);

#endif
