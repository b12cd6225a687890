/* field25519.h - the field of integers mod p = 2^255 - 19, for the maps between X25519's u and Edwards' y.
 *
 * Five limbs of 51 bits. Nothing here branches on or indexes by a value, so every function is constant time
 * in all of its inputs. It holds what x25519.h and edwards_sum.h need and is no general curve library: all
 * multiplication of points stays with libsodium. Inputs may be any value that these functions gave; outputs
 * may be the same variable as an input. Wipe a secret element with hk_wipe. */
#ifndef HALFKEY_CRYPTO_FIELD25519_H
#define HALFKEY_CRYPTO_FIELD25519_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"

#define HK_FE_BYTES 32

/* An element, not necessarily reduced: each limb below 2^54 going in, below 2^52 coming out of a product. */
struct hk_fe {
    uint64_t limb[5];
};

/* Reads 32 bytes little endian; the top bit is ignored, values from p to 2^255 - 1 are reduced (RFC 7748, 5).
 */
void hk_fe_decode(struct hk_fe *out, const uint8_t in[HK_FE_BYTES]);
/* Writes the one value in [0, p-1], little endian; the top bit is clear. */
void hk_fe_encode(uint8_t out[HK_FE_BYTES], const struct hk_fe *a);
/* A small integer. */
void hk_fe_set(struct hk_fe *out, uint32_t value);

void hk_fe_add(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b);
void hk_fe_sub(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b);
void hk_fe_mul(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b);
void hk_fe_square(struct hk_fe *out, const struct hk_fe *a);
/* 1/a; 0 for 0. */
void hk_fe_invert(struct hk_fe *out, const struct hk_fe *a);

bool hk_fe_is_zero(const struct hk_fe *a) HK_CHECK;
/* 1/a as hk_fe_invert, and returns whether a is a square mod p (zero is), both with one exponentiation. */
bool hk_fe_invert_is_square(struct hk_fe *out, const struct hk_fe *a) HK_CHECK;

/* The even root of a/b (the one that encodes with the lowest bit clear), b not zero; 0 for a = 0. Where a/b
 * is no square, what comes out is not a root of anything asked for: the caller knows that it is one. */
void hk_fe_root_of_ratio(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b);
/* out becomes `other` if bit is 1 and stays if it is 0. */
void hk_fe_choose(struct hk_fe *out, const struct hk_fe *other, unsigned bit);

#endif
