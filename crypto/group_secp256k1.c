/* Facts about the libraries that this file depends on, each held by a test: ec_pubkey_create, ecdh and
 * seckey functions fail for scalar 0; ec_pubkey_combine fails for P and -P; ec_pubkey_parse takes the hybrid
 * encodings 06 and 07. libsecp256k1 0.2.0 branches on secret points in three places only, and each time the
 * outcome is the same for every point of the curve (docs/security-model.md has the argument). */
#include "crypto/group_secp256k1.h"

#include <assert.h>
#include <gmp.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_preallocated.h>
#include <string.h>

#include "crypto/bigint.h"

#define SIZE HK_SECP256K1_SCALAR_BYTES
#define FULL 65 /* sign byte, x, y */
#define LIMBS 4
#define SCRATCH 32 /* limbs that GMP's functions want at most, asserted below */
#define CONTEXT_BYTES 1024

static_assert(GMP_NUMB_BITS == 64, "four limbs make a scalar");
static_assert(FULL <= HK_POINT_STATE_BYTES, "a point holds x and y");

static const mp_limb_t order[LIMBS] = {UINT64_C(0xbfd25e8cd0364141), UINT64_C(0xbaaedce6af48a03b),
                                       UINT64_C(0xfffffffffffffffe), UINT64_C(0xffffffffffffffff)};

/* -- scalars -- */

static void load(mp_limb_t *limbs, size_t count, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        mp_limb_t limb = 0;
        for (size_t j = 0; j < 8; j++) {
            limb = limb << 8 | bytes[8 * (count - 1 - i) + j];
        }
        limbs[i] = limb;
    }
}

/* The bytes after a scalar's encoding are zero, so that equal values are equal structures. */
static void store(struct hk_scalar *out, const mp_limb_t limbs[LIMBS])
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < SIZE; i++) {
        out->bytes[i] = (uint8_t)(limbs[(SIZE - 1 - i) / 8] >> (8 * ((SIZE - 1 - i) % 8)));
    }
}

static void scalar_reduce(struct hk_scalar *out, const uint8_t wide[64])
{
    mp_limb_t number[2 * LIMBS], scratch[SCRATCH];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(scratch);
    assert(mpn_sec_div_r_itch(2 * LIMBS, LIMBS) <= SCRATCH);
    load(number, 2 * LIMBS, wide);
    mpn_sec_div_r(number, 2 * LIMBS, order, LIMBS, scratch);
    store(out, number);
}

static enum hk_error scalar_decode(struct hk_scalar *out, const uint8_t *in)
{
    mp_limb_t number[LIMBS], difference[LIMBS];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(difference);
    load(number, LIMBS, in);
    if (mpn_sub_n(difference, number, order, LIMBS) == 0) {
        return HK_BAD_SCALAR;
    }
    store(out, number);
    return HK_OK;
}

static void scalar_set(struct hk_scalar *out, uint64_t value)
{
    store(out, (const mp_limb_t[LIMBS]){value});
}

static void scalar_add(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)
{
    mp_limb_t sum[LIMBS], other[LIMBS];
    HK_WIPE_AT_EXIT(sum);
    HK_WIPE_AT_EXIT(other);
    load(sum, LIMBS, a->bytes);
    load(other, LIMBS, b->bytes);
    mp_limb_t carry = mpn_add_n(sum, sum, other, LIMBS);
    mp_limb_t borrow = mpn_sub_n(other, sum, order, LIMBS);
    /* The difference is right unless it borrowed what no carry can give back. */
    mpn_cnd_add_n(borrow & ~carry & 1, sum, other, order, LIMBS);
    store(out, sum);
}

static void scalar_sub(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)
{
    mp_limb_t difference[LIMBS], other[LIMBS];
    HK_WIPE_AT_EXIT(difference);
    HK_WIPE_AT_EXIT(other);
    load(difference, LIMBS, a->bytes);
    load(other, LIMBS, b->bytes);
    mp_limb_t borrow = mpn_sub_n(difference, difference, other, LIMBS);
    mpn_cnd_add_n(borrow, difference, difference, order, LIMBS);
    store(out, difference);
}

