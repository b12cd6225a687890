/* The device's proof: the value comes out, every range and every part is held, the attack that was published
 * against two-party ECDSA without a proof (CVE-2023-33242) passes never, and a service that cheats with N or
 * C sees nothing but uniform residues. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/ecdsa_proof_parts.h"
#include "crypto/random.h"
#include "tests/support/ecdsa_world.h"
#include "tests/support/scale.h"

#define LIMBS 32

static struct ecdsa_world world;
static const uint8_t context[HK_NAME_BYTES] = {42};

struct run {
    struct hk_scalar k, t, value;
    struct hk_ecdsa_mask mask;
    uint8_t proof[HK_ECDSA_PROOF_BYTES(256)];
};

static void prepare(struct run *run)
{
    hk_scalar_random(&hk_secp256k1, &run->k);
    hk_scalar_random(&hk_secp256k1, &run->t);
    hk_ecdsa_mask_prepare(&run->mask, &world.pair, &world.device_half, HK_BYTES("test", 4));
}

static void make(struct run *run)
{
    assert_int_equal(hk_ecdsa_proof_make(run->proof, &run->mask, &world.pair, context, &run->k, &run->t),
                     HK_OK);
}

static enum hk_error open_with(struct run *run)
{
    return hk_ecdsa_proof_open(&run->value, &world.service, context, run->proof);
}

static void value_is_k_times_s_plus_t(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct run run;
        struct hk_scalar wanted;
        prepare(&run);
        make(&run);
        assert_true(hk_is_zero(&run.mask, sizeof(run.mask))); /* one use */
        assert_int_equal(hk_ecdsa_proof_make(run.proof, &run.mask, &world.pair, context, &run.k, &run.t),
                         HK_CONFLICT);
        assert_int_equal(open_with(&run), HK_OK);
        hk_secp256k1.scalar_mul(&wanted, &run.k, &world.service.half);
        hk_secp256k1.scalar_add(&wanted, &wanted, &run.t);
        assert_memory_equal(&wanted, &run.value, sizeof(wanted));
    }
}

static void every_changed_part_is_refused_with_one_error(void **state)
{
    (void)state;
    struct run run;
    prepare(&run);
    make(&run);
    for (size_t i = 3; i < sizeof(run.proof); i += 61) {
        run.proof[i] ^= 1;
        assert_int_equal(open_with(&run), HK_BAD_PROOF);
        run.proof[i] ^= 1;
    }
    assert_int_equal(open_with(&run), HK_OK);
    uint8_t other[HK_NAME_BYTES] = {43};
    assert_int_equal(hk_ecdsa_proof_open(&run.value, &world.service, other, run.proof), HK_BAD_PROOF);
}

static void proof_for_another_pair_of_the_same_service_is_refused(void **state)
{
    (void)state;
    struct run run;
    prepare(&run);
    make(&run);
    world.serial[0] ^= 1; /* the same halves and keys under another device's name */
    ecdsa_world_name(&world);
    assert_int_equal(open_with(&run), HK_BAD_PROOF);
    world.serial[0] ^= 1;
    ecdsa_world_name(&world);
    assert_int_equal(open_with(&run), HK_OK);
}

/* -- ranges: a prover that masks with more than it may, everything else right -- */

struct excess {
    size_t offset, limb;
    hk_limb most, above; /* the highest limb that is still accepted, and one that is not */
};

static void response_above_its_range_is_refused_although_the_equations_hold(void **state)
{
    (void)state;
    const struct excess rows[] = {
        {offsetof(struct hk_ecdsa_mask, alpha), 12, 2, 4},            /* z1: 2^770 = 4 * 2^768 */
        {offsetof(struct hk_ecdsa_mask, beta), 18, 2, 4},             /* z2: 2^1154 = 4 * 2^1152 */
        {offsetof(struct hk_ecdsa_mask, gamma), 37, ~(hk_limb)0, 0}}; /* z3: see below */
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (int above = 0; above < 2; above++) {
            struct run run;
            prepare(&run);
            hk_limb *top = (hk_limb *)((uint8_t *)&run.mask + rows[i].offset) + rows[i].limb;
            if (i == 2 && above != 0) {
                continue;
            }
            *top = above != 0 ? rows[i].above : rows[i].most;
            hk_ecdsa_mask_compute(&run.mask, &world.pair);
            make(&run);
            assert_int_equal(open_with(&run), above != 0 ? HK_BAD_PROOF : HK_OK);
        }
    }
}

