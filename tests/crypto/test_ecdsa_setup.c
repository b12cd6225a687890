/* Key set-up of ECDSA: the honest proof holds, and every number that is out of range or of another statement
 * is refused, also where the equations hold. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/ecdsa_setup.h"
#include "crypto/random.h"
#include "tests/support/chosen_random.h"

#define N_BYTES 256
#define LIMBS 32
#define Z_AT (2 * N_BYTES + HK_SECP256K1_POINT_BYTES)
#define Y_AT (Z_AT + HK_ECDSA_SETUP_Z_BYTES)
#define PROOF_BYTES HK_ECDSA_SETUP_BYTES(N_BYTES)

static struct hk_paillier_secret secret;
static const struct hk_paillier *const key = &secret.key;

struct run {
    struct hk_scalar half;
    struct hk_point point;
    uint8_t transcript[HK_NAME_BYTES], proof[PROOF_BYTES];
    hk_limb cipher[HK_BIG_LIMBS];
};

static void begin(struct run *run)
{
    hk_scalar_random(&hk_secp256k1, &run->half);
    hk_secp256k1.base_mul(&run->point, &run->half);
    hk_random(run->transcript, sizeof(run->transcript));
    hk_ecdsa_setup_prove(run->cipher, run->proof, &secret, &run->half, run->transcript);
}

static enum hk_error verify(const struct run *run)
{
    return hk_ecdsa_setup_verify(key, run->cipher, &run->point, run->transcript, run->proof);
}

static void honest_proof_holds_and_the_cipher_is_of_s(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct run run;
        hk_limb plain[LIMBS], wanted[LIMBS] = {0};
        begin(&run);
        assert_int_equal(verify(&run), HK_OK);
        hk_paillier_decrypt(plain, &secret, run.cipher);
        hk_ecdsa_limbs_of(wanted, &run.half);
        assert_memory_equal(plain, wanted, sizeof(plain));
    }
}

static void proof_of_another_statement_is_refused(void **state)
{
    (void)state;
    struct run run, other;
    begin(&run);
    begin(&other);
    struct run mixed = run;
    mixed.transcript[0] ^= 1;
    assert_int_equal(verify(&mixed), HK_BAD_PROOF);
    mixed = run;
    mixed.point = other.point; /* C is not of this S */
    assert_int_equal(verify(&mixed), HK_BAD_PROOF);
    mixed = run;
    memcpy(mixed.cipher, other.cipher, sizeof(mixed.cipher));
    assert_int_equal(verify(&mixed), HK_BAD_PROOF);
    struct hk_paillier_secret another;
    hk_paillier_generate(&another, HK_PAILLIER_BITS);
    assert_int_not_equal(
        hk_ecdsa_setup_verify(&another.key, run.cipher, &run.point, run.transcript, run.proof), HK_OK);
}

/* A service that encrypts s + 1 but says S: no z fits both equations. */
static void cipher_of_another_half_has_no_proof(void **state)
{
    (void)state;
    struct run run;
    hk_limb one[LIMBS] = {1}, factor[HK_BIG_LIMBS];
    begin(&run);
    hk_paillier_plain(factor, key, one);
    hk_big_mul_mod(run.cipher, run.cipher, factor, key->n2, 2 * LIMBS);
    assert_int_equal(verify(&run), HK_BAD_PROOF);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    for (size_t i = 0; i < PROOF_BYTES; i += 37) {
        run.proof[i] ^= 1;
        assert_int_not_equal(verify(&run), HK_OK);
        run.proof[i] ^= 1;
    }
    assert_int_equal(verify(&run), HK_OK);
}

/* A prover that takes alpha as it likes, written out from the document. */
static void prove_with_alpha(struct run *run, const hk_limb alpha[LIMBS])
{
    struct hk_point commitment;
    struct hk_scalar scalar;
    hk_limb a[HK_BIG_LIMBS], v[LIMBS] = {3}, u[LIMBS] = {5}, x[HK_BIG_LIMBS], e[2], z[LIMBS], s[LIMBS] = {0};
    uint8_t n[N_BYTES], c[2 * N_BYTES], digest[HK_HASH_BYTES];
    hk_ecdsa_limbs_of(s, &run->half);
    hk_paillier_plain(run->cipher, key, s);
    hk_paillier_residue(x, key, u);
    hk_big_mul_mod(run->cipher, run->cipher, x, key->n2, 2 * LIMBS);
    hk_paillier_plain(a, key, alpha);
    hk_paillier_residue(x, key, v);
    hk_big_mul_mod(a, a, x, key->n2, 2 * LIMBS);
    hk_big_store(run->proof, 2 * N_BYTES, a, 2 * LIMBS);
    hk_ecdsa_scalar_of(&scalar, alpha, LIMBS);
    hk_secp256k1.base_mul(&commitment, &scalar);
    memcpy(run->proof + 2 * N_BYTES, commitment.bytes, HK_SECP256K1_POINT_BYTES);
    hk_paillier_encode(n, key);
    hk_big_store(c, sizeof(c), run->cipher, 2 * LIMBS);
    hk_hash_list(digest, "ecdsa/setup", 6,
                 (struct hk_bytes[]){HK_BYTES(run->transcript, HK_NAME_BYTES), HK_BYTES(n, sizeof(n)),
                                     HK_BYTES(c, sizeof(c)), HK_BYTES(run->point.bytes, 33),
                                     HK_BYTES(run->proof, 2 * N_BYTES),
                                     HK_BYTES(run->proof + 2 * N_BYTES, 33)});
    hk_big_load(e, 2, digest, 16);
    memcpy(z, alpha, sizeof(z));
    hk_big_add_mul(z, LIMBS, e, 2, s, 4);
    hk_big_store(run->proof + Z_AT, HK_ECDSA_SETUP_Z_BYTES, z, LIMBS);
    hk_big_pow(x, u, e, 128, key->n, LIMBS);
    hk_big_mul_mod(x, x, v, key->n, LIMBS);
    hk_big_store(run->proof + Y_AT, N_BYTES, x, LIMBS);
}

