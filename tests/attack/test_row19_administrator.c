/* Row 19: an administrator that is revoked while it enrols another device, at every step of that; and a
 * profile from before a revocation, shown to a device again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/home.h"
#include "tests/support/lying_service.h"

static struct hk_test_service service;
static struct hk_test_device laptop, tablet, friend;
static struct hk_test_enrolment enrolment;

/* ---- the administrator ends ---- */

static void end_laptop(bool by_code)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REVOKE_BY_CERTIFICATE, NULL);
    if (by_code) {
        hk_message_set_bytes(&request, HK_F_CODE, laptop.code, sizeof(laptop.code));
    } else {
        hk_message_set_bytes(&request, HK_F_CERTIFICATE, laptop.signed_certificate, laptop.certificate_size);
    }
    assert_int_equal(hk_test_call_stranger(&friend, &request, &answer), HK_OK);
}

/* Whatever the two of them could still send, from where they were. */
static void try_the_rest(void)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_JOIN, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, laptop.account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&request, HK_F_GATE, enrolment.gate, 32);
    hk_message_set_u64(&request, HK_F_STEP, 0);
    hk_message_set_bytes(&request, HK_F_RELAY, "hello", 5);
    assert_true(hk_test_call_stranger(&tablet, &request, &answer) != HK_OK);
    hk_test_hang_up(&laptop);
    hk_test_request(&request, HK_OP_RELAY, &laptop);
    hk_message_set_bytes(&request, HK_F_GATE_HASH, enrolment.gate_hash, 32);
    hk_message_set_u64(&request, HK_F_STEP, 0);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_REVOKED);
    hk_test_hang_up(&tablet);
    hk_test_request(&request, HK_OP_ENROL_FETCH, NULL);
    assert_true(hk_test_call(&tablet, &request, &answer) != HK_OK);
    hk_test_request(&request, HK_OP_ENROL_CONFIRM, NULL);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, enrolment.transcript, 32);
    hk_message_set_array(&request, HK_F_PROOFS, enrolment.proofs, 64, enrolment.count);
    assert_true(hk_test_call(&tablet, &request, &answer) != HK_OK);
    hk_test_request(&request, HK_OP_ENROL_STATUS, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, laptop.account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, enrolment.transcript, 32);
    assert_int_equal(hk_test_call_stranger(&friend, &request, &answer), HK_UNKNOWN_RUN);
    hk_test_hang_up(&tablet);
    hk_test_request(&request, HK_OP_STATUS, &tablet);
    assert_true(hk_test_call(&tablet, &request, &answer) != HK_OK); /* nobody the service knows */
}

static void row19_an_enrolment_dies_with_its_administrator(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "", "the invitation", "the join", "the signed record", "the dealing", "the fetch"};
    for (int step = 1; step <= 5; step++) {
        for (int by_code = 0; by_code < 2; by_code++) {
            memset(&service, 0, sizeof(service));
            hk_test_service_start(&service, false);
            hk_test_device_init(&laptop, &service);
            hk_test_device_init(&tablet, &service);
            hk_test_device_init(&friend, &service);
            assert_int_equal(hk_test_init(&laptop), HK_OK);
            assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
            assert_int_equal(hk_test_put_profile(&laptop, NULL), HK_OK);
            assert_int_equal(hk_test_enrol(&laptop, &tablet, &enrolment, step), HK_OK);
            end_laptop(by_code == 1);
            try_the_rest();
            hk_test_hang_up(&tablet);
            hk_test_hang_up(&laptop);
            hk_test_hang_up(&friend);
            hk_test_service_kill(&service);
            hk_test_service_restart(&service);
            try_the_rest();
            hk_tried("ended after %s, by %s", steps[step], by_code == 1 ? "its code" : "its certificate");
            hk_test_device_end(&laptop);
            hk_test_device_end(&tablet);
            hk_test_device_end(&friend);
            hk_test_service_end(&service);
        }
    }
}

/* ---- an old profile ---- */

static struct lying_service lying;
static struct hk_test_home home, phone;
static struct hk_test_output output;
static uint8_t old_profile[2][HK_PAYLOAD_MAX + 512];
static size_t old_size[2];
enum { CAPTURE_FIRST, CAPTURE_SECOND, SHOW_FIRST, SHOW_SECOND, SHOW_CHANGED, HONEST };
static atomic_int what;
static atomic_uint shown;

static void lie(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument;
    int now = atomic_load(&what);
    if (*outcome != HK_OK || job->row == NULL || job->row->op != HK_OP_FETCH_PROFILE || now == HONEST) {
        return;
    }
    struct hk_value *profile = &job->answer.value[HK_F_PROFILE];
    if (now == CAPTURE_FIRST || now == CAPTURE_SECOND) {
        int n = now - CAPTURE_FIRST;
        if (old_size[n] == 0) { /* devices ask again when there is a newer one */
            memcpy(old_profile[n], profile->data, profile->size);
            old_size[n] = profile->size;
        }
        return;
    }
    int n = now == SHOW_FIRST ? 0 : 1;
    uint8_t *copy = hk_job_memory(job, old_size[n]);
    memcpy(copy, old_profile[n], old_size[n]);
    copy[old_size[n] / 2] ^= now == SHOW_CHANGED;
    hk_message_set_bytes(&job->answer, HK_F_PROFILE, copy, old_size[n]);
    (void)atomic_fetch_add(&shown, 1);
}

static void row19_an_old_profile_that_lists_a_revoked_device_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"the first profile again", "the one that lists the revoked phone",
                                        "that one, changed"};
    atomic_store(&what, CAPTURE_FIRST);
    lying_start(&lying);
    lying_tell(lie, NULL);
    hk_test_home_init(&home, &lying.service, "home");
    hk_test_home_init(&phone, &lying.service, "phone");
    hk_test_home_account(&home, &lying.service, "laptop");
    HK_EXPECT(&home, 0, NULL, "key", "create", "files", "--suite", "x25519");
    hk_test_home_pair(&home, &phone, "phone");
    atomic_store(&what, CAPTURE_SECOND);
    HK_EXPECT(&home, 0, NULL, "device", "rename", "laptop", "notebook");
    assert_true(old_size[0] > 0 && old_size[1] > old_size[0]);
    atomic_store(&what, HONEST);
    HK_EXPECT(&home, 0, "is revoked", "device", "revoke", "phone");
    for (int i = 0; i < 3; i++) {
        atomic_store(&shown, 0);
        atomic_store(&what, SHOW_FIRST + i);
        assert_int_equal(HK_RUN(&home, &output, "device", "rename", "notebook", "desk"), 1);
        assert_true(strlen(output.err) > 20);
        assert_true(atomic_load(&shown) > 0);
        assert_int_equal(HK_RUN(&home, &output, "device", "list"), 0);
        assert_null(strstr(output.out, "phone")); /* its name was in the old profile only */
        assert_non_null(strstr(output.out, "notebook"));
        hk_tried("%s", names[i]);
    }
    atomic_store(&what, HONEST);
    HK_EXPECT(&home, 0, NULL, "device", "rename", "notebook", "desk");
    HK_EXPECT(&phone, 4, "revoked", "device", "list");
    hk_test_home_end(&home);
    hk_test_home_end(&phone);
    lying_stop(&lying);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row19_an_enrolment_dies_with_its_administrator),
        cmocka_unit_test(row19_an_old_profile_that_lists_a_revoked_device_is_refused),
    };
    return HK_ATTACK_ROW(19, tests);
}
