/* chosen_random.h - randomness that a test has chosen, for runs over every possible value.
 *
 * Until restored, requests for 64 bytes (a scalar, see hk_scalar_random) get the chosen values first, one a
 * request, as little-endian integers; everything else, and what comes after them, is real. */
#ifndef HALFKEY_TESTS_SUPPORT_CHOSEN_RANDOM_H
#define HALFKEY_TESTS_SUPPORT_CHOSEN_RANDOM_H

#include <stddef.h>

/* At most 8 values. */
void hk_random_choose(const unsigned *values, size_t count);
/* A generator that gives the byte `value` for ever, as one on a restored machine might. */
void hk_random_stick(unsigned char value);
void hk_random_restore(void);

#endif
