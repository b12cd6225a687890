/* random.h - where randomness comes in: libsodium's generator, nothing else.
 *
 * Programs built with HK_TEST_SEAMS can be given a deterministic or a stuck source; a release build has no
 * such function, and `make check` looks that it has none. */
#ifndef HALFKEY_CRYPTO_RANDOM_H
#define HALFKEY_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `size` bytes with uniform random bytes from the operating system's generator. Never fails. */
void hk_random(void *out, size_t size);

#ifdef HK_TEST_SEAMS
/* From now on in this process hk_random calls `source` instead; NULL restores the real one. Tests only. */
void hk_test_random_source(void (*source)(void *out, size_t size));
#endif

#endif
