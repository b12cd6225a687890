/* The ring-Pedersen modulus: its proof holds and no other, commitments open to what was committed. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/prime.h"
#include "crypto/random.h"
#include "crypto/ring_pedersen.h"
#include "tests/support/chosen_random.h"

static struct hk_ring_secret secret;
static uint8_t proof[HK_RING_PROOF_BYTES];

static void modulus_is_of_two_safe_primes(void **state)
{
    (void)state;
    assert_int_equal(secret.ring.n[HK_RING_LIMBS - 1] >> 63, 1);
    for (int i = 0; i < 2; i++) {
        hk_limb half[HK_RING_HALF];
        (void)mpn_rshift(half, secret.prime[i], HK_RING_HALF, 1);
        assert_true(hk_prime_test(secret.prime[i], HK_RING_HALF));
        assert_true(hk_prime_test(half, HK_RING_HALF));
    }
}

static void honest_proof_holds(void **state)
{
    (void)state;
    assert_int_equal(hk_ring_verify(&secret.ring, proof), HK_OK);
}

/* A service whose s1 is no power of t (its commitments would not hide), doing its best: every round that asks
 * for lambda1 fails. */
static void base_outside_the_powers_of_t_has_no_proof(void **state)
{
    (void)state;
    static struct hk_ring_secret cheat;
    static uint8_t made[HK_RING_PROOF_BYTES];
    cheat = secret;
    hk_limb minus_one[HK_RING_LIMBS], zero[HK_RING_LIMBS] = {0}, one[HK_RING_LIMBS] = {1};
    hk_big_sub_mod(minus_one, zero, one, secret.ring.n, HK_RING_LIMBS);
    hk_big_mul_mod(cheat.ring.s1, secret.ring.s1, minus_one, secret.ring.n, HK_RING_LIMBS); /* no square */
    hk_ring_prove(made, &cheat);
    assert_int_equal(hk_ring_verify(&cheat.ring, made), HK_BAD_PROOF);
    cheat = secret;
    hk_big_mul_mod(cheat.ring.s2, secret.ring.s2, minus_one, secret.ring.n, HK_RING_LIMBS);
    hk_ring_prove(made, &cheat);
    assert_int_equal(hk_ring_verify(&cheat.ring, made), HK_BAD_PROOF);
}

static void changed_proof_or_ring_is_refused(void **state)
{
    (void)state;
    const size_t at[] = {0, 31, 32 + 255, 32 + 64 * HK_RING_BYTES, HK_RING_PROOF_BYTES - 1};
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
        proof[at[i]] ^= 1;
        assert_int_equal(hk_ring_verify(&secret.ring, proof), HK_BAD_PROOF);
        proof[at[i]] ^= 1;
    }
    struct hk_ring other = secret.ring;
    memcpy(other.s1, secret.ring.s2, sizeof(other.s1));
    memcpy(other.s2, secret.ring.s1, sizeof(other.s2));
    assert_int_equal(hk_ring_verify(&other, proof), HK_BAD_PROOF);
}

static void wrong_numbers_are_refused_at_reading(void **state)
{
    (void)state;
    uint8_t good[HK_RING_PUBLIC_BYTES], bad[HK_RING_PUBLIC_BYTES];
    struct hk_ring read;
    hk_ring_encode(good, &secret.ring);
    assert_int_equal(hk_ring_decode(&read, good), HK_OK);
    assert_memory_equal(&read, &secret.ring, sizeof(read));
    memcpy(bad, good, sizeof(bad));
    bad[HK_RING_BYTES - 1] ^= 1;
    assert_int_equal(hk_ring_decode(&read, bad), HK_BAD_ENCODING);
    memcpy(bad, good, sizeof(bad));
    bad[0] &= 0x7f;
    assert_int_equal(hk_ring_decode(&read, bad), HK_BAD_ENCODING);
    for (size_t base = 1; base < 4; base++) {
        memcpy(bad, good, sizeof(bad));
        memset(bad + base * HK_RING_BYTES, 0, HK_RING_BYTES);
        assert_int_equal(hk_ring_decode(&read, bad), HK_BAD_ENCODING); /* 0 */
        bad[(base + 1) * HK_RING_BYTES - 1] = 1;
        assert_int_equal(hk_ring_decode(&read, bad), HK_BAD_ENCODING); /* 1 */
        memcpy(bad + base * HK_RING_BYTES, good, HK_RING_BYTES);
        assert_int_equal(hk_ring_decode(&read, bad), HK_BAD_ENCODING); /* N^ */
        memset(bad + base * HK_RING_BYTES, 0, HK_RING_BYTES);
        hk_big_store(bad + base * HK_RING_BYTES + HK_RING_BYTES / 2, HK_RING_BYTES / 2, secret.prime[0],
                     HK_RING_HALF);
        assert_int_equal(hk_ring_decode(&read, bad), HK_BAD_ENCODING); /* no unit */
    }
}

