/* The group table: edwards25519's decoders refuse everything that is not one encoding of one point of prime
 * order, its arithmetic is right at the edges of the library, and the toy group is what it says. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/group.h"
#include "crypto/random.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

#define ED (&hk_edwards25519)

/* The points of order 1, 2, 4, 4, 8, 8, 8, 8. */
static const char *const small_order[8] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"};

/* y >= p, and x = 0 with sign 1. */
static const char *const not_canonical[] = {
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};

static void from_hex(uint8_t out[32], const char *hex)
{
    size_t size;
    assert_int_equal(sodium_hex2bin(out, 32, hex, strlen(hex), NULL, &size, NULL), 0);
    assert_int_equal(size, 32);
}

static void decoder_refuses_points_of_small_order(void **state)
{
    (void)state;
    uint8_t bytes[32];
    for (size_t i = 0; i < 8; i++) {
        from_hex(bytes, small_order[i]);
        hk_assert_no_point(ED, bytes);
    }
}

static void decoder_refuses_what_is_not_canonical(void **state)
{
    (void)state;
    uint8_t bytes[32];
    for (size_t i = 0; i < sizeof(not_canonical) / sizeof(not_canonical[0]); i++) {
        from_hex(bytes, not_canonical[i]);
        hk_assert_no_point(ED, bytes);
    }
}

/* P + T for each T of small order: the library's older versions let order 2 pass (CVE-2025-69277). */
static void decoder_refuses_points_of_mixed_order(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct hk_scalar k;
        struct hk_point point;
        hk_random_point(ED, &k, &point);
        for (size_t i = 1; i < 8; i++) {
            uint8_t torsion[32], mixed[32];
            from_hex(torsion, small_order[i]);
            assert_int_equal(crypto_core_ed25519_add(mixed, point.bytes, torsion), 0);
            hk_assert_no_point(ED, mixed);
        }
    }
}

static void decoder_refuses_what_is_not_on_the_curve(void **state)
{
    (void)state;
    int refused = 0;
    for (uint8_t y = 2; y < 100; y++) {
        uint8_t bytes[32] = {y};
        struct hk_point point;
        enum hk_error error = ED->point_decode(&point, bytes);
        assert_true(error == HK_OK || error == HK_BAD_POINT);
        refused += error != HK_OK;
    }
    assert_in_range(refused, 60, 97); /* one y in 16 belongs to a point of the subgroup */
}

static void decoder_takes_every_multiple_of_the_base(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct hk_scalar k, m;
        struct hk_point point, decoded, product, expected;
        hk_random_point(ED, &k, &point);
        hk_scalar_random(ED, &m);
        assert_int_equal(ED->point_decode(&decoded, point.bytes), HK_OK);
        assert_memory_equal(&decoded, &point, sizeof(point));
        assert_int_equal(hk_point_decode_mul(ED, &product, &m, point.bytes), HK_OK);
        ED->scalar_mul(&k, &k, &m);
        ED->base_mul(&expected, &k);
        assert_memory_equal(&product, &expected, sizeof(product));
    }
}