/* z3 has 305 bytes, seven bits more than it may have: t has an order, so adding a multiple of it changes no
 * equation. */
static void third_response_above_its_range_is_refused_although_the_equations_hold(void **state)
{
    (void)state;
    struct run run;
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(&world.pair.paillier);
    hk_limb left[16], right[16], order[39] = {0}, z3[39], times[7] = {0};
    prepare(&run);
    make(&run);
    memcpy(left, world.ring.prime[0], sizeof(left));
    memcpy(right, world.ring.prime[1], sizeof(right));
    left[0]--;
    right[0]--;
    hk_big_mul(order, left, 16, right, 16);
    hk_big_load(z3, 39, run.proof + at.z3, HK_ECDSA_Z3_BYTES);
    times[0] = 1;
    hk_big_add_mul(z3, 39, order, 32, times, 7);
    hk_big_store(run.proof + at.z3, HK_ECDSA_Z3_BYTES, z3, 39);
    assert_int_equal(open_with(&run), HK_OK); /* in range: nothing against it */
    times[0] = 0;
    times[6] = 16; /* 2^388 times the order: between 2^2433 and 2^2440 */
    hk_big_add_mul(z3, 39, order, 32, times, 7);
    hk_big_store(run.proof + at.z3, HK_ECDSA_Z3_BYTES, z3, 39);
    assert_int_equal(open_with(&run), HK_BAD_PROOF);
}

static void malformed_ciphertexts_commitments_and_units_are_refused(void **state)
{
    (void)state;
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(&world.pair.paillier);
    const size_t place[] = {at.e, at.a_e, at.s_c, at.a_c, at.z_w};
    for (size_t i = 0; i < 5; i++) {
        size_t size = i < 2 ? 2 * at.n : at.n;
        for (int kind = 0; kind < 4; kind++) {
            struct run run;
            prepare(&run);
            make(&run);
            uint8_t *part = run.proof + place[i];
            memset(part, kind == 3 ? 0xff : 0, size); /* 0; a prime; N or N^; above all */
            if (kind == 1 && i != 2 && i != 3) {
                hk_big_store(part, size, world.paillier.p, LIMBS / 2);
            } else if (kind == 1) {
                hk_big_store(part, size, world.ring.prime[0], HK_RING_HALF);
            } else if (kind == 2) {
                hk_big_store(part, size, i == 2 || i == 3 ? world.ring.ring.n : world.pair.paillier.n, LIMBS);
            }
            assert_int_equal(open_with(&run), HK_BAD_PROOF);
        }
    }
}

/* -- CVE-2023-33242 -- */

/* What the attacker of ePrint 2023/1234 sends: its nonce has the factor 2, and it divides by 2 mod N, not mod
 * n. The plaintext K*s + T is then (r*s + r*d + m)/2 mod N with T chosen so that everything comes out right
 * exactly if s has the guessed last bit. cipher = C^(K) g^(T) with K = r/2 mod N. */
struct attack {
    hk_limb half_cipher[HK_BIG_LIMBS]; /* C^(1/2 mod N) */
    hk_limb half[LIMBS];               /* 1/2 mod N */
};

static void attack_begin(struct attack *attack)
{
    const struct hk_paillier *key = &world.pair.paillier;
    memcpy(attack->half, key->n, sizeof(attack->half));
    (void)mpn_add_1(attack->half, attack->half, LIMBS, 1); /* N is odd and below 2^2048 - 1 */
    (void)mpn_rshift(attack->half, attack->half, LIMBS, 1);
    hk_big_pow(attack->half_cipher, world.pair.cipher, attack->half, 2048, key->n2, 2 * LIMBS);
}