static void scalar_mul(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)
{
    mp_limb_t left[LIMBS], right[LIMBS], product[2 * LIMBS], scratch[SCRATCH];
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    HK_WIPE_AT_EXIT(product);
    HK_WIPE_AT_EXIT(scratch);
    assert(mpn_sec_mul_itch(LIMBS, LIMBS) <= SCRATCH);
    load(left, LIMBS, a->bytes);
    load(right, LIMBS, b->bytes);
    mpn_sec_mul(product, left, LIMBS, right, LIMBS, scratch);
    mpn_sec_div_r(product, 2 * LIMBS, order, LIMBS, scratch);
    store(out, product);
}

static void scalar_invert(struct hk_scalar *out, const struct hk_scalar *a)
{
    mp_limb_t number[LIMBS], inverse[LIMBS] = {0}, scratch[SCRATCH];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(inverse);
    HK_WIPE_AT_EXIT(scratch);
    assert(mpn_sec_invert_itch(LIMBS) <= SCRATCH);
    load(number, LIMBS, a->bytes);
    int invertible = mpn_sec_invert(inverse, number, order, LIMBS, 2 * 8 * SIZE, scratch);
    HK_PUBLIC(invertible); /* all but zero */
    if (invertible == 0) {
        memset(inverse, 0, sizeof(inverse));
    }
    store(out, inverse);
}

static bool scalar_is_zero(const struct hk_scalar *a)
{
    return hk_is_zero(a->bytes, SIZE);
}

void hk_secp256k1_negate_if(struct hk_scalar *out, const struct hk_scalar *a, bool negate)
{
    struct hk_scalar zero = {{0}}, negated;
    HK_WIPE_AT_EXIT(negated);
    scalar_sub(&negated, &zero, a);
    uint8_t mask = (uint8_t)hk_big_mask(negate);
    for (size_t i = 0; i < sizeof(out->bytes); i++) {
        out->bytes[i] = (uint8_t)((negated.bytes[i] & mask) | (a->bytes[i] & ~mask));
    }
}

/* -- points -- */

static void put_point(struct hk_point *out, const uint8_t xy[2 * SIZE])
{
    memset(out, 0, sizeof(*out));
    out->bytes[0] = (uint8_t)(2 | (xy[2 * SIZE - 1] & 1));
    memcpy(out->bytes + 1, xy, 2 * SIZE);
}

/* To and from the library's own form. A point inside is on the curve; what happens if it is not is that the
 * library aborts at the zeros. */
static void to_library(secp256k1_pubkey *out, const struct hk_point *point)
{
    uint8_t full[FULL];
    HK_WIPE_AT_EXIT(full);
    full[0] = 4;
    memcpy(full + 1, point->bytes + 1, FULL - 1);
    int parsed = secp256k1_ec_pubkey_parse(secp256k1_context_static, out, full, FULL);
    HK_PUBLIC(parsed); /* always */
    if (parsed != 1) {
        memset(out, 0, sizeof(*out));
    }
}

static void from_library(struct hk_point *out, const secp256k1_pubkey *key)
{
    uint8_t full[FULL];
    size_t size = FULL;
    HK_WIPE_AT_EXIT(full);
    (void)secp256k1_ec_pubkey_serialize(secp256k1_context_static, full, &size, key,
                                        SECP256K1_EC_UNCOMPRESSED);
    put_point(out, full + 1);
}

static enum hk_error point_decode(struct hk_point *out, const uint8_t *in)
{
    secp256k1_pubkey key;
    if ((in[0] != 2 && in[0] != 3) ||
        secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, in, HK_SECP256K1_POINT_BYTES) != 1) {
        return HK_BAD_POINT;
    }
    from_library(out, &key);
    return HK_OK;
}

static void point_identity(struct hk_point *out)
{
    memset(out, 0, sizeof(*out));
}

static bool point_is_identity(const struct hk_point *a)
{
    bool identity = a->bytes[0] == 0;
    HK_PUBLIC(identity); /* a refusal or another try, seen by everybody */
    return identity;
}

