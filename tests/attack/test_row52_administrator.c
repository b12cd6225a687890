/* Row 52: a stolen administrator's device, within the time that slow changes wait: it promotes its own,
 * approves what it asked for, ends the others, changes the recovery set, has certificates signed; suspended,
 * it tries everything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/store_view.h"

static struct hk_attack attack;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static enum hk_error ask(struct hk_test_device *by, enum hk_op op, enum hk_change_kind kind,
                         const uint8_t serial[HK_ID_BYTES])
{
    struct hk_message request, answer;
    hk_test_request(&request, op, by);
    hk_message_set_u64(&request, HK_F_KIND, kind);
    hk_message_set_bytes(&request, HK_F_DEVICE, serial, HK_ID_BYTES);
    return hk_test_call(by, &request, &answer);
}

static enum hk_error certificate_of(const struct hk_test_device *device)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX], object[HK_SMALL_OBJECT_MAX];
    size_t size;
    struct hk_revocation revocation = {.created = 1};
    memcpy(revocation.account, attack.laptop.account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, device->serial, HK_ID_BYTES);
    assert_int_equal(hk_revocation_encode(&revocation, payload, sizeof(payload), &size), HK_OK);
    return hk_test_object(&attack.laptop, HK_TYPE_REVOCATION, payload, size, object, sizeof(object), &size);
}

static void list_as_administrator(struct hk_profile *profile, void *argument)
{
    const struct hk_test_device *device = argument;
    for (size_t i = 0; i < profile->device_count; i++) {
        if (memcmp(profile->devices[i].serial, device->serial, HK_ID_BYTES) == 0) {
            profile->devices[i].role = HK_ROLE_ADMIN;
        }
    }
}

static void add_a_set(struct hk_profile *profile, void *argument)
{
    (void)argument;
    profile->recovery.count = profile->recovery.threshold = 2;
    profile->recovery.holders[1].key[0] = 1;
    strcpy(profile->recovery.holders[0].name, "thief");
    strcpy(profile->recovery.holders[1].name, "thief");
}

static void nothing_slow_is_done_before_its_time(void **state)
{
    (void)state;
    struct hk_test_device *thief = &attack.laptop, *phone = &attack.phone;
    hk_watch(&attack);
    hk_refused(&attack, phone, HK_OP_CHANGE_ASK,
               ask(phone, HK_OP_CHANGE_ASK, HK_CHANGE_PROMOTE, phone->serial), HK_NOT_ALLOWED,
               "an ordinary device asks to be promoted");
    hk_watch(&attack);
    hk_refused(&attack, thief, HK_OP_CHANGE_ASK,
               ask(thief, HK_OP_CHANGE_ASK, HK_CHANGE_PROMOTE, attack.bystander.serial), HK_UNKNOWN_DEVICE,
               "a promotion of another account's device");
    hk_watch(&attack);
    hk_refused(&attack, thief, HK_OP_CHANGE_ASK,
               ask(thief, HK_OP_CHANGE_ASK, (enum hk_change_kind)9, phone->serial), HK_BAD_ENCODING,
               "a change that there is not");
    hk_watch(&attack);
    hk_refused(&attack, thief, HK_OP_CHANGE_ASK,
               ask(thief, HK_OP_CHANGE_ASK, HK_CHANGE_REVOKE, thief->serial), HK_CONFLICT, "its own end");
    hk_watch(&attack);
    hk_refused(&attack, thief, HK_OP_CHANGE_ASK,
               ask(thief, HK_OP_CHANGE_ASK, HK_CHANGE_RECOVERY, phone->serial), HK_NOT_ALLOWED,
               "a recovery set in another's name");
    assert_int_equal(ask(thief, HK_OP_CHANGE_ASK, HK_CHANGE_PROMOTE, phone->serial), HK_OK);
    hk_watch(&attack);
    hk_refused(&attack, thief, HK_OP_CHANGE_APPROVE,
               ask(thief, HK_OP_CHANGE_APPROVE, HK_CHANGE_PROMOTE, phone->serial), HK_NOT_ALLOWED,
               "approves what it has asked for");
    hk_watch(&attack);
    hk_refused(&attack, phone, HK_OP_CHANGE_APPROVE,
               ask(phone, HK_OP_CHANGE_APPROVE, HK_CHANGE_PROMOTE, phone->serial), HK_NOT_ALLOWED,
               "an ordinary device approves");
    hk_watch(&attack);
    hk_refused(&attack, thief, HK_OP_CHANGE_APPROVE,
               ask(thief, HK_OP_CHANGE_APPROVE, HK_CHANGE_REVOKE, phone->serial), HK_UNKNOWN_RUN,
               "approves what nobody asked for");
    hk_test_change_profiles(list_as_administrator, phone);
    assert_int_equal(hk_test_put_profile(thief, phone), HK_CONFLICT);
    hk_tried("a profile that lists it as an administrator's already");
    hk_test_change_profiles(add_a_set, NULL);
    assert_int_equal(hk_test_put_profile(thief, phone), HK_CONFLICT);
    hk_tried("a profile with a recovery set of its own");
    hk_test_change_profiles(NULL, NULL);
    assert_int_equal(certificate_of(phone), HK_NOT_ALLOWED);
    hk_tried("a certificate of a device that nobody is enrolling");
    assert_int_equal(certificate_of(thief), HK_NOT_ALLOWED);
    hk_tried("a second certificate of its own");
}

/* hand-ask names what a device lacks: the account's key only when the promotion is due. */
static size_t lacks(const struct hk_test_device *device)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_HAND_ASK, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_DEVICE, device->serial, HK_ID_BYTES);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    return answer.value[HK_F_KEYS].count;
}

