/* Big integers against GMP's own mpz layer, at every length that the protocols use. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/bigint.h"
#include "crypto/random.h"

static const size_t lengths[] = {4, 16, 24, 32, 48, 64, 96};
#define LENGTHS (sizeof(lengths) / sizeof(*lengths))

static void draw(hk_limb *out, size_t limbs)
{
    hk_random(out, 8 * limbs);
}

static void draw_modulus(hk_limb *out, size_t limbs)
{
    draw(out, limbs);
    out[0] |= 1;
    out[limbs - 1] |= UINT64_C(1) << 63;
}

static void draw_below(hk_limb *out, const hk_limb *m, size_t limbs)
{
    draw(out, limbs);
    hk_big_mod(out, out, limbs, m, limbs);
}

static void assert_is(const hk_limb *limbs, size_t count, const mpz_t wanted)
{
    mpz_t got;
    mpz_roinit_n(got, limbs, (mp_size_t)count);
    assert_int_equal(mpz_cmp(got, wanted), 0);
}

static void arithmetic_mod_m_is_what_mpz_says(void **state)
{
    (void)state;
    mpz_t x, y, modulus, wanted;
    mpz_init(wanted);
    for (size_t i = 0; i < 20 * LENGTHS; i++) {
        size_t n = lengths[i % LENGTHS];
        hk_limb m[HK_BIG_LIMBS], a[HK_BIG_LIMBS], b[HK_BIG_LIMBS], out[HK_BIG_LIMBS];
        draw_modulus(m, n);
        draw_below(a, m, n);
        draw_below(b, m, n);
        mpz_roinit_n(x, a, (mp_size_t)n);
        mpz_roinit_n(y, b, (mp_size_t)n);
        mpz_roinit_n(modulus, m, (mp_size_t)n);
        hk_big_add_mod(out, a, b, m, n);
        mpz_add(wanted, x, y);
        mpz_mod(wanted, wanted, modulus);
        assert_is(out, n, wanted);
        hk_big_sub_mod(out, a, b, m, n);
        mpz_sub(wanted, x, y);
        mpz_mod(wanted, wanted, modulus);
        assert_is(out, n, wanted);
        hk_big_mul_mod(out, a, b, m, n);
        mpz_mul(wanted, x, y);
        mpz_mod(wanted, wanted, modulus);
        assert_is(out, n, wanted);
        assert_int_equal(hk_big_less(a, b, n), mpz_cmp(x, y) < 0);
    }
    mpz_clear(wanted);
}

static void powers_and_inverses_are_what_mpz_says(void **state)
{
    (void)state;
    mpz_t x, y, modulus, wanted;
    mpz_init(wanted);
    const size_t bits[] = {128, 256, 770, 2048};
    for (size_t i = 0; i < LENGTHS * 4; i++) {
        size_t n = lengths[i % LENGTHS], size = bits[i / LENGTHS];
        hk_limb m[HK_BIG_LIMBS], a[HK_BIG_LIMBS], e[HK_BIG_LIMBS] = {0}, out[HK_BIG_LIMBS];
        draw_modulus(m, n);
        draw_below(a, m, n);
        draw(e, size / 64);
        mpz_roinit_n(x, a, (mp_size_t)n);
        mpz_roinit_n(y, e, (mp_size_t)HK_LIMBS_OF_BITS(size));
        mpz_roinit_n(modulus, m, (mp_size_t)n);
        mpz_powm(wanted, x, y, modulus);
        hk_big_pow(out, a, e, size, m, n);
        assert_is(out, n, wanted);
        hk_big_pow_public(out, a, e, size, m, n);
        assert_is(out, n, wanted);
        bool there_is = mpz_invert(wanted, x, modulus) != 0;
        assert_int_equal(hk_big_is_unit_public(a, m, n), there_is);
        assert_int_equal(hk_big_invert(out, a, m, n), there_is);
        if (there_is) {
            assert_is(out, n, wanted);
        }
        memset(a, 0, sizeof(a));
        assert_false(hk_big_invert(out, a, m, n));
        hk_big_pow(out, a, e, size, m, n);
        assert_true(hk_big_is_zero(out, n));
    }
    mpz_clear(wanted);
}

static void division_is_what_mpz_says(void **state)
{
    (void)state;
    mpz_t x, modulus, wanted;
    mpz_init(wanted);
    for (size_t i = 0; i < 10 * LENGTHS; i++) {
        size_t n = lengths[i % LENGTHS];
        hk_limb m[HK_BIG_LIMBS], a[2 * HK_BIG_LIMBS], out[HK_BIG_LIMBS], back[2 * HK_BIG_LIMBS];
        draw_modulus(m, n);
        draw(a, 2 * n);
        a[2 * n - 1] >>= 1; /* the quotient fits */
        mpz_roinit_n(x, a, (mp_size_t)(2 * n));
        mpz_roinit_n(modulus, m, (mp_size_t)n);
        hk_big_divide(out, a, 2 * n, m, n);
        mpz_fdiv_q(wanted, x, modulus);
        assert_is(out, n, wanted);
        hk_big_mul(back, out, n, m, n);
        hk_big_mod(out, a, 2 * n, m, n);
        mpz_mod(wanted, x, modulus);
        assert_is(out, n, wanted);
        hk_limb one[1] = {1};
        hk_big_add_mul(back, 2 * n, out, n, one, 1);
        assert_memory_equal(back, a, 16 * n);
    }
    mpz_clear(wanted);
}

