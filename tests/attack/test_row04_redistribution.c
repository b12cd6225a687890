/* Row 4: an administrator, a new device or a plan that would hand something else on than x. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "crypto/enrolment.h"
#include "crypto/random.h"
#include "crypto/redistribute.h"
#include "tests/support/attack.h"
#include "tests/support/toy_group.h"

#define TOY (&hk_toy_group)

static struct hk_attack attack;
static struct hk_test_device guest;
static struct hk_test_enrolment enrolment;
static const struct hk_group *const group = &hk_edwards25519;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    hk_test_device_init(&guest, &attack.service);
    assert_int_equal(hk_test_enrol(&attack.laptop, &guest, &enrolment, 3), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&guest);
    hk_attack_end(&attack);
    return 0;
}

static void old_sharing_works(struct hk_test_device *device)
{
    uint8_t signature[64];
    assert_int_equal(
        hk_test_sign(device, hk_test_key_of(device, HK_SUITE_ED25519), HK_SIGN_RAW, "old", 3, signature),
        HK_OK);
}

/* ---- the administrator's message, in pieces that a lie can change ---- */

static struct {
    size_t count;
    uint8_t kept[HK_TEST_KEYS][32], passed[HK_TEST_KEYS][32], share[HK_TEST_KEYS][32];
    uint8_t id[HK_TEST_KEYS][HK_ID_BYTES];
    size_t ids, kept_count, passed_count, shares; /* of elements sent */
} parts;

static void (*lie)(void);

static void load(const struct hk_value *list, uint8_t (*out)[32])
{
    for (size_t i = 0; i < list->count; i++) {
        memcpy(out[i], list->items[i].data, 32);
    }
}

static void change(struct hk_message *request, void *argument)
{
    static struct hk_bytes items[HK_TEST_KEYS];
    (void)argument;
    if (request->value[HK_F_OP].number != HK_OP_ENROL) {
        return;
    }
    parts.count = request->value[HK_F_KEYS].count;
    parts.ids = parts.kept_count = parts.passed_count = parts.shares = parts.count;
    load(&request->value[HK_F_KEPT], parts.kept);
    load(&request->value[HK_F_PASSED], parts.passed);
    load(&request->value[HK_F_SUBSHARES], parts.share);
    for (size_t i = 0; i < parts.count; i++) {
        memcpy(parts.id[i], request->value[HK_F_KEYS].items[i].data, HK_ID_BYTES);
    }
    hk_watch(&attack);
    lie();
    for (size_t i = 0; i < parts.ids; i++) {
        items[i] = HK_BYTES(parts.id[i], HK_ID_BYTES);
    }
    hk_message_set_list(request, HK_F_KEYS, items, parts.ids);
    request->pooled = 0;
    hk_message_set_array(request, HK_F_KEPT, parts.kept, 32, parts.kept_count);
    hk_message_set_array(request, HK_F_PASSED, parts.passed, 32, parts.passed_count);
    hk_message_set_array(request, HK_F_SUBSHARES, parts.share, 32, parts.shares);
}

static void add_base(uint8_t point[32], uint64_t times)
{
    struct hk_scalar k;
    struct hk_point p, b;
    group->scalar_set(&k, times);
    group->base_mul(&b, &k);
    assert_int_equal(group->point_decode(&p, point), HK_OK);
    group->point_add(&p, &p, &b);
    memcpy(point, p.bytes, 32);
}

static void sub_base(uint8_t point[32])
{
    struct hk_scalar k;
    struct hk_point p, b;
    group->scalar_set(&k, 1);
    group->base_mul(&b, &k);
    assert_int_equal(group->point_decode(&p, point), HK_OK);
    group->point_sub(&p, &p, &b);
    memcpy(point, p.bytes, 32);
}