static void the_accounts_key_is_dealt_when_a_promotion_is_due_and_never_before(void **state)
{
    (void)state;
    assert_int_equal(lacks(&attack.phone), 0);
    hk_tried("while the promotion waits");
    hk_view_let_time_pass(&attack.service);
    assert_int_equal(lacks(&attack.phone), 1);
    hk_tried("when it is due");
    assert_int_equal(ask(&attack.laptop, HK_OP_CHANGE_CANCEL, HK_CHANGE_PROMOTE, attack.phone.serial), HK_OK);
    assert_int_equal(lacks(&attack.phone), 0);
    hk_tried("cancelled at the last moment");
}

/* And the end of who asked ends what it asked for. */
static void what_it_asked_for_ends_with_it(void **state)
{
    (void)state;
    struct hk_message request, answer;
    assert_int_equal(ask(&attack.laptop, HK_OP_CHANGE_ASK, HK_CHANGE_PROMOTE, attack.phone.serial), HK_OK);
    assert_int_equal(ask(&attack.laptop, HK_OP_CHANGE_ASK, HK_CHANGE_RECOVERY, attack.laptop.serial), HK_OK);
    assert_int_equal(hk_view_number(&attack.service, "SELECT COUNT(*) FROM changes"), 2);
    hk_test_request(&request, HK_OP_REVOKE_BY_CERTIFICATE, NULL);
    hk_message_set_bytes(&request, HK_F_CODE, attack.laptop.code, sizeof(attack.laptop.code));
    assert_int_equal(hk_test_call_stranger(&attack.bystander, &request, &answer), HK_OK);
    assert_int_equal(hk_view_number(&attack.service, "SELECT COUNT(*) FROM changes"), 0);
    hk_tried("ended by its printed code");
    hk_test_hang_up(&attack.laptop);
    hk_watch(&attack);
    hk_refused(&attack, &attack.laptop, HK_OP_CHANGE_ASK,
               ask(&attack.laptop, HK_OP_CHANGE_ASK, HK_CHANGE_PROMOTE, attack.phone.serial), HK_REVOKED,
               "asked again afterwards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_slow_is_done_before_its_time),
        cmocka_unit_test(the_accounts_key_is_dealt_when_a_promotion_is_due_and_never_before),
        cmocka_unit_test(what_it_asked_for_ends_with_it),
    };
    return HK_ATTACK_ROW_IN(52, tests, set_up, tear_down);
}
