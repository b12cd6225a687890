/* secp256k1's row of the group table: the decoder takes one encoding of each point and nothing else, scalars
 * are the integers mod n (against GMP's ordinary numbers), and the edges of libsecp256k1 are rounded off. */
#include <setjmp.h>
#include <gmp.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/group_secp256k1.h"
#include "crypto/random.h"
#include "tests/support/groups.h"

#define SECP (&hk_secp256k1)
#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define PRIME "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"

static void export(uint8_t out[32], const mpz_t number)
{
    size_t size = (mpz_sizeinbase(number, 2) + 7) / 8;
    memset(out, 0, 32);
    assert_in_range(size, 0, 32);
    if (mpz_sgn(number) != 0) {
        mpz_export(out + 32 - size, NULL, 1, 1, 1, 0, number);
    }
}

static void base_point_is_that_of_sec2(void **state)
{
    (void)state;
    struct hk_scalar one;
    struct hk_point point;
    uint8_t expected[33];
    SECP->scalar_set(&one, 1);
    SECP->base_mul(&point, &one);
    assert_int_equal(sodium_hex2bin(expected, 33,
                                    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", 66,
                                    NULL, NULL, NULL),
                     0);
    assert_memory_equal(point.bytes, expected, 33);
}

static void decoder_refuses_what_is_not_on_the_curve(void **state)
{
    (void)state;
    int refused = 0;
    for (unsigned x = 0; x < 200; x++) {
        uint8_t bytes[33] = {2};
        struct hk_point point;
        bytes[32] = (uint8_t)x;
        enum hk_error error = SECP->point_decode(&point, bytes);
        assert_true(error == HK_OK || error == HK_BAD_POINT);
        if (error == HK_BAD_POINT) {
            hk_assert_no_point(SECP, bytes);
            refused++;
        }
    }
    assert_in_range(refused, 60, 140);          /* every second x is there */
    hk_assert_no_point(SECP, (uint8_t[33]){2}); /* x = 0 among those that are not */
}

static void decoder_refuses_x_of_p_and_above(void **state)
{
    (void)state;
    mpz_t x;
    mpz_init_set_str(x, PRIME, 16);
    for (int i = 0; i < 50; i++) { /* p, p + 1 (x = 1 is on the curve), p + 2 ... */
        uint8_t bytes[33] = {2};
        export(bytes + 1, x);
        hk_assert_no_point(SECP, bytes);
        bytes[0] = 3;
        hk_assert_no_point(SECP, bytes);
        mpz_add_ui(x, x, 1);
    }
    mpz_clear(x);
    uint8_t bytes[33];
    memset(bytes, 0xff, sizeof(bytes));
    bytes[0] = 2;
    hk_assert_no_point(SECP, bytes);
}

static void decoder_takes_02_and_03_as_first_byte_and_no_other(void **state)
{
    (void)state;
    struct hk_scalar k;
    struct hk_point point, decoded, sum;
    hk_random_point(SECP, &k, &point);
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[65];
        memcpy(bytes, point.bytes, sizeof(bytes)); /* y behind it, as a hybrid encoding has it */
        bytes[0] = (uint8_t)first;
        if (first != 2 && first != 3) {
            hk_assert_no_point(SECP, bytes);
            continue;
        }
        assert_int_equal(SECP->point_decode(&decoded, bytes), HK_OK);
        SECP->point_add(&sum, &decoded, &point);
        assert_int_equal(hk_point_equal(SECP, &decoded, &point), first == point.bytes[0]);
        assert_int_equal(SECP->point_is_identity(&sum), first != point.bytes[0]);
    }
}

static void decoder_takes_every_multiple_of_the_base(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct hk_scalar k, m;
        struct hk_point point, decoded, product, expected;
        hk_random_point(SECP, &k, &point);
        hk_scalar_random(SECP, &m);
        assert_int_equal(SECP->point_decode(&decoded, point.bytes), HK_OK);
        assert_memory_equal(&decoded, &point, sizeof(point));
        assert_int_equal(hk_point_decode_mul(SECP, &product, &m, point.bytes), HK_OK);
        SECP->scalar_mul(&k, &k, &m);
        SECP->base_mul(&expected, &k);
        assert_memory_equal(&product, &expected, sizeof(product));
    }
}