/* E for the values k and t, both to be halved mod N, where the guess is that k*s + t is even. */
static void attack_cipher(hk_limb *out, const struct attack *attack, const struct run *run, unsigned guess)
{
    const struct hk_paillier *key = &world.pair.paillier;
    hk_limb k[4], t[LIMBS] = {0}, x[HK_BIG_LIMBS];
    hk_ecdsa_limbs_of(k, &run->k);
    hk_ecdsa_limbs_of(t, &run->t);
    k[0] |= 1;
    t[0] = (t[0] & ~(hk_limb)1) | guess; /* even sum if s is odd as guessed */
    hk_big_mul_mod(t, t, attack->half, key->n, LIMBS);
    hk_big_pow(out, attack->half_cipher, k, 256, key->n2, 2 * LIMBS);
    hk_paillier_plain(x, key, t);
    hk_big_mul_mod(out, out, x, key->n2, 2 * LIMBS);
}

/* Without a proof the attack works: decrypting alone tells the bit every time. */
static void published_attack_reads_a_bit_where_nothing_is_proved(void **state)
{
    (void)state;
    struct attack attack;
    for (int i = 0; i < 20; i++) {
        struct run run;
        hk_limb cipher[HK_BIG_LIMBS], plain[LIMBS], s[4];
        ecdsa_world_new_halves(&world);
        attack_begin(&attack);
        hk_scalar_random(&hk_secp256k1, &run.k);
        hk_scalar_random(&hk_secp256k1, &run.t);
        attack_cipher(cipher, &attack, &run, 1);
        hk_paillier_decrypt(plain, &world.paillier, cipher);
        hk_ecdsa_limbs_of(s, &world.service.half);
        /* Small exactly if the half was one of an even number: the signature then comes out right. */
        assert_int_equal(hk_big_fits(plain, LIMBS, 600), s[0] & 1);
    }
}

/* z = mask + e * value. */
static void answer(uint8_t *out, size_t size, const hk_limb *mask, size_t mask_limbs, const hk_limb e[2],
                   const hk_limb *value, size_t value_limbs)
{
    hk_limb z[40] = {0};
    memcpy(z, mask, 8 * mask_limbs);
    hk_big_add_mul(z, 40, e, 2, value, value_limbs);
    hk_big_store(out, size, z, 40);
}

/* A proof that is right in everything but the plaintext of E: commitments to integers, responses for the
 * challenge that E gives. */
static void attack_proof(struct run *run, const struct hk_ecdsa_mask *mask, const hk_limb *cipher)
{
    const struct hk_paillier *key = &world.pair.paillier;
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(key);
    hk_limb e[2], z_w[LIMBS], x[HK_BIG_LIMBS];
    hk_big_mul_mod(x, mask->cipher, cipher, key->n2, 2 * LIMBS);
    hk_big_store(run->proof + at.e, 2 * at.n, x, 2 * LIMBS);
    hk_big_store(run->proof + at.a_e, 2 * at.n, mask->cipher_mask, 2 * LIMBS);
    hk_big_store(run->proof + at.s_c, at.n, mask->commitment, LIMBS);
    hk_big_store(run->proof + at.a_c, at.n, mask->commitment_mask, LIMBS);
    hk_ecdsa_proof_challenge(e, &world.pair, context, run->proof);
    answer(run->proof + at.z1, HK_ECDSA_Z1_BYTES, mask->alpha, 13, e, mask->rho1_n, 8);
    answer(run->proof + at.z2, HK_ECDSA_Z2_BYTES, mask->beta, 19, e, mask->rho_n, 14);
    answer(run->proof + at.z3, HK_ECDSA_Z3_BYTES, mask->gamma, 38, e, mask->mu, 34);
    hk_big_pow(z_w, mask->w, e, 128, key->n, LIMBS);
    hk_big_mul_mod(z_w, z_w, mask->omega, key->n, LIMBS);
    hk_big_store(run->proof + at.z_w, at.n, z_w, LIMBS);
}

