/* group.h - a prime-order group as a table of functions.
 *
 * Key generation, redistribution, proofs and FROST are written once over this table. Scalars are integers mod
 * n in the group's fixed canonical encoding; points are in a fixed internal form that can also hold the
 * identity. Every point or scalar from outside comes in through the strict decoders and nowhere else: the
 * arithmetic below checks nothing.
 *
 * Secret scalars are struct hk_scalar (wipe them). What is public travels as encoded bytes or struct
 * hk_point. */
#ifndef HALFKEY_CRYPTO_GROUP_H
#define HALFKEY_CRYPTO_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"

#define HK_POINT_BYTES_MAX 64   /* of an encoding */
#define HK_POINT_STATE_BYTES 72 /* of a point inside */

/* A point of the prime-order group, identity included; only the group's functions know what the bytes mean,
 * except that the first group->point_bytes of a point other than the identity are its canonical encoding.
 * That prefix alone is not the point: it comes back in through the decoder. */
struct hk_point {
    uint8_t bytes[HK_POINT_STATE_BYTES];
};

struct hk_group {
    const char *name;    /* "edwards25519" */
    size_t scalar_bytes; /* length of an encoded scalar */
    size_t point_bytes;  /* length of an encoded point */
    bool big_endian;     /* encoded scalars, and the input of scalar_reduce */

    /* -- scalars mod n; constant time in all of them -- */
    /* 64 uniform bytes, as a number in the group's byte order, mod n. */
    void (*scalar_reduce)(struct hk_scalar *out, const uint8_t wide[64]);
    /* Strict: HK_BAD_SCALAR unless `in` (scalar_bytes) encodes an integer in [0, n-1] canonically. Zero
     * passes: ask scalar_is_zero where zero is not allowed. */
    enum hk_error (*scalar_decode)(struct hk_scalar *out, const uint8_t *in);
    void (*scalar_set)(struct hk_scalar *out, uint64_t value); /* value mod n; public */
    void (*scalar_add)(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b);
    void (*scalar_sub)(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b);
    void (*scalar_mul)(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b);
    void (*scalar_invert)(struct hk_scalar *out, const struct hk_scalar *a); /* a must not be zero */
    bool (*scalar_is_zero)(const struct hk_scalar *a);

    /* -- points -- */
    /* Strict: HK_BAD_POINT unless `in` (point_bytes) is the canonical encoding of a point of prime order;
     * the identity is refused. */
    enum hk_error (*point_decode)(struct hk_point *out, const uint8_t *in);
    void (*point_identity)(struct hk_point *out);
    bool (*point_is_identity)(const struct hk_point *a);
    void (*point_add)(struct hk_point *out, const struct hk_point *a, const struct hk_point *b);
    void (*point_sub)(struct hk_point *out, const struct hk_point *a, const struct hk_point *b);
    /* [k]B and [k]P, constant time in k; k = 0 and P = identity give the identity. */
    void (*base_mul)(struct hk_point *out, const struct hk_scalar *k);
    void (*point_mul)(struct hk_point *out, const struct hk_scalar *k, const struct hk_point *p);
    /* point_decode and point_mul in one, for an untrusted encoding and k other than 0, decoding and checking
     * it only once; HK_BAD_POINT exactly where point_decode refuses. NULL where that saves nothing: call it
     * through hk_point_decode_mul. */
    enum hk_error (*point_decode_mul)(struct hk_point *out, const struct hk_scalar *k, const uint8_t *in);
};

/* edwards25519 over libsodium: scalars 32 bytes little endian, points 32 bytes as in RFC 8032. */
extern const struct hk_group hk_edwards25519;

/* True if a and b are the same point. Points are public here: not constant time. */
bool hk_point_equal(const struct hk_group *group, const struct hk_point *a,
                    const struct hk_point *b) HK_CHECK;

/* Points of one group whose encodings need not be decoded again in the same piece of work: they were decoded
 * strictly before, or computed. Decoding costs as much as half a multiplication (the subgroup check). Public;
 * starts as zeros; what does not fit is decoded each time. */
#define HK_KNOWN_MAX 16
struct hk_known {
    size_t count;
    struct hk_point point[HK_KNOWN_MAX];
};
/* Remembers a point; not the identity, which no decoder takes. */
void hk_known_add(struct hk_known *known, const struct hk_group *group, const struct hk_point *point);
/* point_decode, which is asked once for each encoding. */
HK_CHECK enum hk_error hk_known_decode(struct hk_known *known, const struct hk_group *group,
                                       struct hk_point *out, const uint8_t *in);

/* [k]P of an untrusted encoding `in` (point_bytes), k not zero: HK_BAD_POINT where point_decode refuses it.
 */
HK_CHECK static inline enum hk_error hk_point_decode_mul(const struct hk_group *group, struct hk_point *out,
                                                         const struct hk_scalar *k, const uint8_t *in)
{
    if (group->point_decode_mul != NULL) {
        return group->point_decode_mul(out, k, in);
    }
    struct hk_point point;
    enum hk_error error = group->point_decode(&point, in);
    if (error == HK_OK) {
        group->point_mul(out, k, &point);
    }
    return error;
}

/* A uniform scalar in [1, n-1]. */
void hk_scalar_random(const struct hk_group *group, struct hk_scalar *out);

/* Decodes `in` (scalar_bytes) strictly and refuses zero: HK_BAD_SCALAR. */
HK_CHECK enum hk_error hk_scalar_decode_nonzero(const struct hk_group *group, struct hk_scalar *out,
                                                const uint8_t *in);

#endif
