/* What happens between the admission of an operation and the hand-over of its answer: its device is
 * suspended, or is being ended. The service runs in the test's process and stops where an answer is sealed,
 * which for share operations is before they are queued for the commit. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/lying_service.h"
#include "tests/support/store_view.h"

static struct lying_service lying;
static struct hk_test_device laptop, phone;
static struct hk_test_enrolment enrolment;

static int set_up(void **state)
{
    (void)state;
    lying_start(&lying);
    hk_test_two_devices(&laptop, &phone, &lying.service, &enrolment);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lying_tell(NULL, NULL);
    hk_test_device_end(&laptop);
    hk_test_device_end(&phone);
    lying_stop(&lying);
    return 0;
}

static enum hk_error sign_by_phone(void)
{
    uint8_t signature[64];
    return hk_test_sign(&phone, &phone.key[0], HK_SIGN_RAW, "message", 7, signature);
}

static bool is_phones(const struct hk_job *job)
{
    return job->row != NULL && job->row->op == HK_OP_SIGN &&
           memcmp(job->device.serial, phone.serial, HK_ID_BYTES) == 0;
}

static enum hk_error suspended_with;

static void suspend_once(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    static _Thread_local struct hk_message request, answer;
    (void)argument, (void)outcome;
    if (!is_phones(job) || suspended_with != HK_AGAIN) {
        return;
    }
    suspended_with = HK_OK;
    hk_test_request(&request, HK_OP_SUSPEND, &laptop);
    hk_message_set_bytes(&request, HK_F_DEVICE, phone.serial, HK_ID_BYTES);
    suspended_with = hk_test_call(&laptop, &request, &answer);
}

struct count {
    unsigned released, refused;
};

static void count_leaf(void *argument, const struct hk_leaf *leaf)
{
    struct count *count = argument;
    if (leaf->has_who && leaf->op == HK_OP_SIGN && memcmp(leaf->who, phone.serial, HK_ID_BYTES) == 0) {
        *(leaf->outcome == 0 ? &count->released : &count->refused) += 1;
    }
}

static void an_operation_admitted_before_a_suspension_and_committed_after_it_is_refused(void **state)
{
    (void)state;
    struct count count = {0, 0};
    assert_int_equal(sign_by_phone(), HK_OK);
    suspended_with = HK_AGAIN;
    lying_tell(suspend_once, NULL);
    assert_int_equal(sign_by_phone(), HK_SUSPENDED);
    assert_int_equal(suspended_with, HK_OK);
    lying_tell(NULL, NULL);
    hk_view_each_leaf(&lying.service, laptop.account, count_leaf, &count);
    assert_int_equal(count.released, 1);
    assert_int_equal(count.refused, 1);
}

/* As a revocation closes a device: its connections end once nothing of it is inside any more. */
static struct {
    struct hk_device_closer closer; /* first */
    struct hk_server *server;
    atomic_uint times, inside;
    enum hk_error error;
} ending;

static void ended(struct hk_device_closer *closer)
{
    (void)closer;
    (void)atomic_fetch_add(&ending.times, 1);
    hk_listener_close_marked(ending.server->listener, phone.static_public);
}

static void close_once(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument, (void)outcome;
    if (is_phones(job) && atomic_fetch_add(&ending.inside, 1) == 0) {
        ending.error = hk_device_close(job->server->devices, phone.serial, &ending.closer);
        assert_int_equal(atomic_load(&ending.times), 0); /* the operation itself is still inside */
    }
}

static void an_answer_that_is_ready_while_its_device_is_closing_is_dropped(void **state)
{
    (void)state;
    struct count count = {0, 0};
    assert_int_equal(sign_by_phone(), HK_OK);
    ending.closer.then = ended;
    ending.server = lying.server;
    ending.error = HK_AGAIN;
    lying_tell(close_once, NULL);
    enum hk_error error = sign_by_phone();
    assert_int_equal(ending.error, HK_OK);
    assert_int_equal(atomic_load(&ending.times), 1);
    assert_int_not_equal(error, HK_OK); /* it was committed; its answer never left */
    lying_tell(NULL, NULL);
    hk_view_each_leaf(&lying.service, laptop.account, count_leaf, &count);
    assert_int_equal(count.released, 2);
    hk_test_hang_up(&phone);                       /* its connection is being closed */
    assert_int_equal(sign_by_phone(), HK_REVOKED); /* nothing is admitted any more */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_operation_admitted_before_a_suspension_and_committed_after_it_is_refused),
        TEST(an_answer_that_is_ready_while_its_device_is_closing_is_dropped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