/* Each equation alone: commitment, plaintext and residue are wrong one at a time, and all else is right. */
static void each_equation_is_held_when_the_others_hold(void **state)
{
    (void)state;
    const struct hk_paillier *key = &world.pair.paillier;
    struct run run;
    hk_limb cipher[HK_BIG_LIMBS] = {1}, number[LIMBS] = {12345};
    prepare(&run);
    struct hk_ecdsa_mask mask = run.mask;
    attack_proof(&run, &mask, cipher);
    assert_int_equal(open_with(&run), HK_OK);
    hk_paillier_plain(cipher, key, number); /* a multiple of g: the same residue */
    attack_proof(&run, &mask, cipher);
    assert_int_equal(open_with(&run), HK_BAD_PROOF);
    hk_paillier_residue(cipher, key, number); /* a residue: the same plaintext */
    attack_proof(&run, &mask, cipher);
    assert_int_equal(open_with(&run), HK_BAD_PROOF);
    memset(cipher, 0, sizeof(cipher));
    cipher[0] = 1;
    hk_big_mul_mod(mask.commitment, mask.commitment, world.ring.ring.s2, world.ring.ring.n, LIMBS);
    attack_proof(&run, &mask, cipher);
    assert_int_equal(open_with(&run), HK_BAD_PROOF);
}

static void published_attack_passes_never_whatever_the_bit(void **state)
{
    (void)state;
    uint64_t tries = hk_scaled(1000), each[2] = {0, 0};
    hk_limb cipher[HK_BIG_LIMBS] = {1}, s[4];
    struct attack attack;
    struct run run;
    prepare(&run); /* an attacker saves the work of new masks */
    attack_begin(&attack);
    attack_proof(&run, &run.mask, cipher);
    assert_int_equal(open_with(&run), HK_OK); /* with E as committed, it is a proof like any other */
    for (uint64_t i = 0; i < tries || each[0] == 0 || each[1] == 0; i++) {
        if (i % 10 == 9) {
            ecdsa_world_new_halves(&world);
            prepare(&run);
            attack_begin(&attack);
        }
        hk_ecdsa_limbs_of(s, &world.service.half);
        each[s[0] & 1]++;
        hk_scalar_random(&hk_secp256k1, &run.k);
        hk_scalar_random(&hk_secp256k1, &run.t);
        attack_cipher(cipher, &attack, &run, (unsigned)(i & 1));
        attack_proof(&run, &run.mask, cipher);
        assert_int_equal(open_with(&run), HK_BAD_PROOF);
    }
}

/* -- a service that cheats: what it sees of K is uniform -- */

#define RESIDUES 251
/* Mean 250, standard deviation 22.4: above 390 has probability below 2^-26. */
#define CHI_LIMIT 390.0

static double chi_square(const unsigned counts[RESIDUES], unsigned total)
{
    double expected = (double)total / RESIDUES, sum = 0;
    for (size_t i = 0; i < RESIDUES; i++) {
        double off = (double)counts[i] - expected;
        sum += off * off / expected;
    }
    return sum;
}

static unsigned residue(const hk_limb *number, size_t limbs)
{
    return (unsigned)mpn_mod_1(number, (mp_size_t)limbs, RESIDUES);
}

/* K' = K + rho'*n of a mask. */
static void masked_k(hk_limb out[9], const struct hk_ecdsa_mask *mask, const hk_limb k[4])
{
    hk_limb padded[8] = {0};
    memcpy(padded, k, 32);
    out[8] = mpn_add_n(out, mask->rho1_n, padded, 8);
}

/* Two values of K that have different residues: each must look uniform. With rho' zero the first already
 * falls into one cell. */