static void add_one(uint8_t scalar[32])
{
    struct hk_scalar a, one;
    group->scalar_set(&one, 1);
    assert_int_equal(group->scalar_decode(&a, scalar), HK_OK);
    group->scalar_add(&a, &a, &one);
    memcpy(scalar, a.bytes, 32);
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t kept[32];
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

static void share_beside_its_commitment(void)
{
    add_one(parts.share[0]);
}
static void share_beside_in_the_last_key(void)
{
    add_one(parts.share[parts.count - 1]);
}
static void commitment_beside_its_share(void) /* A + A' is still D1 */
{
    add_base(parts.passed[0], 1);
    sub_base(parts.kept[0]);
}
static void constant_term_not_w(void)
{
    add_base(parts.kept[0], 1);
}
static void w_of_the_message(void) /* d1 + 1, dealt consistently: only X - S1 shows it */
{
    add_base(parts.passed[0], 1);
    add_one(parts.share[0]);
}
static void w_moved_between_keys(void)
{
    add_base(parts.passed[0], 1);
    add_one(parts.share[0]);
    sub_base(parts.kept[1]);
}
static void dealings_of_the_other_key(void)
{
    swap(parts.kept[0], parts.kept[1], 32);
    swap(parts.passed[0], parts.passed[1], 32);
    swap(parts.share[0], parts.share[1], 32);
}
static void shares_of_the_other_key(void)
{
    swap(parts.share[0], parts.share[1], 32);
}
static void parts_changed_for_one_another(void)
{
    swap(parts.kept[0], parts.passed[0], 32);
}
static void keys_out_of_order(void)
{
    swap(parts.id[0], parts.id[1], HK_ID_BYTES);
}
static void one_key_twice(void)
{
    memcpy(parts.id[1], parts.id[0], HK_ID_BYTES);
}
static void a_key_of_nobody(void)
{
    hk_random(parts.id[1], HK_ID_BYTES);
}
static void the_account_key(void)
{
    memcpy(parts.id[1], hk_test_key_of(&attack.laptop, HK_SUITE_ACCOUNT)->id, HK_ID_BYTES);
}
static void a_key_of_the_bystander(void)
{
    memcpy(parts.id[1], hk_test_key_of(&attack.bystander, HK_SUITE_ED25519)->id, HK_ID_BYTES);
}
static void one_key_left_out(void)
{
    parts.ids = parts.kept_count = parts.passed_count = parts.shares = parts.count - 1;
}
static void no_key_at_all(void)
{
    parts.ids = parts.kept_count = parts.passed_count = parts.shares = 0;
}
static void one_key_too_many(void)
{
    size_t n = parts.count;
    hk_random(parts.id[n], HK_ID_BYTES);
    memcpy(parts.kept[n], parts.kept[0], 32);
    memcpy(parts.passed[n], parts.passed[0], 32);
    memcpy(parts.share[n], parts.share[0], 32);
    parts.ids = parts.kept_count = parts.passed_count = parts.shares = n + 1;
}
static void one_commitment_too_many(void)
{
    memcpy(parts.kept[parts.count], parts.kept[0], 32);
    parts.kept_count++;
}
static void one_passed_too_many(void)
{
    memcpy(parts.passed[parts.count], parts.passed[0], 32);
    parts.passed_count++;
}
static void one_share_too_few(void)
{
    parts.shares--;
}

static void row04_an_administrator_that_deals_something_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*lie)(void);
        enum hk_error expected;
    } lies[] = {
#define LIE(name, error) {#name, name, error}
        LIE(share_beside_its_commitment, HK_BAD_PROOF),
        LIE(share_beside_in_the_last_key, HK_BAD_PROOF),
        LIE(commitment_beside_its_share, HK_BAD_PROOF),
        LIE(constant_term_not_w, HK_BAD_PROOF),
        LIE(w_of_the_message, HK_BAD_PROOF),
        LIE(w_moved_between_keys, HK_BAD_PROOF),
        LIE(dealings_of_the_other_key, HK_BAD_PROOF),
        LIE(shares_of_the_other_key, HK_BAD_PROOF),
        LIE(parts_changed_for_one_another, HK_BAD_PROOF),
        LIE(keys_out_of_order, HK_CONFLICT),
        LIE(one_key_twice, HK_CONFLICT),
        LIE(a_key_of_nobody, HK_CONFLICT),
        LIE(the_account_key, HK_CONFLICT),
        LIE(a_key_of_the_bystander, HK_CONFLICT),
        LIE(one_key_left_out, HK_CONFLICT),
        LIE(no_key_at_all, HK_CONFLICT),
        LIE(one_key_too_many, HK_CONFLICT),
        LIE(one_commitment_too_many, HK_BAD_ENCODING),
        LIE(one_passed_too_many, HK_BAD_ENCODING),
        LIE(one_share_too_few, HK_BAD_ENCODING),
    };
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        lie = lies[i].lie;
        hk_test_change_requests(change, NULL);
        enum hk_error got = hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 3, 4);
        hk_test_change_requests(NULL, NULL);
        hk_refused(&attack, &attack.laptop, HK_OP_ENROL, got, lies[i].expected, "administrator: %s",
                   lies[i].name);
        old_sharing_works(&attack.laptop);
    }
    assert_int_equal(hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 3, 0), HK_OK);
    old_sharing_works(&guest);
}

