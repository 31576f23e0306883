/* What every fuzz target includes: libFuzzer's entry, and a check that holds in every build. */
#ifndef WB_TESTS_FUZZ_FUZZ_H
#define WB_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold of whatever was parsed. */
#define MUST(cond)                                                                 \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                   \
		}                                                                  \
	} while (0)

/* A failed call says why, in one printable line. */
static inline void must_be_error(const struct wb_err *err)
{
	MUST(err->code != WB_OK);
	MUST(err->text[0]);
	for (const char *p = err->text; *p; p++)
		MUST((unsigned char)*p >= 0x20);
}

#endif
