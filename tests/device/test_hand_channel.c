/* What an administrator seals for a device that left a deposit: it opens there, and nowhere else. */
#include "device/hand_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/suite.h"

static uint8_t account[HK_ACCOUNT_BYTES], admin[HK_ID_BYTES], device[HK_ID_BYTES];
static const struct hk_hand_parties parties = {.account = account, .administrator = admin, .device = device};
static struct hk_secret32 admin_key, device_key, ephemeral;
static uint8_t admin_public[32], device_public[32], message[HK_HAND_MESSAGE_1_BYTES];
static const char payload[] = "halves of keys";
static uint8_t answer[sizeof(payload) + HK_HAND_SEAL_BYTES], opened[sizeof(payload)];
static size_t size;

static int set_up(void **state)
{
    (void)state;
    uint8_t unused[32];
    hk_random(account, sizeof(account));
    hk_random(admin, sizeof(admin));
    hk_random(device, sizeof(device));
    hk_noise_keypair(&admin_key, admin_public);
    hk_noise_keypair(&device_key, device_public);
    hk_noise_keypair(&ephemeral, unused);
    assert_int_equal(hk_hand_make(message, &parties, &device_key, admin_public, &ephemeral), HK_OK);
    assert_int_equal(
        hk_hand_answer(answer, &size, &parties, &admin_key, device_public, message, payload, sizeof(payload)),
        HK_OK);
    assert_int_equal(size, sizeof(answer));
    return 0;
}

static enum hk_error read_it(void)
{
    size_t opened_size = 0;
    enum hk_error error = hk_hand_read(opened, &opened_size, &parties, &device_key, admin_public, &ephemeral,
                                       answer, sizeof(answer));
    assert_true(error != HK_OK || opened_size == sizeof(payload));
    return error;
}

static enum hk_error answer_it(void)
{
    uint8_t out[sizeof(answer)];
    return hk_hand_answer(out, &size, &parties, &admin_key, device_public, message, payload, sizeof(payload));
}

static void the_device_reads_what_the_administrator_sealed(void **state)
{
    (void)state;
    assert_int_equal(read_it(), HK_OK);
    assert_string_equal((const char *)opened, payload);
    assert_int_equal(read_it(), HK_OK); /* after a crash once more */
}

static void the_same_keys_make_the_same_message_again(void **state)
{
    (void)state;
    uint8_t again[HK_HAND_MESSAGE_1_BYTES], other[HK_HAND_MESSAGE_1_BYTES], unused[32];
    assert_int_equal(hk_hand_make(again, &parties, &device_key, admin_public, &ephemeral), HK_OK);
    assert_memory_equal(again, message, sizeof(again));
    hk_noise_keypair(&ephemeral, unused);
    assert_int_equal(hk_hand_make(other, &parties, &device_key, admin_public, &ephemeral), HK_OK);
    assert_memory_not_equal(other, message, sizeof(other));
}

static void each_answer_is_under_a_key_of_its_own(void **state)
{
    (void)state;
    uint8_t again[sizeof(answer)];
    assert_int_equal(
        hk_hand_answer(again, &size, &parties, &admin_key, device_public, message, payload, sizeof(payload)),
        HK_OK);
    assert_memory_not_equal(again, answer, 32);
    assert_memory_not_equal(again + 32, answer + 32, sizeof(answer) - 32);
}

static void an_answer_with_any_byte_changed_does_not_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answer); i++) {
        answer[i] ^= 0x40;
        assert_int_equal(read_it(), HK_BAD_PEER);
        answer[i] ^= 0x40;
    }
    assert_int_equal(hk_hand_read(opened, &size, &parties, &device_key, admin_public, &ephemeral, answer,
                                  HK_HAND_SEAL_BYTES - 1),
                     HK_BAD_PEER);
}

static void a_message_with_any_byte_changed_is_not_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] ^= 0x40;
        assert_int_equal(answer_it(), HK_BAD_PEER);
        message[i] ^= 0x40;
    }
    assert_int_equal(answer_it(), HK_OK);
}

/* The static key of the device alone, stolen later, opens nothing: the ephemeral one is gone. */
static void another_ephemeral_or_static_key_opens_nothing(void **state)
{
    (void)state;
    struct hk_secret32 kept = ephemeral;
    hk_random(ephemeral.bytes, sizeof(ephemeral.bytes));
    assert_int_equal(read_it(), HK_BAD_PEER);
    ephemeral = kept;
    kept = device_key;
    hk_random(device_key.bytes, sizeof(device_key.bytes));
    assert_int_equal(read_it(), HK_BAD_PEER);
    device_key = kept;
    assert_int_equal(read_it(), HK_OK);
}

static void who_is_not_the_device_of_the_profile_is_not_answered(void **state)
{
    (void)state;
    struct hk_secret32 thief;
    uint8_t thief_public[32];
    hk_noise_keypair(&thief, thief_public);
    assert_int_equal(hk_hand_make(message, &parties, &thief, admin_public, &ephemeral), HK_OK);
    assert_int_equal(answer_it(), HK_BAD_PEER);
}