/* The epoch is part of the sharing: what was dealt before a refresh fits nothing after it. */
static uint8_t stale[3][HK_TEST_KEYS][32];
static void keep_dealing(void)
{
    memcpy(stale[0], parts.kept, sizeof(parts.kept));
    memcpy(stale[1], parts.passed, sizeof(parts.passed));
    memcpy(stale[2], parts.share, sizeof(parts.share));
    add_one(parts.share[0]); /* not taken this time */
}
static void replay_dealing(void)
{
    memcpy(parts.kept, stale[0], sizeof(parts.kept));
    memcpy(parts.passed, stale[1], sizeof(parts.passed));
    memcpy(parts.share, stale[2], sizeof(parts.share));
}

static void row04_what_was_dealt_in_an_earlier_epoch_is_refused(void **state)
{
    (void)state;
    struct hk_test_epoch next;
    hk_test_change_requests(change, NULL);
    lie = keep_dealing;
    enum hk_error got = hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 3, 4);
    hk_refused(&attack, &attack.laptop, HK_OP_ENROL, got, HK_BAD_PROOF, "dealt, and kept for later");
    hk_test_change_requests(NULL, NULL);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&attack.laptop, &next), HK_OK);
    hk_watch(&attack);
    got = hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 3, 4);
    hk_refused(&attack, &attack.laptop, HK_OP_ENROL, got, HK_LOCKED, "in the middle of a refresh");
    assert_int_equal(hk_test_confirm(&attack.laptop, &next), HK_OK);
    hk_test_adopt(&attack.laptop, &next);
    hk_test_change_requests(change, NULL);
    lie = replay_dealing;
    got = hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 3, 4);
    hk_test_change_requests(NULL, NULL);
    hk_refused(&attack, &attack.laptop, HK_OP_ENROL, got, HK_BAD_PROOF, "dealt before a refresh");
    old_sharing_works(&attack.laptop);
}

/* ---- the new device's message ---- */

static enum hk_error confirm_with(const uint8_t transcript[32], uint8_t proofs[][64], size_t count)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_ENROL_CONFIRM, NULL);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, transcript, 32);
    hk_message_set_array(&request, HK_F_PROOFS, proofs, 64, count);
    hk_watch(&attack);
    return hk_test_call(&guest, &request, &answer);
}

static void prove_all(uint8_t proofs[][64], const uint8_t transcript[32], uint64_t shift)
{
    for (size_t i = 0; i < enrolment.count; i++) {
        struct hk_scalar half = guest.key[i].half, more;
        group->scalar_set(&more, shift);
        group->scalar_add(&half, &half, &more);
        hk_enrol_prove(proofs[i], group, transcript, guest.key[i].id, &half);
    }
}

static void row04_a_new_device_with_another_half_is_not_activated(void **state)
{
    (void)state;
    uint8_t proofs[HK_TEST_KEYS][64], transcript[32], kept[64];
#define CONFIRM(count, name)                                                                                 \
    hk_refused(&attack, NULL, HK_OP_ENROL_CONFIRM, confirm_with(transcript, proofs, count), HK_BAD_PROOF,    \
               "new device: %s", name)
    assert_int_equal(hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 3, 5), HK_OK);
    memcpy(transcript, enrolment.transcript, 32);
    prove_all(proofs, transcript, 1);
    CONFIRM(enrolment.count, "d2 + 1");
    for (size_t i = 0; i < enrolment.count;
         i++) { /* the administrator's half, which is a half of X as well */
        const struct hk_test_key *key = hk_test_key_of(&attack.laptop, guest.key[i].suite->id);
        hk_enrol_prove(proofs[i], group, transcript, key->id, &key->half);
    }
    CONFIRM(enrolment.count, "the administrator's halves");
    prove_all(proofs, transcript, 0);
    memcpy(kept, proofs[0], 64);
    memcpy(proofs[0], proofs[1], 64);
    memcpy(proofs[1], kept, 64);
    CONFIRM(enrolment.count, "proofs of the keys changed for one another");
    prove_all(proofs, transcript, 0);
    CONFIRM(enrolment.count - 1, "one proof too few");
    memcpy(proofs[enrolment.count], proofs[0], 64);
    CONFIRM(enrolment.count + 1, "one proof too many");
    CONFIRM(0, "no proof");
    transcript[0] ^= 1;
    CONFIRM(enrolment.count, "another transcript");
    prove_all(proofs, transcript, 0);
    CONFIRM(enrolment.count, "another transcript, rightly proved");
    memcpy(transcript, attack.enrolment.transcript, 32);
    CONFIRM(enrolment.count, "the transcript of the phone");
    memcpy(transcript, enrolment.transcript, 32);
    memcpy(proofs, attack.enrolment.proofs, sizeof(proofs));
    CONFIRM(enrolment.count, "the proofs of the phone");
    old_sharing_works(&attack.laptop);
    assert_int_equal(hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 5, 0), HK_OK);
    old_sharing_works(&guest);
}

