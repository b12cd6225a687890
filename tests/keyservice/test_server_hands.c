/* Keys handed over to a device that was enrolled before them, at the real service: the order of steps, what
 * is dropped by what, and every step again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "crypto/random.h"
#include "keyservice/vault.h"
#include "tests/support/client_hand.h"
#include "tests/support/store_view.h"

static struct hk_test_service service;
static struct hk_test_device laptop, phone;
static struct hk_test_hand hand, other;
static struct hk_test_epoch next;
static uint8_t signature[64];

static int set_up(void **state)
{
    static struct hk_test_enrolment enrolment;
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_device_init(&laptop, &service);
    hk_test_device_init(&phone, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "first"), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, NULL), HK_OK);
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, &phone), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_SECP256K1_SCHNORR, "later"), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, &phone), HK_OK);
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

static enum hk_error sign(struct hk_test_device *device, enum hk_suite_id suite)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == suite) {
            return hk_test_sign(device, &device->key[i], HK_SIGN_RAW, "message", 7, signature);
        }
    }
    return HK_UNKNOWN_KEY;
}

static void refresh(struct hk_test_device *device)
{
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(device, &next), HK_OK);
    hk_test_hang_up(device);
    assert_int_equal(hk_test_confirm(device, &next), HK_OK);
    hk_test_adopt(device, &next);
}

static void assert_waiting(size_t lacks, size_t waits)
{
    size_t found[2];
    assert_int_equal(hk_test_hand_ask(&laptop, &phone, &found[0], &found[1]), HK_OK);
    assert_int_equal(found[0], lacks);
    assert_int_equal(found[1], waits);
}

static void a_key_that_was_made_later_is_handed_over(void **state)
{
    (void)state;
    assert_waiting(1, 0);
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    assert_waiting(0, 1);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_OK);
    assert_waiting(0, 0);
    assert_int_equal(sign(&phone, HK_SUITE_SECP256K1_SCHNORR), HK_OK);
    assert_int_equal(sign(&laptop, HK_SUITE_SECP256K1_SCHNORR), HK_OK);
    refresh(&laptop);
    refresh(&phone);
    assert_int_equal(sign(&phone, HK_SUITE_SECP256K1_SCHNORR), HK_OK);
    assert_int_equal(sign(&phone, HK_SUITE_ED25519), HK_OK);
}

static void every_step_can_be_repeated(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_hand_seal(&laptop, &phone, &hand), HK_OK); /* its answer was lost */
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_OK);
    uint64_t leaves = hk_view_leaves(&service, laptop.account);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_OK);
    assert_int_equal(hk_view_leaves(&service, laptop.account), leaves); /* nothing was done again */
    assert_int_equal(sign(&phone, HK_SUITE_SECP256K1_SCHNORR), HK_OK);
}

static void what_waits_survives_the_service(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_OK);
    assert_int_equal(sign(&phone, HK_SUITE_SECP256K1_SCHNORR), HK_OK);
}

static void the_administrator_may_refresh_while_it_waits(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    refresh(&laptop);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_OK);
    assert_int_equal(sign(&phone, HK_SUITE_SECP256K1_SCHNORR), HK_OK);
}

static void an_offer_of_another_epoch_is_not_sealed(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_open(&laptop, &phone, &hand, true), HK_OK);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &hand), HK_OK);
    refresh(&laptop);
    assert_int_equal(hk_test_hand_seal(&laptop, &phone, &hand), HK_UNKNOWN_RUN);
    assert_waiting(1, 0);
}

static void an_offer_is_not_sealed_for_another_deposit_or_other_keys(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_open(&laptop, &phone, &hand, true), HK_OK);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_open(&laptop, &phone, &other, true), HK_OK);
    assert_int_equal(hk_test_hand_seal(&laptop, &phone, &hand), HK_UNKNOWN_RUN);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &other), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "third"), HK_OK);
    assert_int_equal(hk_test_hand_seal(&laptop, &phone, &other), HK_UNKNOWN_RUN);
    assert_waiting(2, 0);
}

static void a_new_deposit_erases_what_waits_for_the_one_before(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_open(&laptop, &phone, &other, true), HK_OK);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_UNKNOWN_RUN);
    assert_int_equal(hk_test_hand_fetch(&phone, &other), HK_NOT_FOUND);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_UNKNOWN_RUN);
    assert_waiting(1, 0);
}

static void a_refresh_of_the_device_drops_deposit_and_keys(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    refresh(&phone);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_UNKNOWN_RUN);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_UNKNOWN_RUN);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &other), HK_UNKNOWN_RUN);
    assert_int_equal(sign(&phone, HK_SUITE_ED25519), HK_OK);
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
}

