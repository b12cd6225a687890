/* Refresh, a second device, revocation: at the real service, over the real transport. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/client.h"

static struct hk_test_service service;
static struct hk_test_device laptop, phone;
static uint8_t signature[64];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_device_init(&laptop, &service);
    hk_test_device_init(&phone, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, NULL), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_device_end(&phone);
    hk_test_service_end(&service);
    return 0;
}

static struct hk_test_key *git_key(struct hk_test_device *device)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == HK_SUITE_ED25519) {
            return &device->key[i];
        }
    }
    fail();
    return NULL;
}

static enum hk_error sign(struct hk_test_device *device)
{
    return hk_test_sign(device, git_key(device), HK_SIGN_RAW, "message", 7, signature);
}

static uint64_t warning_of(struct hk_test_device *device)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, device);
    assert_int_equal(hk_test_call(device, &request, &answer), HK_OK);
    return hk_message_has(&answer, HK_F_WARNING) ? answer.value[HK_F_WARNING].number : 0;
}

/* ---- refresh ---- */

static void a_refresh_can_be_repeated_at_every_step(void **state)
{
    (void)state;
    struct hk_test_epoch next, again;
    hk_random(next.seed, sizeof(next.seed));
    again = next;
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_refresh(&laptop, &again), HK_OK); /* the answer was lost */
    assert_memory_equal(next.tag, again.tag, HK_TAG_BYTES);
    assert_memory_equal(next.service_seed, again.service_seed, 32);
    assert_int_equal(sign(&laptop), HK_OK); /* until the confirm the old epoch serves */
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK); /* already */
    hk_test_adopt(&laptop, &next);
    assert_int_equal(sign(&laptop), HK_OK);
    assert_int_equal(warning_of(&laptop), 0);
}

static void another_seed_replaces_the_pending_epoch(void **state)
{
    (void)state;
    struct hk_test_epoch first, second;
    hk_random(first.seed, sizeof(first.seed));
    hk_random(second.seed, sizeof(second.seed));
    assert_int_equal(hk_test_refresh(&laptop, &first), HK_OK);
    assert_int_equal(hk_test_refresh(&laptop, &second), HK_OK);
    assert_int_equal(hk_test_confirm(&laptop, &first), HK_UNKNOWN_TAG);
    assert_int_equal(hk_test_confirm(&laptop, &second), HK_OK);
    hk_test_adopt(&laptop, &second);
    assert_int_equal(sign(&laptop), HK_OK);
}

static void a_confirm_needs_the_new_halves(void **state)
{
    (void)state;
    struct hk_test_epoch next;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    next.proofs[0][40] ^= 1;
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_BAD_PROOF);
    next.proofs[0][40] ^= 1;
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
    hk_test_adopt(&laptop, &next);
    assert_int_equal(sign(&laptop), HK_OK);
}

static void no_key_is_made_during_a_refresh(void **state)
{
    (void)state;
    struct hk_test_epoch next;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "late"), HK_LOCKED);
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
    hk_test_adopt(&laptop, &next);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "late"), HK_OK);
}

static void an_old_copy_is_refused_recorded_and_shown(void **state)
{
    (void)state;
    static struct hk_test_device copy;
    struct hk_test_epoch next;
    copy = laptop;
    copy.channel = copy.stranger = NULL;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
    hk_test_adopt(&laptop, &next);
    assert_int_equal(sign(&copy), HK_STALE_EPOCH);
    assert_int_equal(hk_test_refresh(&copy, &next), HK_STALE_EPOCH);
    hk_test_hang_up(&copy);
    assert_int_equal(sign(&laptop), HK_OK);
    assert_true(warning_of(&laptop) != 0);
    copy = laptop;
    copy.channel = copy.stranger = NULL;
    copy.tag[3] ^= 1; /* the epoch alone is no proof: anybody can count */
    assert_int_equal(sign(&copy), HK_STALE_EPOCH);
    hk_test_hang_up(&copy);
    copy = laptop;
    copy.channel = copy.stranger = NULL;
    copy.epoch++;
    assert_int_equal(sign(&copy), HK_ROLLED_BACK);
    hk_test_hang_up(&copy);
}

/* ---- a second device, and its end ---- */

static void a_second_device_gets_a_pair_of_its_own(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_test_epoch next;
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    assert_int_equal(sign(&phone), HK_OK);
    assert_int_equal(sign(&laptop), HK_OK);
    assert_memory_not_equal(git_key(&phone)->half.bytes, git_key(&laptop)->half.bytes, 32);
    assert_int_equal(hk_test_keygen(&phone, HK_SUITE_ED25519, "own"), HK_NOT_ALLOWED);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
    hk_test_adopt(&laptop, &next);
    assert_int_equal(sign(&phone), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, &phone), HK_OK);
}