static void stored_secret_comes_back(void **state)
{
    (void)state;
    uint8_t stored[HK_RING_SECRET_BYTES];
    static struct hk_ring_secret read;
    hk_ring_secret_encode(stored, &secret);
    assert_int_equal(hk_ring_secret_decode(&read, stored), HK_OK);
    assert_memory_equal(&read, &secret, sizeof(read));
    stored[0] &= 0x7f;
    assert_int_equal(hk_ring_secret_decode(&read, stored), HK_BAD_ENCODING);
}

static struct hk_ring_exponent exponent(const hk_limb *limbs, size_t count)
{
    return (struct hk_ring_exponent){limbs, 64 * count};
}

static void commitments_open_to_what_was_committed_and_nothing_else(void **state)
{
    (void)state;
    hk_limb a[13], b[19], mu[39], e[2] = {5, 9}, commitment[HK_RING_LIMBS], one[HK_RING_LIMBS] = {1},
                                  zero[HK_RING_LIMBS] = {0}, left[HK_RING_LIMBS];
    hk_random(a, sizeof(a));
    hk_random(b, sizeof(b));
    hk_random(mu, sizeof(mu));
    hk_ring_commit(commitment, &secret.ring, exponent(a, 13), exponent(b, 19), exponent(mu, 39));
    assert_true(
        hk_ring_opens(&secret, commitment, one, e, exponent(a, 13), exponent(b, 19), exponent(mu, 39)));
    hk_limb *part[] = {a, b, mu};
    for (int i = 0; i < 3; i++) {
        part[i][0] ^= 2;
        assert_false(
            hk_ring_opens(&secret, commitment, one, e, exponent(a, 13), exponent(b, 19), exponent(mu, 39)));
        part[i][0] ^= 2;
    }
    assert_false(hk_ring_opens(&secret, zero, one, e, exponent(a, 13), exponent(b, 19), exponent(mu, 39)));
    assert_false(
        hk_ring_opens(&secret, commitment, zero, e, exponent(a, 13), exponent(b, 19), exponent(mu, 39)));
    hk_limb x[HK_RING_LIMBS]; /* left * right^e, with right = t: mu grows by e */
    hk_big_pow(x, secret.ring.t, e, 128, secret.ring.n, HK_RING_LIMBS);
    hk_big_mul_mod(left, commitment, x, secret.ring.n, HK_RING_LIMBS);
    hk_limb none[13] = {0};
    assert_true(hk_ring_opens(&secret, left, one, e, exponent(a, 13), exponent(b, 19),
                              exponent((mpn_add(mu, mu, 39, e, 2), mu), 39)));
    assert_true(hk_ring_opens(&secret, one, secret.ring.t, e, exponent(none, 13), exponent(none, 13),
                              exponent(e, 2)));
}

/* attacks.md 6: the same statement under a stuck generator gives the same proof, not two under one nonce. */
static void stuck_generator_repeats_the_proof(void **state)
{
    (void)state;
    static uint8_t one[HK_RING_PROOF_BYTES], two[HK_RING_PROOF_BYTES];
    hk_random_stick(3);
    hk_ring_prove(one, &secret);
    hk_ring_prove(two, &secret);
    hk_random_restore();
    assert_memory_equal(one, two, sizeof(one));
    assert_memory_not_equal(one, proof, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modulus_is_of_two_safe_primes),
        cmocka_unit_test(honest_proof_holds),
        cmocka_unit_test(base_outside_the_powers_of_t_has_no_proof),
        cmocka_unit_test(changed_proof_or_ring_is_refused),
        cmocka_unit_test(wrong_numbers_are_refused_at_reading),
        cmocka_unit_test(stored_secret_comes_back),
        cmocka_unit_test(commitments_open_to_what_was_committed_and_nothing_else),
        cmocka_unit_test(stuck_generator_repeats_the_proof)};
    if (sodium_init() < 0) {
        return 1;
    }
    hk_ring_generate(&secret);
    hk_ring_prove(proof, &secret);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
