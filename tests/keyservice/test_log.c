#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "keyservice/log.h"
#include "tests/support/vault_fixture.h"

#define LEAVES 70

static struct vault_fixture fixture;
static struct sample alice, bob;
static struct hk_log_head heads[LEAVES + 1];

static enum hk_error append_all(void *context, struct hk_txn *txn)
{
    (void)context;
    enum hk_error error = hk_log_read_head(txn, alice.account.id, &heads[0]);
    for (uint32_t i = 0; i < LEAVES && error == HK_OK; i++) {
        error = hk_log_append(txn, alice.account.id, &i, sizeof i);
        if (error == HK_OK) {
            error = hk_log_read_head(txn, alice.account.id, &heads[i + 1]);
        }
    }
    return error;
}

static int set_up(void **state)
{
    (void)state;
    vault_fixture_make(&fixture);
    vault_fixture_open(&fixture);
    sample_make(&alice, 1);
    sample_make(&bob, 2);
    return vault_do(&fixture, sample_put, &alice) != HK_OK || vault_do(&fixture, sample_put, &bob) != HK_OK ||
           vault_do(&fixture, append_all, NULL) != HK_OK;
}

static int tear_down(void **state)
{
    (void)state;
    vault_fixture_remove(&fixture);
    return 0;
}

static struct hk_txn *reading(void)
{
    struct hk_txn *txn;
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    return txn;
}

static void spans_of(struct hk_bytes *spans, uint8_t (*hashes)[32], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        spans[i] = HK_BYTES(hashes[i], 32);
    }
}

static void every_leaf_is_proved_to_be_in_every_head_that_has_it(void **state)
{
    (void)state;
    uint8_t hashes[HK_MERKLE_PROOF_MAX][32], leaf[32];
    struct hk_bytes spans[HK_MERKLE_PROOF_MAX];
    size_t count;
    struct hk_txn *txn = reading();
    for (uint64_t size = 1; size <= LEAVES; size++) {
        for (uint32_t index = 0; index < size; index++) {
            assert_int_equal(hk_log_inclusion(txn, alice.account.id, 1, index, size, hashes, &count), HK_OK);
            spans_of(spans, hashes, count);
            hk_merkle_leaf(leaf, &index, sizeof index);
            assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, heads[size].root, spans, count),
                             HK_OK);
        }
    }
    assert_int_equal(hk_log_inclusion(txn, alice.account.id, 1, 0, LEAVES + 1, hashes, &count), HK_NOT_FOUND);
    assert_int_equal(hk_log_inclusion(txn, alice.account.id, 1, 5, 5, hashes, &count), HK_NOT_FOUND);
    assert_int_equal(hk_log_inclusion(txn, alice.account.id, 2, 0, 1, hashes, &count), HK_NOT_FOUND);
    hk_store_read_end(txn);
}

static void every_head_is_proved_to_extend_every_earlier_one(void **state)
{
    (void)state;
    uint8_t hashes[HK_MERKLE_PROOF_MAX][32];
    struct hk_bytes spans[HK_MERKLE_PROOF_MAX];
    size_t count;
    struct hk_txn *txn = reading();
    for (uint64_t size = 0; size <= LEAVES; size++) {
        for (uint64_t start = 0; start <= size; start++) {
            assert_int_equal(hk_log_consistency(txn, alice.account.id, 1, start, size, hashes, &count),
                             HK_OK);
            spans_of(spans, hashes, count);
            assert_int_equal(
                hk_merkle_verify_consistency(start, heads[start].root, size, heads[size].root, spans, count),
                HK_OK);
        }
    }
    assert_int_equal(hk_log_consistency(txn, alice.account.id, 1, 1, LEAVES + 1, hashes, &count),
                     HK_NOT_FOUND);
    hk_store_read_end(txn);
}

