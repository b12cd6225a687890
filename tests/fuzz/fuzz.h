/* fuzz.h - what the fuzz targets share.
 *
 * A target gets any bytes. It must not crash, not read past them, and whatever a decoder accepts must be
 * encoded again to the same bytes: two texts for one value would be two objects under one signature.
 *
 * A target has no state between two inputs, and its randomness repeats (fuzz_random), so that a finding can
 * be played again. Seeds are made by seeds.c with the same randomness. */
#ifndef HALFKEY_TESTS_FUZZ_FUZZ_H
#define HALFKEY_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/error.h"
#include "device/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#define SAME_BYTES(a, a_size, b, b_size) MUST((a_size) == (b_size) && memcmp((a), (b), (a_size)) == 0)

/* From here on hk_random gives the same bytes again. */
void fuzz_random(void);

/* A file in a private folder of this process, which is removed at its end; the path is good until the next
 * call. */
const char *fuzz_folder(void);
const char *fuzz_file(const char *name, const void *data, size_t size);

/* Memory as a source, and a sink that only counts. */
struct fuzz_memory {
    const uint8_t *data;
    size_t size, at;
};
enum hk_error fuzz_read(void *context, uint8_t *out, size_t max, size_t *got);
enum hk_error fuzz_count(void *context, const uint8_t *data, size_t size);

#endif
