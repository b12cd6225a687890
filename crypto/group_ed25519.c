/* edwards25519 over libsodium. Facts about the library that this file depends on, each held by a test:
 * crypto_core_ed25519_is_valid_point refuses what is not canonical, of small order, off the curve or outside
 * the prime-order subgroup (libsodium before the fix of CVE-2025-69277 lets P + (0, -1) pass); additions
 * check next to nothing and can give the identity; multiplications fail where the result is the identity. */
#include "crypto/group.h"

#include <sodium.h>
#include <string.h>

#define SIZE 32

static const uint8_t order[SIZE] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                    0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

/* The bytes after a scalar's or point's encoding are zero, so that equal values are equal structures. */
static void put_scalar(struct hk_scalar *out, const uint8_t bytes[SIZE])
{
    memcpy(out->bytes, bytes, SIZE);
    memset(out->bytes + SIZE, 0, sizeof(out->bytes) - SIZE);
}

static void put_point(struct hk_point *out, const uint8_t bytes[SIZE])
{
    memcpy(out->bytes, bytes, SIZE);
    memset(out->bytes + SIZE, 0, sizeof(out->bytes) - SIZE);
}

static void scalar_reduce(struct hk_scalar *out, const uint8_t wide[64])
{
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    crypto_core_ed25519_scalar_reduce(bytes, wide);
    put_scalar(out, bytes);
}

static enum hk_error scalar_decode(struct hk_scalar *out, const uint8_t *in)
{
    /* in - n borrows exactly if in < n; secret halves come through here too, so no early exit. */
    unsigned borrow = 0;
    for (int i = 0; i < SIZE; i++) {
        borrow = (((unsigned)in[i] - order[i] - borrow) >> 8) & 1;
    }
    HK_PUBLIC(borrow); /* a refusal is seen by everybody */
    if (borrow == 0) {
        return HK_BAD_SCALAR;
    }
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    memcpy(bytes, in, SIZE);
    put_scalar(out, bytes);
    return HK_OK;
}

static void scalar_set(struct hk_scalar *out, uint64_t value)
{
    memset(out, 0, sizeof(*out));
    for (int i = 0; i < 8; i++) {
        out->bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

#define BINARY(name, call)                                                                                   \
    static void name(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)            \
    {                                                                                                        \
        uint8_t bytes[SIZE];                                                                                 \
        HK_WIPE_AT_EXIT(bytes);                                                                              \
        call(bytes, a->bytes, b->bytes);                                                                     \
        put_scalar(out, bytes);                                                                              \
    }
BINARY(scalar_add, crypto_core_ed25519_scalar_add)
BINARY(scalar_sub, crypto_core_ed25519_scalar_sub)
BINARY(scalar_mul, crypto_core_ed25519_scalar_mul)

static void scalar_invert(struct hk_scalar *out, const struct hk_scalar *a)
{
    uint8_t bytes[SIZE] = {0};
    HK_WIPE_AT_EXIT(bytes);
    int failed = crypto_core_ed25519_scalar_invert(bytes, a->bytes); /* for zero alone */
    HK_PUBLIC(failed);
    if (failed != 0) {
        memset(bytes, 0, sizeof(bytes));
    }
    put_scalar(out, bytes);
}

static bool scalar_is_zero(const struct hk_scalar *a)
{
    return hk_is_zero(a->bytes, SIZE);
}

static enum hk_error point_decode(struct hk_point *out, const uint8_t *in)
{
    if (crypto_core_ed25519_is_valid_point(in) != 1) {
        return HK_BAD_POINT;
    }
    uint8_t bytes[SIZE];
    memcpy(bytes, in, SIZE);
    put_point(out, bytes);
    return HK_OK;
}

static void point_identity(struct hk_point *out)
{
    memset(out, 0, sizeof(*out));
    out->bytes[0] = 1;
}

static bool point_is_identity(const struct hk_point *a)
{
    struct hk_point identity;
    point_identity(&identity);
    return hk_equal(a->bytes, identity.bytes, SIZE);
}

/* The library refuses operands that are not on the curve, which no decoded point is; the identity is what the
 * caller then gets, and what every protocol check refuses. */
static void point_add(struct hk_point *out, const struct hk_point *a, const struct hk_point *b)
{
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    int failed = crypto_core_ed25519_add(bytes, a->bytes, b->bytes);
    HK_PUBLIC(failed);
    if (failed == 0) {
        put_point(out, bytes);
    } else {
        point_identity(out);
    }
}

static void point_sub(struct hk_point *out, const struct hk_point *a, const struct hk_point *b)
{
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    int failed = crypto_core_ed25519_sub(bytes, a->bytes, b->bytes);
    HK_PUBLIC(failed);
    if (failed == 0) {
        put_point(out, bytes);
    } else {
        point_identity(out);
    }
}

/* The library's multiplications fail exactly where [k]P is the identity (or P is not a point of the
 * subgroup), so the right answer is there from the start; whether they failed is a fact about the public
 * result. */
static void base_mul(struct hk_point *out, const struct hk_scalar *k)
{
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    int failed = crypto_scalarmult_ed25519_base_noclamp(bytes, k->bytes);
    HK_PUBLIC(failed);
    if (failed == 0) {
        put_point(out, bytes);
    } else {
        point_identity(out);
    }
}

static void point_mul(struct hk_point *out, const struct hk_scalar *k, const struct hk_point *p)
{
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    int failed = crypto_scalarmult_ed25519_noclamp(bytes, k->bytes, p->bytes);
    HK_PUBLIC(failed);
    if (failed == 0) {
        put_point(out, bytes);
    } else {
        point_identity(out);
    }
}

/* crypto_scalarmult_ed25519_noclamp makes the very checks of is_valid_point before it multiplies. */
static enum hk_error point_decode_mul(struct hk_point *out, const struct hk_scalar *k, const uint8_t *in)
{
    uint8_t bytes[SIZE];
    HK_WIPE_AT_EXIT(bytes);
    int failed = crypto_scalarmult_ed25519_noclamp(bytes, k->bytes, in);
    HK_PUBLIC(failed); /* k is not 0 nor n, so it says something about the peer's point only */
    if (failed != 0) {
        return HK_BAD_POINT;
    }
    put_point(out, bytes);
    return HK_OK;
}

const struct hk_group hk_edwards25519 = {
    .name = "edwards25519",
    .scalar_bytes = SIZE,
    .point_bytes = SIZE,
    .scalar_reduce = scalar_reduce,
    .scalar_decode = scalar_decode,
    .scalar_set = scalar_set,
    .scalar_add = scalar_add,
    .scalar_sub = scalar_sub,
    .scalar_mul = scalar_mul,
    .scalar_invert = scalar_invert,
    .scalar_is_zero = scalar_is_zero,
    .point_decode = point_decode,
    .point_identity = point_identity,
    .point_is_identity = point_is_identity,
    .point_add = point_add,
    .point_sub = point_sub,
    .base_mul = base_mul,
    .point_mul = point_mul,
    .point_decode_mul = point_decode_mul,
};
