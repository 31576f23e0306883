/* What kind of bytes these are, told from samples. Integer arithmetic only: the answer, and with it
 * the layer's digest, is the same on every machine. Pure. */
#ifndef WB_LAYERS_PROBE_H
#define WB_LAYERS_PROBE_H

#include <stddef.h>
#include <stdint.h>

enum wb_probe {
	WB_PROBE_TEXT,    /* order-0 entropy below 5.5 bits a byte: text, zeros, sparse data */
	WB_PROBE_NUMBERS, /* in between: bf16 and fp32 weights. Entropy coding helps, matching does
	                     not */
	WB_PROBE_NOISE,   /* 7.93 bits or more: quantised weights, compressed or encrypted files */
};

enum wb_probe wb_probe(const uint8_t *p, size_t n);

#endif
