/* Suspension at the real service: by an administrator, and by the service itself when an old copy shows up.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/client.h"

static struct hk_test_service service;
static struct hk_test_device laptop, phone, copy;
static struct hk_test_enrolment enrolment;

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_two_devices(&laptop, &phone, &service, &enrolment);
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

static enum hk_error ask(struct hk_test_device *by, enum hk_op op, const uint8_t serial[HK_ID_BYTES])
{
    struct hk_message request, answer;
    hk_test_request(&request, op, by);
    hk_message_set_bytes(&request, HK_F_DEVICE, serial, HK_ID_BYTES);
    return hk_test_call(by, &request, &answer);
}

static struct hk_device_row row_of(const struct hk_test_device *device)
{
    struct hk_message request, answer;
    struct hk_device_row row = {0};
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    for (size_t i = 0; i < answer.value[HK_F_ROWS].count; i++) {
        const struct hk_bytes *item = &answer.value[HK_F_ROWS].items[i];
        assert_int_equal(hk_row_decode(&row, item->data, item->size), HK_OK);
        if (memcmp(row.serial, device->serial, HK_ID_BYTES) == 0) {
            return row;
        }
    }
    fail();
    return row;
}

/* How many leaves of this operation about the phone were not refused; `by` NULL: by the service itself. */
static unsigned leaves(enum hk_op op, const struct hk_test_device *by)
{
    struct hk_message request, answer;
    unsigned found = 0;
    hk_test_request(&request, HK_OP_LOG_HEAD, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    uint64_t generation = answer.value[HK_F_GENERATION].number, size = answer.value[HK_F_SIZE].number;
    hk_test_request(&request, HK_OP_LOG_LEAVES, &laptop);
    hk_message_set_u64(&request, HK_F_GENERATION, generation);
    hk_message_set_u64(&request, HK_F_START, 0);
    hk_message_set_u64(&request, HK_F_COUNT, size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    assert_int_equal(answer.value[HK_F_LEAVES].count, size);
    for (size_t i = 0; i < size; i++) {
        struct hk_leaf leaf;
        const struct hk_bytes *item = &answer.value[HK_F_LEAVES].items[i];
        assert_int_equal(hk_leaf_decode(&leaf, item->data, item->size), HK_OK);
        bool who =
            leaf.has_who == (by != NULL) && (by == NULL || memcmp(leaf.who, by->serial, HK_ID_BYTES) == 0);
        found += leaf.op == (uint64_t)op && leaf.outcome == 0 && who && leaf.has_subject &&
                 memcmp(leaf.subject, phone.serial, HK_ID_BYTES) == 0;
    }
    return found;
}

static void a_suspended_device_is_refused_until_it_is_resumed(void **state)
{
    (void)state;
    assert_int_equal(hk_test_sign_git(&phone), HK_OK);
    assert_int_equal(ask(&laptop, HK_OP_SUSPEND, phone.serial), HK_OK);
    assert_int_equal(ask(&laptop, HK_OP_SUSPEND, phone.serial), HK_OK); /* twice changes nothing */
    assert_int_equal(leaves(HK_OP_SUSPEND, &laptop), 1);
    assert_int_equal(hk_test_sign_git(&phone), HK_SUSPENDED);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_sign_git(&phone), HK_SUSPENDED);
    assert_int_equal(row_of(&phone).status, HK_STATUS_SUSPENDED);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    hk_test_hang_up(&laptop);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_sign_git(&phone), HK_SUSPENDED);
    assert_int_equal(ask(&laptop, HK_OP_RESUME, phone.serial), HK_OK);
    assert_int_equal(ask(&laptop, HK_OP_RESUME, phone.serial), HK_OK);
    assert_int_equal(leaves(HK_OP_RESUME, &laptop), 1);
    assert_int_equal(hk_test_sign_git(&phone), HK_OK);
}