static void leaves_come_back_in_order_as_many_as_fit_and_of_this_account_alone(void **state)
{
    (void)state;
    uint8_t room[100];
    struct hk_bytes leaves[LEAVES];
    size_t found;
    struct hk_txn *txn = reading();
    assert_int_equal(
        hk_log_read_leaves(txn, alice.account.id, 1, 7, LEAVES, room, sizeof room, leaves, &found), HK_OK);
    assert_int_equal(found, 25);
    for (uint32_t i = 0; i < found; i++) {
        uint32_t expected = 7 + i;
        assert_int_equal(leaves[i].size, sizeof expected);
        assert_memory_equal(leaves[i].data, &expected, sizeof expected);
    }
    assert_int_equal(
        hk_log_read_leaves(txn, alice.account.id, 1, LEAVES - 1, 9, room, sizeof room, leaves, &found),
        HK_OK);
    assert_int_equal(found, 1);
    assert_int_equal(
        hk_log_read_leaves(txn, alice.account.id, 1, UINT64_MAX, 9, room, sizeof room, leaves, &found),
        HK_OK);
    assert_int_equal(found, 0);
    assert_int_equal(hk_log_read_leaves(txn, bob.account.id, 1, 0, 9, room, sizeof room, leaves, &found),
                     HK_OK);
    assert_int_equal(found, 0);
    assert_int_equal(hk_log_read_leaves(txn, alice.account.id, 9, 0, 9, room, sizeof room, leaves, &found),
                     HK_NOT_FOUND);
    hk_store_read_end(txn);
}

static void head_survives_a_restart_and_its_signature_verifies_for_this_account_alone(void **state)
{
    (void)state;
    vault_fixture_close(&fixture);
    vault_fixture_open(&fixture);
    struct hk_txn *txn = reading();
    struct hk_log_head head;
    struct hk_signed_head signed_head;
    assert_int_equal(hk_log_read_head(txn, alice.account.id, &head), HK_OK);
    assert_int_equal(head.size, LEAVES);
    assert_memory_equal(head.root, heads[LEAVES].root, 32);
    hk_store_read_end(txn);
    const struct hk_service_keys *keys = hk_vault_keys(fixture.vault);
    hk_log_sign(&signed_head, &head, alice.account.id, keys, 1700000000);
    assert_int_equal(hk_head_verify(HK_HEAD_OF_SERVICE, alice.account.id, &signed_head.head,
                                    signed_head.signature, keys->identity_public),
                     HK_OK);
    assert_int_equal(hk_head_verify(HK_HEAD_OF_SERVICE, bob.account.id, &signed_head.head,
                                    signed_head.signature, keys->identity_public),
                     HK_BAD_SIGNATURE);
}

static enum hk_error append_unknown(void *context, struct hk_txn *txn)
{
    (void)context;
    uint8_t nobody[HK_ACCOUNT_BYTES] = {1};
    return hk_log_append(txn, nobody, "leaf", 4);
}

static enum hk_error append_too_large(void *context, struct hk_txn *txn)
{
    (void)context;
    uint8_t leaf[HK_LOG_LEAF_MAX + 1] = {0};
    return hk_log_append(txn, alice.account.id, leaf, sizeof leaf);
}

static void leaf_of_nobody_or_out_of_bounds_is_refused(void **state)
{
    (void)state;
    assert_int_equal(vault_do(&fixture, append_unknown, NULL), HK_NOT_FOUND);
    assert_int_equal(vault_do(&fixture, append_too_large, NULL), HK_TOO_LARGE);
}

static void refusals_leave_a_few_leaves_a_minute_and_the_rest_is_summed_up(void **state)
{
    (void)state;
    struct hk_refusals *refusals = hk_refusals_new();
    uint8_t phone[HK_ID_BYTES] = {1, 2, 3}, who[HK_ID_BYTES];
    uint64_t leaves = 0, counted = 0, total = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t count = hk_refusals_count(refusals, phone, 1000 + i / 1000);
        leaves += count != 0;
        counted += count;
        total++;
    }
    assert_int_equal(leaves, 2 * HK_REFUSALS_A_MINUTE); /* a hundred seconds */
    uint64_t rest;
    assert_false(hk_refusals_due(refusals, 1100, who, &rest)); /* its second minute is not over */
    assert_true(hk_refusals_due(refusals, UINT64_MAX, who, &rest));
    assert_memory_equal(who, phone, sizeof who);
    assert_int_equal(counted + rest, total);
    assert_false(hk_refusals_due(refusals, UINT64_MAX, who, &rest));
    assert_int_equal(hk_refusals_count(refusals, phone, 5000), 1);
    hk_refusals_free(refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_leaf_is_proved_to_be_in_every_head_that_has_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_head_is_proved_to_extend_every_earlier_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_come_back_in_order_as_many_as_fit_and_of_this_account_alone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            head_survives_a_restart_and_its_signature_verifies_for_this_account_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaf_of_nobody_or_out_of_bounds_is_refused, set_up, tear_down),
        cmocka_unit_test(refusals_leave_a_few_leaves_a_minute_and_the_rest_is_summed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
