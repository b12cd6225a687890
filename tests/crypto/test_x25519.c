/* The maps between u and Edwards points, against libsodium's own X25519 and the figures of RFC 7748. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/x25519.h"

static void unhex(uint8_t *out, size_t size, const char *hex)
{
    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &size, NULL), 0);
}

/* [k/8]P for P from u, as u: what key agreement computes, with the whole key in one place for once. */
static enum hk_error through_edwards(uint8_t out[32], const uint8_t key[32], const uint8_t u[32])
{
    struct hk_scalar k, eight;
    struct hk_point point;
    hk_x25519_scalar(&k, key);
    hk_edwards25519.scalar_set(&eight, 8);
    hk_edwards25519.scalar_invert(&eight, &eight);
    hk_edwards25519.scalar_mul(&k, &k, &eight);
    enum hk_error error = hk_x25519_to_point(&point, u);
    if (error == HK_OK) {
        hk_edwards25519.point_mul(&point, &k, &point);
        hk_x25519_from_point(out, &point);
    }
    return error;
}

static void gives_the_figures_of_rfc_7748(void **state)
{
    static const char *const rows[][3] = {
        {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
         "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
        /* this one is on the twist: no honest sender is there, and we refuse it */
        {"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
         "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
         "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
        /* section 6.1: Alice's private key, Bob's public key, their shared secret */
        {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
         "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t key[32], u[32], expected[32], out[32];
        unhex(key, 32, rows[i][0]);
        unhex(u, 32, rows[i][1]);
        assert_int_equal(crypto_scalarmult_curve25519(expected, key, u), 0);
        unhex(out, 32, rows[i][2]);
        assert_memory_equal(expected, out, 32);
        if (i == 1) {
            assert_int_equal(through_edwards(out, key, u), HK_BAD_POINT);
        } else {
            assert_int_equal(through_edwards(out, key, u), HK_OK);
            assert_memory_equal(out, expected, 32);
        }
    }
}

static void public_key_comes_from_its_private_key(void **state)
{
    uint8_t key[32], expected[32], out[32];
    struct hk_scalar k;
    struct hk_point point;
    (void)state;
    unhex(key, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    for (int i = 0; i < 500; i++) {
        hk_x25519_scalar(&k, key);
        hk_edwards25519.base_mul(&point, &k);
        hk_x25519_from_point(out, &point);
        crypto_scalarmult_curve25519_base(expected, key);
        assert_memory_equal(out, expected, 32);
        hk_random(key, 32);
    }
}

static void random_u_gives_x25519_on_the_curve_and_is_refused_on_the_twist(void **state)
{
    int curve = 0, twist = 0;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint8_t key[32], u[32], expected[32], out[32];
        hk_random(key, 32);
        hk_random(
            u, 32); /* top bit included; half are on the twist; seven of eight of the others of mixed order */
        assert_int_equal(crypto_scalarmult_curve25519(expected, key, u), 0);
        /* The ladder does not leave the curve or the twist that u is on. */
        enum hk_error error = through_edwards(out, key, u);
        if (error == HK_OK) {
            assert_memory_equal(out, expected, 32);
            curve++;
        } else {
            struct hk_point ignored;
            assert_int_equal(error, HK_BAD_POINT);
            assert_int_equal(hk_x25519_to_point(&ignored, expected), HK_BAD_POINT);
            twist++;
        }
    }
    assert_in_range(curve, 850, 1150);
    assert_in_range(twist, 850, 1150);
}

static void points_come_out_strictly_encoded_with_sign_0(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        uint8_t u[32];
        struct hk_point point, decoded;
        hk_random(u, 32);
        if (hk_x25519_to_point(&point, u) == HK_OK) {
            assert_int_equal(hk_edwards25519.point_decode(&decoded, point.bytes), HK_OK);
            assert_int_equal(point.bytes[31] & 0x80, 0);
        }
    }
}

static void small_order_u_is_refused_in_every_encoding(void **state)
{
    /* 0, 1, the two of order 8, p-1, p, p+1, and the twist's own; libsodium's list and RFC 7748's. */
    static const char *const list[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        uint8_t u[32];
        struct hk_point point;
        unhex(u, 32, list[i]);
        assert_int_equal(hk_x25519_to_point(&point, u), HK_BAD_POINT);
        u[31] |= 0x80;
        assert_int_equal(hk_x25519_to_point(&point, u), HK_BAD_POINT);
    }
}

static void u_that_is_not_canonical_is_reduced(void **state)
{
    (void)state;
    for (unsigned low = 0xed; low <= 0xff; low++) {
        uint8_t u[32], reduced[32] = {(uint8_t)(low - 0xed)};
        struct hk_point a, b;
        memset(u, 0xff, 32);
        u[0] = (uint8_t)low;
        for (int top = 0; top < 2; top++) {
            u[31] = top ? 0xff : 0x7f;
            enum hk_error error = hk_x25519_to_point(&b, reduced);
            assert_int_equal(hk_x25519_to_point(&a, u), error);
            if (error == HK_OK) {
                assert_memory_equal(a.bytes, b.bytes, 32);
            }
        }
    }
}

static void mixed_order_u_gives_what_rfc_7748_gives(void **state)
{
    /* A point of order 8, to be added to honest ones. */
    uint8_t torsion[32];
    (void)state;
    unhex(torsion, 32, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    for (int i = 0; i < 300; i++) {
        uint8_t key[32], sum[32], u[32], expected[32], out[32];
        struct hk_scalar k;
        struct hk_point point;
        hk_scalar_random(&hk_edwards25519, &k);
        hk_edwards25519.base_mul(&point, &k);
        memcpy(sum, point.bytes, 32);
        for (int j = 0; j < 8; j++) {
            assert_int_equal(crypto_core_ed25519_add(sum, sum, torsion), 0);
            memcpy(point.bytes, sum, 32);
            hk_x25519_from_point(u, &point);
            hk_random(key, 32);
            assert_int_equal(crypto_scalarmult_curve25519(expected, key, u), 0);
            assert_int_equal(through_edwards(out, key, u), HK_OK);
            assert_memory_equal(out, expected, 32);
        }
    }
}

static void identity_has_u_0(void **state)
{
    uint8_t u[32];
    struct hk_point point;
    (void)state;
    hk_edwards25519.point_identity(&point);
    hk_x25519_from_point(u, &point);
    assert_true(hk_is_zero(u, 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_figures_of_rfc_7748),
        cmocka_unit_test(public_key_comes_from_its_private_key),
        cmocka_unit_test(random_u_gives_x25519_on_the_curve_and_is_refused_on_the_twist),
        cmocka_unit_test(points_come_out_strictly_encoded_with_sign_0),
        cmocka_unit_test(small_order_u_is_refused_in_every_encoding),
        cmocka_unit_test(u_that_is_not_canonical_is_reduced),
        cmocka_unit_test(mixed_order_u_gives_what_rfc_7748_gives),
        cmocka_unit_test(identity_has_u_0),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
