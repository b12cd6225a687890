/* Primes: the test agrees with GMP's, composites made to deceive are seen, lengths are exact. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/prime.h"
#include "crypto/random.h"

static bool gmp_says_prime(const hk_limb *number, size_t limbs)
{
    mpz_t n;
    mpz_roinit_n(n, number, (mp_size_t)limbs);
    return mpz_probab_prime_p(n, 30) != 0;
}

static void primes_are_prime_and_have_both_top_bits(void **state)
{
    (void)state;
    const size_t lengths[] = {4, 8, 16, 24};
    for (size_t i = 0; i < 12; i++) {
        size_t limbs = lengths[i % 4];
        hk_limb p[HK_PRIME_LIMBS_MAX];
        hk_prime(p, limbs);
        assert_true(gmp_says_prime(p, limbs));
        assert_int_equal(p[limbs - 1] >> 62, 3);
    }
}

static void safe_primes_have_a_prime_half(void **state)
{
    (void)state;
    const size_t lengths[] = {4, 6, 8};
    for (size_t i = 0; i < 6; i++) {
        size_t limbs = lengths[i % 3];
        hk_limb p[HK_PRIME_LIMBS_MAX], half[HK_PRIME_LIMBS_MAX];
        hk_prime_safe(p, limbs);
        assert_true(gmp_says_prime(p, limbs));
        (void)mpn_rshift(half, p, (mp_size_t)limbs, 1);
        assert_true(gmp_says_prime(half, limbs));
        assert_int_equal(p[limbs - 1] >> 62, 3);
    }
}

static void test_agrees_with_gmp_on_odd_numbers(void **state)
{
    (void)state;
    unsigned primes = 0;
    for (int i = 0; i < 2000; i++) {
        hk_limb n[4];
        hk_random(n, sizeof(n));
        n[0] |= 1;
        n[3] |= UINT64_C(1) << 63;
        bool prime = hk_prime_test(n, 4);
        assert_int_equal(prime, gmp_says_prime(n, 4));
        primes += prime;
    }
    assert_in_range(primes, 3, 40); /* 2000 * 2 / ln 2^256 is 22 */
}

/* 2^2^k + 1 is a strong pseudoprime to base 2 for every k, and composite for k = 7; a product of (6k+1),
 * (12k+1), (18k+1), all prime, is a Carmichael number. */
static void composites_that_deceive_weak_tests_are_seen(void **state)
{
    (void)state;
    hk_limb fermat[4] = {1, 0, 1, 0};
    assert_false(hk_prime_test(fermat, 3));
    mpz_t k, a, b, c;
    mpz_inits(k, a, b, c, NULL);
    mpz_set_ui(k, 1);
    mpz_mul_2exp(k, k, 81);
    unsigned found = 0;
    while (found < 3) {
        mpz_add_ui(k, k, 1);
        mpz_mul_ui(a, k, 6);
        mpz_mul_ui(b, k, 12);
        mpz_mul_ui(c, k, 18);
        mpz_add_ui(a, a, 1);
        mpz_add_ui(b, b, 1);
        mpz_add_ui(c, c, 1);
        if (mpz_probab_prime_p(a, 10) != 0 && mpz_probab_prime_p(b, 10) != 0 &&
            mpz_probab_prime_p(c, 10) != 0) {
            mpz_mul(a, a, b);
            mpz_mul(a, a, c);
            size_t limbs = mpz_size(a);
            assert_false(hk_prime_test(mpz_limbs_read(a), limbs));
            found++;
        }
    }
    mpz_clears(k, a, b, c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(primes_are_prime_and_have_both_top_bits),
                                       cmocka_unit_test(safe_primes_have_a_prime_half),
                                       cmocka_unit_test(test_agrees_with_gmp_on_odd_numbers),
                                       cmocka_unit_test(composites_that_deceive_weak_tests_are_seen)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
