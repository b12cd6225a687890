/* What a device makes of a log: an honest one passes at every size, and one that was forked, reordered, cut,
 * or changed does not, whatever proofs come with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/random.h"
#include "device/log_check.h"

#define LEAVES 700
#define GENERATION 3

/* A service with one account's log in memory, every answer computed from its leaves. */
struct log {
    size_t size, at_most; /* leaves in one answer */
    uint8_t bytes[LEAVES][HK_SMALL_OBJECT_MAX];
    struct hk_bytes leaf[LEAVES];
    uint8_t hashes[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES];
    struct hk_bytes spans[HK_MERKLE_PROOF_MAX];
    unsigned questions;
};

static struct log honest, other;
static uint8_t account[HK_ACCOUNT_BYTES], identity_key[32], identity_secret[64];
static uint8_t report_secret[2][64];
static struct hk_profile profile;
static struct hk_log_view view;

static enum hk_error node(void *context, unsigned level, uint64_t index, uint8_t out[HK_MERKLE_BYTES])
{
    struct log *log = context;
    if (level == 0) {
        hk_merkle_leaf(out, log->leaf[index].data, log->leaf[index].size);
        return HK_OK;
    }
    uint8_t left[HK_MERKLE_BYTES], right[HK_MERKLE_BYTES];
    (void)!node(context, level - 1, 2 * index, left);
    (void)!node(context, level - 1, 2 * index + 1, right);
    hk_merkle_node(out, left, right);
    return HK_OK;
}

static void give(struct log *log, size_t count, struct hk_log_answer *out)
{
    for (size_t i = 0; i < count; i++) {
        log->spans[i] = HK_BYTES(log->hashes[i], HK_MERKLE_BYTES);
    }
    *out = (struct hk_log_answer){log->spans, count};
    log->questions++;
}

static enum hk_error consistency(void *context, uint64_t generation, uint64_t old_size, uint64_t size,
                                 struct hk_log_answer *out)
{
    struct log *log = context;
    size_t count;
    assert_int_equal(generation, GENERATION);
    enum hk_error error = hk_merkle_prove_consistency(log->hashes, &count, old_size, size, node, log);
    if (error == HK_OK) {
        give(log, count, out);
    }
    return error;
}

static enum hk_error inclusion(void *context, uint64_t generation, uint64_t index, uint64_t size,
                               struct hk_log_answer *out)
{
    struct log *log = context;
    size_t count;
    assert_int_equal(generation, GENERATION);
    enum hk_error error = hk_merkle_prove_inclusion(log->hashes, &count, index, size, node, log);
    if (error == HK_OK) {
        give(log, count, out);
    }
    return error;
}

static enum hk_error leaves(void *context, uint64_t generation, uint64_t start, uint64_t count,
                            struct hk_log_answer *out)
{
    struct log *log = context;
    assert_int_equal(generation, GENERATION);
    *out = (struct hk_log_answer){log->leaf + start, count < log->at_most ? count : log->at_most};
    log->questions++;
    return HK_OK;
}

static struct hk_log_source source_of(struct log *log)
{
    return (struct hk_log_source){log, consistency, inclusion, leaves};
}

static struct hk_log_head head_of(struct log *log, size_t size)
{
    struct hk_log_head head = {.generation = GENERATION, .size = size, .time = 1000 + size};
    struct hk_frontier frontier;
    assert_int_equal(hk_frontier_load(&frontier, size, node, log), HK_OK);
    hk_frontier_root(head.root, &frontier);
    return head;
}

static void sign(uint8_t signature[64], const struct hk_log_head *head)
{
    uint8_t statement[HK_HASH_BYTES];
    hk_head_statement(statement, HK_HEAD_OF_SERVICE, account, head);
    crypto_sign_detached(signature, NULL, statement, sizeof(statement), identity_secret);
}

static void put(struct log *log, size_t index, const struct hk_leaf *leaf)
{
    size_t size;
    assert_int_equal(hk_leaf_encode(leaf, log->bytes[index], sizeof(log->bytes[index]), &size), HK_OK);
    log->leaf[index] = HK_BYTES(log->bytes[index], size);
}