/* a + b, or a - b. */
static void combine(struct hk_point *out, const struct hk_point *a, const struct hk_point *b, bool subtract)
{
    secp256k1_pubkey left, right, sum;
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    HK_WIPE_AT_EXIT(sum);
    if (point_is_identity(b)) {
        *out = *a;
        return;
    }
    to_library(&right, b);
    if (subtract && secp256k1_ec_pubkey_negate(secp256k1_context_static, &right) != 1) {
        memset(&right, 0, sizeof(right));
    }
    if (point_is_identity(a)) {
        from_library(out, &right);
        return;
    }
    to_library(&left, a);
    int combined = secp256k1_ec_pubkey_combine(secp256k1_context_static, &sum,
                                               (const secp256k1_pubkey *[]){&left, &right}, 2);
    HK_PUBLIC(combined); /* unless the sum is the identity */
    if (combined == 1) {
        from_library(out, &sum);
    } else {
        point_identity(out);
    }
}

static void point_add(struct hk_point *out, const struct hk_point *a, const struct hk_point *b)
{
    combine(out, a, b, false);
}

static void point_sub(struct hk_point *out, const struct hk_point *a, const struct hk_point *b)
{
    combine(out, a, b, true);
}

static void base_mul(struct hk_point *out, const struct hk_scalar *k)
{
    _Alignas(16) uint8_t memory[CONTEXT_BYTES];
    secp256k1_pubkey key;
    HK_WIPE_AT_EXIT(key);
    HK_WIPE_AT_EXIT(memory);
    assert(secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE) <= sizeof(memory));
    secp256k1_context *context = secp256k1_context_preallocated_create(memory, SECP256K1_CONTEXT_NONE);
    /* It fails exactly for 0: a fact about the result, which is public. */
    int created = secp256k1_ec_pubkey_create(context, &key, k->bytes);
    HK_PUBLIC(created);
    if (created == 1) {
        from_library(out, &key);
    } else {
        point_identity(out);
    }
    secp256k1_context_preallocated_destroy(context);
}

static int copy_coordinates(unsigned char *out, const unsigned char *x, const unsigned char *y, void *data)
{
    (void)data;
    memcpy(out, x, SIZE);
    memcpy(out + SIZE, y, SIZE);
    return 1;
}

static void multiply(struct hk_point *out, const struct hk_scalar *k, const secp256k1_pubkey *key)
{
    uint8_t xy[2 * SIZE];
    HK_WIPE_AT_EXIT(xy);
    int multiplied = secp256k1_ecdh(secp256k1_context_static, xy, key, k->bytes, copy_coordinates, NULL);
    HK_PUBLIC(multiplied); /* unless k is 0 */
    if (multiplied == 1) {
        put_point(out, xy);
    } else {
        point_identity(out);
    }
}

static void point_mul(struct hk_point *out, const struct hk_scalar *k, const struct hk_point *p)
{
    secp256k1_pubkey key;
    HK_WIPE_AT_EXIT(key);
    if (point_is_identity(p)) {
        point_identity(out);
        return;
    }
    to_library(&key, p);
    multiply(out, k, &key);
}

static enum hk_error point_decode_mul(struct hk_point *out, const struct hk_scalar *k, const uint8_t *in)
{
    secp256k1_pubkey key;
    if ((in[0] != 2 && in[0] != 3) ||
        secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, in, HK_SECP256K1_POINT_BYTES) != 1) {
        return HK_BAD_POINT;
    }
    multiply(out, k, &key);
    return HK_OK;
}

void hk_secp256k1_x(uint8_t x[HK_SECP256K1_X_BYTES], const struct hk_point *point)
{
    memcpy(x, point->bytes + 1, HK_SECP256K1_X_BYTES);
}

bool hk_secp256k1_has_odd_y(const struct hk_point *point)
{
    return (point->bytes[0] & 1) != 0;
}

const struct hk_group hk_secp256k1 = {
    .name = "secp256k1",
    .scalar_bytes = SIZE,
    .point_bytes = HK_SECP256K1_POINT_BYTES,
    .big_endian = true,
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
