/* Schnorr proofs: honest ones hold, nothing else does, and a generator that repeats gives nothing away. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/schnorr.h"
#include "tests/support/chosen_random.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

static const struct hk_group *curve; /* each one that ships, in turn */

struct run {
    struct hk_scalar secret;
    struct hk_point point;
    uint8_t transcript[HK_NAME_BYTES], proof[HK_SCHNORR_BYTES_MAX];
};

static void begin(struct run *run)
{
    hk_scalar_random(curve, &run->secret);
    curve->base_mul(&run->point, &run->secret);
    hk_random(run->transcript, sizeof(run->transcript));
    hk_schnorr_prove(run->proof, curve, run->transcript, HK_PROVER_DEVICE, &run->point, &run->secret);
}

static enum hk_error verify(const struct run *run)
{
    return hk_schnorr_verify(curve, run->transcript, HK_PROVER_DEVICE, &run->point, run->proof);
}

static void honest_proofs_hold(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct run run;
        begin(&run);
        assert_int_equal(verify(&run), HK_OK);
    }
}

static void proof_fails_for_another_transcript_role_or_point(void **state)
{
    (void)state;
    struct run run, other;
    begin(&run);
    assert_int_equal(hk_schnorr_verify(curve, run.transcript, HK_PROVER_SERVICE, &run.point, run.proof),
                     HK_BAD_PROOF);
    other = run;
    other.transcript[31] ^= 1;
    assert_int_equal(verify(&other), HK_BAD_PROOF);
    begin(&other);
    memcpy(other.proof, run.proof, sizeof(run.proof));
    memcpy(other.transcript, run.transcript, sizeof(run.transcript));
    assert_int_equal(verify(&other), HK_BAD_PROOF);
    other = run;
    curve->point_identity(&other.point);
    assert_int_equal(verify(&other), HK_BAD_POINT);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    for (size_t i = 0; i < 8 * (curve->point_bytes + curve->scalar_bytes); i++) {
        run.proof[i / 8] ^= (uint8_t)(1 << (i % 8));
        assert_int_not_equal(verify(&run), HK_OK);
        run.proof[i / 8] ^= (uint8_t)(1 << (i % 8));
    }
    assert_int_equal(verify(&run), HK_OK);
}

/* z + n would verify if scalars were taken as they come: a proof has one form. */
static void response_above_n_is_refused(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    if (!hk_number_add_order(curve, run.proof + curve->point_bytes)) {
        hk_order(curve, run.proof + curve->point_bytes); /* z + n has no room where n is near 2^256 */
    }
    assert_int_equal(verify(&run), HK_BAD_PROOF);
}

/* Also after a failure: what comes next would wait for ever for another number. */
static int restore_random(void **state)
{
    (void)state;
    hk_random_restore();
    return 0;
}

/* attacks.md 6: two statements under a stuck generator have different nonces, the same statement the same
 * proof. */
static void stuck_generator_never_gives_two_proofs_under_one_nonce(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    uint8_t again[HK_SCHNORR_BYTES_MAX] = {0}, other[HK_SCHNORR_BYTES_MAX];
    memset(run.proof, 0, sizeof(run.proof));
    hk_random_stick(0);
    hk_schnorr_prove(run.proof, curve, run.transcript, HK_PROVER_DEVICE, &run.point, &run.secret);
    hk_schnorr_prove(again, curve, run.transcript, HK_PROVER_DEVICE, &run.point, &run.secret);
    assert_memory_equal(again, run.proof, sizeof(again));
    hk_schnorr_prove(other, curve, run.transcript, HK_PROVER_SERVICE, &run.point, &run.secret);
    assert_memory_not_equal(other, run.proof, curve->point_bytes);
    run.transcript[0] ^= 1;
    hk_schnorr_prove(other, curve, run.transcript, HK_PROVER_DEVICE, &run.point, &run.secret);
    assert_memory_not_equal(other, run.proof, curve->point_bytes);
    hk_random_restore();
    run.transcript[0] ^= 1;
    hk_schnorr_prove(other, curve, run.transcript, HK_PROVER_DEVICE, &run.point, &run.secret);
    assert_memory_not_equal(other, run.proof, curve->point_bytes);
}

/* The challenge, written out a second time from the document. */
static unsigned challenge(const uint8_t *transcript, uint64_t role, const struct hk_point *point, uint8_t r)
{
    uint8_t digest[HK_HASH_BYTES], number[8] = {0, 0, 0, 0, 0, 0, 0, (uint8_t)role};
    struct hk_scalar c;
    hk_hash_list(digest, "schnorr", 4,
                 (struct hk_bytes[]){HK_BYTES(transcript, HK_NAME_BYTES), HK_BYTES(number, 8),
                                     HK_BYTES(point->bytes, 1), HK_BYTES(&r, 1)});
    hk_toy_group.scalar_reduce(&c, digest);
    return hk_toy_value(&c);
}

/* All points, all R, all z, encodings that are none included: exactly the z = r + c*p pass. */
static void toy_group_every_proof_is_judged_rightly(void **state)
{
    (void)state;
    uint8_t transcript[HK_NAME_BYTES] = {9};
    unsigned accepted = 0;
    for (unsigned p = 0; p < HK_TOY_ORDER; p++) {
        struct hk_point point = hk_toy_point(p), decoded;
        for (unsigned r = 0; r < 256; r++) {
            uint8_t proof[2] = {(uint8_t)r, 0};
            bool is_point = hk_toy_group.point_decode(&decoded, proof) == HK_OK;
            unsigned right = 256;
            if (is_point && p != 0) {
                right =
                    (hk_toy_log(&decoded) + challenge(transcript, 1, &point, proof[0]) * p) % HK_TOY_ORDER;
            }
            for (unsigned z = 0; z < 256; z++) {
                proof[1] = (uint8_t)z;
                bool good =
                    hk_schnorr_verify(&hk_toy_group, transcript, HK_PROVER_DEVICE, &point, proof) == HK_OK;
                assert_int_equal(good, z == right);
                accepted += good;
            }
        }
    }
    assert_int_equal(accepted, 12 * 12);
}

static void toy_group_every_honest_proof_holds(void **state)
{
    (void)state;
    uint8_t transcript[HK_NAME_BYTES] = {0}, proof[2];
    for (unsigned round = 0; round < 12 * 100; round++) {
        struct hk_scalar secret = hk_toy_scalar(1 + round % 12);
        struct hk_point point = hk_toy_point(1 + round % 12);
        transcript[0] = (uint8_t)round;
        hk_schnorr_prove(proof, &hk_toy_group, transcript, HK_PROVER_SERVICE, &point, &secret);
        assert_int_equal(hk_schnorr_verify(&hk_toy_group, transcript, HK_PROVER_SERVICE, &point, proof),
                         HK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest each[] = {
        cmocka_unit_test(honest_proofs_hold),
        cmocka_unit_test(proof_fails_for_another_transcript_role_or_point),
        cmocka_unit_test(every_flipped_bit_is_refused), cmocka_unit_test(response_above_n_is_refused),
        cmocka_unit_test_teardown(stuck_generator_never_gives_two_proofs_under_one_nonce, restore_random)};
    const struct CMUnitTest once[] = {cmocka_unit_test(toy_group_every_proof_is_judged_rightly),
                                      cmocka_unit_test(toy_group_every_honest_proof_holds)};
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, each)
    return failed + cmocka_run_group_tests(once, NULL, NULL);
}