static void an_enrolment_locks_the_administrator_and_ends_with_a_status_question(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_test_epoch next;
    struct hk_message request, answer;
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 5), HK_OK);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_LOCKED);
    hk_test_request(&request, HK_OP_ENROL_STATUS, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, laptop.account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, enrolment.transcript, 32);
    assert_int_equal(hk_test_call_stranger(&phone, &request, &answer), HK_UNKNOWN_RUN);
    hk_test_request(&request, HK_OP_ENROL_CONFIRM, NULL); /* late */
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, enrolment.transcript, 32);
    hk_message_set_array(&request, HK_F_PROOFS, enrolment.proofs, 64, enrolment.count);
    assert_true(hk_test_call(&phone, &request, &answer) != HK_OK);
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
}

static void a_record_is_signed_only_for_who_joined(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_message request, answer;
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 1), HK_OK);
    struct hk_device_record record = {.name = "phone", .has_gate = true, .created = 1};
    uint8_t payload[512], object[1024];
    size_t size;
    memcpy(record.account, laptop.account, HK_ACCOUNT_BYTES);
    memcpy(record.gate_hash, enrolment.gate_hash, 32);
    assert_int_equal(hk_record_encode(&record, payload, sizeof(payload), &size), HK_OK);
    assert_int_equal(hk_test_object(&laptop, HK_TYPE_RECORD, payload, size, object, sizeof(object), &size),
                     HK_NOT_ALLOWED);
    for (int i = 0; i < 6; i++) { /* wrong gates close the door */
        hk_test_request(&request, HK_OP_JOIN, NULL);
        hk_message_set_bytes(&request, HK_F_ACCOUNT, laptop.account, HK_ACCOUNT_BYTES);
        hk_message_set_bytes(&request, HK_F_GATE, enrolment.gate_hash, 32);
        hk_message_set_u64(&request, HK_F_STEP, 1);
        assert_int_equal(hk_test_call_stranger(&phone, &request, &answer),
                         i < 5 ? HK_UNKNOWN_RUN : HK_OVER_QUOTA);
    }
}

static void check_dead(void)
{
    hk_test_hang_up(&phone);
    assert_int_equal(sign(&phone), HK_REVOKED);
    hk_test_hang_up(&phone);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    assert_int_equal(sign(&phone), HK_REVOKED);
    hk_test_hang_up(&laptop);
    assert_int_equal(sign(&laptop), HK_OK);
}

static void a_revoked_device_is_dead_and_stays_dead(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_message request, answer;
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    assert_int_equal(sign(&phone), HK_OK);
    hk_test_request(&request, HK_OP_REVOKE, &laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment.certificate, enrolment.certificate_size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK); /* twice changes nothing */
    assert_true(sign(&phone) != HK_OK);                                /* on its old session */
    check_dead();
}

static void a_stranger_with_the_printed_code_can_end_the_device(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_message request, answer;
    uint8_t wrong[16] = {1};
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    hk_test_request(&request, HK_OP_REVOKE_BY_CERTIFICATE, NULL);
    hk_message_set_bytes(&request, HK_F_CODE, wrong, sizeof(wrong));
    assert_int_equal(hk_test_call_stranger(&laptop, &request, &answer), HK_UNKNOWN_DEVICE);
    hk_message_set_bytes(&request, HK_F_CODE, phone.code, sizeof(phone.code));
    assert_int_equal(hk_test_call_stranger(&laptop, &request, &answer), HK_OK);
    check_dead();
}

static void a_shown_revocation_is_applied_before_anything_else(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_message request, answer;
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    struct hk_bytes shown = HK_BYTES(enrolment.certificate, enrolment.certificate_size);
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    hk_message_set_list(&request, HK_F_REVOCATIONS, &shown, 1);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    check_dead();
}

static void an_administrator_is_not_ended_at_once_but_by_its_own_certificate(void **state)
{
    (void)state;
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REVOKE, &laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, laptop.signed_certificate, laptop.certificate_size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_NEEDS_APPROVAL);
    hk_test_request(&request, HK_OP_REVOKE_BY_CERTIFICATE, NULL);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, laptop.signed_certificate, laptop.certificate_size);
    assert_int_equal(hk_test_call_stranger(&phone, &request, &answer), HK_OK);
    hk_test_hang_up(&laptop);
    assert_int_equal(sign(&laptop), HK_REVOKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_refresh_can_be_repeated_at_every_step),
        TEST(another_seed_replaces_the_pending_epoch),
        TEST(a_confirm_needs_the_new_halves),
        TEST(no_key_is_made_during_a_refresh),
        TEST(an_old_copy_is_refused_recorded_and_shown),
        TEST(a_second_device_gets_a_pair_of_its_own),
        TEST(an_enrolment_locks_the_administrator_and_ends_with_a_status_question),
        TEST(a_record_is_signed_only_for_who_joined),
        TEST(a_revoked_device_is_dead_and_stays_dead),
        TEST(a_stranger_with_the_printed_code_can_end_the_device),
        TEST(a_shown_revocation_is_applied_before_anything_else),
        TEST(an_administrator_is_not_ended_at_once_but_by_its_own_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
