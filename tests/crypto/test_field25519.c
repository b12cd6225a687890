/* The field against GMP, an independent implementation. */
#include <gmp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/field25519.h"
#include "crypto/random.h"

static mpz_t p;

static void load(mpz_t out, const uint8_t in[32])
{
    mpz_import(out, 32, -1, 1, 0, 0, in);
}

static void assert_value(const struct hk_fe *a, const mpz_t expected)
{
    uint8_t bytes[32], wanted[32] = {0};
    mpz_t reduced;
    mpz_init(reduced);
    mpz_mod(reduced, expected, p);
    mpz_export(wanted, NULL, -1, 1, 0, 0, reduced);
    hk_fe_encode(bytes, a);
    assert_memory_equal(bytes, wanted, 32);
    mpz_clear(reduced);
}

/* Random, or near 0 or 2^255, with the ignored top bit set or not. */
static void draw(uint8_t out[32], int round)
{
    hk_random(out, 32);
    if (round < 256 && round % 2 == 0) {
        memset(out, round & 2 ? 0xff : 0, 32);
        out[0] = (uint8_t)(round & 2 ? 0xe0 + round / 8 : round / 8);
        out[31] = (uint8_t)((round & 2 ? 0x7f : 0) | (round & 4 ? 0x80 : 0));
    }
}

/* Where a/b is a square, the root is one, and even. */
static void check_root(const struct hk_fe *fa, const struct hk_fe *fb, const mpz_t a, const mpz_t b)
{
    mpz_t ratio, root;
    uint8_t bytes[32];
    struct hk_fe r;
    mpz_inits(ratio, root, NULL);
    if (mpz_invert(ratio, b, p) != 0) {
        mpz_mul(ratio, ratio, a);
        mpz_mod(ratio, ratio, p);
        hk_fe_root_of_ratio(&r, fa, fb);
        hk_fe_encode(bytes, &r);
        load(root, bytes);
        mpz_mul(root, root, root);
        mpz_mod(root, root, p);
        assert_int_equal(bytes[0] & 1, 0);
        assert_int_equal(mpz_cmp(root, ratio) == 0, mpz_legendre(ratio, p) >= 0);
    }
    mpz_clears(ratio, root, NULL);
}

static void agrees_with_gmp_on_random_and_edge_values(void **state)
{
    (void)state;
    mpz_t x, y, t;
    mpz_inits(x, y, t, NULL);
    for (int round = 0; round < 3000; round++) {
        uint8_t a[32], b[32];
        struct hk_fe fa, fb, r;
        draw(a, round);
        draw(b, round * 7 % 512);
        hk_fe_decode(&fa, a);
        hk_fe_decode(&fb, b);
        a[31] &= 0x7f;
        b[31] &= 0x7f;
        load(x, a);
        load(y, b);
        assert_value(&fa, x);
        hk_fe_add(&r, &fa, &fb);
        mpz_add(t, x, y);
        assert_value(&r, t);
        hk_fe_sub(&r, &fa, &fb);
        mpz_sub(t, x, y);
        assert_value(&r, t);
        hk_fe_mul(&r, &fa, &fb);
        mpz_mul(t, x, y);
        assert_value(&r, t);
        hk_fe_square(&r, &fa);
        mpz_mul(t, x, x);
        assert_value(&r, t);
        mpz_mod(t, x, p);
        assert_int_equal(hk_fe_invert_is_square(&r, &fa), mpz_legendre(t, p) >= 0);
        assert_int_equal(hk_fe_is_zero(&fa), mpz_sgn(t) == 0);
        if (mpz_invert(t, x, p) == 0) {
            mpz_set_ui(t, 0);
        }
        assert_value(&r, t);
        hk_fe_invert(&r, &fa);
        assert_value(&r, t);
        hk_fe_choose(&r, &fa, 0);
        assert_value(&r, t);
        hk_fe_choose(&r, &fa, 1);
        assert_value(&r, x);
        check_root(&fa, &fb, x, y);
    }
    mpz_clears(x, y, t, NULL);
}

static void long_chains_of_sums_and_products_stay_in_bounds(void **state)
{
    (void)state;
    mpz_t x, acc;
    mpz_inits(x, acc, NULL);
    uint8_t a[32];
    struct hk_fe f, r;
    memset(a, 0xff, 32);
    hk_fe_decode(&f, a);
    a[31] = 0x7f;
    load(x, a);
    r = f;
    mpz_set(acc, x);
    for (int i = 0; i < 500; i++) {
        hk_fe_add(&r, &r, &r);
        hk_fe_sub(&r, &f, &r);
        hk_fe_sub(&r, &r, &f);
        hk_fe_mul(&r, &r, &f);
        hk_fe_add(&r, &f, &r);
        mpz_mul_2exp(acc, acc, 1);
        mpz_neg(acc, acc);
        mpz_mul(acc, acc, x);
        mpz_add(acc, acc, x);
        mpz_mod(acc, acc, p);
        assert_value(&r, acc);
    }
    mpz_clears(x, acc, NULL);
}

int main(void)
{
    mpz_init(p);
    mpz_ui_pow_ui(p, 2, 255);
    mpz_sub_ui(p, p, 19);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_gmp_on_random_and_edge_values),
        cmocka_unit_test(long_chains_of_sums_and_products_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
