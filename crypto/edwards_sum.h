/* edwards_sum.h - the u-coordinate of a sum of points of edwards25519, in one field.
 *
 * The last step of a key agreement adds three points and keeps nothing but u = (1 + y)/(1 - y) of the sum.
 * Through the library's addition each step decodes both operands and encodes the result again, and each of
 * these is an exponentiation in the field; here each point is decoded once, and one inversion is left for the
 * end. The formula is the complete one of Hisil, Wong, Carter and Dawson ("Twisted Edwards curves revisited",
 * 2008, section 3.1, as in RFC 8032, section 5.1.4): it has no exceptional case on this curve. It is no
 * general curve library: multiplications stay with libsodium. */
#ifndef HALFKEY_CRYPTO_EDWARDS_SUM_H
#define HALFKEY_CRYPTO_EDWARDS_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/field25519.h"

#define HK_EDWARDS_BYTES 32

/* A term of a sum: a point, or its negative. Secret or not, it is treated alike. */
struct hk_edwards_term {
    uint8_t point[HK_EDWARDS_BYTES]; /* a strict encoding of a point on the curve; nothing is checked here */
    bool minus;
};

/* A sum that is not finished; as secret as its terms. */
struct hk_edwards_partial {
    struct hk_fe x, y, z, t;
};

/* The sum of the terms so far: what may be done ahead of the last one. Constant time in the points. */
void hk_edwards_sum_begin(struct hk_edwards_partial *sum, const struct hk_edwards_term *terms, size_t count);
/* The u-coordinate of the sum with one more term, canonical; 0 for the identity. Constant time in the points.
 * Wipe sum and terms after it: they are the caller's. */
void hk_edwards_sum_u(uint8_t u[HK_EDWARDS_BYTES], const struct hk_edwards_partial *sum,
                      const struct hk_edwards_term *last);

#endif