static void assert_residues_are_uniform(void)
{
    unsigned tries = 20000;
    for (unsigned value = 0; value < 2; value++) {
        unsigned counts[RESIDUES] = {0};
        hk_limb k[4] = {7 + 100 * value}, k1[9];
        for (unsigned i = 0; i < tries; i++) {
            struct hk_ecdsa_mask mask;
            hk_ecdsa_mask_draw(&mask, &world.pair, &world.device_half, HK_BYTES(&i, sizeof(i)));
            masked_k(k1, &mask, k);
            counts[residue(k1, 9)]++;
        }
        assert_true(chi_square(counts, tries) < CHI_LIMIT);
    }
}

/* C = g^(1/De): the device's set-up check excludes only large De. The plaintext of E times De is T'*De + K',
 * an integer far below N: the service reads K' mod De off it. */
static void rational_plaintext_shows_a_uniform_residue_of_k(void **state)
{
    (void)state;
    const struct hk_paillier *key = &world.pair.paillier;
    hk_limb de[LIMBS] = {RESIDUES}, inverse[LIMBS];
    assert_true(hk_big_invert(inverse, de, key->n, LIMBS));
    hk_paillier_plain(world.pair.cipher, key, inverse);
    for (int i = 0; i < 3; i++) { /* that this is what the service sees, through whole ciphertexts */
        struct run run;
        hk_limb cipher[HK_BIG_LIMBS], plain[LIMBS], k[4], k1[9];
        prepare(&run);
        struct hk_ecdsa_mask mask = run.mask;
        make(&run);
        hk_big_load(cipher, 2 * LIMBS, run.proof, 16 * LIMBS);
        hk_paillier_decrypt(plain, &world.paillier, cipher);
        hk_big_mul_mod(plain, plain, de, key->n, LIMBS);
        assert_true(hk_big_fits(plain, LIMBS, 910));
        hk_ecdsa_limbs_of(k, &run.k);
        masked_k(k1, &mask, k);
        assert_int_equal(residue(plain, LIMBS), residue(k1, 9));
    }
    assert_residues_are_uniform();
    ecdsa_world_new_halves(&world);
}

/* N = f * h * h' with f small and h = 1 mod f: N-th powers mod h are f-th powers, and g is 1 mod h, so E mod
 * h to the power (h-1)/f is zeta^K' for the zeta that C has: the service reads K' mod f. */
static void small_factors_of_n_show_a_uniform_residue_of_k(void **state)
{
    (void)state;
    mpz_t h, rest, n, x, zeta, power;
    mpz_inits(h, rest, n, x, zeta, power, NULL);
    hk_limb random[16];
    do { /* h: 1000 bits, 1 mod 2f */
        hk_random(random, sizeof(random));
        random[15] = (random[15] | UINT64_C(1) << 63) >> 24;
        mpz_import(h, 16, -1, 8, 0, 0, random);
        mpz_sub_ui(h, h, mpz_fdiv_ui(h, 2 * RESIDUES));
        mpz_add_ui(h, h, 1);
    } while (mpz_probab_prime_p(h, 20) == 0);
    do { /* the rest so that N has 2048 bits */
        mpz_mul_ui(n, h, RESIDUES);
        hk_random(random, sizeof(random));
        mpz_set_ui(x, 3);
        mpz_mul_2exp(x, x, 2046);
        mpz_fdiv_q(rest, x, n);
        mpz_add_ui(rest, rest, random[0]);
        mpz_nextprime(rest, rest);
        mpz_mul(n, n, rest);
    } while (mpz_sizeinbase(n, 2) != 2048);
    uint8_t bytes[256];
    (void)mpz_export(bytes, NULL, 1, 1, 1, 0, n);
    struct hk_ecdsa_pair good = world.pair;
    assert_int_equal(hk_paillier_decode(&world.pair.paillier, bytes, 256), HK_OK);
    hk_random(world.pair.cipher, 8 * LIMBS); /* below N^2; a non-residue but for one in 251 */
    memset(world.pair.cipher + LIMBS, 0, 8 * LIMBS);
    ecdsa_world_name(&world);
    mpz_sub_ui(power, h, 1);
    mpz_divexact_ui(power, power, RESIDUES);
    mpz_import(x, LIMBS, -1, 8, 0, 0, world.pair.cipher);
    mpz_powm(zeta, x, power, h);
    for (int i = 0; i < 3 && mpz_cmp_ui(zeta, 1) != 0; i++) {
        struct run run;
        hk_limb k[4], k1[9];
        prepare(&run);
        struct hk_ecdsa_mask mask = run.mask;
        make(&run);
        mpz_import(x, 512, 1, 1, 1, 0, run.proof);
        mpz_powm(x, x, power, h);
        hk_ecdsa_limbs_of(k, &run.k);
        masked_k(k1, &mask, k);
        mpz_powm_ui(n, zeta, residue(k1, 9), h);
        assert_int_equal(mpz_cmp(x, n), 0);
    }
    assert_residues_are_uniform();
    mpz_clears(h, rest, n, x, zeta, power, NULL);
    world.pair = good;
}