static void nothing_is_opened_or_confirmed_during_a_refresh(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&phone, &next), HK_OK);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_LOCKED);
    assert_int_equal(hk_test_hand_open(&laptop, &phone, &other, true), HK_LOCKED);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &other), HK_LOCKED);
}

static unsigned about_hands;

static void say(void *context, bool problem, const char *sentence)
{
    (void)context;
    about_hands += problem && strstr(sentence, "keys that wait") != NULL;
}

static uint64_t check_store(void)
{
    char data[128], reason[256] = "";
    uint64_t problems = 0;
    (void)snprintf(data, sizeof(data), "%s/data", service.directory);
    struct hk_vault_options options = {.data = data};
    about_hands = 0;
    assert_int_equal(hk_check_data_dir(&options, say, NULL, &problems, reason), HK_OK);
    return problems;
}

static void what_waits_is_checked_with_the_store(void **state)
{
    (void)state;
    char path[128];
    sqlite3 *db;
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_service_stop(&service), 0);
    assert_int_equal(check_store(), 0);
    (void)snprintf(path, sizeof(path), "%s/data/store.db", service.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE hands SET sealed = zeroblob(length(sealed))", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(check_store(), 1);
    assert_int_equal(about_hands, 1);
    hk_test_service_restart(&service); /* it is dealt anew */
    hk_test_hang_up(&laptop);
    hk_test_hang_up(&phone);
    assert_waiting(1, 0);
    assert_int_equal(hk_test_hand_deal(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_OK);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(hk_test_hand_open(&laptop, &phone, &hand, true), HK_OK);
    struct hk_test_device wrong = laptop;
    wrong.key_count = 0; /* deals no key at all */
    assert_int_equal(hk_test_hand_offer(&wrong, &phone, &hand), HK_BAD_ENCODING);
    laptop.channel = wrong.channel;
    struct hk_test_device ignorant = phone;
    ignorant.key_count = 0; /* one key too many: the phone has it */
    assert_int_equal(hk_test_hand_offer(&laptop, &ignorant, &hand), HK_CONFLICT);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &hand), HK_OK);
    hand.transcript[0] ^= 1;
    assert_int_equal(hk_test_hand_seal(&laptop, &phone, &hand), HK_UNKNOWN_RUN);
    hand.transcript[0] ^= 1;
    assert_int_equal(hk_test_hand_seal(&laptop, &phone, &hand), HK_OK);
    assert_int_equal(hk_test_hand_fetch(&phone, &hand), HK_OK);
    hk_scalar_random(hand.key[0].suite->group, &hand.handed[0].half);
    assert_int_equal(hk_test_hand_confirm(&phone, &hand), HK_BAD_PROOF);
    assert_waiting(0, 1);
}

static void only_the_administrator_that_was_named_deals(void **state)
{
    (void)state;
    static struct hk_test_device stranger;
    size_t lacks, waits;
    hk_test_device_init(&stranger, &service);
    assert_int_equal(hk_test_init(&stranger), HK_OK);
    assert_int_equal(hk_test_hand_ask(&stranger, &phone, &lacks, &waits), HK_UNKNOWN_DEVICE);
    assert_int_equal(hk_test_hand_ask(&laptop, &laptop, &lacks, &waits), HK_UNKNOWN_DEVICE);
    assert_int_equal(hk_test_hand_ask(&phone, &laptop, &lacks, &waits), HK_NOT_ALLOWED);
    assert_int_equal(hk_test_hand_open(&stranger, &phone, &hand, true), HK_UNKNOWN_DEVICE);
    assert_int_equal(hk_test_hand_open(&phone, &laptop, &hand, false), HK_NOT_ALLOWED);
    assert_int_equal(hk_test_hand_offer(&laptop, &phone, &hand), HK_UNKNOWN_RUN); /* no deposit */
    hk_test_device_end(&stranger);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_was_made_later_is_handed_over),
        TEST(every_step_can_be_repeated),
        TEST(what_waits_survives_the_service),
        TEST(the_administrator_may_refresh_while_it_waits),
        TEST(an_offer_of_another_epoch_is_not_sealed),
        TEST(an_offer_is_not_sealed_for_another_deposit_or_other_keys),
        TEST(a_new_deposit_erases_what_waits_for_the_one_before),
        TEST(a_refresh_of_the_device_drops_deposit_and_keys),
        TEST(nothing_is_opened_or_confirmed_during_a_refresh),
        TEST(what_waits_is_checked_with_the_store),
        TEST(what_does_not_fit_is_refused),
        TEST(only_the_administrator_that_was_named_deals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
