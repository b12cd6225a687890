/* Proofs of right answers: honest ones hold, and a proof holds for nothing else. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "crypto/random.h"

#define GROUP (&hk_edwards25519)

struct run {
    struct hk_scalar half, eighth;
    struct hk_point service, point;
    uint8_t answer[32], sid[32], account[64], key_id[16];
    struct hk_dleq_statement statement;
};

static void begin(struct run *run)
{
    struct hk_scalar k;
    hk_scalar_random(GROUP, &run->half);
    hk_agree_eighth(&run->eighth, &run->half);
    GROUP->base_mul(&run->service, &run->half);
    hk_scalar_random(GROUP, &k);
    GROUP->base_mul(&run->point, &k);
    assert_int_equal(hk_agree_share(run->answer, &run->eighth, run->point.bytes, 1), HK_OK);
    hk_random(run->sid, 32);
    hk_random(run->account, 64);
    hk_random(run->key_id, 16);
    run->statement = (struct hk_dleq_statement){GROUP,
                                                8,
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
        uint8_t proof[HK_DLEQ_ED25519_BYTES];
        begin(&run);
        assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.eighth), HK_OK);
        assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
    }
}

static void proof_fails_for_another_sid_account_key_or_epoch(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_ED25519_BYTES];
    (void)state;
    begin(&run);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.eighth), HK_OK);
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
    uint8_t proof[HK_DLEQ_ED25519_BYTES], truth[32];
    struct hk_scalar other;
    struct hk_point lie;
    (void)state;
    begin(&run);
    memcpy(truth, run.answer, 32);
    hk_scalar_random(GROUP, &other);
    GROUP->point_mul(&lie, &other, &run.point);
    /* no proof for the lie, neither with the half nor with the lie's own logarithm */
    memcpy(run.answer, lie.bytes, 32);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.eighth), HK_OK);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &other), HK_OK);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_PROOF);
    /* the second try is proved and differs from the first: that convicts */
    memcpy(run.answer, truth, 32);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.eighth), HK_OK);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
    assert_memory_not_equal(truth, lie.bytes, 32);
}

static void every_changed_bit_of_proof_or_statement_is_refused(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_ED25519_BYTES];
    (void)state;
    begin(&run);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.eighth), HK_OK);
    for (size_t bit = 0; bit < 8 * sizeof(proof); bit += 5) {
        proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
        proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    uint8_t *const points[] = {run.service.bytes, run.point.bytes, run.answer};
    for (size_t i = 0; i < 3; i++) {
        for (size_t bit = 0; bit < 256; bit += 7) {
            points[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(hk_dleq_verify(&run.statement, proof), HK_OK);
            points[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void points_and_scalars_that_are_not_strict_are_refused(void **state)
{
    struct run run;
    uint8_t proof[HK_DLEQ_ED25519_BYTES], bad[HK_DLEQ_ED25519_BYTES], identity[32] = {1};
    (void)state;
    begin(&run);
    assert_int_equal(hk_dleq_prove(proof, &run.statement, &run.eighth), HK_OK);
    for (size_t i = 0; i < 2; i++) {
        memcpy(bad, proof, sizeof(bad));
        memcpy(bad + 32 * i, identity, 32);
        assert_int_equal(hk_dleq_verify(&run.statement, bad), HK_BAD_POINT);
    }
    /* z + n: the same number, not canonical */
    static const uint8_t n[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    memcpy(bad, proof, sizeof(bad));
    sodium_add(bad + 64, n, 32);
    assert_int_equal(hk_dleq_verify(&run.statement, bad), HK_BAD_SCALAR);
    memcpy(run.point.bytes, identity, 32);
    assert_int_equal(hk_dleq_verify(&run.statement, proof), HK_BAD_POINT);
    assert_int_equal(hk_dleq_prove(bad, &run.statement, &run.eighth), HK_BAD_POINT);
}

static void stuck(void *out, size_t size)
{
    memset(out, 7, size);
}

static void stuck_generator_never_gives_two_proofs_under_one_nonce(void **state)
{
    struct run run;
    uint8_t first[HK_DLEQ_ED25519_BYTES], again[HK_DLEQ_ED25519_BYTES];
    (void)state;
    begin(&run);
    hk_test_random_source(stuck);
    assert_int_equal(hk_dleq_prove(first, &run.statement, &run.eighth), HK_OK);
    assert_int_equal(hk_dleq_prove(again, &run.statement, &run.eighth), HK_OK);
    assert_memory_equal(first, again, sizeof(first));
    run.statement.epoch++;
    assert_int_equal(hk_dleq_prove(again, &run.statement, &run.eighth), HK_OK);
    assert_memory_not_equal(first, again, 32);
    hk_test_random_source(NULL);
    run.statement.epoch--;
    assert_int_equal(hk_dleq_prove(again, &run.statement, &run.eighth), HK_OK);
    assert_memory_not_equal(first, again, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_proofs_hold),
        cmocka_unit_test(proof_fails_for_another_sid_account_key_or_epoch),
        cmocka_unit_test(service_that_lies_once_is_named_by_the_proof),
        cmocka_unit_test(every_changed_bit_of_proof_or_statement_is_refused),
        cmocka_unit_test(points_and_scalars_that_are_not_strict_are_refused),
        cmocka_unit_test(stuck_generator_never_gives_two_proofs_under_one_nonce),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