static void scalar_decoder_refuses_n_and_above(void **state)
{
    (void)state;
    mpz_t number;
    uint8_t bytes[32];
    struct hk_scalar scalar;
    mpz_init_set_str(number, ORDER, 16);
    for (int i = 0; i < 50; i++) {
        export(bytes, number);
        assert_int_equal(SECP->scalar_decode(&scalar, bytes), HK_BAD_SCALAR);
        mpz_add_ui(number, number, 1);
    }
    mpz_set_str(number, ORDER, 16);
    mpz_sub_ui(number, number, 1);
    export(bytes, number);
    assert_int_equal(SECP->scalar_decode(&scalar, bytes), HK_OK);
    assert_memory_equal(scalar.bytes, bytes, 32);
    memset(bytes, 0xff, 32);
    assert_int_equal(SECP->scalar_decode(&scalar, bytes), HK_BAD_SCALAR);
    memset(bytes, 0, 32);
    assert_int_equal(SECP->scalar_decode(&scalar, bytes), HK_OK);
    assert_true(SECP->scalar_is_zero(&scalar));
    assert_int_equal(hk_scalar_decode_nonzero(SECP, &scalar, bytes), HK_BAD_SCALAR);
    mpz_clear(number);
}

/* A scalar near an edge now and then: 0, 1, n - 1, n/2, a power of two. */
static void pick(struct hk_scalar *out, mpz_t number, const mpz_t n, int round)
{
    uint8_t bytes[32];
    switch (round % 8) {
    case 0:
        mpz_set_ui(number, 0);
        break;
    case 1:
        mpz_set_ui(number, 1);
        break;
    case 2:
        mpz_sub_ui(number, n, 1);
        break;
    case 3:
        mpz_fdiv_q_ui(number, n, 2);
        break;
    case 4:
        mpz_set_ui(number, 0);
        mpz_setbit(number, randombytes_uniform(255));
        break;
    default:
        hk_random(bytes, 32);
        mpz_import(number, 32, 1, 1, 1, 0, bytes);
        mpz_mod(number, number, n);
    }
    export(bytes, number);
    assert_int_equal(SECP->scalar_decode(out, bytes), HK_OK);
}

static void assert_is(const struct hk_scalar *scalar, const mpz_t number)
{
    uint8_t bytes[HK_SCALAR_BYTES_MAX] = {0};
    export(bytes, number);
    assert_memory_equal(scalar->bytes, bytes, sizeof(bytes));
}

static void scalars_are_the_integers_mod_n(void **state)
{
    (void)state;
    mpz_t n, a, b, c;
    mpz_init_set_str(n, ORDER, 16);
    mpz_inits(a, b, c, NULL);
    for (int round = 0; round < 640; round++) {
        struct hk_scalar x, y, z;
        pick(&x, a, n, round);
        pick(&y, b, n, round / 8);
        SECP->scalar_add(&z, &x, &y);
        mpz_add(c, a, b);
        mpz_mod(c, c, n);
        assert_is(&z, c);
        SECP->scalar_sub(&z, &x, &y);
        mpz_sub(c, a, b);
        mpz_mod(c, c, n);
        assert_is(&z, c);
        SECP->scalar_mul(&z, &x, &y);
        mpz_mul(c, a, b);
        mpz_mod(c, c, n);
        assert_is(&z, c);
        hk_secp256k1_negate_if(&z, &x, round % 3 == 0);
        mpz_mul_si(c, a, round % 3 == 0 ? -1 : 1);
        mpz_mod(c, c, n);
        assert_is(&z, c);
        SECP->scalar_invert(&z, &x);
        if (mpz_sgn(a) != 0) {
            assert_int_not_equal(mpz_invert(c, a, n), 0);
            assert_is(&z, c);
        } else {
            assert_true(SECP->scalar_is_zero(&z));
        }
    }
    mpz_clears(n, a, b, c, NULL);
}

static void wide_numbers_are_reduced_mod_n(void **state)
{
    (void)state;
    mpz_t n, wide;
    mpz_init_set_str(n, ORDER, 16);
    mpz_init(wide);
    for (int round = 0; round < 200; round++) {
        uint8_t bytes[64];
        struct hk_scalar scalar;
        hk_random(bytes, 64);
        memset(bytes, round % 4 == 0 ? 0xff : bytes[0], round % 4 == 1 ? 0 : 32);
        mpz_import(wide, 64, 1, 1, 1, 0, bytes);
        mpz_mod(wide, wide, n);
        SECP->scalar_reduce(&scalar, bytes);
        assert_is(&scalar, wide);
    }
    mpz_clears(n, wide, NULL);
}

