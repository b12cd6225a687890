#include "tests/support/bad_values.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/group_secp256k1.h"
#include "tests/support/groups.h"

/* A point of order 8; its multiples are all points of small order. */
static const uint8_t order_8[32] = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
                                    0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
                                    0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
static struct bad_value *add(struct bad_value *out, size_t *count, const char *name, int number,
                             const uint8_t *bytes, size_t size)
{
    struct bad_value *made = &out[(*count)++];
    memset(made, 0, sizeof(*made));
    (void)snprintf(made->name, sizeof(made->name), number >= 0 ? "%s %d" : "%s", name, number);
    memcpy(made->bytes, bytes, size);
    made->size = size;
    return made;
}

static void good_point(uint8_t out[32])
{
    struct hk_scalar k;
    struct hk_point point;
    hk_scalar_random(&hk_edwards25519, &k);
    hk_edwards25519.base_mul(&point, &k);
    memcpy(out, point.bytes, 32);
}

/* p + k: the second encoding of y = k. */
static void field_prime_plus(uint8_t out[32], uint8_t k)
{
    memset(out, 0xff, 32);
    out[0] = (uint8_t)(0xed + k);
    out[31] = 0x7f;
}

static void add_of_small_order(struct bad_value *out, size_t *count)
{
    static const uint8_t identity[32] = {1};
    uint8_t small[32], good[32], mixed[32];
    memcpy(small, identity, 32);
    for (int i = 0; i < 8; i++) {
        add(out, count, i == 0 ? "identity" : "small order", i == 0 ? -1 : i, small, 32);
        good_point(good);
        assert_int_equal(crypto_core_ed25519_add(mixed, good, small), 0);
        if (i != 0) {
            add(out, count, "mixed order", i, mixed, 32);
        }
        assert_int_equal(crypto_core_ed25519_add(small, small, order_8), 0);
    }
    assert_memory_equal(small, identity, 32); /* eight of them, and round again */
}

static void add_not_canonical(struct bad_value *out, size_t *count)
{
    uint8_t bytes[32];
    for (uint8_t k = 0; k < 19; k++) {
        field_prime_plus(bytes, k);
        add(out, count, "y = p +", k, bytes, 32);
    }
    memset(bytes, 0xff, 32);
    add(out, count, "all ones", -1, bytes, 32);
    memset(bytes, 0, 32);
    bytes[0] = 1;
    bytes[31] = 0x80;
    add(out, count, "x = 0 with sign, y = 1", -1, bytes, 32);
    memset(bytes, 0xff, 32);
    bytes[0] = 0xec;
    add(out, count, "x = 0 with sign, y = -1", -1, bytes, 32);
}

static void add_not_on_the_curve(struct bad_value *out, size_t *count)
{
    uint8_t bytes[32], sum[32];
    static const uint8_t identity[32] = {1};
    for (int found = 0; found < 3;) {
        good_point(bytes);
        bytes[5] ^= 0x55;
        if (crypto_core_ed25519_add(sum, bytes, identity) != 0) {
            add(out, count, "not on the curve", found++, bytes, 32);
        }
    }
}

static size_t bad_edwards_points(struct bad_value *out)
{
    size_t count = 0;
    uint8_t bytes[BAD_VALUE_BYTES_MAX] = {0};
    add_of_small_order(out, &count);
    add_not_canonical(out, &count);
    add_not_on_the_curve(out, &count);
    good_point(bytes);
    add(out, &count, "length", 33, bytes, 33);
    add(out, &count, "length", 57, bytes, 57);
    add(out, &count, "length", 31, bytes, 31);
    add(out, &count, "length", 0, bytes, 0);
    return count;
}

static void good_secp256k1_point(uint8_t out[33])
{
    struct hk_scalar k;
    struct hk_point point;
    hk_scalar_random(&hk_secp256k1, &k);
    hk_secp256k1.base_mul(&point, &k);
    memcpy(out, point.bytes, 33);
}

/* p + k: the second encoding of x = k; 1, 2, 3, 4, 6 and 8 are on the curve. */
static void add_x_of_p_and_above(struct bad_value *out, size_t *count)
{
    uint8_t bytes[33];
    for (uint8_t k = 0; k < 9; k++) {
        memset(bytes, 0xff, 33);
        bytes[0] = 2 + k % 2;
        bytes[28] = 0xfe;
        bytes[31] = 0xfc;
        bytes[32] = (uint8_t)(0x2f + k);
        add(out, count, "x = p +", k, bytes, 33);
    }
    memset(bytes, 0xff, 33);
    bytes[0] = 2;
    add(out, count, "x all ones", -1, bytes, 33);
}

static size_t bad_secp256k1_points(struct bad_value *out)
{
    static const uint8_t firsts[] = {0, 1, 4, 5, 6, 7, 0x12, 0x82, 0xff};
    size_t count = 0;
    uint8_t bytes[BAD_VALUE_BYTES_MAX] = {0};
    add(out, &count, "all zero", -1, bytes, 33); /* as near as an encoding of the identity can be */
    for (size_t i = 0; i < sizeof(firsts); i++) {
        good_secp256k1_point(bytes);
        bytes[0] = firsts[i];
        add(out, &count, "first byte", firsts[i], bytes, 33);
    }
    add_x_of_p_and_above(out, &count);
    static const uint8_t none[] = {0, 5, 7, 9, 10}; /* x^3 + 7 is no square */
    for (size_t i = 0; i < 2 * sizeof(none); i++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[0] = 2 + i % 2;
        bytes[32] = none[i / 2];
        add(out, &count, i % 2 == 0 ? "not on the curve, even" : "not on the curve, odd", none[i / 2], bytes,
            33);
    }
    good_secp256k1_point(bytes);
    add(out, &count, "length", 32, bytes + 1, 32); /* BIP-340's own form */
    add(out, &count, "length", 34, bytes, 34);
    add(out, &count, "length", 57, bytes, 57);
    add(out, &count, "length", 31, bytes, 31);
    add(out, &count, "length", 0, bytes, 0);
    return count;
}

size_t bad_points(struct bad_value *out, const struct hk_group *group)
{
    size_t count = group == &hk_edwards25519 ? bad_edwards_points(out) : bad_secp256k1_points(out);
    assert_true(count <= BAD_POINTS_MAX);
    return count;
}

size_t bad_scalars(struct bad_value *out, const struct hk_group *group)
{
    size_t count = 0;
    uint8_t bytes[BAD_VALUE_BYTES_MAX] = {0};
    add(out, &count, "zero", -1, bytes, 32);
    hk_order(group, bytes);
    add(out, &count, "n", -1, bytes, 32);
    hk_number_add(group, bytes, 1);
    add(out, &count, "n+1", -1, bytes, 32);
    hk_number_add(group, bytes, 7);
    add(out, &count, "n+8", -1, bytes, 32);
    hk_order(group, bytes);
    if (hk_number_add_order(group, bytes)) {
        add(out, &count, "2n", -1, bytes, 32);
        memset(bytes, 0xff, 32);
        bytes[31] = 0x7f;
        add(out, &count, "2^255-1", -1, bytes, 32);
    }
    memset(bytes, 0xff, 32);
    add(out, &count, "2^256-1", -1, bytes, 32);
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = 5;
    add(out, &count, "length", 33, bytes, 33);
    add(out, &count, "length", 31, bytes, 31);
    add(out, &count, "length", 0, bytes, 0);
    assert_true(count <= BAD_SCALARS_MAX);
    return count;
}