static void response_above_its_range_is_refused_although_the_equations_hold(void **state)
{
    (void)state;
    struct run run;
    hk_limb alpha[LIMBS] = {7, 7};
    begin(&run);
    prove_with_alpha(&run, alpha);
    assert_int_equal(verify(&run), HK_OK); /* the prover above is right */
    alpha[8] = 1;                          /* 2^512: z may still be below 2^513 */
    prove_with_alpha(&run, alpha);
    assert_int_equal(verify(&run), HK_OK);
    alpha[8] = 2;
    prove_with_alpha(&run, alpha);
    assert_int_equal(verify(&run), HK_BAD_PROOF);
    alpha[8] = 0x7f;
    prove_with_alpha(&run, alpha);
    assert_int_equal(verify(&run), HK_BAD_PROOF);
}

static void unit_written_otherwise_is_refused(void **state)
{
    (void)state;
    struct run run;
    hk_limb y[LIMBS + 1] = {0};
    do { /* y + N in 256 bytes, where that fits: the same unit, not canonical */
        begin(&run);
        hk_big_load(y, LIMBS, run.proof + Y_AT, N_BYTES);
    } while (mpn_add_n(y, y, key->n, LIMBS) != 0);
    assert_int_equal(verify(&run), HK_OK);
    hk_big_store(run.proof + Y_AT, N_BYTES, y, LIMBS);
    assert_int_equal(verify(&run), HK_BAD_PROOF);
}

static void cipher_that_is_none_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[2 * N_BYTES] = {0};
    hk_limb cipher[HK_BIG_LIMBS];
    assert_int_equal(hk_ecdsa_cipher_decode(cipher, key, bytes), HK_BAD_ENCODING); /* 0 */
    hk_paillier_encode(bytes + N_BYTES, key);
    assert_int_equal(hk_ecdsa_cipher_decode(cipher, key, bytes), HK_BAD_ENCODING); /* N */
    memset(bytes, 0, sizeof(bytes));
    hk_big_store(bytes + N_BYTES, N_BYTES, secret.p, LIMBS / 2);
    assert_int_equal(hk_ecdsa_cipher_decode(cipher, key, bytes), HK_BAD_ENCODING); /* p */
    hk_big_store(bytes, sizeof(bytes), key->n2, 2 * LIMBS);
    bytes[2 * N_BYTES - 1] ^= 2;
    assert_int_equal(hk_ecdsa_cipher_decode(cipher, key, bytes),
                     (key->n2[0] & 2) == 0 ? HK_BAD_ENCODING : HK_OK); /* N^2 + 2, or N^2 - 2 */
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(hk_ecdsa_cipher_decode(cipher, key, bytes), HK_BAD_ENCODING);
    memset(bytes, 0, sizeof(bytes));
    bytes[2 * N_BYTES - 1] = 1;
    assert_int_equal(hk_ecdsa_cipher_decode(cipher, key, bytes), HK_OK);
}

static void shift_keeps_cipher_half_and_wraps_together(void **state)
{
    (void)state;
    struct run run;
    uint64_t wraps = 0;
    begin(&run);
    for (int i = 0; i < 40; i++) {
        struct hk_scalar delta;
        hk_limb plain[LIMBS], wanted[LIMBS];
        hk_scalar_random(&hk_secp256k1, &delta);
        hk_ecdsa_shift_cipher(run.cipher, key, &delta);
        assert_int_equal(hk_ecdsa_shift_wraps(&wraps, &run.half, &delta), HK_OK);
        hk_secp256k1.scalar_sub(&run.half, &run.half, &delta);
        hk_paillier_decrypt(plain, &secret, run.cipher);
        hk_ecdsa_plaintext(wanted, key, &run.half, wraps);
        assert_memory_equal(plain, wanted, sizeof(plain));
    }
    assert_in_range(wraps, 5, 35);
}

/* attacks.md 6. */
static void stuck_generator_repeats_the_proof_or_gives_an_independent_one(void **state)
{
    (void)state;
    struct run run, again, other;
    begin(&run);
    again = other = run;
    hk_random_stick(1);
    hk_ecdsa_setup_prove(run.cipher, run.proof, &secret, &run.half, run.transcript);
    hk_ecdsa_setup_prove(again.cipher, again.proof, &secret, &again.half, again.transcript);
    other.transcript[3] ^= 1;
    hk_ecdsa_setup_prove(other.cipher, other.proof, &secret, &other.half, other.transcript);
    hk_random_restore();
    assert_memory_equal(run.proof, again.proof, sizeof(run.proof));
    assert_memory_not_equal(run.proof, other.proof, 2 * N_BYTES);
    assert_memory_not_equal(run.proof + 2 * N_BYTES, other.proof + 2 * N_BYTES, 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_proof_holds_and_the_cipher_is_of_s),
        cmocka_unit_test(proof_of_another_statement_is_refused),
        cmocka_unit_test(cipher_of_another_half_has_no_proof),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(response_above_its_range_is_refused_although_the_equations_hold),
        cmocka_unit_test(unit_written_otherwise_is_refused),
        cmocka_unit_test(cipher_that_is_none_is_refused),
        cmocka_unit_test(shift_keeps_cipher_half_and_wraps_together),
        cmocka_unit_test(stuck_generator_repeats_the_proof_or_gives_an_independent_one)};
    if (sodium_init() < 0) {
        return 1;
    }
    hk_paillier_generate(&secret, HK_PAILLIER_BITS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