/* ---- plans, which no message carries yet ---- */

static void refuse_plan(const struct hk_plan *plan, enum hk_error expected, const char *name)
{
    assert_int_equal(hk_plan_check(plan), expected);
    struct hk_dealing dealing;
    struct hk_scalar shares[HK_HOLDERS_MAX], contribution;
    TOY->scalar_set(&contribution, 5);
    assert_int_equal(hk_redistribute_deal(&dealing, shares, plan, &contribution), expected);
    hk_tried("plan: %s", name);
}

static void good_plan(struct hk_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    *plan = (struct hk_plan){.group = TOY,
                             .sharing = HK_SHARING_THRESHOLD,
                             .threshold = 2,
                             .epoch = 5,
                             .old_count = 2,
                             .new_count = 3};
    plan->public_key[0] = hk_toy_point(1).bytes[0];
    for (size_t i = 0; i < HK_HOLDERS_MAX; i++) {
        plan->old_holders[i].name[0] = (uint8_t)(1 + i);
        plan->new_holders[i].name[0] = (uint8_t)(101 + i);
        plan->new_holders[i].index = 1 + i;
    }
    assert_int_equal(hk_plan_check(plan), HK_OK);
}

static void row04_a_plan_with_bad_holders_is_refused(void **state)
{
    (void)state;
    struct hk_plan plan;
    static const struct {
        const char *name;
        uint64_t first, last;
    } bad[] = {{"index zero", 0, 1},     {"indices equal", 1, 1},   {"index n", 13, 1},
               {"index 2n", 26, 2},      {"indices 1, 1+n", 1, 14}, {"indices 2+n, 2", 15, 2},
               {"indices 7, 7+n", 20, 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        good_plan(&plan);
        plan.new_holders[0].index = bad[i].first;
        plan.new_holders[2].index = bad[i].last;
        plan.new_holders[1].index = 7;
        refuse_plan(&plan, HK_BAD_ENCODING, bad[i].name);
    }
    static const size_t thresholds[] = {0, 4, SIZE_MAX}, counts[] = {0, HK_HOLDERS_MAX + 1, SIZE_MAX};
    static const char *const of_t[] = {"t zero", "t larger than n", "t huge"};
    static const char *const of_new[] = {"no new holder", "too many new holders", "huge number of new ones"};
    static const char *const of_old[] = {"no old holder", "too many old holders", "huge number of old ones"};
    for (size_t i = 0; i < 3; i++) {
        good_plan(&plan);
        plan.threshold = thresholds[i];
        refuse_plan(&plan, HK_BAD_ENCODING, of_t[i]);
        good_plan(&plan);
        plan.new_count = counts[i];
        refuse_plan(&plan, HK_BAD_ENCODING, of_new[i]);
        good_plan(&plan);
        plan.old_count = counts[i];
        refuse_plan(&plan, HK_BAD_ENCODING, of_old[i]);
    }
    good_plan(&plan);
    memcpy(plan.new_holders[1].name, plan.new_holders[0].name, HK_NAME_BYTES);
    refuse_plan(&plan, HK_BAD_ENCODING, "one new holder twice");
    good_plan(&plan);
    plan.old_holders[1] = plan.old_holders[0];
    refuse_plan(&plan, HK_BAD_ENCODING, "one old holder twice");
    good_plan(&plan);
    plan.sharing = (enum hk_sharing)3;
    refuse_plan(&plan, HK_BAD_ENCODING, "a sharing that is none");
    good_plan(&plan);
    plan.sharing = HK_SHARING_ADDITIVE;
    refuse_plan(&plan, HK_BAD_ENCODING, "an additive sharing with a threshold");
    good_plan(&plan);
    plan.public_key[0] = 1;
    refuse_plan(&plan, HK_BAD_POINT, "X that is no point");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row04_an_administrator_that_deals_something_else_is_refused),
        TEST(row04_what_was_dealt_in_an_earlier_epoch_is_refused),
        TEST(row04_a_new_device_with_another_half_is_not_activated),
        cmocka_unit_test(row04_a_plan_with_bad_holders_is_refused),
    };
    return HK_ATTACK_ROW(4, tests);
}