/* Leaf i is by device i % 2; its digest begins with i. */
static struct hk_leaf leaf_number(size_t i)
{
    struct hk_leaf leaf;
    memset(&leaf, 0, sizeof(leaf));
    leaf.has_who = true;
    memcpy(leaf.who, profile.devices[i % 2].serial, HK_ID_BYTES);
    leaf.op = HK_OP_AGREE;
    leaf.count = 1;
    leaf.time = i;
    leaf.digest[0] = (uint8_t)i;
    leaf.digest[1] = (uint8_t)(i >> 8);
    return leaf;
}

static void fill(struct log *log)
{
    memset(log, 0, sizeof(*log));
    log->size = LEAVES;
    log->at_most = HK_LOG_CHUNK;
    for (size_t i = 0; i < LEAVES; i++) {
        struct hk_leaf leaf = leaf_number(i);
        put(log, i, &leaf);
    }
}

static int set_up(void **state)
{
    (void)state;
    hk_random(account, sizeof(account));
    crypto_sign_keypair(identity_key, identity_secret);
    profile.device_count = 2;
    for (size_t i = 0; i < 2; i++) {
        memset(profile.devices[i].serial, (int)(i + 1), HK_ID_BYTES);
        crypto_sign_keypair(profile.devices[i].report_key, report_secret[i]);
    }
    view = (struct hk_log_view){account, identity_key, profile.devices[0].serial, &profile};
    fill(&honest);
    fill(&other);
    return 0;
}

static enum hk_error check(struct log *log, const struct hk_log_head *last, const struct hk_log_head *head)
{
    uint8_t signature[64];
    struct hk_log_source source = source_of(log);
    sign(signature, head);
    return hk_log_check_head(&view, last, head, signature, &source);
}

static void a_log_that_grows_passes_from_every_size_to_every_size(void **state)
{
    (void)state;
    for (size_t from = 0; from <= 20; from++) {
        for (size_t to = from; to <= 20; to++) {
            struct hk_log_head last = head_of(&honest, from), head = head_of(&honest, to);
            assert_int_equal(check(&honest, &last, &head), HK_OK);
        }
    }
    struct hk_log_head empty, head = head_of(&honest, 5);
    hk_log_head_empty(&empty, GENERATION);
    assert_int_equal(check(&honest, &empty, &head), HK_OK);
}

static void a_head_that_the_service_did_not_sign_is_refused(void **state)
{
    (void)state;
    struct hk_log_source source = source_of(&honest);
    struct hk_log_head last = head_of(&honest, 3), head = head_of(&honest, 5);
    uint8_t signature[64];
    sign(signature, &head);
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        assert_int_equal(hk_log_check_head(&view, &last, &head, signature, &source), HK_BAD_PEER);
        signature[i] ^= 1;
    }
    head.time++;
    assert_int_equal(hk_log_check_head(&view, &last, &head, signature, &source), HK_BAD_PEER);
}

static void a_log_that_was_cut_is_a_fork(void **state)
{
    (void)state;
    struct hk_log_head last = head_of(&honest, 9), head = head_of(&honest, 8);
    assert_int_equal(check(&honest, &last, &head), HK_LOG_FORKED);
    hk_log_head_empty(&head, GENERATION);
    assert_int_equal(check(&honest, &last, &head), HK_LOG_FORKED);
}

static void a_log_of_which_one_leaf_was_changed_is_a_fork(void **state)
{
    (void)state;
    struct hk_log_head last = head_of(&honest, 13);
    for (size_t i = 0; i < 13; i++) {
        struct hk_leaf leaf = leaf_number(i);
        leaf.outcome = HK_REVOKED;
        put(&other, i, &leaf);
        for (size_t size = 13; size < 18; size++) {
            struct hk_log_head head = head_of(&other, size);
            assert_int_equal(check(&other, &last, &head), HK_LOG_FORKED);
        }
        leaf = leaf_number(i);
        put(&other, i, &leaf);
    }
}

static void a_log_in_another_order_is_a_fork(void **state)
{
    (void)state;
    struct hk_log_head last = head_of(&honest, 10);
    struct hk_leaf three = leaf_number(3), four = leaf_number(4);
    put(&other, 3, &four);
    put(&other, 4, &three);
    struct hk_log_head head = head_of(&other, 12);
    assert_int_equal(check(&other, &last, &head), HK_LOG_FORKED);
}

