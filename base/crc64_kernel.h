/* Between base/crc64.c and base/crc64_fold.c; nothing else includes this. */
#ifndef WB_BASE_CRC64_KERNEL_H
#define WB_BASE_CRC64_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WB_CRC64_FOLD_MIN 64

/* Has this processor carry-less multiplication? */
bool wb_crc64_can_fold(void);
/* 16 bytes that have the same remainder as p[0..n) with crc added to its first 8; n is a multiple
 * of 16, at least WB_CRC64_FOLD_MIN. */
void wb_crc64_fold(uint8_t out[16], uint64_t crc, const uint8_t *p, size_t n);

#endif
