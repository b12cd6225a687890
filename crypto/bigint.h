/* bigint.h - big integers for Paillier, ring-Pedersen and their proofs, over GMP's constant-time functions.
 *
 * A number is an array of limbs (64 bits, least significant first) whose length the caller gives; lengths
 * follow from the suite and never from a value. All functions but the two named "public" are constant time in
 * the values (mpn_sec_*), allocate nothing and wipe what they use: their scratch is on the stack, at most
 * HK_BIG_SCRATCH limbs (64 KiB). Lengths are at most HK_BIG_LIMBS (the square of a 3072-bit modulus).
 *
 * A modulus that is secret (a prime) is hidden but for its ends: GMP looks up tables by the eight highest
 * bits of its highest limb and seven bits of its lowest, whose addresses a spy on the same machine's cache
 * might see.
 *
 * The two "public" functions go through GMP's mpz layer, which is faster, leaks its inputs through time and
 * allocates a few times the length of its inputs. GMP's memory functions are set when the program starts, in
 * this module and nowhere else, to ones that wipe every block before it is freed or moved. */
#ifndef HALFKEY_CRYPTO_BIGINT_H
#define HALFKEY_CRYPTO_BIGINT_H

#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"

typedef mp_limb_t hk_limb;

#define HK_BIG_LIMBS 96
#define HK_BIG_SCRATCH 8192
#define HK_LIMBS_OF_BITS(bits) (((bits) + 63) / 64)

/* Reads `size` bytes, big endian; limbs * 8 >= size. */
void hk_big_load(hk_limb *out, size_t limbs, const uint8_t *bytes, size_t size);
/* Writes exactly `size` bytes, big endian; what does not fit is cut off, so check with hk_big_fits first. */
void hk_big_store(uint8_t *bytes, size_t size, const hk_limb *in, size_t limbs);

/* True if a < b; a and b of `limbs`. */
bool hk_big_less(const hk_limb *a, const hk_limb *b, size_t limbs) HK_CHECK;
bool hk_big_is_zero(const hk_limb *a, size_t limbs) HK_CHECK;
/* True if a < 2^bits. */
bool hk_big_fits(const hk_limb *a, size_t limbs, size_t bits) HK_CHECK;
/* All ones if `flag`, else zero, for a choice without a branch: nothing that a compiler can see through. */
hk_limb hk_big_mask(bool flag) HK_CHECK;
/* out = flag ? a : b. */
void hk_big_select(hk_limb *out, bool flag, const hk_limb *a, const hk_limb *b, size_t limbs);

/* out (limbs) = a (length) mod m; the top limb of m is not zero. `out` may be the low part of `a`. */
void hk_big_mod(hk_limb *out, const hk_limb *a, size_t length, const hk_limb *m, size_t limbs);
/* out (quotient, length - limbs) = a (length) / m (limbs), rounded down; top limb of m not zero, and the
 * quotient fits. */
void hk_big_divide(hk_limb *out, const hk_limb *a, size_t length, const hk_limb *m, size_t limbs);
/* out (a_limbs + b_limbs) = a * b; `out` overlaps neither. */
void hk_big_mul(hk_limb *out, const hk_limb *a, size_t a_limbs, const hk_limb *b, size_t b_limbs);
/* out (limbs) += a * b, where the sum fits and a_limbs + b_limbs <= limbs. */
void hk_big_add_mul(hk_limb *out, size_t limbs, const hk_limb *a, size_t a_limbs, const hk_limb *b,
                    size_t b_limbs);

/* Mod m (limbs), operands below m; `out` may be an operand. */
void hk_big_add_mod(hk_limb *out, const hk_limb *a, const hk_limb *b, const hk_limb *m, size_t limbs);
void hk_big_sub_mod(hk_limb *out, const hk_limb *a, const hk_limb *b, const hk_limb *m, size_t limbs);
void hk_big_mul_mod(hk_limb *out, const hk_limb *a, const hk_limb *b, const hk_limb *m, size_t limbs);
/* base^exponent; m odd, base below m; exponent below 2^bits, and `bits` is not secret. 0^e is 0. */
void hk_big_pow(hk_limb *out, const hk_limb *base, const hk_limb *exponent, size_t bits, const hk_limb *m,
                size_t limbs);
/* a^-1 mod odd m. False, and zero in `out`, if there is none. */
bool hk_big_invert(hk_limb *out, const hk_limb *a, const hk_limb *m, size_t limbs) HK_CHECK;

/* As hk_big_pow, not constant time: for public values only. */
void hk_big_pow_public(hk_limb *out, const hk_limb *base, const hk_limb *exponent, size_t bits,
                       const hk_limb *m, size_t limbs);
/* True if gcd(a, m) = 1; not constant time: for public or blinded values only. */
bool hk_big_is_unit_public(const hk_limb *a, const hk_limb *m, size_t limbs) HK_CHECK;

#endif