static void who_is_not_the_administrator_is_not_believed(void **state)
{
    (void)state;
    struct hk_secret32 thief;
    uint8_t thief_public[32], theirs[HK_HAND_MESSAGE_1_BYTES];
    hk_noise_keypair(&thief, thief_public);
    assert_int_equal(hk_hand_make(theirs, &parties, &device_key, thief_public, &ephemeral), HK_OK);
    assert_int_equal(
        hk_hand_answer(answer, &size, &parties, &thief, device_public, theirs, payload, sizeof(payload)),
        HK_OK);
    assert_int_equal(read_it(), HK_BAD_PEER);
}

static void account_administrator_and_device_are_part_of_it(void **state)
{
    (void)state;
    uint8_t *names[] = {account, admin, device};
    for (size_t i = 0; i < 3; i++) {
        names[i][0] ^= 1;
        assert_int_equal(read_it(), HK_BAD_PEER);
        assert_int_equal(answer_it(), HK_BAD_PEER);
        names[i][0] ^= 1;
    }
    assert_int_equal(read_it(), HK_OK);
}

/* ---- the bundle ---- */

static struct hk_hand_bundle bundle, decoded;
static uint8_t encoded[HK_HAND_BUNDLE_MAX];

static void fill(size_t count)
{
    static const uint64_t suites[] = {HK_SUITE_X25519, HK_SUITE_SECP256K1_ECDSA};
    memset(&bundle, 0, sizeof(bundle));
    bundle.profile_version = 7;
    bundle.epoch = 3;
    hk_random(bundle.transcript, sizeof(bundle.transcript));
    bundle.key_count = count;
    for (size_t i = 0; i < count; i++) {
        struct hk_join_key *key = &bundle.keys[i];
        key->suite = suites[i % 2];
        key->id[0] = (uint8_t)i;
        hk_random(key->device_point, hk_suite_point_bytes(key->suite));
        hk_random(key->commitment, hk_suite_point_bytes(key->suite));
        hk_random(key->passed, hk_suite_point_bytes(key->suite));
        hk_random(key->kept, hk_suite_scalar_bytes(key->suite));
    }
}

static void a_bundle_comes_back_as_it_was(void **state)
{
    (void)state;
    const size_t counts[] = {1, 2, HK_KEYS_MAX};
    for (size_t i = 0; i < 3; i++) {
        fill(counts[i]);
        assert_int_equal(hk_hand_bundle_encode(&bundle, encoded, sizeof(encoded), &size), HK_OK);
        assert_int_equal(hk_hand_bundle_decode(&decoded, encoded, size), HK_OK);
        assert_memory_equal(&decoded, &bundle, sizeof(bundle));
    }
}

static void a_bundle_that_is_cut_or_has_more_is_refused(void **state)
{
    (void)state;
    fill(2);
    assert_int_equal(hk_hand_bundle_encode(&bundle, encoded, sizeof(encoded), &size), HK_OK);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(hk_hand_bundle_decode(&decoded, encoded, cut), HK_BAD_ENCODING);
    }
    encoded[size] = 0;
    assert_int_equal(hk_hand_bundle_decode(&decoded, encoded, size + 1), HK_BAD_ENCODING);
}

static void a_bundle_without_keys_or_with_one_twice_is_refused(void **state)
{
    (void)state;
    fill(0);
    assert_int_equal(hk_hand_bundle_encode(&bundle, encoded, sizeof(encoded), &size), HK_BAD_ENCODING);
    fill(2);
    memcpy(bundle.keys[1].id, bundle.keys[0].id, HK_ID_BYTES);
    assert_int_equal(hk_hand_bundle_encode(&bundle, encoded, sizeof(encoded), &size), HK_OK);
    assert_int_equal(hk_hand_bundle_decode(&decoded, encoded, size), HK_BAD_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_device_reads_what_the_administrator_sealed, set_up),
        cmocka_unit_test_setup(the_same_keys_make_the_same_message_again, set_up),
        cmocka_unit_test_setup(each_answer_is_under_a_key_of_its_own, set_up),
        cmocka_unit_test_setup(an_answer_with_any_byte_changed_does_not_open, set_up),
        cmocka_unit_test_setup(a_message_with_any_byte_changed_is_not_answered, set_up),
        cmocka_unit_test_setup(another_ephemeral_or_static_key_opens_nothing, set_up),
        cmocka_unit_test_setup(who_is_not_the_device_of_the_profile_is_not_answered, set_up),
        cmocka_unit_test_setup(who_is_not_the_administrator_is_not_believed, set_up),
        cmocka_unit_test_setup(account_administrator_and_device_are_part_of_it, set_up),
        cmocka_unit_test(a_bundle_comes_back_as_it_was),
        cmocka_unit_test(a_bundle_that_is_cut_or_has_more_is_refused),
        cmocka_unit_test(a_bundle_without_keys_or_with_one_twice_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