static void an_older_generation_is_a_fork_and_a_newer_one_needs_a_yes(void **state)
{
    (void)state;
    struct hk_log_head last = head_of(&honest, 10), head = head_of(&honest, 12);
    head.generation--;
    assert_int_equal(check(&honest, &last, &head), HK_LOG_FORKED);
    head.generation += 2;
    assert_int_equal(check(&honest, &last, &head), HK_NEEDS_APPROVAL);
}

static enum hk_error refuse(void *context, uint64_t generation, uint64_t old_size, uint64_t size,
                            struct hk_log_answer *out)
{
    (void)context, (void)generation, (void)old_size, (void)size, (void)out;
    return HK_UNREACHABLE;
}

static void a_question_without_an_answer_is_not_called_a_fork(void **state)
{
    (void)state;
    struct hk_log_source source = source_of(&honest);
    source.consistency = refuse;
    struct hk_log_head last = head_of(&honest, 10), head = head_of(&honest, 12);
    uint8_t signature[64];
    sign(signature, &head);
    assert_int_equal(hk_log_check_head(&view, &last, &head, signature, &source), HK_UNREACHABLE);
}

/* What hk_log_read has handed on. */
static uint64_t next_leaf, given;
static enum hk_error take(void *context, uint64_t index, struct hk_bytes encoded, const struct hk_leaf *leaf)
{
    (void)context;
    (void)encoded;
    assert_int_equal(index, next_leaf);
    assert_int_equal(leaf->time, index);
    next_leaf++;
    given++;
    return HK_OK;
}

static enum hk_error read_range(struct log *log, const struct hk_log_head *head, uint64_t start,
                                uint64_t count)
{
    struct hk_log_source source = source_of(log);
    next_leaf = start;
    given = 0;
    return hk_log_read(head, start, count, &source, take, NULL);
}

static void every_range_of_leaves_is_proved_and_handed_on(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 17; size++) {
        struct hk_log_head head = head_of(&honest, size);
        for (size_t start = 0; start <= size; start++) {
            for (size_t count = 0; count <= size - start; count++) {
                assert_int_equal(read_range(&honest, &head, start, count), HK_OK);
                assert_int_equal(given, count);
            }
        }
        assert_int_equal(read_range(&honest, &head, 0, size + 1), HK_NOT_FOUND);
        assert_int_equal(read_range(&honest, &head, size + 1, 0), HK_NOT_FOUND);
    }
}

static void a_long_range_takes_few_questions_and_answers_may_be_short(void **state)
{
    (void)state;
    struct hk_log_head head = head_of(&honest, LEAVES);
    honest.questions = 0;
    assert_int_equal(read_range(&honest, &head, 1, LEAVES - 1), HK_OK);
    assert_int_equal(given, LEAVES - 1);
    assert_true(honest.questions <= 6);
    honest.at_most = 100;
    assert_int_equal(read_range(&honest, &head, 0, LEAVES), HK_OK);
    assert_int_equal(given, LEAVES);
    honest.at_most = 0;
    assert_int_equal(read_range(&honest, &head, 0, LEAVES), HK_LOG_FORKED);
}

static void no_leaf_that_is_not_in_the_tree_is_handed_on(void **state)
{
    (void)state;
    struct hk_log_head head = head_of(&honest, 20);
    struct hk_leaf three = leaf_number(3), four = leaf_number(4);
    put(&other, 3, &four);
    put(&other, 4, &three);
    for (uint64_t start = 0; start <= 4; start++) {
        assert_int_equal(read_range(&other, &head, start, 10), HK_LOG_FORKED);
        assert_int_equal(given, 0);
    }
    /* changed leaves under the honest proofs */
    struct hk_log_source source = source_of(&honest);
    fill(&other);
    three.outcome = HK_REVOKED;
    put(&other, 3, &three);
    honest.leaf[3] = other.leaf[3];
    next_leaf = 2;
    given = 0;
    struct hk_leaf real = leaf_number(3);
    assert_int_equal(hk_log_read(&head, 2, 5, &source, take, NULL), HK_LOG_FORKED);
    assert_int_equal(given, 0);
    put(&honest, 3, &real);
}