static void zero_and_identity_multiply_to_the_identity(void **state)
{
    (void)state;
    struct hk_scalar zero, k;
    struct hk_point point, identity, result;
    SECP->scalar_set(&zero, 0);
    SECP->point_identity(&identity);
    hk_random_point(SECP, &k, &point);
    SECP->base_mul(&result, &zero);
    assert_true(SECP->point_is_identity(&result));
    SECP->point_mul(&result, &zero, &point);
    assert_true(SECP->point_is_identity(&result));
    SECP->point_mul(&result, &k, &identity);
    assert_true(SECP->point_is_identity(&result));
    SECP->point_sub(&result, &point, &point);
    assert_true(SECP->point_is_identity(&result));
    SECP->point_add(&result, &point, &identity);
    assert_memory_equal(&result, &point, sizeof(point));
    SECP->point_add(&result, &identity, &point);
    assert_memory_equal(&result, &point, sizeof(point));
    SECP->point_sub(&result, &point, &identity);
    assert_memory_equal(&result, &point, sizeof(point));
    SECP->point_sub(&result, &identity, &point);
    assert_int_equal(hk_secp256k1_has_odd_y(&result), !hk_secp256k1_has_odd_y(&point));
    SECP->point_add(&result, &result, &point);
    assert_true(SECP->point_is_identity(&result));
    assert_false(hk_point_equal(SECP, &identity, &point));
    assert_true(hk_point_equal(SECP, &identity, &identity));
}

static void a_point_can_be_added_to_itself(void **state)
{
    (void)state;
    struct hk_scalar k, two;
    struct hk_point point, sum, product;
    hk_random_point(SECP, &k, &point);
    SECP->scalar_set(&two, 2);
    SECP->point_add(&sum, &point, &point);
    SECP->point_mul(&product, &two, &point);
    assert_memory_equal(&sum, &product, sizeof(sum));
}

/* What group_secp256k1.c says about the library. */
static void library_is_as_our_code_takes_it_to_be(void **state)
{
    (void)state;
    const uint8_t zero[32] = {0};
    uint8_t shared[32], hybrid[65];
    size_t size = sizeof(hybrid);
    struct hk_scalar k;
    secp256k1_pubkey key, negated, sum;
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    hk_scalar_random(SECP, &k);
    assert_int_equal(secp256k1_ec_pubkey_create(context, &key, zero), 0);
    assert_int_equal(secp256k1_ec_pubkey_create(context, &key, k.bytes), 1);
    assert_int_equal(secp256k1_ecdh(context, shared, &key, zero, NULL, NULL), 0);
    negated = key;
    assert_int_equal(secp256k1_ec_pubkey_negate(context, &negated), 1);
    assert_int_equal(
        secp256k1_ec_pubkey_combine(context, &sum, (const secp256k1_pubkey *[]){&key, &negated}, 2), 0);
    assert_int_equal(secp256k1_ec_pubkey_serialize(context, hybrid, &size, &key, SECP256K1_EC_UNCOMPRESSED),
                     1);
    hybrid[0] = 6 | (hybrid[64] & 1);
    assert_int_equal(secp256k1_ec_pubkey_parse(context, &sum, hybrid, 65), 1);
    secp256k1_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(base_point_is_that_of_sec2),
                                       cmocka_unit_test(decoder_refuses_what_is_not_on_the_curve),
                                       cmocka_unit_test(decoder_refuses_x_of_p_and_above),
                                       cmocka_unit_test(decoder_takes_02_and_03_as_first_byte_and_no_other),
                                       cmocka_unit_test(decoder_takes_every_multiple_of_the_base),
                                       cmocka_unit_test(scalar_decoder_refuses_n_and_above),
                                       cmocka_unit_test(scalars_are_the_integers_mod_n),
                                       cmocka_unit_test(wide_numbers_are_reduced_mod_n),
                                       cmocka_unit_test(zero_and_identity_multiply_to_the_identity),
                                       cmocka_unit_test(a_point_can_be_added_to_itself),
                                       cmocka_unit_test(library_is_as_our_code_takes_it_to_be)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