/* rho hides T the same way: T' mod De. */
static void residue_of_t_is_uniform(void **state)
{
    (void)state;
    unsigned counts[RESIDUES] = {0}, tries = 20000;
    for (unsigned i = 0; i < tries; i++) {
        struct hk_ecdsa_mask mask;
        hk_ecdsa_mask_draw(&mask, &world.pair, &world.device_half, HK_BYTES(&i, sizeof(i)));
        counts[residue(mask.rho_n, 14)]++;
    }
    assert_true(chi_square(counts, tries) < CHI_LIMIT);
}

static void masks_have_exactly_their_lengths(void **state)
{
    (void)state;
    const struct {
        size_t offset, limbs, bits;
    } rows[] = {{offsetof(struct hk_ecdsa_mask, rho1_n), 8, HK_ECDSA_RHO1_BITS + 256},
                {offsetof(struct hk_ecdsa_mask, rho_n), 14, HK_ECDSA_RHO_BITS + 256},
                {offsetof(struct hk_ecdsa_mask, alpha), 13, HK_ECDSA_ALPHA_BITS},
                {offsetof(struct hk_ecdsa_mask, beta), 19, HK_ECDSA_BETA_BITS},
                {offsetof(struct hk_ecdsa_mask, mu), 34, HK_ECDSA_MU_BITS},
                {offsetof(struct hk_ecdsa_mask, gamma), 38, HK_ECDSA_GAMMA_BITS}};
    for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
        bool top = false;
        for (unsigned i = 0; i < 60; i++) {
            struct hk_ecdsa_mask mask;
            hk_ecdsa_mask_draw(&mask, &world.pair, &world.device_half, HK_BYTES(&i, sizeof(i)));
            const hk_limb *number = (const hk_limb *)((const uint8_t *)&mask + rows[r].offset);
            assert_true(hk_big_fits(number, rows[r].limbs, rows[r].bits));
            top = top || !hk_big_fits(number, rows[r].limbs, rows[r].bits - 1);
        }
        assert_true(top);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_is_k_times_s_plus_t),
        cmocka_unit_test(every_changed_part_is_refused_with_one_error),
        cmocka_unit_test(proof_for_another_pair_of_the_same_service_is_refused),
        cmocka_unit_test(response_above_its_range_is_refused_although_the_equations_hold),
        cmocka_unit_test(third_response_above_its_range_is_refused_although_the_equations_hold),
        cmocka_unit_test(malformed_ciphertexts_commitments_and_units_are_refused),
        cmocka_unit_test(published_attack_reads_a_bit_where_nothing_is_proved),
        cmocka_unit_test(each_equation_is_held_when_the_others_hold),
        cmocka_unit_test(published_attack_passes_never_whatever_the_bit),
        cmocka_unit_test(rational_plaintext_shows_a_uniform_residue_of_k),
        cmocka_unit_test(small_factors_of_n_show_a_uniform_residue_of_k),
        cmocka_unit_test(residue_of_t_is_uniform),
        cmocka_unit_test(masks_have_exactly_their_lengths)};
    if (sodium_init() < 0) {
        return 1;
    }
    ecdsa_world_make(&world, HK_PAILLIER_BITS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
