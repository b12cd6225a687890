/* fuzz.h - what the fuzz targets share.
 *
 * A target gets any bytes. It must not crash, not read past them, and whatever a decoder accepts must be
 * encoded again to the same bytes: two texts for one value would be two objects under one signature. */
#ifndef HALFKEY_TESTS_FUZZ_FUZZ_H
#define HALFKEY_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#define SAME_BYTES(a, a_size, b, b_size) MUST((a_size) == (b_size) && memcmp((a), (b), (a_size)) == 0)

#endif