static void only_administrators_suspend_and_only_ordinary_devices(void **state)
{
    (void)state;
    static struct hk_test_device stranger;
    uint8_t nobody[HK_ID_BYTES] = {1};
    hk_test_device_init(&stranger, &service);
    assert_int_equal(hk_test_init(&stranger), HK_OK);
    for (int i = 0; i < 2; i++) {
        enum hk_op op = i == 0 ? HK_OP_SUSPEND : HK_OP_RESUME;
        assert_int_equal(ask(&phone, op, phone.serial), HK_NOT_ALLOWED);
        assert_int_equal(ask(&phone, op, laptop.serial), HK_NOT_ALLOWED);
        assert_int_equal(ask(&laptop, op, laptop.serial), HK_NEEDS_APPROVAL);
        assert_int_equal(ask(&laptop, op, nobody), HK_UNKNOWN_DEVICE);
        assert_int_equal(ask(&stranger, op, phone.serial), HK_UNKNOWN_DEVICE);
    }
    assert_int_equal(row_of(&phone).status, HK_STATUS_ACTIVE);
    assert_int_equal(leaves(HK_OP_SUSPEND, &laptop), 0);
    hk_test_device_end(&stranger);
}

static void a_revoked_device_is_not_resumed(void **state)
{
    (void)state;
    struct hk_message request, answer;
    assert_int_equal(ask(&laptop, HK_OP_SUSPEND, phone.serial), HK_OK);
    hk_test_request(&request, HK_OP_REVOKE, &laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment.certificate, enrolment.certificate_size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK); /* suspended or not */
    assert_int_equal(ask(&laptop, HK_OP_RESUME, phone.serial), HK_CONFLICT);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_sign_git(&phone), HK_REVOKED);
}

static void make_old_copy(struct hk_test_device *of)
{
    struct hk_test_epoch next;
    copy = *of;
    copy.channel = copy.stranger = NULL;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(of, &next), HK_OK);
    assert_int_equal(hk_test_confirm(of, &next), HK_OK);
    hk_test_adopt(of, &next);
    assert_int_equal(hk_test_sign_git(of), HK_OK);
}

static void an_old_copy_suspends_the_device_where_an_administrator_can_lift_it(void **state)
{
    (void)state;
    make_old_copy(&phone);
    assert_int_equal(hk_test_sign_git(&copy), HK_STALE_EPOCH);
    assert_int_equal(hk_test_sign_git(&phone), HK_SUSPENDED);
    assert_int_equal(hk_test_sign_git(&copy), HK_SUSPENDED);
    assert_int_equal(leaves(HK_OP_SUSPEND, NULL), 1);
    assert_int_equal(row_of(&phone).status, HK_STATUS_SUSPENDED);
    assert_true(row_of(&phone).stale_copy_seen != 0);
    assert_int_equal(ask(&laptop, HK_OP_RESUME, phone.serial), HK_OK);
    assert_int_equal(hk_test_sign_git(&phone), HK_OK);
    assert_int_equal(hk_test_sign_git(&copy), HK_STALE_EPOCH); /* and so on, until it is revoked */
    assert_int_equal(hk_test_sign_git(&phone), HK_SUSPENDED);
    assert_int_equal(leaves(HK_OP_SUSPEND, NULL), 2);
    hk_test_hang_up(&copy);
}

static void an_old_copy_of_the_only_administrator_suspends_nobody(void **state)
{
    (void)state;
    make_old_copy(&laptop);
    assert_int_equal(hk_test_sign_git(&copy), HK_STALE_EPOCH);
    assert_int_equal(hk_test_sign_git(&laptop), HK_OK);
    assert_int_equal(hk_test_sign_git(&phone), HK_OK);
    assert_int_equal(leaves(HK_OP_SUSPEND, NULL), 0);
    assert_true(row_of(&laptop).stale_copy_seen != 0);
    hk_test_hang_up(&copy);
}

static void a_refresh_goes_on_after_a_suspension(void **state)
{
    (void)state;
    struct hk_test_epoch next;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&phone, &next), HK_OK);
    assert_int_equal(ask(&laptop, HK_OP_SUSPEND, phone.serial), HK_OK);
    assert_int_equal(hk_test_confirm(&phone, &next), HK_SUSPENDED);
    assert_int_equal(ask(&laptop, HK_OP_RESUME, phone.serial), HK_OK);
    assert_int_equal(hk_test_confirm(&phone, &next), HK_OK);
    hk_test_adopt(&phone, &next);
    assert_int_equal(hk_test_sign_git(&phone), HK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_suspended_device_is_refused_until_it_is_resumed),
        TEST(only_administrators_suspend_and_only_ordinary_devices),
        TEST(a_revoked_device_is_not_resumed),
        TEST(an_old_copy_suspends_the_device_where_an_administrator_can_lift_it),
        TEST(an_old_copy_of_the_only_administrator_suspends_nobody),
        TEST(a_refresh_goes_on_after_a_suspension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