static void scalar_decoder_refuses_n_and_above(void **state)
{
    (void)state;
    static const uint8_t n[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    uint8_t bytes[32];
    struct hk_scalar scalar;
    assert_int_equal(ED->scalar_decode(&scalar, n), HK_BAD_SCALAR);
    for (int i = 0; i < 32; i++) { /* n + 256^i */
        memcpy(bytes, n, 32);
        for (int j = i; j < 32 && ++bytes[j] == 0; j++) {
        }
        assert_int_equal(ED->scalar_decode(&scalar, bytes), HK_BAD_SCALAR);
    }
    memset(bytes, 0xff, 32);
    assert_int_equal(ED->scalar_decode(&scalar, bytes), HK_BAD_SCALAR);
    memcpy(bytes, n, 32);
    bytes[0]--; /* n - 1 */
    assert_int_equal(ED->scalar_decode(&scalar, bytes), HK_OK);
    memset(bytes, 0, 32);
    assert_int_equal(ED->scalar_decode(&scalar, bytes), HK_OK);
    assert_true(ED->scalar_is_zero(&scalar));
    assert_int_equal(hk_scalar_decode_nonzero(ED, &scalar, bytes), HK_BAD_SCALAR);
}

static void zero_and_identity_multiply_to_the_identity(void **state)
{
    (void)state;
    struct hk_scalar zero, k;
    struct hk_point point, identity, result;
    ED->scalar_set(&zero, 0);
    ED->point_identity(&identity);
    hk_random_point(ED, &k, &point);
    ED->base_mul(&result, &zero);
    assert_true(ED->point_is_identity(&result));
    ED->point_mul(&result, &zero, &point);
    assert_true(ED->point_is_identity(&result));
    ED->point_mul(&result, &k, &identity);
    assert_true(ED->point_is_identity(&result));
    ED->point_sub(&result, &point, &point);
    assert_true(ED->point_is_identity(&result));
    ED->point_add(&result, &point, &identity);
    assert_true(hk_point_equal(ED, &result, &point));
    assert_false(hk_point_equal(ED, &result, &identity));
    assert_true(hk_point_equal(ED, &identity, &identity));
}

/* ([a] + [b])B and so on: scalars and points tell the same story, outputs may be inputs. */
static void scalars_and_points_agree(const struct hk_group *group)
{
    for (int i = 0; i < 50; i++) {
        struct hk_scalar a, b, c;
        struct hk_point pa, pb, expected, got;
        hk_scalar_random(group, &a);
        hk_scalar_random(group, &b);
        group->base_mul(&pa, &a);
        group->base_mul(&pb, &b);
        group->scalar_add(&c, &a, &b);
        group->base_mul(&expected, &c);
        group->point_add(&got, &pa, &pb);
        assert_true(hk_point_equal(group, &got, &expected));
        group->scalar_sub(&c, &a, &b);
        group->base_mul(&expected, &c);
        group->point_sub(&got, &pa, &pb);
        assert_true(hk_point_equal(group, &got, &expected));
        group->scalar_invert(&c, &a);
        group->point_mul(&pa, &c, &pa);
        group->scalar_set(&c, 1);
        group->base_mul(&expected, &c);
        assert_true(hk_point_equal(group, &pa, &expected));
        group->scalar_mul(&a, &a, &b);
        group->scalar_invert(&b, &b);
        group->scalar_mul(&a, &a, &b);
        assert_false(group->scalar_is_zero(&a));
    }
}

static void shipped_groups_are_groups(void **state)
{
    (void)state;
    for (size_t i = 0; i < HK_GROUP_COUNT; i++) {
        scalars_and_points_agree(hk_groups[i]);
    }
}

static void toy_group_is_a_group(void **state)
{
    (void)state;
    scalars_and_points_agree(&hk_toy_group);
    unsigned points = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t in = (uint8_t)byte;
        struct hk_point point;
        struct hk_scalar scalar;
        points += hk_toy_group.point_decode(&point, &in) == HK_OK;
        assert_int_equal(hk_toy_group.scalar_decode(&scalar, &in),
                         byte < HK_TOY_ORDER ? HK_OK : HK_BAD_SCALAR);
    }
    assert_int_equal(points, HK_TOY_ORDER - 1);
    for (unsigned a = 0; a < HK_TOY_ORDER; a++) {
        for (unsigned b = 0; b < HK_TOY_ORDER; b++) {
            struct hk_point pa = hk_toy_point(a), pb = hk_toy_point(b), sum, product;
            struct hk_scalar k = hk_toy_scalar(b);
            hk_toy_group.point_add(&sum, &pa, &pb);
            hk_toy_group.point_mul(&product, &k, &pa);
            assert_int_equal(hk_toy_log(&sum), (a + b) % HK_TOY_ORDER);
            assert_int_equal(hk_toy_log(&product), a * b % HK_TOY_ORDER);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decoder_refuses_points_of_small_order),
                                       cmocka_unit_test(decoder_refuses_what_is_not_canonical),
                                       cmocka_unit_test(decoder_refuses_points_of_mixed_order),
                                       cmocka_unit_test(decoder_refuses_what_is_not_on_the_curve),
                                       cmocka_unit_test(decoder_takes_every_multiple_of_the_base),
                                       cmocka_unit_test(scalar_decoder_refuses_n_and_above),
                                       cmocka_unit_test(zero_and_identity_multiply_to_the_identity),
                                       cmocka_unit_test(shipped_groups_are_groups),
                                       cmocka_unit_test(toy_group_is_a_group)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
