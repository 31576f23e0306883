/* CRC-64 of ISO 3309: the polynomial x^64 + x^4 + x^3 + x + 1, least significant bit first, all
 * ones before and after (ECMA-182's "CRC-64" is another). Pure functions, any thread. */
#ifndef WB_BASE_CRC64_H
#define WB_BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Of what crc is of (0: nothing yet) followed by p[0..n). */
uint64_t wb_crc64(uint64_t crc, const void *p, size_t n);
/* Of a followed by b, from theirs and b's length. */
uint64_t wb_crc64_join(uint64_t a, uint64_t b, uint64_t b_len);

/* What wb_crc64() does on a processor that has no wider vectors than 16 bytes. */
uint64_t wb_crc64_portable(uint64_t crc, const void *p, size_t n);

#endif