static enum hk_error audit(struct log *log, size_t from, size_t to, struct hk_log_own *own, size_t own_count,
                           struct hk_log_audit *result)
{
    struct hk_log_source source = source_of(log);
    struct hk_log_head last = head_of(log, from), head = head_of(log, to);
    return hk_log_audit(&view, &last, &head, own, own_count, &source, result);
}

static void own_uses_are_found_and_a_missing_one_is_a_fork(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_log_own own[2] = {{{4}, true, false}, {{8}, true, false}};
    assert_int_equal(audit(&honest, 3, 10, own, 2, &result), HK_OK);
    assert_true(own[0].found && own[1].found);
    assert_int_equal(result.own_leaves, 3);     /* 4, 6, 8 */
    assert_int_equal(result.unknown_leaves, 1); /* 6 */
    own[1].found = false;
    assert_int_equal(audit(&honest, 3, 8, own, 2, &result), HK_LOG_FORKED);
    struct hk_log_own of_the_other_device = {{5}, true, false};
    assert_int_equal(audit(&honest, 3, 10, &of_the_other_device, 1, &result), HK_LOG_FORKED);
}

static void a_use_on_its_way_may_be_in_the_log_and_need_not_be(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_log_own own[2] = {{{4}, false, false}, {{8}, false, false}};
    assert_int_equal(audit(&honest, 3, 8, own, 2, &result), HK_OK);
    assert_true(own[0].found && !own[1].found);
    assert_int_equal(result.unknown_leaves, 1); /* 6 */
}

static void a_profile_that_was_put_is_told_of_and_one_that_was_refused_is_not(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_leaf leaf = leaf_number(7);
    leaf.op = HK_OP_PROFILE_PUT;
    put(&honest, 7, &leaf);
    leaf.outcome = HK_CONFLICT;
    put(&honest, 12, &leaf);
    assert_int_equal(audit(&honest, 3, 10, NULL, 0, &result), HK_OK);
    assert_int_equal(result.profiles, 1);
    assert_int_equal(audit(&honest, 10, 20, NULL, 0, &result), HK_OK);
    assert_int_equal(result.profiles, 0);
}

