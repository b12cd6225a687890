/* Paillier: what goes in comes out, sums are sums, both ways to a residue agree, wrong keys are refused. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/paillier.h"
#include "crypto/random.h"

static struct hk_paillier_secret secret;
static const struct hk_paillier *const key = &secret.key;

static void draw(hk_limb *out)
{
    hk_random(out, 8 * key->n_limbs);
    hk_big_mod(out, out, key->n_limbs, key->n, key->n_limbs);
}

static void encrypt(hk_limb *out, const hk_limb *m)
{
    hk_limb u[HK_PAILLIER_N_LIMBS_MAX], residue[HK_BIG_LIMBS];
    draw(u);
    hk_paillier_residue(residue, key, u);
    hk_paillier_plain(out, key, m);
    hk_big_mul_mod(out, out, residue, key->n2, 2 * key->n_limbs);
}

static void every_plaintext_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        hk_limb m[HK_PAILLIER_N_LIMBS_MAX] = {0}, back[HK_PAILLIER_N_LIMBS_MAX], cipher[HK_BIG_LIMBS];
        if (i == 1) {
            m[0] = 1;
        } else if (i == 2) { /* N - 1 */
            memcpy(m, key->n, sizeof(m));
            m[0] -= 1;
        } else if (i > 2) {
            draw(m);
        }
        encrypt(cipher, m);
        assert_true(hk_paillier_is_unit(&secret, cipher, 2 * key->n_limbs));
        hk_paillier_decrypt(back, &secret, cipher);
        assert_memory_equal(back, m, 8 * key->n_limbs);
    }
}

static void product_of_ciphertexts_is_the_sum(void **state)
{
    (void)state;
    hk_limb a[HK_PAILLIER_N_LIMBS_MAX], b[HK_PAILLIER_N_LIMBS_MAX], back[HK_PAILLIER_N_LIMBS_MAX],
        ca[HK_BIG_LIMBS], cb[HK_BIG_LIMBS];
    draw(a);
    draw(b);
    encrypt(ca, a);
    encrypt(cb, b);
    hk_big_mul_mod(ca, ca, cb, key->n2, 2 * key->n_limbs);
    hk_paillier_decrypt(back, &secret, ca);
    hk_big_add_mod(a, a, b, key->n, key->n_limbs);
    assert_memory_equal(back, a, 8 * key->n_limbs);
    hk_paillier_minus_plain(cb, key, b);
    hk_big_mul_mod(ca, ca, cb, key->n2, 2 * key->n_limbs);
    hk_paillier_decrypt(back, &secret, ca);
    hk_big_sub_mod(a, a, b, key->n, key->n_limbs);
    assert_memory_equal(back, a, 8 * key->n_limbs);
}

static void residue_is_the_same_with_and_without_the_primes(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        hk_limb u[HK_PAILLIER_N_LIMBS_MAX], one[HK_BIG_LIMBS], two[HK_BIG_LIMBS];
        draw(u);
        hk_paillier_residue(one, key, u);
        hk_paillier_residue_secret(two, &secret, u);
        assert_memory_equal(one, two, 16 * key->n_limbs);
    }
}

static void modulus_has_exactly_the_length_asked_for(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct hk_paillier_secret made;
        unsigned bits = i == 0 ? HK_PAILLIER_BITS_MAX : HK_PAILLIER_BITS;
        hk_paillier_generate(&made, bits);
        assert_int_equal(64 * made.key.n_limbs, bits);
        assert_int_equal(made.key.n[made.key.n_limbs - 1] >> 63, 1);
        assert_memory_not_equal(made.p, made.q, sizeof(made.p));
    }
}

static void wrong_public_key_is_refused(void **state)
{
    (void)state;
    uint8_t n[HK_PAILLIER_N_BYTES_MAX];
    struct hk_paillier read;
    size_t size = hk_paillier_n_bytes(key);
    hk_paillier_encode(n, key);
    assert_int_equal(hk_paillier_decode(&read, n, size), HK_OK);
    assert_memory_equal(read.n2, key->n2, 16 * key->n_limbs);
    assert_int_equal(hk_paillier_decode(&read, n, size - 8), HK_BAD_ENCODING);
    assert_int_equal(hk_paillier_decode(&read, n + 128, 128), HK_BAD_ENCODING); /* small N */
    n[size - 1] ^= 1;
    assert_int_equal(hk_paillier_decode(&read, n, size), HK_BAD_ENCODING); /* even */
    n[size - 1] ^= 1;
    n[0] ^= 0x80;
    assert_int_equal(hk_paillier_decode(&read, n, size), HK_BAD_ENCODING); /* a bit short */
}

static void stored_secret_comes_back_and_a_damaged_one_is_refused(void **state)
{
    (void)state;
    uint8_t stored[HK_PAILLIER_SECRET_BYTES_MAX];
    struct hk_paillier_secret read;
    size_t size = 2 * hk_paillier_n_bytes(key);
    hk_paillier_secret_encode(stored, &secret);
    assert_int_equal(hk_paillier_secret_decode(&read, stored, size), HK_OK);
    assert_memory_equal(&read, &secret, sizeof(read));
    for (size_t at = 0; at < size; at += 31) {
        stored[at] ^= 0x10;
        assert_int_equal(hk_paillier_secret_decode(&read, stored, size), HK_BAD_ENCODING);
        stored[at] ^= 0x10;
    }
    assert_int_equal(hk_paillier_secret_decode(&read, stored, size - 4), HK_BAD_ENCODING);
}

static void multiples_of_a_prime_are_no_units(void **state)
{
    (void)state;
    hk_limb zero[HK_BIG_LIMBS] = {0}, multiple[HK_BIG_LIMBS] = {0};
    assert_false(hk_paillier_is_unit(&secret, zero, 2 * key->n_limbs));
    memcpy(multiple, key->n, 8 * key->n_limbs);
    assert_false(hk_paillier_is_unit(&secret, multiple, 2 * key->n_limbs));
    memset(multiple, 0, sizeof(multiple));
    memcpy(multiple, secret.q, 4 * key->n_limbs);
    assert_false(hk_paillier_is_unit(&secret, multiple, 2 * key->n_limbs));
    multiple[0] += 2;
    assert_true(hk_paillier_is_unit(&secret, multiple, 2 * key->n_limbs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plaintext_comes_back),
        cmocka_unit_test(product_of_ciphertexts_is_the_sum),
        cmocka_unit_test(residue_is_the_same_with_and_without_the_primes),
        cmocka_unit_test(modulus_has_exactly_the_length_asked_for),
        cmocka_unit_test(wrong_public_key_is_refused),
        cmocka_unit_test(stored_secret_comes_back_and_a_damaged_one_is_refused),
        cmocka_unit_test(multiples_of_a_prime_are_no_units)};
    int failed = sodium_init() < 0;
    hk_paillier_generate(&secret, HK_PAILLIER_BITS);
    failed += cmocka_run_group_tests_name("2048 bits", tests, NULL, NULL);
    hk_paillier_generate(&secret, HK_PAILLIER_BITS_MAX);
    return failed + cmocka_run_group_tests_name("3072 bits", tests, NULL, NULL);
}
