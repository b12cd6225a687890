/* Proofs of right answers: honest ones hold, and a proof holds for nothing else. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/dleq.h"
#include "crypto/random.h"
#include "tests/support/groups.h"

static const struct hk_group *curve;                        /* each one that ships, in turn */
#define SIZE (2 * curve->point_bytes + curve->scalar_bytes) /* of a proof */

struct run {
    struct hk_scalar half, part; /* s, and s by the cofactor */
    struct hk_point service, point;
    uint8_t answer[HK_POINT_BYTES_MAX], sid[32], account[64], key_id[16];
    struct hk_dleq_statement statement;
};

static void begin(struct run *run)
{
    hk_scalar_random(curve, &run->half);
    uint64_t cofactor = curve == &hk_edwards25519 ? 8 : 1;
    struct hk_scalar k;
    struct hk_point answer;
    curve->scalar_set(&k, cofactor);
    curve->scalar_invert(&k, &k);
    curve->scalar_mul(&run->part, &k, &run->half);
    curve->base_mul(&run->service, &run->half);
    hk_scalar_random(curve, &k);
    curve->base_mul(&run->point, &k);
    curve->point_mul(&answer, &run->part, &run->point);
    memcpy(run->answer, answer.bytes, curve->point_bytes);
    hk_random(run->sid, 32);
    hk_random(run->account, 64);
    hk_random(run->key_id, 16);
    run->statement = (struct hk_dleq_statement){curve,
                                                cofactor,
                                                HK_BYTES(run->sid, 32),
                                                HK_BYTES(run->account, 64),
                                                HK_BYTES(run->key_id, 16),
                                                7,
                                                run->service.bytes,
                                                run->point.bytes,
                                                run->answer};
}

static void honest_proofs_hold(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct run run;
        uint8_t proof[HK_DLEQ_BYTES_MAX];
        begin(&run);
        assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.part), HK_OK);
        assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
    }
}

static void proof_fails_for_another_sid_account_key_or_epoch(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_BYTES_MAX];
    (void)state;
    begin(&run);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.part), HK_OK);
    uint8_t *const parts[] = {run.sid, run.account, run.key_id};
    for (size_t i = 0; i < 3; i++) {
        parts[i][5] ^= 1;
        assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
        parts[i][5] ^= 1;
    }
    run.statement.epoch++;
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
    run.statement.epoch--;
    /* a byte moved from one argument to the next is another statement */
    uint8_t joined[96];
    memcpy(joined, run.sid, 32);
    memcpy(joined + 32, run.account, 64);
    run.statement.sid = HK_BYTES(joined, 31);
    run.statement.account = HK_BYTES(joined + 31, 65);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
}

static void service_that_lies_once_is_named_by_the_proof(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_BYTES_MAX], truth[HK_POINT_BYTES_MAX];
    struct hk_scalar other;
    struct hk_point lie;
    (void)state;
    begin(&run);
    memcpy(truth, run.answer, sizeof(truth));
    hk_scalar_random(curve, &other);
    curve->point_mul(&lie, &other, &run.point);
    /* no proof for the lie, neither with the half nor with the lie's own logarithm */
    memcpy(run.answer, lie.bytes, curve->point_bytes);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.part), HK_OK);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &other), HK_OK);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
    /* the second try is proved and differs from the first: that convicts */
    memcpy(run.answer, truth, sizeof(truth));
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.part), HK_OK);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
    assert_memory_not_equal(truth, lie.bytes, curve->point_bytes);
}

static void every_changed_bit_of_proof_or_statement_is_refused(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_BYTES_MAX];
    (void)state;
    begin(&run);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.part), HK_OK);
    for (size_t bit = 0; bit < 8 * SIZE; bit += 5) {
        proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
        proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    uint8_t *const points[] = {run.service.bytes, run.point.bytes, run.answer};
    for (size_t i = 0; i < 3; i++) {
        for (size_t bit = 0; bit < 8 * curve->point_bytes; bit += 7) {
            points[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
            points[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void points_and_scalars_that_are_not_strict_are_refused(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_BYTES_MAX], bad[HK_DLEQ_BYTES_MAX],
        identity[HK_POINT_BYTES_MAX] = {curve == &hk_edwards25519};
    (void)state;
    begin(&run);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.part), HK_OK);
    for (size_t i = 0; i < 2; i++) {
        memcpy(bad, proof, sizeof(bad));
        memcpy(bad + curve->point_bytes * i, identity, curve->point_bytes);
        assert_int_equal(hk_dleq_verify(&run.statement, bad), HK_BAD_POINT);
    }
    /* z + n, the same number, not canonical; n itself where that has no room */
    memcpy(bad, proof, sizeof(bad));
    if (!hk_number_add_order(curve, bad + 2 * curve->point_bytes)) {
        hk_order(curve, bad + 2 * curve->point_bytes);
    }
    assert_int_equal(hk_dleq_verify(&run.statement, bad), HK_BAD_SCALAR);
    memcpy(run.point.bytes, identity, curve->point_bytes);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_POINT);
    assert_int_equal(hk_dleq_prove(bad, &run.statement, &run.part), HK_BAD_POINT);
}

static void stuck(void *out, size_t size)
{
    memset(out, 7, size);
}

static void stuck_generator_never_gives_two_proofs_under_one_nonce(void **state)
{
    struct run run;
    uint8_t first[HK_DLEQ_BYTES_MAX], again[HK_DLEQ_BYTES_MAX];
    (void)state;
    begin(&run);
    hk_test_random_source(stuck);
    assert_int_equal(hk_dleq_prove(first, &run.statement, &run.part), HK_OK);
    assert_int_equal(hk_dleq_prove(again, &run.statement, &run.part), HK_OK);
    assert_memory_equal(first, again, SIZE);
    run.statement.epoch++;
    assert_int_equal(hk_dleq_prove(again, &run.statement, &run.part), HK_OK);
    assert_memory_not_equal(first, again, curve->point_bytes);
    run.statement.epoch--;
    /* A restored machine in another session, for another account or key: the challenge is another one. */
    static const uint8_t other[64] = {9};
    struct hk_bytes *const named[] = {&run.statement.sid, &run.statement.account, &run.statement.key_id};
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        struct hk_bytes before = *named[i];
        named[i]->data = other;
        assert_int_equal(hk_dleq_prove(again, &run.statement, &run.part), HK_OK);
        assert_memory_not_equal(first, again, curve->point_bytes);
        *named[i] = before;
    }
    hk_test_random_source(NULL);
    assert_int_equal(hk_dleq_prove(again, &run.statement, &run.part), HK_OK);
    assert_memory_not_equal(first, again, curve->point_bytes);
}

/* Also after a failure: what comes next would wait for ever for another number. */
static int restore_random(void **state)
{
    (void)state;
    hk_test_random_source(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest each[] = {
        cmocka_unit_test(honest_proofs_hold),
        cmocka_unit_test(proof_fails_for_another_sid_account_key_or_epoch),
        cmocka_unit_test(service_that_lies_once_is_named_by_the_proof),
        cmocka_unit_test(every_changed_bit_of_proof_or_statement_is_refused),
        cmocka_unit_test(points_and_scalars_that_are_not_strict_are_refused),
        cmocka_unit_test_teardown(stuck_generator_never_gives_two_proofs_under_one_nonce, restore_random),
    };
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, each)
    return failed;
}
