/* Row 50: a key that is deleted. By whom it is not for, with a profile that goes on listing it, and what is
 * left of it afterwards: uses, refreshes that were under way, databases. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
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

static enum hk_error sign_with(struct hk_test_device *device, struct hk_test_key *key)
{
    uint8_t signature[64];
    return hk_test_sign(device, key, HK_SIGN_RAW, "message", 7, signature);
}

/* Not one state changes, and the key goes on working. */
static void who_may_not_deletes_nothing(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_test_key_of(&attack.laptop, HK_SUITE_ED25519);
    struct hk_test_key *own = NULL;
    uint8_t nobodys[HK_ID_BYTES];
    hk_random(nobodys, sizeof(nobodys));
    for (size_t i = 0; i < attack.laptop.key_count; i++) {
        own = attack.laptop.key[i].suite->id == HK_SUITE_ACCOUNT ? &attack.laptop.key[i] : own;
    }
    assert_non_null(own);
    struct hk_message request, answer;
    uint8_t account_key[HK_ID_BYTES];
    memcpy(account_key, own->id, HK_ID_BYTES);

    hk_watch(&attack);
    hk_test_request(&request, HK_OP_KEY_DELETE, &attack.phone);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_PROFILE, "nothing", 7);
    hk_refused(&attack, &attack.phone, HK_OP_KEY_DELETE, hk_test_call(&attack.phone, &request, &answer),
               HK_NOT_ALLOWED, "an ordinary device deletes a key");
    hk_watch(&attack);
    hk_test_request(&request, HK_OP_KEY_DELETE, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_PROFILE, "nothing", 7);
    hk_refused(&attack, &attack.laptop, HK_OP_KEY_DELETE, hk_test_call(&attack.laptop, &request, &answer),
               HK_BAD_ENCODING, "without a profile");

    assert_int_equal(hk_test_delete_key(&attack.laptop, &attack.phone, key->id, false), HK_CONFLICT);
    hk_tried("with a profile that goes on listing the key");
    assert_int_equal(hk_test_delete_key(&attack.laptop, &attack.phone, account_key, false), HK_NOT_ALLOWED);
    hk_tried("the account's own key");
    assert_int_equal(hk_test_delete_key(&attack.laptop, &attack.phone, nobodys, false), HK_OK);
    hk_tried("a key that there is not changes the profile alone");
    struct hk_test_key *theirs = hk_test_key_of(&attack.bystander, HK_SUITE_ED25519);
    assert_int_equal(hk_test_delete_key(&attack.laptop, &attack.phone, theirs->id, false), HK_OK);
    assert_int_equal(sign_with(&attack.bystander, theirs), HK_OK);
    hk_tried("another account's key");
    assert_int_equal(sign_with(&attack.laptop, key), HK_OK);
    assert_int_equal(sign_with(&attack.phone, hk_test_key_of(&attack.phone, HK_SUITE_ED25519)), HK_OK);
}

/* The phone is between `refresh` and its confirm. */
static void nothing_is_left_of_it_on_any_device(void **state)
{
    (void)state;
    struct hk_test_key key = *hk_test_key_of(&attack.phone, HK_SUITE_ED25519);
    struct hk_test_epoch next = {.seed = {1}};
    struct hk_message request, answer;
    assert_int_equal(hk_test_refresh(&attack.phone, &next), HK_OK);
    assert_int_equal(hk_test_delete_key(&attack.laptop, &attack.phone, key.id, true), HK_OK);
    assert_int_equal(hk_test_confirm(&attack.phone, &next), HK_UNKNOWN_TAG);
    hk_tried("a refresh that covers the key is dropped");
    hk_watch(&attack);
    hk_refused(&attack, &attack.phone, HK_OP_SIGN, sign_with(&attack.phone, &key), HK_UNKNOWN_KEY,
               "a use of it afterwards");
    hk_test_service_kill(&attack.service);
    hk_test_service_restart(&attack.service);
    hk_test_hang_up(&attack.phone);
    hk_test_hang_up(&attack.laptop);
    hk_test_hang_up(&attack.bystander);
    hk_watch(&attack);
    hk_refused(&attack, &attack.phone, HK_OP_SIGN, sign_with(&attack.phone, &key), HK_UNKNOWN_KEY,
               "and after a restart");
    assert_int_equal(hk_view_number(&attack.service,
                                    "SELECT COUNT(*) FROM halves WHERE key NOT IN (SELECT number FROM keys)"),
                     0);
    assert_int_equal(hk_view_number(&attack.service, "SELECT COUNT(*) FROM pending"), 0);
    hk_tried("no half is in the database");
    hk_test_request(&request, HK_OP_STATUS, &attack.phone);
    assert_int_equal(hk_test_call(&attack.phone, &request, &answer), HK_OK);
    for (size_t i = 0; i < answer.value[HK_F_KEYS].count; i++) {
        assert_memory_not_equal(answer.value[HK_F_KEYS].items[i].data, key.id, HK_ID_BYTES);
    }
    hk_tried("the service no longer names it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_not_deletes_nothing),
        cmocka_unit_test(nothing_is_left_of_it_on_any_device),
    };
    return HK_ATTACK_ROW_IN(50, tests, set_up, tear_down);
}