/* The device that looks is the first of the two. */
static void hand_overs_are_told_of_to_whom_they_concern(void **state)
{
    (void)state;
    const struct {
        enum hk_op op;
        size_t who, subject;
        uint64_t outcome, deposits, handed;
        bool holds; /* of the other device: that it has keys */
    } cases[] = {
        {HK_OP_HAND_OPEN, 1, 0, 0, 1, 0, false},         {HK_OP_HAND_OPEN, 0, 1, 0, 0, 0, false},
        {HK_OP_HAND_SEAL, 1, 0, 0, 0, 1, false},         {HK_OP_HAND_SEAL, 0, 1, 0, 0, 0, false},
        {HK_OP_HAND_CONFIRM, 1, 0, 0, 0, 0, true},       {HK_OP_HAND_CONFIRM, 0, 1, 0, 0, 0, false},
        {HK_OP_ENROL_CONFIRM, 0, 1, 0, 0, 0, true},      {HK_OP_HAND_OPEN, 1, 0, HK_LOCKED, 0, 0, false},
        {HK_OP_HAND_SEAL, 1, 0, HK_LOCKED, 0, 0, false}, {HK_OP_HAND_CONFIRM, 1, 0, HK_LOCKED, 0, 0, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct hk_log_audit result;
        memset(&result, 0, sizeof(result));
        fill(&honest);
        struct hk_leaf leaf = leaf_number(cases[i].who);
        leaf.op = cases[i].op;
        leaf.outcome = cases[i].outcome;
        leaf.has_subject = true;
        memcpy(leaf.subject, profile.devices[cases[i].subject].serial, HK_ID_BYTES);
        put(&honest, 5, &leaf);
        assert_int_equal(audit(&honest, 5, 6, NULL, 0, &result), HK_OK);
        assert_int_equal(result.deposits, cases[i].deposits);
        assert_int_equal(result.handed, cases[i].handed);
        assert_int_equal(result.devices[1].holds_keys, cases[i].holds);
    }
    fill(&honest);
}

static void one_leaf_does_not_stand_for_two_uses(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_log_own own[2] = {{{4}, true, false}, {{4}, true, false}};
    assert_int_equal(audit(&honest, 3, 10, own, 2, &result), HK_LOG_FORKED);
}

/* Leaf 15, by the second device, with its report on `head`. */
static void report_in_leaf_15(struct log *log, const struct hk_log_head *head, size_t signer)
{
    struct hk_leaf leaf = leaf_number(15);
    leaf.has_report = true;
    hk_log_report(leaf.report, account, head, report_secret[signer]);
    put(log, 15, &leaf);
}

static void a_report_on_the_same_line_is_kept_as_the_latest(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_log_head seen = head_of(&honest, 12);
    report_in_leaf_15(&honest, &seen, 1);
    assert_int_equal(audit(&honest, 3, 20, NULL, 0, &result), HK_OK);
    assert_int_equal(result.device_count, 2);
    assert_int_equal(result.devices[1].head.size, 12);
    assert_int_equal(result.devices[0].head.size, 0);
    assert_int_equal(audit(&honest, 20, 25, NULL, 0, &result), HK_OK);
    assert_int_equal(result.devices[1].head.size, 12);
}

static void a_report_from_another_line_is_a_fork(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_leaf leaf = leaf_number(7);
    leaf.outcome = HK_REVOKED;
    put(&other, 7, &leaf);
    struct hk_log_head seen = head_of(&other, 12);
    report_in_leaf_15(&honest, &seen, 1);
    assert_int_equal(audit(&honest, 3, 20, NULL, 0, &result), HK_LOG_FORKED);
    seen = head_of(&honest, 30);
    report_in_leaf_15(&honest, &seen, 1);
    memset(&result, 0, sizeof(result));
    assert_int_equal(audit(&honest, 3, 20, NULL, 0, &result), HK_LOG_FORKED);
}

static void a_report_that_its_device_did_not_sign_was_made_up(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_log_head seen = head_of(&honest, 12);
    report_in_leaf_15(&honest, &seen, 0);
    assert_int_equal(audit(&honest, 3, 20, NULL, 0, &result), HK_LOG_FORKED);
    assert_int_equal(result.devices[1].head.size, 0);
}

static void reports_stay_with_their_devices_when_the_profile_changes(void **state)
{
    (void)state;
    struct hk_log_audit result;
    memset(&result, 0, sizeof(result));
    struct hk_log_head seen = head_of(&honest, 12);
    report_in_leaf_15(&honest, &seen, 1);
    assert_int_equal(audit(&honest, 3, 20, NULL, 0, &result), HK_OK);
    struct hk_profile before = profile;
    profile.devices[0] = before.devices[1];
    profile.device_count = 1;
    assert_int_equal(audit(&honest, 20, 25, NULL, 0, &result), HK_OK);
    assert_int_equal(result.device_count, 1);
    assert_int_equal(result.devices[0].head.size, 12);
    profile = before;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_log_that_grows_passes_from_every_size_to_every_size),
        TEST(a_head_that_the_service_did_not_sign_is_refused),
        TEST(a_log_that_was_cut_is_a_fork),
        TEST(a_log_of_which_one_leaf_was_changed_is_a_fork),
        TEST(a_log_in_another_order_is_a_fork),
        TEST(an_older_generation_is_a_fork_and_a_newer_one_needs_a_yes),
        TEST(a_question_without_an_answer_is_not_called_a_fork),
        TEST(every_range_of_leaves_is_proved_and_handed_on),
        TEST(a_long_range_takes_few_questions_and_answers_may_be_short),
        TEST(no_leaf_that_is_not_in_the_tree_is_handed_on),
        TEST(own_uses_are_found_and_a_missing_one_is_a_fork),
        TEST(a_use_on_its_way_may_be_in_the_log_and_need_not_be),
        TEST(a_profile_that_was_put_is_told_of_and_one_that_was_refused_is_not),
        TEST(hand_overs_are_told_of_to_whom_they_concern),
        TEST(one_leaf_does_not_stand_for_two_uses),
        TEST(a_report_on_the_same_line_is_kept_as_the_latest),
        TEST(a_report_from_another_line_is_a_fork),
        TEST(a_report_that_its_device_did_not_sign_was_made_up),
        TEST(reports_stay_with_their_devices_when_the_profile_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