static void encodings_have_the_length_they_are_given(void **state)
{
    (void)state;
    hk_limb number[4], back[4];
    uint8_t bytes[40];
    draw(number, 4);
    hk_big_store(bytes, 40, number, 4);
    assert_true(hk_is_zero(bytes, 8));
    hk_big_load(back, 4, bytes + 8, 32);
    assert_memory_equal(back, number, sizeof(number));
    hk_big_load(number, 4, (const uint8_t[]){1, 2, 3}, 3);
    assert_int_equal(number[0], 0x010203);
    assert_true(hk_big_is_zero(number + 1, 3));
    hk_big_store(bytes, 2, number, 4);
    assert_memory_equal(bytes, ((const uint8_t[]){2, 3}), 2);
}

static void length_in_bits_is_judged_at_every_bit(void **state)
{
    (void)state;
    for (size_t top = 0; top < 256; top++) {
        hk_limb number[4] = {0};
        number[top / 64] |= UINT64_C(1) << (top % 64);
        for (size_t bits = 0; bits <= 256; bits++) {
            assert_int_equal(hk_big_fits(number, 4, bits), top < bits);
        }
    }
}

/* The wiping functions never move in place, since the old block has to be wiped before it is freed: GMP's own
 * realloc would. */
static void memory_functions_are_ours(void **state)
{
    (void)state;
    void *(*allocate)(size_t);
    void *(*move)(void *, size_t, size_t);
    void (*release)(void *, size_t);
    mp_get_memory_functions(&allocate, &move, &release);
    uint8_t *block = allocate(64);
    memset(block, 0x5a, 64);
    uint8_t *moved = move(block, 64, 128);
    assert_ptr_not_equal(moved, block); /* never in place: the old block is wiped, then freed */
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(moved[i], 0x5a);
    }
    release(moved, 128);
    mpz_t number;
    mpz_init_set_ui(number, 3);
    mpz_mul_2exp(number, number, 5000);
    mpz_clear(number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arithmetic_mod_m_is_what_mpz_says),
                                       cmocka_unit_test(powers_and_inverses_are_what_mpz_says),
                                       cmocka_unit_test(division_is_what_mpz_says),
                                       cmocka_unit_test(encodings_have_the_length_they_are_given),
                                       cmocka_unit_test(length_in_bits_is_judged_at_every_bit),
                                       cmocka_unit_test(memory_functions_are_ours)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
