/* prime.h - secret primes for Paillier keys and ring-Pedersen moduli.
 *
 * The top two bits of every prime are set, so that the product of two of them has exactly twice the length.
 * Candidates come from hk_random, are sieved by small primes in runs of even steps, and are tested by
 * Miller-Rabin with base 2 and then random bases: for random candidates of 1024 bits and more the error after
 * HK_PRIME_ROUNDS rounds is below 2^-128 (Damgård, Landrock, Pomerance 1993; FIPS 186-5, B.3). The
 * exponentiations are constant time; how many candidates were passed over is not hidden, as nowhere. */
#ifndef HALFKEY_CRYPTO_PRIME_H
#define HALFKEY_CRYPTO_PRIME_H

#include "crypto/bigint.h"

#define HK_PRIME_LIMBS_MAX 24 /* 1536 bits */
#define HK_PRIME_ROUNDS 8

/* A random prime of 64 * limbs bits, limbs at most HK_PRIME_LIMBS_MAX and even. */
void hk_prime(hk_limb *out, size_t limbs);
/* The same with (p - 1) / 2 prime as well. About a quarter of a second at 1024 bits. */
void hk_prime_safe(hk_limb *out, size_t limbs);
/* Whether an odd number of `limbs` limbs passes the test that the two functions above use. */
bool hk_prime_test(const hk_limb *number, size_t limbs) HK_CHECK;

#endif
